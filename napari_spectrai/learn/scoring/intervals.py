"""Intervals of scores: a bootstrap over what is held out together (files, groups, regions of an image, spectra)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.special import stdtrit
from torch import Tensor

from napari_spectrai.experiment.metrics import ClassMean
from napari_spectrai.learn.scoring import metrics

LEVEL = 0.9
"""Share of the intervals that should hold the score of new data of the same kind."""
DRAWS = 400
"""Bootstrap samples."""
LEAST_UNITS = 3
"""Units below which no interval is given."""
SIDE = 12
"""Smallest side of a square, in pixels."""
MOST = 1_000
"""Approximate largest number of units; squares are larger in larger images."""
_AT_ONCE = 2**21
"""Largest number of counts of units that are drawn at a time: of hundred thousands of units, all samples would take a gigabyte."""

Intervals = dict[str, list[float]]
Units = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]
_OF_ACCURACY: dict[str, Callable[[float, float], float]] = {
    "kappa": lambda accuracy, chance: (accuracy - chance) / (1 - chance) if chance < 1 else accuracy,
    "f1": lambda accuracy, _: accuracy,
    "dice": lambda accuracy, _: accuracy,
    "miou": lambda accuracy, _: accuracy / (2 - accuracy),
}
"""Scores by an accuracy that is alike in all classes, and the accuracy by chance."""
_ADDITIVE = frozenset({"overall_accuracy", "average_accuracy", "kappa", "f1", "miou", "dice"})


def of_classes(
    probabilities: Tensor, truth: Tensor, units: Units, names: tuple[str, ...], class_mean: ClassMean = "truth"
) -> Intervals:  # fmt: skip
    """Return 90 % intervals of the scores of classes.

    Parameters
    ----------
    probabilities : Tensor of shape (n, C)
    truth : Tensor of shape (n,)
        Places of classes from 0.
    units : int array of shape (n,)
        What is held out together: pixels of one region resemble one another, so regions are drawn, not pixels.
    names : tuple of str
        The scores.
    class_mean : {"truth", "union"}
        As in `metrics.from_confusion`.

    Returns
    -------
    dict of [low, high]
        Empty with fewer than three units.
    """
    classes, predicted = probabilities.shape[-1], probabilities.argmax(-1).numpy()
    wanted = truth.numpy().astype(np.int64)
    found = of_pairs(wanted * classes + predicted, units, classes, names, class_mean)
    if "calibration_error" in names and len(wanted):
        value = metrics.of_classes(probabilities, truth, ("calibration_error",))["calibration_error"]  # in single precision
        ends = _of_calibration(probabilities.amax(-1).numpy(), predicted == wanted, units)
        found |= {name: [min(low, value), max(high, value)] for name, (low, high) in ends.items()}
    return found


def _of_calibration(confidence: npt.NDArray[np.floating[Any]], right: npt.NDArray[np.bool_], units: Units) -> Intervals:
    """Return the interval of the calibration error of predictions (n,)."""
    _, numbers = np.unique(units, return_inverse=True)
    count = int(numbers.max(initial=-1)) + 1
    edges = np.linspace(0, 1, metrics.CONFIDENCE_BINS + 1, dtype=np.float32)  # as torchmetrics
    cell = numbers * metrics.CONFIDENCE_BINS + (np.searchsorted(edges, confidence, side="right") - 1).clip(0, metrics.CONFIDENCE_BINS - 1)
    excess = np.bincount(cell, confidence - right, count * metrics.CONFIDENCE_BINS).reshape(count, -1)
    sizes = np.bincount(numbers).astype(np.float64)

    def error(weights: Doubles, expected: Doubles | float = 0.0) -> Doubles:
        number = weights @ sizes
        return np.asarray(np.abs(weights @ excess - expected * number[:, None]).sum(1) / number)

    # a bootstrap sample is less calibrated than what it is drawn from, as that is than the whole population
    found = bootstrap(count, lambda weights: {"calibration_error": error(weights)}, {}, (0.0, 1.0), inflated=True)
    by_chance = bootstrap(count, lambda weights: {"": error(weights, excess.sum(0) / sizes.sum())}, {}, (0.0, 1.0))
    if found and float(error(np.ones((1, count)))[0]) <= by_chance[""][1]:  # perfectly calibrated predictions have such errors, too
        found["calibration_error"][0] = 0.0
    return found


def lacking(units: Units, what: str = "score") -> str:
    """Return a sentence that a score has no interval, if what it is computed on is too little; else an empty text."""
    count = len(np.unique(units))
    if count >= LEAST_UNITS:
        return ""
    held = "only one file, group, region or spectrum is" if count == 1 else f"only {count} files, groups, regions or spectra are"
    return f"The {what} has no interval, since {held} held out, and an interval needs {LEAST_UNITS}: label or add more."


def of_pairs(
    pairs: npt.NDArray[np.int64], units: Units, classes: int, names: tuple[str, ...], class_mean: ClassMean = "truth"
) -> Intervals:  # fmt: skip
    """Return the intervals of the scores that follow from a confusion matrix, for samples (n,) of class i predicted as j, i · C + j."""
    _, numbers = np.unique(units, return_inverse=True)
    units_found = int(numbers.max(initial=-1)) + 1
    wanted = [name for name in names if name in _ADDITIVE]
    true, predicted = np.divmod(pairs, classes)

    def counted(classes_of: npt.NDArray[np.int64], of: npt.NDArray[np.bool_] | slice = slice(None)) -> csr_array:
        ones = np.ones(len(pairs))[of]  # sparse: a unit has few of hundreds of classes; values at one place are added
        return csr_array((ones, (numbers[of], classes_of[of])), shape=(units_found, classes))

    tables = counted(true, true == predicted), counted(true), counted(predicted)

    def scores(weights: Doubles) -> dict[str, Doubles]:
        right, there, taken = (np.asarray(weights @ table) for table in tables)
        found = metrics.from_counts(right, there, taken, class_mean)
        return {name: found[name] for name in wanted}

    found = bootstrap(units_found, scores, {"kappa": (-1.0, 1.0)}, (0.0, 1.0))
    for name in ("overall_accuracy", "average_accuracy"):
        if name in found:  # units without a single error vary in no bootstrap, and yet prove little where they are few
            low, high = _wilson(float(scores(np.ones((1, units_found)))[name][0]), units_found)
            found[name] = [min(low, found[name][0]), max(high, found[name][1])]
    shares = np.bincount(true, minlength=classes) / max(1, len(true))
    for name, ends in found.items():
        if name in _OF_ACCURACY and ends[0] == 1.0:  # likewise: as low as it would be with the lowest accuracy
            ends[0] = _OF_ACCURACY[name](_wilson(1.0, units_found)[0], float((shares**2).sum()))
    return found


def of_cubes(errors: Mapping[str, npt.NDArray[np.float64]], units: Units, *, least: float = 0.0) -> Intervals:
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
    return bootstrap(
        len(counts), lambda weights: {name: weights @ values / (weights @ counts) for name, values in sums.items()}, {}, (least, math.inf)
    )


def of_ratios(name: str, sums: Doubles, counts: Doubles, limits: tuple[float, float] = (-1.0, 1.0)) -> Intervals:
    """Return the interval of a mean from its sum and its number in each unit (n,)."""
    held = counts > 0
    if not held.any():
        return {}
    kept, of = sums[held], counts[held]
    return bootstrap(len(kept), lambda weights: {name: weights @ kept / (weights @ of)}, {}, limits)


def squares(shape: Sequence[int], most: int = MOST) -> npt.NDArray[np.int64]:
    """Return the unit of each pixel of an image or volume (..., y, x), or of each spectrum of a set (n,).

    Neighbouring pixels resemble one another, so the pixels of a square of an image are one unit; of a set or a line, each spectrum, or a
    run, where there would be more than `most`.
    """
    size = math.prod(shape)
    if len(shape) < 2 or min(shape[-2:]) == 1:
        return (np.arange(size) // max(1, math.ceil(size / most))).reshape(shape)
    side = max(SIDE, math.ceil(math.sqrt(size / most)))
    plane, (y, x) = np.arange(math.prod(shape[:-2])), (np.arange(length) // side for length in shape[-2:])
    down, across = y[-1] + 1, x[-1] + 1
    return np.asarray((plane[:, None, None] * down + y[:, None]) * across + x, np.int64).reshape(shape)


def _wilson(share: float, count: int) -> tuple[float, float]:
    """Return the interval of a share of `count` units (Wilson 1927, doi:10.1080/01621459.1927.10502953)."""
    z = 1.6448536
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * math.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def bootstrap(
    units: int, scores: Callable[[Doubles], dict[str, Doubles]], limits: Mapping[str, tuple[float, float]], usual: tuple[float, float],
    evidence: Mapping[str, int] | None = None, *, inflated: bool = False,
) -> Intervals:  # fmt: skip
    """Return 90 % intervals of scores that follow from how often each unit is counted.

    Parameters
    ----------
    units : int
        U, their number; with fewer than three there is no interval.
    scores : callable
        Returns the scores (n,) of n samples, of which each counts the units as often as its row of an array of shape (n, U) says.
    limits, usual
        Between which values some scores lie, and all others.
    evidence : mapping of str to int, optional
        How many of the units a score is of; default: all.
    inflated : bool
        Whether samples have larger scores than what they are drawn from.
    """
    if units < LEAST_UNITS:
        return {}
    rng = np.random.default_rng(0)
    each, at_once = np.full(units, 1 / units), max(1, _AT_ONCE // units)
    sizes = (min(at_once, DRAWS - start) for start in range(0, DRAWS, at_once))
    parts = [scores(rng.multinomial(units, each, size).astype(np.float64)) for size in sizes]
    found: Intervals = {}
    for name, (point,) in scores(np.ones((1, units))).items():
        count, value, drawn = (evidence or {}).get(name, units), float(point), np.concatenate([part[name] for part in parts])
        drawn = drawn[np.isfinite(drawn)]
        if count < LEAST_UNITS or not math.isfinite(value) or len(drawn) < DRAWS // 2:
            continue
        # few units vary less in a bootstrap than they do: widened as Student's t is against the normal distribution
        wider = math.sqrt(count / (count - 1)) * float(stdtrit(count - 1, (1 + LEVEL) / 2)) / 1.6448536
        low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        below, above = value - float(low), float(high) - value
        if inflated:
            below, above = above, below
        least, most = limits.get(name, usual)
        found[name] = [max(least, value - wider * max(0.0, below)), min(most, value + wider * max(0.0, above))]
    return found
