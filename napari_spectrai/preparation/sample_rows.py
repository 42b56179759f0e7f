"""Rows of pixels, evenly spread over a cube, that steps are fitted on."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_spectrai.cube import Cube, FloatArray
from napari_spectrai.float_range import as_float32
from napari_spectrai.valid import held_by, ignored

SEEN = 2**22
"""Largest number of values of a cube that a step is fitted on: whole rows of pixels, evenly spread."""


def seen(source: Cube, values: int = SEEN) -> FloatArray:
    """Return the data for fits: rows of pixels spread evenly over the cube, with a limited number of values, of shape (rows, x, L)."""
    *front, length, bands = source.shape
    rows = source.data.reshape(-1, length, bands) if len(front) != 1 else source.data
    if not front:
        rows, most = source.data.reshape(1, length, bands), max(1, values // bands)
        return _known(source, rows[:, :: max(1, -(-length // most))])
    most = max(1, values // (length * bands))
    return _known(source, rows[:: max(1, -(-rows.shape[0] // most))])


def _known(source: Cube, values: Any) -> FloatArray:
    """Return some values of a cube as float32, with ignored ones as NaN."""
    ignore, converted = ignored(source), as_float32(values, source.name)
    return converted if ignore is None else np.where(np.asarray(values) == ignore, np.float32(np.nan), converted)


def with_data_only(rows: FloatArray) -> FloatArray:
    """Return rows of pixels (rows, x, L) in which spectra without data are NaN, so that fits exclude them."""
    held = held_by(rows, partly=True)
    return rows if held.complete or not held.count else np.where(held.mask[..., None], rows, np.float32(np.nan))
