"""The split of a training that continues from a model: pixels that the model was trained on must not validate it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from napari_spectrai.cube import Cube
from napari_spectrai.plan.split_methods import with_gap
from napari_spectrai.plan.subsets import TRAINING, UNUSED, Map
from napari_spectrai.plan.used_pixels import UsedPixels, digest

_DIAGONAL = 1.5
"""Factor by which the corner of a square is farther away than its side: a gap is a square."""


def kept_parts(start: Path, cubes: Sequence[Cube], maps: Sequence[Map], gap: int) -> tuple[list[Map], str]:
    """Return a split in which the pixels of an earlier run keep their parts, and a sentence on that.

    The weights of a model have seen its training pixels: in a new split, some of these would be validated on. Pixels that are new within
    the gap of an earlier one, as where a stroke has grown, join its part; others are divided as without an earlier run.

    Parameters
    ----------
    start : Path
        The model, in the folder of its run.
    cubes : sequence of Cube
    maps : maps of shape (z, y, x)
        A new split of the pixels.
    gap : int
        Distance, in pixels, that training pixels keep from held-out ones.

    Returns
    -------
    maps : list of maps
        The new split unchanged, if the earlier run was of other images, or was not divided into parts.
    words : str
        Empty if the split is unchanged.
    """
    earlier = UsedPixels.load(start.parent)
    if earlier is None or earlier.crossed:
        return list(maps), ""
    found, kept = [], 0
    for cube, new in zip(cubes, maps, strict=True):
        place = earlier.place(digest(cube))
        old = None if place is None else earlier.parts[place]
        if old is None or old.shape != new.shape or not (old != UNUSED).any():
            found.append(new)
            continue
        kept += int((old != UNUSED).sum())
        found.append(with_gap(_joined(old, new, 0 if new.shape[2] == 1 else _DIAGONAL * gap), gap))
    if not kept or not any((one == TRAINING).any() for one in found):
        return list(maps), ""
    return found, f"{kept:,} pixels keep the parts that they had when the start model was trained."


def _joined(old: Map, new: Map, reach: float) -> Map:
    """Return a new split in which earlier pixels keep their parts, and those within `reach` pixels of one join it."""
    from scipy.ndimage import distance_transform_edt  # the import takes a while, which the dock should not wait for

    far = 10.0 * max(old.shape)  # planes are apart
    distance, nearest = distance_transform_edt(old == UNUSED, sampling=(far, 1, 1), return_indices=True)
    joined: Map = np.where(distance <= reach, old[tuple(nearest)], new).astype(np.uint8)
    return joined
