"""Classifiers of spectra fitted by scikit-learn; their parameters are kept as tensors, so that nothing is unpickled."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

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
