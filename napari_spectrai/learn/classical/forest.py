"""Random forests fitted by scikit-learn, and evaluated with tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_spectrai.learn.classical.classify import PixelClassifier


class RandomForest(PixelClassifier):
    """Decision trees, evaluated level by level for all spectra at once."""

    feature: Tensor
    threshold: Tensor
    left: Tensor
    right: Tensor
    share: Tensor
    roots: Tensor
    depth: Tensor

    def learn(self, tensors: Mapping[str, Tensor]) -> None:
        """Keep the nodes of the trees; refuse those that lead to nodes or bands that do not exist.

        Raises
        ------
        ValueError
            If a number is out of range.
        """
        super().learn(tensors)
        if not tensors:
            return
        nodes = len(self.share)
        for name, numbers, most in (
            ("left", self.left, nodes), ("right", self.right, nodes), ("roots", self.roots, nodes),
            ("feature", self.feature, self.in_bands), ("depth", self.depth, nodes),
        ):  # fmt: skip
            if numbers.numel() and not (int(numbers.min()) >= 0 and int(numbers.max()) < most):
                raise ValueError(f"the decision trees are damaged: {name} holds {int(numbers.max()):,}, of {most:,}")

    def learnt(self, x: npt.NDArray[np.float64], y: npt.NDArray[np.int64]) -> dict[str, Any]:
        """Return the nodes of all trees in sequence; a leaf points to itself."""
        from sklearn.ensemble import RandomForestClassifier

        forest = RandomForestClassifier(self.spec.trees, random_state=0, n_jobs=self.threads).fit(x, y)
        parts: dict[str, list[Any]] = {name: [] for name in ("feature", "threshold", "left", "right", "share")}
        roots, base = [], 0
        for tree in (model.tree_ for model in forest.estimators_):
            own = np.arange(tree.node_count)
            leaf = tree.children_left < 0
            parts["feature"].append(np.where(leaf, 0, tree.feature))
            parts["threshold"].append(np.where(leaf, 0, tree.threshold))
            parts["left"].append(np.where(leaf, own, tree.children_left) + base)
            parts["right"].append(np.where(leaf, own, tree.children_right) + base)
            counts = tree.value[:, 0, :]
            parts["share"].append(counts / counts.sum(1, keepdims=True))
            roots.append(base)
            base += tree.node_count
        joined = {name: np.concatenate(values) for name, values in parts.items()}
        joined["share"] = self._of_all(joined["share"].T, forest.classes_, 0.0).T
        indices = {name: joined[name].astype(np.int64) for name in ("feature", "left", "right")}
        depth = max(model.tree_.max_depth for model in forest.estimators_)
        return joined | indices | {"roots": np.array(roots, np.int64), "depth": np.array([depth], np.int64)}

    def scores(self, x: Tensor) -> Tensor:
        """Return the logarithms of the mean class fractions (n, C)."""
        return torch.cat([self._walked(part) for part in x.split(8192)])

    def _walked(self, x: Tensor) -> Tensor:
        node = self.roots.expand(len(x), -1)
        for _ in range(int(self.depth)):
            down = x.gather(1, self.feature[node]) <= self.threshold[node]
            node = torch.where(down, self.left[node], self.right[node])
        total = x.new_zeros(len(x), self.out)
        for tree in node.T:
            total += self.share[tree]
        return (total / node.shape[1]).clamp(min=1e-6).log()
