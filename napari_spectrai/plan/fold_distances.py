"""Clusters of labelled pixels, and distances from held-out pixels to training pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

MOST_CLUSTERED = 3_000
"""Largest number of labelled pixels that are clustered by distance; more are grouped into squares first."""
LEAST_KEPT = 0.5
"""Minimum fraction of the training pixels of a fold that a gap must leave."""

Numbers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def positions(chosen: Sequence[npt.NDArray[np.bool_]]) -> Floats:
    """Return (plane, y, x) of the chosen pixels of all cubes; planes are too far apart to be neighbours."""
    collected, planes = [], 0
    for c in chosen:
        places = np.argwhere(c).astype(np.float64)
        far = 4.0 * max(c.shape[1:])
        places[:, 0] = (places[:, 0] + planes) * far
        planes += c.shape[0]
        collected.append(places)
    return np.concatenate(collected)


def nearest(points: Floats, others: Floats) -> Floats:
    """Return the distance of each point to the nearest of the others; infinite if there are none."""
    from scipy.spatial import cKDTree

    if not len(others):
        return np.full(len(points), np.inf)
    return np.asarray(cKDTree(others).query(points)[0], np.float64)


def held_out_distances(points: Floats, numbers: Numbers, gap: float = 0.0) -> Floats:
    """Return the distance of each pixel from the nearest training pixel of the fold in which it is held out."""
    collected = np.empty(len(points))
    for fold in np.unique(numbers):
        held = numbers == fold
        rest = points[~held]
        if gap and len(rest):
            rest = rest[nearest(rest, points[held]) > gap]
        collected[held] = nearest(points[held], rest) if len(rest) else np.inf
    return collected


def clusterings(points: Floats, count: int) -> list[Numbers]:
    """Return clusters of pixels by position, from single pixels to as few clusters as there are folds."""
    gathered = points
    back = np.arange(len(points))
    size = 1.0
    while len(gathered) > MOST_CLUSTERED:
        size *= 1.5
        _, back = np.unique(np.floor(points / np.array([1.0, size, size])), axis=0, return_inverse=True)
        back = back.ravel()
        gathered = np.stack([np.bincount(back, points[:, axis]) for axis in range(3)], 1) / np.bincount(back)[:, None]
    if len(gathered) < 2:
        return []
    from scipy.cluster.hierarchy import fcluster, linkage

    tree = linkage(gathered, "average")
    collected, seen = [], set()
    for clusters in np.unique(np.geomspace(max(2, min(count, len(gathered))), len(gathered), 12).astype(int)):
        units = fcluster(tree, int(clusters), "maxclust").astype(np.int64)[back]
        key = len(np.unique(units))
        if key > 1 and key not in seen:
            seen.add(key)
            collected.append(units)
    return collected[::-1]


def not_validated(numbers: Numbers, labels: Numbers) -> int:
    """Return the number of held-out pixels whose class has no training pixel."""
    lost = 0
    for value in np.unique(labels):
        if len(np.unique(numbers[labels == value])) < 2:
            lost += int((labels == value).sum())
    return lost


def quantile_distance(one: Floats, other: Floats) -> float:
    """Return the mean difference of the quantiles of two samples."""
    grid = np.linspace(0.005, 0.995, 100)
    finite = one[np.isfinite(one)]
    if not len(finite):
        return np.inf
    return float(np.abs(np.quantile(finite, grid) - np.quantile(other, grid)).mean())


def best_gap(points: Floats, numbers: Numbers, labels: Numbers, to_predict: Floats) -> float:
    """Return the gap between training and held-out pixels that matches the distances best; each fold keeps all its classes."""
    best, misfit = 0.0, quantile_distance(held_out_distances(points, numbers), to_predict)
    for gap in np.unique(np.quantile(to_predict, [0.25, 0.5, 0.75, 0.9]).round()):
        if gap < 1 or not _leaves_enough(points, numbers, labels, float(gap)):
            break
        value = quantile_distance(held_out_distances(points, numbers, float(gap)), to_predict)
        if value < misfit:
            best, misfit = float(gap), value
    return best


def _leaves_enough(points: Floats, numbers: Numbers, labels: Numbers, gap: float) -> bool:
    for fold in np.unique(numbers):
        held = numbers == fold
        rest = ~held
        kept = rest.copy()
        kept[rest] = nearest(points[rest], points[held]) > gap
        if kept.sum() < LEAST_KEPT * rest.sum() or len(np.unique(labels[kept])) < len(np.unique(labels[rest])):
            return False
    return True
