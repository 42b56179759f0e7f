"""Bruker OPUS through brukeropus (in the ``formats`` extra): any result that a file holds, single spectra or series."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.io.container import choose
from napari_spectrai.io.found import RawArray, affordable, positions, warn
from napari_spectrai.io.optional import need
from napari_spectrai.remedies import where

_RESULTS = ("a", "t", "r", "ra", "e", "km", "pas", "logr", "atr", "aria", "arit", "pw")
"""Blocks that are results, in the order of preference: absorbance, transmittance, reflectance, Raman, emission, Kubelka-Munk, …"""
_MEASURED = ("sm", "rf")
_UNITS = {"WN": "1/cm", "MI": "um", "LGW": "1/cm", "RSH": "1/cm", "NM": "nm"}
_MAGIC = b"\x0a\x0a\xfe\xfe"


def _blocks(path: Path) -> dict[str, Any]:
    """Return the blocks with numbers, results first."""
    affordable((path.stat().st_size * 8,), np.uint8)
    with path.open("rb") as file:
        begins = file.read(4)
    reader = need("brukeropus", "Bruker OPUS")
    if begins != _MAGIC:
        raise ValueError("it does not start as an OPUS file does")
    try:
        measured = reader.read_opus(str(path))
    except KeyError as error:
        raise ValueError(f"one of its blocks lacks the parameter {error}; it is truncated or damaged") from error
    found = {str(block.key): block for block in measured.iter_all_data() if np.size(block.y) and _unit(block) is not None}
    order = (*_RESULTS, *_MEASURED)

    def rank(key: str) -> tuple[int, str]:
        base = key.partition("_")[0]
        return (order.index(base) if base in order else len(order), key)

    return {key: found[key] for key in sorted(found, key=rank)}


def _unit(block: Any) -> str | None:
    """Return the unit of a block's positions, None for a block that has none."""
    try:
        return str(block.dxu).strip().upper()
    except AttributeError:
        return None


def inspect(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the blocks and their shapes."""
    return {key: tuple(np.shape(block.y)) for key, block in _blocks(path).items()}


def read(path: Path, *, dataset: str | None = None) -> RawArray:
    """Return a block of an OPUS file: the requested one, else its first result."""
    blocks = _blocks(path)
    if not blocks:
        raise ValueError("it holds no spectrum")
    name = choose({key: (1, *np.shape(block.y)) for key, block in blocks.items()}, dataset) if dataset else next(iter(blocks))
    results = [key for key in blocks if key.partition("_")[0] in _RESULTS]
    if dataset is None and len(results) > 1:
        warn(path, f"it holds several results ({', '.join(results)}); {name!r} is read. Choose another {where('dataset')}")
    block = blocks[name]
    unit = _unit(block) or ""
    x = np.asarray(block.x, np.float64)
    data = np.atleast_2d(np.asarray(block.y, np.float64))
    there = positions(path, np.exp(x) if unit == "LGW" else x, _UNITS.get(unit, unit))
    metadata: dict[str, Any] = {}
    if np.ndim(block.y) == 2:
        data, metadata = _series(block, data)
    return RawArray(data, axis=there, name=str(getattr(block, "label", "") or ""), dataset=name, metadata=metadata)


def _series(block: Any, data: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], dict[str, Any]]:
    """Return the spectra of a series in their scale, which brukeropus leaves out, and metadata with the times at which they ended."""
    factor, times = (np.asarray(getattr(block, name, ()), np.float64) for name in ("csf", "ert"))
    if factor.shape == (len(data),) and np.isfinite(factor).all() and (factor > 0).all():
        data = data * factor[:, None]
    if times.shape != (len(data),) or len(data) < 2 or not np.isfinite(times).all() or not (np.diff(times) > 0).all():
        return data, {}
    return data, {"coordinates": {"time": {"values": times.tolist(), "unit": "s"}}}
