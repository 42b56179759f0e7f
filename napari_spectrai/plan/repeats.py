"""Spectra that occur more than once in sets, as after a table was appended to itself: a copy of a training spectrum validates nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.cube import Cube
from napari_spectrai.plan.subsets import TEST, TRAINING, UNUSED, VALIDATION, Map

DISTINCT = 8
"""Minimum number of different values of a spectrum for it to be recognised; fewer may occur by chance."""
MOST = 2**26
"""Largest number of values of a set in a file that are read to find copies."""
SHARED = 0.05
"""Fraction of the pixels of the smaller of two images that have to be equal for this to be said."""
LEVELS = 4000
"""Number of levels by which the ratios of bands are distinguished."""
COMPARED = 256
"""Number of pixels of two images that are compared in all bands."""
ALIKE = 1e-4
"""Largest difference of equal spectra, whose largest magnitude is 1: conversion to another format rounds."""

Numbers = npt.NDArray[np.int64]


def first_occurrences(cubes: Sequence[Cube], shapes: Sequence[tuple[int, int, int]]) -> list[Numbers] | None:
    """Return for each spectrum of each cube (z, y, x) the number of the first one that is equal to it, counted over all cubes.

    Only sets are examined, since neighbouring pixels of an image may well be equal, and so are held out together anyway.

    Returns
    -------
    list of int arrays, or None
        None if no spectrum occurs twice.
    """
    starts = np.cumsum([0, *(int(np.prod(shape)) for shape in shapes)])
    sets = [number for number, cube in enumerate(cubes) if not cube.is_image and _is_readable(cube)]
    if not sets:
        return None
    keys = np.concatenate([_keys(cubes[number]) for number in sets])
    places = np.concatenate([np.arange(starts[number], starts[number + 1]) for number in sets])
    _, back, counts = np.unique(keys, return_inverse=True, return_counts=True)
    alike = np.flatnonzero(counts[back] > 1)
    if not alike.size:
        return None
    owner = np.searchsorted(starts, places[alike], "right") - 1
    parts = [(cubes[number].data, places[alike][owner == number] - starts[number]) for number in np.unique(owner)]
    rows = [np.asarray(data[chosen], np.float32) for data, chosen in parts]
    first = np.arange(starts[-1])
    for width in {part.shape[1] for part in rows}:
        chosen = np.concatenate([np.full(len(part), part.shape[1] == width) for part in rows])
        values = np.concatenate([part for part in rows if part.shape[1] == width])
        kept = _is_recognised(values)
        numbers = places[alike[chosen][kept]]
        _, place, inverse = np.unique(values[kept].view(np.dtype((np.void, 4 * width))).ravel(), return_index=True, return_inverse=True)
        first[numbers] = numbers[place][inverse]
    if (first == np.arange(starts[-1])).all():
        return None
    return [part.reshape(shape) for part, shape in zip(np.split(first, starts[1:-1]), shapes, strict=True)]


def _is_readable(cube: Cube) -> bool:
    return isinstance(cube.data, np.ndarray) or cube.size <= MOST


def _keys(cube: Cube) -> npt.NDArray[np.uint64]:
    """Return a number for each spectrum of a set, from three of its bands: different numbers are of different spectra."""
    bands = len(cube.axis)
    some = np.ascontiguousarray(cube.data[:, [0, bands // 2, bands - 1]], np.float32).view(np.uint32).astype(np.uint64)
    return np.asarray((some[:, 0] * np.uint64(2**21 + 7) + some[:, 1]) * np.uint64(2**21 + 17) + some[:, 2] + np.uint64(bands))


def _is_recognised(spectra: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Return which spectra (n, L) are unlikely to be equal by chance."""
    bands = spectra.shape[1]
    different = 1 + (np.diff(np.sort(spectra, -1), axis=-1) != 0).sum(-1)
    kept = np.isfinite(spectra).all(-1) & (different >= min(DISTINCT, bands))
    if bands < DISTINCT:  # counts in few bands coincide
        kept &= (spectra != np.rint(spectra)).any(-1)
    return np.asarray(kept)


def copies(first: Sequence[Numbers], maps: Sequence[Map]) -> list[npt.NDArray[np.bool_]]:
    """Return which used spectra are equal to an earlier used one.

    Parameters
    ----------
    first : from `first_occurrences`
    maps : maps of shape (z, y, x)
    """
    flat, leading = _leading(first, maps)
    copied = (flat != UNUSED) & (leading != np.arange(len(flat)))
    return _parted(copied, maps)


def _leading(first: Sequence[Numbers], maps: Sequence[Map]) -> tuple[Map, Numbers]:
    """Return the parts of all spectra in one row, and the number of the first used one that is equal to each."""
    flat = np.concatenate([part.ravel() for part in maps])
    _, groups = np.unique(np.concatenate([part.ravel() for part in first]), return_inverse=True)
    used = np.flatnonzero(flat != UNUSED)
    leading = np.full(groups.max() + 1, len(flat))
    np.minimum.at(leading, groups[used], used)
    return flat, leading[groups]


def _parted(values: npt.NDArray[Any], maps: Sequence[Map]) -> list[npt.NDArray[Any]]:
    """Undo the concatenation of maps."""
    cuts = np.cumsum([m.size for m in maps])[:-1]
    return [part.reshape(m.shape) for part, m in zip(np.split(values, cuts), maps, strict=True)]


