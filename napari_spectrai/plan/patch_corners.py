"""Corners of the patches that lie in one part of a split."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def origins(labels: npt.NDArray[Any], part: int, patch: int, *, least: int | None = None) -> npt.NDArray[np.int64]:
    """Return the first corners (n, 3) of all patches that lie in one part of a map; `least`: that contain so many of its pixels."""
    held = labels if labels.dtype == bool else labels == part
    found = [_origins(plane, patch, patch * patch if least is None else least) for plane in held]
    numbers = [np.full((len(corners), 1), z, np.int64) for z, corners in enumerate(found)]
    together = [np.concatenate(pair, 1) for pair in zip(numbers, found, strict=True)]
    return together[0] if len(together) == 1 else np.concatenate([*together, np.empty((0, 3), np.int64)])


def _origins(held: npt.NDArray[np.bool_], patch: int, least: int) -> npt.NDArray[np.int64]:
    """Return the first corners (n, 2) of patches of a plane with at least so many pixels held; only the rows that have some are summed."""
    rows = np.flatnonzero(held.any(1))
    if not len(rows) or patch > min(held.shape):
        return np.empty((0, 2), np.int64)
    first = max(0, int(rows[0]) - patch + 1)
    some = held[first : int(rows[-1]) + patch]
    inside = np.pad(some, ((1, 0), (1, 0))).cumsum(0, dtype=np.int32).cumsum(1, dtype=np.int32)
    total = inside[patch:, patch:] - inside[:-patch, patch:] - inside[patch:, :-patch] + inside[:-patch, :-patch]
    corners: npt.NDArray[np.int64] = np.argwhere(total >= least)
    corners[:, 0] += first
    return corners


def apart(corners: npt.NDArray[np.int64], patch: int) -> npt.NDArray[np.int64]:
    """Return those of the corners that lie on one grid of the patch's size, the fullest one: patches that do not overlap."""
    if patch == 1 or not len(corners):
        return corners
    offsets = corners[:, 1] % patch * patch + corners[:, 2] % patch
    fullest: npt.NDArray[np.int64] = corners[offsets == np.bincount(offsets).argmax()]
    return fullest
