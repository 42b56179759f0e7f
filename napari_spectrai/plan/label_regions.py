"""Labelled regions of an image (wells, tissue cores, fields), which share more than their class and are held out as a whole."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from napari_spectrai.experiment import Split
from napari_spectrai.plan.fold_distances import held_out_distances, positions
from napari_spectrai.plan.folds import FOLDS, Folds, dealt, gathered, scattered, spread
from napari_spectrai.plan.subsets import TRAINING, VALIDATION, Map

LARGEST = 0.75
"""Largest fraction of the pixels of a class that one of its regions may hold, so that enough is left to learn from without it."""
Numbers = npt.NDArray[np.int64]


def regions_of(used: Sequence[npt.NDArray[np.bool_]], classes: Sequence[Numbers]) -> Numbers:
    """Return the region of each used pixel, from 0: connected pixels of one class, also across corners and planes."""
    from scipy.ndimage import label

    collected, count = [], 0
    for chosen, labels in zip(used, classes, strict=True):
        found = np.zeros(labels.shape, np.int64)
        for value in np.unique(labels[chosen]):
            one, number = label(chosen & (labels == value), np.ones((3, 3, 3)))
            found[one > 0] = one[one > 0] + count - 1
            count += number
        collected.append(found[chosen])
    return np.concatenate(collected)


def region_folds(base: Sequence[Map], split: Split, classes: Sequence[Numbers], usual: Folds) -> Folds | None:
    """Return folds in which the regions of a class are held out as a whole, if it has several large ones; None if no class has.

    Parameters
    ----------
    base, split, classes : as for `folds.folds_of`
    usual : Folds
        Its units are those of the other classes.
    """
    used = [np.isin(m, (TRAINING, VALIDATION)) & (c > 0) for m, c in zip(base, classes, strict=True)]
    labels, units, regions = gathered(used, classes), gathered(used, usual.units), regions_of(used, classes)
    units = units + int(regions.max(initial=-1)) + 1
    whole = 0
    for value in np.unique(labels):
        own = labels == value
        if np.unique(regions[own], return_counts=True)[1].max() <= LARGEST * own.sum():
            units[own] = regions[own]
            whole += 1
    if not whole:
        return None
    numbers = dealt(units, labels, split.folds or FOLDS)
    if numbers.max() < 1:
        return None
    away = held_out_distances(positions(used), numbers)
    count = len(np.unique(units))
    words = f"{int(numbers.max()) + 1} folds of {count} labelled regions, each held out as a whole"
    return Folds(scattered(used, numbers), scattered(used, units), int(numbers.max()) + 1, 0.0, spread(used, away), words=words)


def are_larger(one: Folds, other: Folds) -> bool:
    """Whether the units of folds are at least as large as those of others, for the average pixel."""
    return _typical_size(one.units) >= _typical_size(other.units)


def _typical_size(units: Sequence[Numbers]) -> float:
    sizes = np.unique(np.concatenate([u[u >= 0] for u in units]), return_counts=True)[1]
    return float(np.square(sizes).sum() / sizes.sum())
