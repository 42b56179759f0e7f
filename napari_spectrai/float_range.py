"""Intensities as float32, in which everything is computed, and what to say of those outside its range."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.notices import say_note

FloatArray = npt.NDArray[np.floating[Any]]

_LARGEST, _SMALLEST = (float(limit) for limit in (np.finfo(np.float32).max, np.finfo(np.float32).tiny))
_SEEN = 2**18
"""Largest number of values that are looked at before a computation; each one is looked at when it is converted."""


def as_float32(values: Any, name: str = "") -> FloatArray:
    """Return values as float32 in memory; no copy when they already are.

    Raises
    ------
    ValueError
        If values exceed the range of float32, 3.4e38.

    Warns
    -----
    SpectralWarning
        If all values are so small that they become 0.
    """
    found = np.asarray(values)
    try:
        with np.errstate(over="raise", under="ignore"):
            converted: FloatArray = found.astype(np.float32, copy=False)
    except FloatingPointError as error:
        raise ValueError(f"{_named(name)} has {_above(found)}; divide it first") from error
    if converted is not found and not converted.any() and found.any():
        say_note(f"{_named(name)} has {_below(found)}, which are taken for 0; multiply it first")
    return converted


def in_float32(values: Any, name: str = "") -> Any:
    """Do the same as `as_float32` with an array in memory or a lazy one, which is converted, and refused, when it is read."""
    if not hasattr(values, "map_blocks"):
        return as_float32(values, name)
    if values.dtype == np.float32:
        return values
    return values.map_blocks(as_float32, name, dtype=np.float32, meta=np.empty((0,) * values.ndim, np.float32))


def beyond_float32(values: Any, name: str = "") -> str:
    """Return why the intensities of an array in memory cannot be computed with, in words; empty if they can, as far as is seen.

    Of large arrays evenly spread values are looked at; lazy ones are not read.
    """
    if not isinstance(values, np.ndarray) or values.dtype.kind != "f" or values.dtype.itemsize <= 4 or not values.size:
        return ""
    every = max(1, round((values.size / _SEEN) ** (1 / values.ndim)))
    seen = np.abs(values[(slice(None, None, every),) * values.ndim])
    largest = seen[np.isfinite(seen)].max(initial=0)
    if largest > _LARGEST:
        return f"{_named(name)} has {_above(seen)}; divide it first."
    return f"{_named(name)} has {_below(seen)}, which would be taken for 0; multiply it first." if 0 < largest < _SMALLEST else ""


def _named(name: str) -> str:
    return repr(name or "the cube")


def _above(values: Any) -> str:
    return f"values up to {np.abs(values[np.isfinite(values)]).max():.2g}, above the 3.4e38 of float32"


def _below(values: Any) -> str:
    return f"no values above {np.abs(values[np.isfinite(values)]).max(initial=0):.2g}, below the 1.2e-38 of float32"
