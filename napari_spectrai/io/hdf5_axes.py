"""Axes of HDF5 arrays as groups of attributes next to them (``axis-0``, ``axis-1``, …), as HyperSpy writes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from napari_spectrai.io.nexus import found_at, is_own, text


@dataclass(frozen=True, slots=True)
class GroupAxis:
    """Positions along a dimension, evenly spaced or listed, and their unit."""

    positions: npt.NDArray[np.float64]
    unit: str


def numbered_axes(main: h5py.Dataset) -> dict[str, GroupAxis] | None:
    """Return the axis of each dimension by its name, if groups next to a data set describe them all."""
    found: dict[str, GroupAxis] = {}
    for number, length in enumerate(main.shape):
        group = found_at(main.file, f"{main.parent.name}/axis-{number}")
        positions = _positions(group, length) if isinstance(group, h5py.Group) else None
        if not isinstance(group, h5py.Group) or positions is None:
            return None
        name = text(group.attrs.get("name", "")) or f"dimension {number}"
        unit = text(group.attrs.get("units", ""))
        found[name if name not in found else f"{name} {number}"] = GroupAxis(positions, "" if unit.startswith("<") else unit)
    return found or None


def _positions(group: h5py.Group, length: int) -> npt.NDArray[np.float64] | None:
    """Return the positions that a group lists (``axis``) or describes by size, scale and offset; None where it does neither."""
    listed = found_at(group.file, f"{group.name}/axis")
    if isinstance(listed, h5py.Dataset) and is_own(listed) and listed.dtype.kind in "fiu" and listed.shape == (length,):
        return np.asarray(listed[()], np.float64)
    size, scale, offset = (_number(group.attrs.get(word)) for word in ("size", "scale", "offset"))
    return None if size != length or not scale or offset is None else offset + scale * np.arange(length, dtype=np.float64)


def _number(value: Any) -> float | None:
    try:
        return float(np.ravel(value)[0])
    except (TypeError, ValueError, IndexError):
        return None
