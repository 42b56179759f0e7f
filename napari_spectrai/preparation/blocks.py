"""Chains applied to cubes in memory, block by block."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import numpy as np

from napari_spectrai.cube import Cube, FloatArray, SpectralAxis
from napari_spectrai.float_range import as_float32
from napari_spectrai.preparation.chain import Preparation
from napari_spectrai.valid import Mask, holds_data

BLOCK = 2**23
"""Number of values prepared at a time."""


def axis_after(source: Cube, chain: Preparation) -> SpectralAxis:
    """Return the axis of the output, from one spectrum of the cube: some algorithms fail on artificial spectra."""
    first = as_float32(source.data[(0,) * len(source.spatial_shape)], source.name)[None]
    if not np.isfinite(first).all():
        first = np.linspace(1, 2, len(source.axis), dtype=np.float32)[None]
    return chain.apply(first, source.axis)[1]


def in_blocks(source: Cube, chain: Preparation, *, own: bool = False) -> Generator[float, None, Cube]:
    """Prepare block by block into the result, so that only one block is held in addition.

    Parameters
    ----------
    own : whether the data may be overwritten by the result, if that has as many bands
    """
    axis, apply = axis_after(source, chain), _keeping_empty(source, chain)
    result = source.data if own and len(axis) == len(source.axis) else np.empty((*source.spatial_shape, len(axis)), np.float32)
    rows, done = source.data.shape[0], 0
    at_once = max(1, BLOCK // max(1, source.data[0].size))
    inner = source.data[0].size > BLOCK and len(source.shape) > 2
    for start in range(0, rows, at_once):
        if inner:  # a single row of planes is large: proceed along its next dimension
            length = source.data.shape[1]
            step = max(1, BLOCK // max(1, source.data[0, 0].size))
            for second in range(0, length, step):
                part = as_float32(source.data[start, second : second + step], source.name)
                result[start, second : second + step] = apply(part, (start, slice(second, second + step)))
                yield (start + min(second + step, length) / length) / rows
        else:
            part = as_float32(source.data[start : start + at_once], source.name)
            result[start : start + at_once] = apply(part, (slice(start, start + at_once),))
        done = min(start + at_once, rows)
        yield done / rows
    return source.with_data(result, axis=axis)


def _keeping_empty(source: Cube, chain: Preparation) -> Callable[[FloatArray, tuple[Any, ...]], FloatArray]:
    """Return a function that prepares a part of a cube in memory, given its position; empty spectra stay zero."""
    empty = empty_spectra(source)

    def apply(part: FloatArray, place: tuple[Any, ...]) -> FloatArray:
        done = chain.apply(part, source.axis)[0]
        return done if empty is None else np.where(empty[place][..., None], np.float32(0), done)

    return apply


def empty_spectra(source: Cube) -> Mask | None:
    """Return which spectra of a cube are empty; None if there are none."""
    held = holds_data(source, partly=True)
    return ~held.mask & ~held.unknown if held.empty else None
