"""The settings of a support vector machine by cross-validation, with kernels that are computed once for all settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt


def squared_distances(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the squared distances (n, m) between spectra (n, λ) and (m, λ)."""
    found: npt.NDArray[np.float64] = a @ b.T
    found *= -2
    found += np.square(a).sum(1)[:, None]
    found += np.square(b).sum(1)
    return np.maximum(found, 0, out=found)


def best_settings(
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.int64],
    grid: Mapping[str, Sequence[float]],
    folds: Iterable[tuple[npt.NDArray[Any], npt.NDArray[Any]]],
    threads: int = 1,
) -> dict[str, float]:
    """Return the penalty ``C`` and the ``gamma`` with the best mean accuracy; of equal ones, the first.

    The scores are those of a grid search that computes the Gaussian kernel again for each setting, which takes most of its time.

    Parameters
    ----------
    x, y : arrays (n, λ) and (n,)
        Spectra and classes.
    grid : dict
        The values of ``C`` and of ``gamma``.
    folds : iterable of pairs of arrays
        The rows to fit to and the rows to score, for each fold.
    threads : int
        Number of fits at once.
    """
    from sklearn.svm import SVC

    def accuracy(penalty: float, kernel: Any, other: Any, learn: Any, held: Any) -> float:
        return float((SVC(C=penalty, kernel="precomputed").fit(kernel, y[learn]).predict(other) == y[held]).mean())

    scores: dict[tuple[float, float], list[float]] = {setting: [] for setting in product(grid["C"], grid["gamma"])}
    for learn, held in folds:
        if (y[learn] == y[learn][0]).all():
            continue  # two classes, one of them with so few spectra that it is held out as a whole
        within, across = squared_distances(x[learn], x[learn]), squared_distances(x[held], x[learn])
        for gamma in grid["gamma"]:
            kernel, other = np.exp(-gamma * within), np.exp(-gamma * across)
            with ThreadPoolExecutor(min(threads, len(grid["C"]))) as pool:  # the fits do not hold the interpreter's lock
                found = pool.map(partial(accuracy, kernel=kernel, other=other, learn=learn, held=held), grid["C"])
                for penalty, score in zip(grid["C"], found, strict=True):
                    scores[penalty, gamma].append(score)
    means = {setting: float(np.mean(values)) if values else 0.0 for setting, values in scores.items()}
    penalty, gamma = max(means, key=means.__getitem__)
    return {"C": penalty, "gamma": gamma}
