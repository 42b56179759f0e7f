"""Intervals of scores: a bootstrap over what is held out together (files, groups, regions of an image, spectra)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_spectrai.learn.scoring import metrics

LEVEL = 0.9
"""Share of the intervals that should hold the score of new data of the same kind."""
DRAWS = 400
"""Bootstrap samples."""
LEAST_UNITS = 3
"""Units below which no interval is given."""

Intervals = dict[str, list[float]]
_ADDITIVE = frozenset({"overall_accuracy", "average_accuracy", "kappa", "f1", "miou", "dice"})


def of_classes(probabilities: Tensor, truth: Tensor, units: npt.NDArray[np.int64], names: tuple[str, ...]) -> Intervals:
    """Return 90 % intervals of the scores of classes that follow from a confusion matrix.

    Parameters
    ----------
    probabilities : Tensor of shape (n, C)
    truth : Tensor of shape (n,)
        Places of classes from 0.
    units : int array of shape (n,)
        What is held out together: pixels of one region resemble one another, so regions are drawn, not pixels.
    names : tuple of str
        The scores; those that do not follow from a confusion matrix are left out.

    Returns
    -------
    dict of [low, high]
        Empty with fewer than three units.
    """
    classes = probabilities.shape[-1]
    return of_pairs(truth.numpy().astype(np.int64) * classes + probabilities.argmax(-1).numpy(), units, classes, names)


def lacking(units: npt.NDArray[np.int64], what: str = "score") -> str:
    """Return a sentence that a score has no interval, if what it is computed on is too little; else an empty text."""
    count = len(np.unique(units))
    if count >= LEAST_UNITS:
        return ""
    held = "only one file, group, region or spectrum is" if count == 1 else f"only {count} files, groups, regions or spectra are"
    return f"The {what} has no interval, since {held} held out, and an interval needs {LEAST_UNITS}: label or add more."


def of_pairs(pairs: npt.NDArray[np.int64], units: npt.NDArray[np.int64], classes: int, names: tuple[str, ...]) -> Intervals:
    """Return the intervals as `of_classes`, for samples (n,) of class i that were predicted as j, given as i · C + j."""
    _, numbers = np.unique(units, return_inverse=True)
    units_found = int(numbers.max(initial=-1)) + 1
    # most cells of the confusion matrix of a unit are empty, and with hundreds of classes all of them would not fit into memory
    filled, counts = np.unique(numbers.astype(np.int64) * classes**2 + pairs, return_counts=True)
    unit, cell = filled // classes**2, filled % classes**2
    wanted = [name for name in names if name in _ADDITIVE]

    def scores(weights: npt.NDArray[np.float64]) -> dict[str, float]:
        table = np.bincount(cell, counts * weights[unit], classes**2).reshape(classes, classes)
        found = metrics.from_confusion(torch.from_numpy(table))
        return {name: found[name] for name in wanted}

    found = _bootstrap(units_found, scores, {"kappa": (-1.0, 1.0)}, (0.0, 1.0))
    point = scores(np.ones(units_found))
    for name in ("overall_accuracy", "average_accuracy"):
        if name in found:  # units without a single error vary in no bootstrap, and yet prove little where they are few
            low, high = _wilson(point[name], units_found)
            found[name] = [min(low, found[name][0]), max(high, found[name][1])]
    return found


def of_cubes(errors: Mapping[str, npt.NDArray[np.float64]], units: npt.NDArray[np.int64], *, least: float = 0.0) -> Intervals:
    """Return 90 % intervals of means over spectra, such as the squared error and the spectral angle of each.

    Parameters
    ----------
    errors : mapping of name to array of shape (n,)
    units : int array of shape (n,)
    least : float
        What a mean cannot lie below.
    """
    _, numbers = np.unique(units, return_inverse=True)
    counts = np.bincount(numbers).astype(np.float64)
    sums = {name: np.bincount(numbers, values) for name, values in errors.items()}

    def scores(weights: npt.NDArray[np.float64]) -> dict[str, float]:
        total = float(weights @ counts)
        return {name: float(weights @ values) / total for name, values in sums.items()}

    return _bootstrap(len(counts), scores, {}, (least, math.inf))


def squares(asked: Tensor, side: int = 12) -> npt.NDArray[np.int64]:
    """Return the square of an image that each chosen pixel lies in; of a set of spectra each spectrum.

    Parameters
    ----------
    asked : bool Tensor of shape (z, y, x)
    side : int
        Of the squares, in pixels.
    """
    z, y, x = (c.cpu().numpy().astype(np.int64) for c in torch.nonzero(asked, as_tuple=True))
    if asked.shape[2] == 1:
        return y
    return np.asarray((z * 10**4 + y // side) * 10**4 + x // side)


def _wilson(share: float, count: int) -> tuple[float, float]:
    """Return the interval of a share of `count` units (Wilson 1927, doi:10.1080/01621459.1927.10502953)."""
    z = 1.6448536
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * math.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def _bootstrap(
    units: int, scores: Callable[[npt.NDArray[np.float64]], dict[str, float]],
    limits: Mapping[str, tuple[float, float]], usual: tuple[float, float],
) -> Intervals:  # fmt: skip
    if units < LEAST_UNITS:
        return {}
    from scipy.special import stdtrit

    rng = np.random.default_rng(0)
    point = scores(np.ones(units))
    drawn = [scores(weights.astype(np.float64)) for weights in rng.multinomial(units, np.full(units, 1 / units), DRAWS)]
    # few units vary less in a bootstrap than they do: widened as Student's t is against the normal distribution
    wider = math.sqrt(units / (units - 1)) * float(stdtrit(units - 1, (1 + LEVEL) / 2)) / 1.6448536
    found: Intervals = {}
    for name, value in point.items():
        values = np.array([one[name] for one in drawn])
        values = values[np.isfinite(values)]
        if not math.isfinite(value) or len(values) < DRAWS // 2:
            continue
        low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        least, most = limits.get(name, usual)
        found[name] = [max(least, value - wider * max(0.0, value - float(low))), min(most, value + wider * max(0.0, float(high) - value))]
    return found
