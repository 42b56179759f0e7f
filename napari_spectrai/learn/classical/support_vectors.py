"""Support vector machines fitted by scikit-learn, and evaluated with tensors."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_spectrai.learn.classical.classify import PixelClassifier
from napari_spectrai.learn.classical.kernel_search import best_settings


class SVM(PixelClassifier):
    """A Gaussian kernel and one machine per pair of classes; the score of a class is its number of wins, and margins break ties."""

    spanned: ClassVar = ("support",)
    support: Tensor
    dual: Tensor
    offsets: Tensor
    starts: Tensor
    present: Tensor
    gamma: Tensor

    def learnt(self, x: npt.NDArray[np.float64], y: npt.NDArray[np.int64]) -> dict[str, Any]:
        """Return support vectors and their weights."""
        from sklearn.svm import SVC

        scale = 1.0 / self.in_bands
        best = self._searched(SVC(), {"C": [1.0, 10.0, 100.0, 1000.0], "gamma": [0.1 * scale, scale, 4 * scale]}, x, y)
        weights, offsets = best.dual_coef_, best.intercept_
        if len(best.classes_) == 2:  # scikit-learn inverts the sign of a single pair
            weights, offsets = -weights, -offsets
        return {
            "support": best.support_vectors_,
            "dual": weights,
            "offsets": offsets,
            "starts": np.concatenate([[0], np.cumsum(best.n_support_)]).astype(np.int64),
            "present": best.classes_.astype(np.int64),
            "gamma": np.array([best.gamma]),
        }

    def _best_settings(self, model: Any, grid: dict[str, list[Any]], x: Any, y: Any, folds: Any) -> dict[str, Any]:
        return dict(best_settings(x, y, grid, folds.split(x, y), self.threads))

    def scores(self, x: Tensor) -> Tensor:
        """Return scores (n, C)."""
        return torch.cat([self._votes(part) for part in x.split(4096)])

    def _votes(self, x: Tensor) -> Tensor:
        distance = x.square().sum(1)[:, None] + self.support.square().sum(1) - 2 * x @ self.support.T
        kernel = torch.exp(-self.gamma * distance.clamp(min=0))
        classes = len(self.present)
        votes = x.new_zeros(len(x), classes)
        pair = 0
        for i in range(classes):
            for j in range(i + 1, classes):
                mine, theirs = slice(self.starts[i], self.starts[i + 1]), slice(self.starts[j], self.starts[j + 1])
                margin = kernel[:, mine] @ self.dual[j - 1, mine] + kernel[:, theirs] @ self.dual[i, theirs] + self.offsets[pair]
                sure = torch.tanh(margin)
                votes[:, i] += (margin > 0) + 0.3 * sure
                votes[:, j] += (margin <= 0).float() - 0.3 * sure
                pair += 1
        whole = x.new_full((len(x), self.out), -1e4)
        whole[:, self.present] = votes
        return whole
