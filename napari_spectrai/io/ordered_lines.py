"""Matrices of which one line or column holds the positions, as a text of spectra becomes one array."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.io.columns import counts_up
from napari_spectrai.io.container import MOST_LOOKED_AT
from napari_spectrai.io.found import RawArray, positions, warn
from napari_spectrai.remedies import is_answered, where

_LEAST_BANDS, _LEAST_AMONG_MANY = 5, 8
"""Positions, at least, of a matrix of two lines, and of one of more."""
_COMPARED = 50


def of_ordered_line(path: Path, data: Any) -> RawArray | None:
    """Return the spectra of a matrix of which the first line or column alone is in order, and so taken for positions, with a notice.

    Of two lines or columns, either may be.
    """
    shape = tuple(data.shape)
    if len(shape) != 2 or is_answered("spectral") or min(shape) < 2 or data.dtype.kind not in "fiu":
        return None
    return _of_two(path, data) if min(shape) == 2 else _of_several(path, data)


def _of_two(path: Path, data: Any) -> RawArray | None:
    shape = tuple(data.shape)
    if not _LEAST_BANDS <= max(shape) <= MOST_LOOKED_AT:
        return None
    pair = np.asarray(data, np.float64) if shape[0] == 2 else np.asarray(data, np.float64).T
    ordered = [_in_order(line) for line in pair]
    if ordered.count(True) != 1 or not np.isfinite(pair).all():
        return None
    across = ordered.index(True)
    kind = "columns" if shape[1] == 2 else "lines"
    taken = f"of its two {kind} the one in order, {across}, is taken for positions, and the other for a spectrum"
    warn(path, f"{taken}; choose otherwise {where('spectral')}")
    return RawArray(pair[None, 1 - across].astype(data.dtype), axis=positions(path, pair[across], ""))


def _of_several(path: Path, data: Any) -> RawArray | None:
    if is_answered("axis"):
        return None
    found = [kind for kind, lines in (("line", data), ("column", data.T)) if _alone_in_order(lines[: _COMPARED + 1])]
    if len(found) != 1:
        return None
    kind = found[0]
    across = np.asarray((data if kind == "line" else data.T)[0], np.float64)
    taken = f"its first {kind} alone is in order and is taken for positions, and the others for spectra"
    warn(path, f"{taken}; choose otherwise {where('spectral')}")
    axis = positions(path, across, "")
    return RawArray(data[1:], axis=axis) if kind == "line" else RawArray(data[:, 1:], spectral=0, axis=axis)


def _alone_in_order(lines: Any) -> bool:
    """Whether the first of several lines is in order, without counting, and no other is."""
    if lines.shape[1] < _LEAST_AMONG_MANY:
        return False
    first, *others = (np.asarray(line, np.float64) for line in lines)
    return _in_order(first) and not counts_up(first) and not any(_in_order(line) for line in others)


def _in_order(line: npt.NDArray[np.float64]) -> bool:
    steps = np.diff(line)
    return bool(np.isfinite(line).all() and ((steps > 0).all() or (steps < 0).all()))
