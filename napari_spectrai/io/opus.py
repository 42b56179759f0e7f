"""Bruker OPUS: any result that a file holds, single spectra or series."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from napari_spectrai.io.container import choose
from napari_spectrai.io.found import RawArray, affordable, positions, warn
from napari_spectrai.io.opus_blocks import MAGIC, Result, results_of
from napari_spectrai.remedies import where

_RESULTS = ("a", "t", "r", "ra", "e", "km", "pas", "logr", "atr", "aria", "arit", "pw")
"""Results in the order of preference: absorbance, transmittance, reflectance, Raman, emission, Kubelka-Munk, …"""
_MEASURED = ("sm", "rf")
_UNITS = {"WN": "1/cm", "MI": "um", "LGW": "1/cm", "RSH": "1/cm", "NM": "nm"}


def _blocks(path: Path) -> dict[str, Result]:
    """Return the blocks with numbers, results first and derivatives behind what they are of."""
    affordable((path.stat().st_size * 8,), np.uint8)
    with path.open("rb") as file:
        begins = file.read(len(MAGIC))
        content = begins + file.read() if begins == MAGIC else begins
    found = {block.key: block for block in results_of(content) if "DXU" in block.status or "NPT" not in block.status}
    order = (*_RESULTS, *_MEASURED)

    def rank(key: str) -> tuple[int, int, str]:
        base = key.partition("_")[0]
        return (order.index(base) if base in order else len(order), found[key].derivative, key)

    return {key: found[key] for key in sorted(found, key=rank)}


def inspect(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the blocks and their shapes."""
    return {key: block.shape for key, block in _blocks(path).items()}


def read(path: Path, *, dataset: str | None = None) -> RawArray:
    """Return a block of an OPUS file: the requested one, else its first result."""
    blocks = _blocks(path)
    if not blocks:
        raise ValueError("it holds no spectrum")
    name = choose({key: (1, *block.shape) for key, block in blocks.items()}, dataset) if dataset else next(iter(blocks))
    results = [key for key in blocks if key.partition("_")[0] in _RESULTS]
    if dataset is None and len(results) > 1:
        warn(path, f"it holds several results ({', '.join(results)}); {name!r} is read. Choose another {where('dataset')}")
    block = blocks[name]
    unit = block.unit
    x = block.positions()
    values, times = block.values()
    there = positions(path, np.exp(x) if unit == "LGW" else x, _UNITS.get(unit, unit))
    metadata: dict[str, Any] = {}
    if len(times) > 1 and np.isfinite(times).all() and (np.diff(times) > 0).all():
        metadata["coordinates"] = {"time": {"values": times.tolist(), "unit": "s"}}
    return RawArray(np.atleast_2d(np.asarray(values, np.float64)), axis=there, name=block.label, dataset=name, metadata=metadata)