def kept_together(maps: Sequence[Map], first: Sequence[Numbers], *, moves: bool) -> tuple[list[Map], str]:
    """Return a split in which all copies of a spectrum belong to one part, and a sentence on them.

    Parameters
    ----------
    maps : maps of shape (z, y, x)
    first : from `first_occurrences`
    moves : bool
        Whether copies move to the part of the first one; else it is only said how many are in two parts, as if a person chose the parts.
    """
    flat, leading = _leading(first, maps)
    copied = (flat != UNUSED) & (leading != np.arange(len(flat)))
    count = int(copied.sum())
    if not count:
        return list(maps), ""
    if moves:
        flat[copied] = flat[leading[copied]]
        words = f"{_spectra(count)} repeated in the data; all copies of a spectrum belong to the same part, so that none validates itself."
        return _parted(flat, maps), words
    leaking = int(np.isin(leading[np.isin(flat, (VALIDATION, TEST))], leading[flat == TRAINING]).sum())
    if not leaking:
        return list(maps), ""
    words = f"{leaking:,} held-out spectra also occur among the training spectra: their scores are too optimistic; remove the copies."
    return list(maps), words


def contradicting(first: Sequence[Numbers], marked: Sequence[Numbers]) -> str:
    """Return a sentence on equal spectra with different classes (0: none); empty if there are none."""
    if not marked:
        return ""
    back = np.concatenate([part.ravel() for part in first])
    classes = np.concatenate([part.ravel() for part in marked])
    pairs = np.unique(np.stack([back[classes > 0], classes[classes > 0]], -1), axis=0)
    count = int((np.unique(pairs[:, 0], return_counts=True)[1] > 1).sum())
    return f"{_spectra(count)} given with different classes; check the labels of their copies." if count else ""


def _spectra(count: int) -> str:
    return "1 spectrum is" if count == 1 else f"{count:,} spectra are"


def copied_inputs(cubes: Sequence[Cube], groups: Sequence[str] = ()) -> list[str]:
    """Return sentences on images that show the same pixels as an earlier one: the same file under another name, cropped or rescaled.

    Parameters
    ----------
    cubes : sequence of Cube
        Sets are left to `first_occurrences`.
    groups : sequence of str
        The group of each; copies in one group are held out together, and nothing is said of them.
    """
    images = [number for number, cube in enumerate(cubes) if cube.is_image and _is_readable(cube)]
    if len(images) < 2:
        return []
    keys = [_shape_keys(cubes[number]) for number in images]
    owners = np.concatenate([np.full(len(part), place) for place, part in enumerate(keys)])
    _, first, back = np.unique(np.concatenate(keys), return_index=True, return_inverse=True)
    found = []
    for place, number in enumerate(images):
        own = owners == place
        earlier = owners[first[back[own]]]
        for other in np.unique(earlier[earlier < place]):
            one, two = cubes[images[other]], cubes[number]
            met = np.flatnonzero(earlier == other)
            there = first[back[own]][met] - _start(owners, other)
            if len(met) < SHARED * min(one.count, two.count) or not _are_equal(one, two, there, met):
                continue
            if not groups or groups[images[other]] != groups[number]:
                found.append(
                    f"{two.name or 'cube'!r} (input {number + 1}) repeats {len(met):,} spectra of {one.name or 'cube'!r} "
                    f"(input {images[other] + 1}), or multiples of them: a score of one is too optimistic where the other is trained on; "
                    "remove one of them, or put both into one group (data.groups, split.method=group)."
                )
    return found if len(found) <= 3 else [*found[:3], f"There are {len(found) - 3} more such inputs."]


def _start(owners: npt.NDArray[Any], place: int) -> int:
    return int(np.searchsorted(owners, place))


def _spectra_at(cube: Cube, rows: Any, bands: Any = slice(None)) -> npt.NDArray[np.float32]:
    """Return some spectra of an image (n, L) by their place in it."""
    flat = np.asarray(cube.data[..., bands]).reshape(cube.count, -1)
    return np.asarray(flat[rows], np.float32)


def _shape_keys(cube: Cube) -> npt.NDArray[np.uint64]:
    """Return a number for each spectrum of an image, from the ratios of four bands: that of a multiple is the same."""
    bands = len(cube.axis)
    some = _spectra_at(cube, slice(None), [0, bands // 4, bands // 2, bands - 1]).astype(np.float64)
    with np.errstate(all="ignore"):
        levels = np.nan_to_num(np.rint(some / np.abs(some).sum(-1, keepdims=True) * LEVELS)).astype(np.int64) + LEVELS
    return np.asarray(levels @ np.array([1, 2**13, 2**26, 2**39]), np.uint64)


def _are_equal(one: Cube, two: Cube, first: Numbers, second: Numbers) -> bool:
    """Whether spectra of two images that seem to be multiples are, by up to `COMPARED` of them."""
    chosen = np.linspace(0, len(second) - 1, min(COMPARED, len(second))).astype(int)
    a, b = _spectra_at(one, first[chosen]), _spectra_at(two, second[chosen])
    kept = _is_recognised(a) & _is_recognised(b)
    if not kept.any():
        return False
    with np.errstate(all="ignore"):
        a, b = (values[kept] / np.abs(values[kept]).max(-1, keepdims=True) for values in (a, b))
    return bool((np.abs(a - b).max(-1) < ALIKE).mean() > 0.5)
