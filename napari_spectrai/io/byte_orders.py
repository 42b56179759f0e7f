"""Raw values whose header names the wrong byte order, as where it was written by hand or for another machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.io.found import warn

_RUN, _PLACES = 1024, 4
"""Values in a row that are looked at, and at how many places."""
_LEAST = 64
_WIDE, _NARROW = 25.0, 10.0
"""Standard deviations of the binary logarithm of floats: in the wrong order their exponents are nearly random."""
_UNLIKE, _ALIKE = 0.3, 0.8
"""Correlations of neighbours among whole numbers in the wrong order, at most, and in the right one, at least."""
_LOW_BITS, _MOST_OF_TWELVE_BITS = 16, 2**12
"""What the lower byte of numbers of 12 bits stays below in the wrong order, and what they themselves stay below."""


def say_order(path: Path, values: npt.NDArray[Any], remedy: str) -> None:
    """Warn where values look as if they were stored in the byte order that the header does not name."""
    if values.dtype.itemsize < 2 or values.size < _LEAST or values.dtype.kind not in "fiu":
        return
    flat = values.reshape(-1)
    starts = sorted({int(start) for start in np.linspace(0, max(0, flat.size - _RUN), _PLACES)})
    runs = np.stack([flat[start : start + _RUN] for start in starts])
    with np.errstate(all="ignore"):
        wrong = _of_floats(runs) if values.dtype.kind == "f" else _of_integers(runs)
    if wrong:
        said = f"its values look as if they were stored in the other byte order ({runs.min():g} to {runs.max():g} as they are)"
        warn(path, f"{said}; if they are {remedy}")


def _of_floats(runs: npt.NDArray[Any]) -> bool:
    other = runs.byteswap()
    return bool(np.isfinite(other).all()) and _spread(runs) > _WIDE and _spread(other) < _NARROW


def _spread(runs: npt.NDArray[Any]) -> float:
    """Return the standard deviation of the binary logarithm of those that are not 0."""
    sizes = np.abs(runs[np.isfinite(runs) & (runs != 0)].astype(np.float64))
    return float(np.log2(sizes).std()) if len(sizes) >= _LEAST else 0.0


def _of_integers(runs: npt.NDArray[Any]) -> bool:
    other = runs.byteswap()
    if _correlation(runs) < _UNLIKE and _correlation(other) > _ALIKE:
        return True
    if runs.dtype.itemsize != 2 or int(other.max()) >= _MOST_OF_TWELVE_BITS or int(other.min()) < 0:
        return False
    wide = runs.astype(np.int64)
    return int(np.abs(wide).max()) >= _MOST_OF_TWELVE_BITS and int((wide & 0xFF).max()) < _LOW_BITS and int(other.max()) >= _LOW_BITS


def _correlation(runs: npt.NDArray[Any]) -> float:
    """Return the correlation of neighbours in the same run."""
    left, right = (part.astype(np.float64) - runs.mean(1, np.float64, keepdims=True) for part in (runs[:, :-1], runs[:, 1:]))
    power = float(np.sqrt((left**2).sum() * (right**2).sum()))
    return float((left * right).sum()) / power if power > 0 else 1.0
