"""Classifiers of spectra fitted by scikit-learn; their parameters are kept as tensors, so that nothing is unpickled."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from napari_spectrai.learn.classical.kernel_search import best_settings
from napari_spectrai.learn.classical.method import Method
from napari_spectrai.learn.classical.pls import Components
from napari_spectrai.learn.data.pool import Scene

FOLDS = 3


def local_means(x: Tensor, size: int) -> Tensor:
    """Return each pixel of ``(N, y, x, λ)`` averaged over a window; at the edges, over its part inside the image."""
    pooled = functional.avg_pool2d(x.permute(0, 3, 1, 2), size, stride=1, padding=size // 2, count_include_pad=False)
    return pooled.permute(0, 2, 3, 1)


class PixelClassifier(Method, ABC):
    """Standardises the bands of spectra, then returns one score per class: ``log`` probabilities up to a constant."""

    mean: Tensor
    deviation: Tensor
    spanned: ClassVar[tuple[str, ...]] = ()
    """Names of fitted parameters that are vectors over the bands, for methods that are invariant to rotations of the bands."""
    threads: int = 1
    """Number of threads of a fit that has independent parts."""

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, y, x, λ)`` to scores ``(N, y, x, C)``."""
        seen = self._seen(x)
        return self._scores(seen.reshape(-1, seen.shape[-1])).view(*x.shape[:-1], self.out)

    def only(self, x: Tensor, counts: Tensor) -> Tensor:
        """Return the scores (n, C) of selected pixels of images ``(N, y, x, λ)``."""
        return self._scores(self._seen(x)[counts])

    def _scores(self, seen: Tensor) -> Tensor:
        if torch.compiler.is_compiling():  # a graph for any number of spectra has no parts
            return self.scores((seen - self.mean) / self.deviation)
        return torch.cat([self.scores((part - self.mean) / self.deviation) for part in seen.split(65_536)])

    def _seen(self, x: Tensor) -> Tensor:
        size = self.spec.averaging_window
        return local_means(x, size | 1) if size else x

    def fit(self, scenes: Sequence[Scene]) -> None:
        """Fit to the labelled pixels of the scenes."""
        pairs = [Scene(self._seen(scene.given_to(self.spec)), scene.y, scene.counts).pairs() for scene in scenes]
        x, y = (torch.cat(parts) for parts in zip(*pairs, strict=True))
        chosen = torch.cat([_spread(torch.nonzero(y == value)[:, 0], self.spec.at_most, len(y)) for value in y.unique()])
        spectra, classes = x[chosen].double().cpu().numpy(), y[chosen].cpu().numpy() - 1
        mean, deviation = spectra.mean(0), self._units(spectra)
        self.threads = torch.get_num_threads()
        from threadpoolctl import threadpool_limits

        # matrices this small are slower on many threads, which wait for each other
        with warnings.catch_warnings(), threadpool_limits(1):
            warnings.simplefilter("ignore")  # about convergence and classes rarer than folds: cross-validation scores the result
            learnt = self._learnt((spectra - mean) / deviation, classes)
        tensors = {name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in learnt.items()}
        kept = {name: t.float() if t.is_floating_point() else t for name, t in tensors.items()}
        self.learn({"mean": torch.from_numpy(mean).float(), "deviation": torch.from_numpy(deviation).float(), **kept})

    def _units(self, spectra: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the unit of each band, in which spectra are standardised."""
        deviation: npt.NDArray[np.float64] = spectra.std(0)
        return np.where(deviation <= 1e-12 * (1 + np.abs(spectra.mean(0))), 1.0, deviation)

    def _learnt(self, x: npt.NDArray[np.float64], y: npt.NDArray[np.int64]) -> dict[str, Any]:
        """Fit in the span of the spectra if there are more bands than spectra: the result is the same, in much less time."""
        if not self.spanned or x.shape[1] <= len(x):
            return self.learnt(x, y)
        basis, coordinates = np.linalg.qr(x.T)
        learnt = self.learnt(np.ascontiguousarray(coordinates.T), y)
        return learnt | {name: learnt[name] @ basis.T for name in self.spanned}

    def _searched(self, model: Any, grid: dict[str, list[Any]], x: Any, y: Any) -> Any:
        """Return the best model of a grid by cross-validation over contiguous runs of each class, fitted on all spectra."""
        from sklearn.model_selection import StratifiedKFold

        commonest = int(np.bincount(y).max())
        if not self.chosen and (commonest < 2 or all(len(values) == 1 for values in grid.values())):
            self.chosen = {name: values[len(values) // 2] for name, values in grid.items()}
        if not self.chosen:
            self.chosen = self._best_settings(model, grid, x, y, StratifiedKFold(min(FOLDS, commonest)))
        return model.set_params(**self.chosen).fit(x, y)

    def _best_settings(self, model: Any, grid: dict[str, list[Any]], x: Any, y: Any, folds: Any) -> dict[str, Any]:
        """Return the settings of a grid with the best mean score of the folds."""
        from sklearn.model_selection import GridSearchCV

        best: dict[str, Any] = GridSearchCV(model, grid, cv=folds, n_jobs=1, refit=False).fit(x, y).best_params_
        return best

    @abstractmethod
    def learnt(self, x: npt.NDArray[np.float64], y: npt.NDArray[np.int64]) -> dict[str, Any]:
        """Return the parameters fitted to standardised spectra (n, λ) and classes 0 … C-1, as arrays."""

    @abstractmethod
    def scores(self, x: Tensor) -> Tensor:
        """Return scores (n, C) of standardised spectra."""

    def _of_all(self, values: npt.NDArray[Any], present: npt.NDArray[Any], fill: float) -> npt.NDArray[Any]:
        """Return rows for all classes, with a fill value for those without training spectra."""
        whole = np.full((self.out, *values.shape[1:]), fill, values.dtype)
        whole[present] = values
        return whole


def _spread(places: Tensor, most: int, total: int) -> Tensor:
    wanted = max(1, min(len(places), round(most * len(places) / total)))
    return places[torch.linspace(0, len(places) - 1, wanted, device=places.device).long()]


class LinearClassifier(PixelClassifier):
    """Scores that are linear in the spectrum."""

    spanned: ClassVar[tuple[str, ...]] = ("weight",)
    weight: Tensor
    intercept: Tensor

    def scores(self, x: Tensor) -> Tensor:
        """Return scores (n, C)."""
        return x @ self.weight.T + self.intercept

    def _rows(self, weight: Any, intercept: Any, present: Any) -> dict[str, Any]:
        if len(present) == 2 and len(weight) == 1:  # scikit-learn uses one row for two classes
            weight, intercept = np.concatenate([-weight, weight]) / 2, np.concatenate([-intercept, intercept]) / 2
        return {"weight": self._of_all(weight, present, 0.0), "intercept": self._of_all(intercept, present, -1e4)}


class LogisticRegression(LinearClassifier):
    """Multinomial logistic regression."""

    def learnt(self, x: npt.NDArray[np.float64], y: npt.NDArray[np.int64]) -> dict[str, Any]:
        """Return weights and intercepts."""
        from sklearn.linear_model import LogisticRegression as Model

        best = self._searched(Model(max_iter=100, tol=1e-3), {"C": [0.01, 0.1, 1.0, 10.0]}, x, y)
        return self._rows(best.coef_, best.intercept_, best.classes_)


class PLSDA(LinearClassifier):
    """Partial least squares onto indicators of the classes."""

    def learnt(self, x: npt.NDArray[np.float64], y: npt.NDArray[np.int64]) -> dict[str, Any]:
        """Return weights and intercepts, for the number of components with the best cross-validated accuracy."""
        from sklearn.model_selection import StratifiedKFold

        present = np.unique(y)
        indicator = (y[:, None] == present).astype(float)
        if not (x != x[:1]).any():  # spectra that are all equal
            flat = np.zeros((len(present), x.shape[1]))
            return {"weight": self._of_all(flat, present, 0.0), "intercept": self._of_all(10 * indicator.mean(0), present, -1e4)}
        whole = Components.of(x, indicator, max(1, min(self.spec.components or 60, x.shape[1], len(x) - 1)))
        most = whole.extent
        grid = [min(self.spec.components, most)] if self.spec.components else sorted({min(most, n) for n in (2, 5, 10, 15, 20, 30, 45, 60)})
        best = min(grid[0], most)
        commonest = int(np.bincount(y).max())
        if len(grid) > 1 and commonest >= 2:
            right = np.zeros(len(grid))
            for learn, held in StratifiedKFold(min(FOLDS, commonest)).split(x, y):
                found = Components.of(x[learn], indicator[learn], max(1, min(grid[-1], len(learn) - 1, x.shape[1])))
                for number, count in enumerate(grid):
                    weight, intercept = found.regression(count)
                    right[number] += (present[(x[held] @ weight.T + intercept).argmax(1)] == y[held]).sum()
            best = grid[int(right.argmax())]
        weight, intercept = whole.regression(best)
        # regression of indicators gives fractions, not logarithms; with a factor of ten, a difference of one is almost certain
        return {"weight": self._of_all(10 * weight, present, 0.0), "intercept": self._of_all(10 * intercept, present, -1e4)}


class PCALDA(LinearClassifier):
    """Linear discriminants of principal component scores."""

    def learnt(self, x: npt.NDArray[np.float64], y: npt.NDArray[np.int64]) -> dict[str, Any]:
        """Return weights and intercepts in the bands."""
        from sklearn.decomposition import PCA
        from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
        from sklearn.pipeline import Pipeline

        most = max(1, min(x.shape[1], len(x) * 2 // 3 - 1))
        grid = [min(self.spec.components, most)] if self.spec.components else sorted({min(most, n) for n in (5, 10, 20, 40, 80, 120)})
        present, counts = np.unique(y, return_counts=True)
        if len(x) <= len(present):  # nothing is known of the spread within classes: the nearest mean
            means = np.stack([x[y == one].mean(0) for one in present])
            return {
                "weight": self._of_all(means, present, 0.0),
                "intercept": self._of_all(-0.5 * np.square(means).sum(1), present, -1e4),
            }
        folds = max(2, min(FOLDS, int(counts.max())))
        if not self.chosen and len(x) * (folds - 1) // folds <= len(present):  # nor in the folds that would choose
            self.chosen = {"pca__n_components": grid[len(grid) // 2]}
        model = Pipeline([("pca", PCA(svd_solver="full")), ("lda", LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"))])
        best = self._searched(model, {"pca__n_components": grid}, x, y)
        pca, lda = best["pca"], best["lda"]
        weight = lda.coef_ @ pca.components_
        return self._rows(weight, lda.intercept_ - weight @ pca.mean_, lda.classes_)


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
