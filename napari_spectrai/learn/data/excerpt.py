"""An excerpt of cubes larger than memory: windows with evenly spread samples of each part, as cubes of their own."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from napari_spectrai.cube import Cube
from napari_spectrai.experiment import Experiment
from napari_spectrai.files import size_words
from napari_spectrai.plan.memory import limit_of
from napari_spectrai.plan.partition import Division, as_volume
from napari_spectrai.plan.patches import places_of
from napari_spectrai.plan.storage import Mask, Region
from napari_spectrai.plan.subsets import TEST, TRAINING, UNUSED, VALIDATION
from napari_spectrai.preparation.missing import usable

SIDE, LEAST = 64, 8
"""Largest height and width of a window in pixels (of a set of spectra, this number squared are one), and how many there are at least.

Windows are smaller where fewer would fit, but not smaller than a patch."""
COPIES, COMPARED_SIDE = 8, 128
"""How many times methods that are compared hold the data, and the height and width of the windows that they are then compared on."""
SHARES = {TRAINING: 0.5, VALIDATION: 0.25, TEST: 0.25}
"""Fraction of the excerpt for each part."""

Window = tuple[int, Region, int]
"""Number of a cube, a region of it, and the part whose samples it contains."""


def windows_of(division: Division, most: int, corners: Sequence[tuple[int, npt.NDArray[np.int64]]]) -> list[Window]:
    """Return evenly spread windows of each part, with up to `most` pixels; all windows, if these are few enough.

    Parameters
    ----------
    corners : (number of a cube, corners of patches (n, 3)), ...
        Evenly spread training patches, around which windows are cut; empty if samples are single spectra.
    """
    found: list[Window] = []
    for part, share in SHARES.items():
        side = max(1, min(SIDE, math.isqrt(int(share * most / LEAST))))
        known = [(number, region, part) for number, region in _tiles(division, part, corners, side)]
        found += evenly(known, share * most)
    return found


def evenly(windows: Sequence[Window], most: float) -> list[Window]:
    """Return evenly spread windows with up to `most` pixels, but at least one, if there are any."""
    kept, count = list(windows), float(len(windows))
    while len(kept) > 1 and (pixels := sum(region.pixels for _, region, _ in kept)) > most:
        count = max(1.0, min(count - 1, count * most / pixels))
        kept = [windows[place] for place in np.linspace(0, len(windows) - 1, int(count)).round().astype(int)]
    return kept


def _tiles(division: Division, part: int, corners: Sequence[tuple[int, npt.NDArray[np.int64]]], side: int) -> Iterator[tuple[int, Region]]:
    """Yield windows with samples of a part, and the number of their cube: those held out are covered completely."""
    patch = division.layout.patch
    if patch == 1:
        for number, labels in enumerate(division.maps):
            yield from ((number, region) for region in on_grid(labels == part, side))
    elif part == TRAINING:
        side = max(side, patch)
        for number, known in corners:
            _, rows, columns = division.shapes[number]
            for z, y, x in known.tolist():
                yield number, Region(z, y, min(rows, y + side), x, min(columns, x + side))
    else:
        for number, known in enumerate(division.corners(part)):
            yield from ((number, region) for region in _around(known, patch, side, division.shapes[number]))


def on_grid(inside: Mask, side: int) -> Iterator[Region]:
    """Yield the tiles of a grid that contain pixels of a part."""
    _, rows, columns = inside.shape
    height, width = (side**2, 1) if columns == 1 else (side, side)
    y, x = np.arange(0, rows, height), np.arange(0, columns, width)
    counts = np.add.reduceat(np.add.reduceat(inside, y, 1, dtype=np.int32), x, 2)
    for z, down, across in np.argwhere(counts).tolist():
        yield Region(z, int(y[down]), min(rows, int(y[down]) + height), int(x[across]), min(columns, int(x[across]) + width))


def _around(corners: npt.NDArray[np.int64], patch: int, side: int, shape: tuple[int, int, int]) -> Iterator[Region]:
    """Yield windows around patches that do not overlap, several patches in each."""
    if not len(corners):
        return
    first = corners[:, 1:].min(0)
    side = max(1, side // patch) * patch
    tiles, number = np.unique(np.column_stack([corners[:, 0], (corners[:, 1:] - first) // side]), axis=0, return_inverse=True)
    last = np.zeros((len(tiles), 2), np.int64)
    np.maximum.at(last, number.ravel(), corners[:, 1:] + patch)
    start = first + tiles[:, 1:] * side
    stop = np.minimum(last, shape[1:])
    for z, (y, x), (y_end, x_end) in zip(tiles[:, 0].tolist(), start.tolist(), stop.tolist(), strict=True):
        yield Region(z, y, y_end, x, x_end)


def cut(cubes: Sequence[Cube], windows: Sequence[Window], times: int = 1) -> list[Cube]:
    """Return the windows as cubes, still unread; of truths, if any, with `times` as many pixels per side."""
    return [_cut(cubes[number], region.times(times)) for number, region, _ in windows] if cubes else []


def _cut(cube: Cube, region: Region) -> Cube:
    spatial = cube.spatial_shape
    if len(spatial) == 1:
        return cube[region.y : region.y_end]
    plane = tuple(slice(int(place), int(place) + 1) for place in np.unravel_index(region.z, spatial[:-2])) if len(spatial) > 2 else ()
    return cube[(*plane, *region.key[1:])]


def cut_division(division: Division, windows: Sequence[Window]) -> Division:
    """Return the division of the windows: pixels of parts other than the window's own are unused."""
    maps = [division.maps[number][region.key][None] for number, region, _ in windows]
    maps = [np.where(m == part, m, UNUSED).astype(np.uint8) for m, (_, _, part) in zip(maps, windows, strict=True)]
    data = [division.data[number][region.key][None].copy() for number, region, _ in windows]
    marked = [division.marked[number][region.key][None].copy() for number, region, _ in windows] if division.marked else []
    shapes = [m.shape for m in maps]
    return replace(division, shapes=shapes, maps=maps, places=places_of(shapes, division.layout), marked=marked, data=data, notes=[])


def reduced(experiment: Experiment, cubes: Sequence[Cube]) -> tuple[list[Cube], str]:
    """Return cubes that can be compared by several methods within the memory allowed, and what was left out; empty if nothing was.

    Larger cubes are replaced by evenly spread windows that hold data.
    """
    limit = limit_of(experiment)
    most = max(1, limit // (COPIES * 4 * cubes[0].shape[-1]))
    if sum(cube.count for cube in cubes) <= most:
        return list(cubes), ""
    held = [usable(cube, experiment.preparation).mask.reshape(as_volume(cube)) for cube in cubes]
    known = [(number, region, TRAINING) for number, mask in enumerate(held) for region in on_grid(mask, COMPARED_SIDE)]
    known = evenly(known, most)
    shown = sum(int(held[number][region.key].sum()) for number, region, _ in known)
    words = (
        f"Methods are compared and fitted on {len(known):,} evenly spread windows with {shown:,} of {sum(int(m.sum()) for m in held):,} "
        f"spectra, within the {size_words(limit)} of memory allowed; training.memory sets the limit."
    )
    return cut(cubes, known), words
