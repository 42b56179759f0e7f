"""Sizes of blocks, and contiguous and block splits of images with missing pixels: fractions refer to pixels with data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from napari_spectrai.experiment import Split
from napari_spectrai.plan.subsets import TEST, TRAINING, VALIDATION, Map

BLOCK = 12
"""Side of a block in pixels, if the settings leave it open."""
LEAST_BLOCKS = 4
"""Minimum number of blocks with data, so that some can be held out; blocks are made smaller until there are as many."""

Mask = npt.NDArray[np.bool_]


def stretches(data: Mask, split: Split, patch: int) -> tuple[Map, int]:
    """Return a map (z, y, x) whose last rows are held out, and a gap that leaves training samples.

    Rows run across the longer side of the area with data. The number held out follows from the fractions of the pixels with data, and
    from the patches, which may extend into the empty rows beyond.
    """
    sides = [np.ptp(np.flatnonzero(data.any((0, 3 - axis)))) for axis in (1, 2)]
    axis = 1 if sides[0] >= sides[1] else 2
    counts = data.sum(tuple(other for other in range(3) if other != axis))
    live = np.flatnonzero(counts)
    ends = len(counts) - 1 - int(live[-1])  # empty rows that a patch may extend into
    stop, rows = int(live[-1]) + 1, {}
    for part, share in ((TEST, split.test), (VALIDATION, split.validation)):
        if not share:
            continue
        wanted = max(1, round(share * int(counts.sum())))
        length = int(np.searchsorted(np.cumsum(counts[:stop][::-1]), wanted)) + 1
        begin = max(0, stop - max(length, min(patch - ends, patch)))
        rows[part] = slice(begin, stop)
        stop, ends = begin, 0
    chosen = np.full(data.shape, TRAINING, np.uint8)
    along = np.moveaxis(chosen, axis, 0)
    for part, where in rows.items():
        along[where] = part
    left = int(np.count_nonzero(counts[:stop]))
    wanted_gap = split.gap if split.gap is not None else (0 if data.shape[2] == 1 else min(patch, left // 2))
    return chosen, wanted_gap


def scattered(data: Mask, split: Split, patch: int, rng: np.random.Generator) -> Map:
    """Return a map (z, y, x) of randomly drawn blocks with data, on a grid that starts at the first pixel with data."""
    top, left = (int(np.flatnonzero(data.any((0, 3 - axis)))[0]) for axis in (1, 2))
    number = _numbered(data.shape[1:], top, left, block_of(data, split, patch))
    held = np.bincount(number.ravel(), weights=data.sum(0).ravel())
    live = np.flatnonzero(held)
    parts = np.full(len(held), TRAINING, np.uint8)
    order = rng.permutation(live)
    share = np.cumsum(held[order]) / held.sum()
    validation = int(np.searchsorted(share, split.validation)) + 1
    test = int(np.searchsorted(share, share[min(validation, len(share)) - 1] + split.test)) + 1 if split.test else validation
    validation = min(validation, max(1, len(order) - 2))
    parts[order[:validation]] = VALIDATION
    parts[order[validation : min(test, len(order) - 1)]] = TEST
    return np.broadcast_to(parts[number], data.shape).copy()


def block_of(data: Mask, split: Split, patch: int) -> int:
    """Return the side of the blocks of an image, of which `data` (z, y, x) says which pixels hold data.

    What the settings leave open is large enough for a patch. Blocks of single spectra are halved until `LEAST_BLOCKS` hold data; those
    whose size is set only in an image with missing pixels, where the size that fits cannot be seen from its sides.
    """
    block = max(BLOCK, patch) if split.block is None else split.block
    if patch > 1 or (split.block is not None and data.all()):
        return block
    top, left = (int(np.flatnonzero(data.any((0, 3 - axis)))[0]) for axis in (1, 2))
    plane = data.any(0)
    while block > 1 and len(np.unique(_numbered(data.shape[1:], top, left, block)[plane])) < LEAST_BLOCKS:
        block = max(1, block // 2)
    return block


def smaller_blocks(data: Sequence[Mask], split: Split, patch: int) -> str:
    """Return a sentence on images whose blocks are smaller than usual, or than set; empty if there are none."""
    wanted = max(BLOCK, patch) if split.block is None else split.block
    sizes = {block for one in data if one.any() and one.shape[2] > 1 and (block := block_of(one, split, patch)) < wanted}
    if not sizes:
        return ""
    shown = " and ".join(f"{size} × {size}" for size in sorted(sizes))
    return f"Blocks of {shown} pixels are held out, not of {wanted} × {wanted}, of which there would be fewer than {LEAST_BLOCKS}."


def _numbered(shape: tuple[int, ...], top: int, left: int, block: int) -> npt.NDArray[np.intp]:
    """Return the number of each pixel's block (y, x), for a grid that starts at (top, left)."""
    rows, columns = ((np.arange(length) - start) // block for length, start in zip(shape, (top, left), strict=True))
    rows, columns = rows - rows[0], columns - columns[0]
    return np.asarray(rows[:, None] * (columns[-1] + 1) + columns, np.intp)
