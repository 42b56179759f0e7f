"""Logistic regression on the components of an image with the least noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_spectrai.learn.classical.classify import LinearClassifier
from napari_spectrai.learn.classical.method import thinned
from napari_spectrai.learn.data.pool import Scene
from napari_spectrai.noise.fractions import least_noisy

MOST = 20_000
"""Number of pixels, and of pairs of neighbours, from which the components are computed."""


class MNFLogistic(LinearClassifier):
    """Logistic regression on minimum noise fraction components, in units of their noise.

    In these units the penalty of the regression suppresses the components with much noise. Noise is estimated from all pixels that hold
    data, labelled or not. The result is linear in the spectrum, so that single spectra can be predicted.
    """

    spanned: ClassVar[tuple[str, ...]] = ()
    _weights: npt.NDArray[np.float64]

    def fit(self, scenes: Sequence[Scene]) -> None:
        """Find the components, then fit to the labelled pixels."""
        pixels = thinned(torch.cat([scene.held for scene in scenes]), MOST)
        differences = thinned(torch.cat([_differences(scene) for scene in scenes]), MOST)
        self._weights = least_noisy(pixels.double().cpu().numpy(), differences.double().cpu().numpy())
        super().fit(scenes)

    def learnt(self, x: npt.NDArray[np.float64], y: npt.NDArray[np.int64]) -> dict[str, Any]:
        """Return weights and intercepts."""
        from sklearn.linear_model import LogisticRegression as Model

        best = self._searched(Model(max_iter=200, tol=1e-3), {"C": [1e-4, 1e-3, 0.01, 0.1, 1.0]}, x @ self._weights, y)
        return self._rows(best.coef_ @ self._weights.T, best.intercept_, best.classes_)

    def _units(self, spectra: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.ones(spectra.shape[1])  # the components have units of their own


def _differences(scene: Scene) -> Tensor:
    """Return differences (n, λ) between pixels next to each other that both hold data, evenly spread; of a list of spectra, none."""
    found = [scene.x.new_empty(0, scene.x.shape[-1])]
    if scene.x.shape[2] == 1:
        return found[0]
    holds = torch.ones_like(scene.counts) if scene.holds is None else scene.holds
    for axis in (1, 2):
        if (length := holds.shape[axis] - 1) > 0:
            before = thinned(torch.nonzero(holds.narrow(axis, 0, length) & holds.narrow(axis, 1, length)), MOST)
            after = before.clone()
            after[:, axis] += 1
            found.append(scene.x[tuple(after.T)] - scene.x[tuple(before.T)])
    return torch.cat(found)
