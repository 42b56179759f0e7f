"""Axes of arrays as groups of attributes next to them (``axis-0``, ``axis-1``, …), as HyperSpy writes them to HDF5 and Zarr."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from napari_spectrai.io.nexus import found_at, is_own, text


@dataclass(frozen=True, slots=True)
class GroupAxis:
    """Positions along a dimension, evenly spaced or listed, their unit, and whether it is that of the signal; None: not said."""

    positions: npt.NDArray[np.float64]
    unit: str
    of_signal: bool | None = None


def numbered_axes(main: h5py.Dataset) -> dict[str, GroupAxis] | None:
    """Return the axis of each dimension by its name, if groups next to a data set describe them all."""

    def described(number: int) -> tuple[Mapping[str, Any], Any] | None:
        group = found_at(main.file, f"{main.parent.name}/axis-{number}")
        if not isinstance(group, h5py.Group):
            return None
        listed = found_at(group.file, f"{group.name}/axis")
        is_list = isinstance(listed, h5py.Dataset) and is_own(listed) and listed.shape == main.shape[number : number + 1]
        return dict(group.attrs), listed[()] if is_list else None

    return axes_of_groups(main.shape, described)


def axes_of_groups(shape: tuple[int, ...], described: Callable[[int], tuple[Mapping[str, Any], Any] | None]) -> dict[str, GroupAxis] | None:
    """Return the axis of each dimension by its name from what groups say of it: attributes, and a list of positions or None."""
    found: dict[str, GroupAxis] = {}
    for number, length in enumerate(shape):
        said = described(number)
        positions = None if said is None else _positions(*said, length)
        if said is None or positions is None:
            return None
        name = text(said[0].get("name", "")) or f"dimension {number}"
        unit = text(said[0].get("units", ""))
        navigate = said[0].get("navigate")
        of_signal = None if navigate is None else not bool(np.ravel(navigate)[0])
        found[name if name not in found else f"{name} {number}"] = GroupAxis(positions, "" if unit.startswith("<") else unit, of_signal)
    return found or None


def signal_of(axes: Mapping[str, GroupAxis]) -> int | None:
    """Return the only dimension that is said to be that of the signal."""
    known = [number for number, axis in enumerate(axes.values()) if axis.of_signal]
    return known[0] if len(known) == 1 else None


def _positions(said: Mapping[str, Any], listed: Any, length: int) -> npt.NDArray[np.float64] | None:
    """Return the positions that are listed, or described by size, scale and offset; None where they are neither."""
    if listed is not None and np.asarray(listed).dtype.kind in "fiu":
        return np.asarray(listed, np.float64)
    size, scale, offset = (_number(said.get(word)) for word in ("size", "scale", "offset"))
    return None if size != length or not scale or offset is None else offset + scale * np.arange(length, dtype=np.float64)


def _number(value: Any) -> float | None:
    try:
        return float(np.ravel(value)[0])
    except (TypeError, ValueError, IndexError):
        return None
