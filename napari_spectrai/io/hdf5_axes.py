"""Axes of HDF5 arrays as groups of attributes next to them (``axis-0``, ``axis-1``, …), as HyperSpy writes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from napari_spectrai.io.nexus import found_at, text


@dataclass(frozen=True, slots=True)
class EvenAxis:
    """Evenly spaced positions along a dimension."""

    size: int
    scale: float
    offset: float
    unit: str

    def values(self) -> npt.NDArray[np.float64]:
        """Return the positions."""
        return self.offset + self.scale * np.arange(self.size, dtype=np.float64)


def numbered_axes(main: h5py.Dataset) -> dict[str, EvenAxis] | None:
    """Return the axis of each dimension by its name, if groups next to a data set describe them all."""
    found: dict[str, EvenAxis] = {}
    for number, length in enumerate(main.shape):
        group = found_at(main.file, f"{main.parent.name}/axis-{number}")
        if not isinstance(group, h5py.Group):
            return None
        size, scale, offset = (_number(group.attrs.get(word)) for word in ("size", "scale", "offset"))
        if size != length or not scale or offset is None:
            return None
        name = text(group.attrs.get("name", "")) or f"dimension {number}"
        unit = text(group.attrs.get("units", ""))
        found[name if name not in found else f"{name} {number}"] = EvenAxis(length, scale, offset, "" if unit.startswith("<") else unit)
    return found or None


def _number(value: Any) -> float | None:
    try:
        return float(np.ravel(value)[0])
    except (TypeError, ValueError, IndexError):
        return None
