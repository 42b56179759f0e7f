"""Axes of arrays as groups of attributes next to them (``axis-0``, ``axis-1``, …), as HyperSpy writes them to HDF5 and Zarr."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from napari_spectrai.io.expressions import evaluated
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
        inner = found_at(group.file, f"{group.name}/x")
        return dict(group.attrs) | ({"x": dict(inner.attrs)} if isinstance(inner, h5py.Group) else {}), listed[()] if is_list else None

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
        found[name if name not in found else f"{name} {number}"] = GroupAxis(
            positions, "" if unit.startswith(("<", "_None")) else unit, of_signal
        )
    return found or None


def signal_of(axes: Mapping[str, GroupAxis]) -> int | None:
    """Return the only dimension that is said to be that of the signal."""
    known = [number for number, axis in enumerate(axes.values()) if axis.of_signal]
    return known[0] if len(known) == 1 else None


def _positions(said: Mapping[str, Any], listed: Any, length: int) -> npt.NDArray[np.float64] | None:
    """Return the positions that are listed, or described by size, scale and offset; None where they are neither."""
    if listed is not None and np.asarray(listed).dtype.kind in "fiu":
        return np.asarray(listed, np.float64)
    if _number(said.get("size")) != length:
        return None
    try:
        return positions_of(said)
    except KeyError:
        return None


def positions_of(axis: Mapping[str, Any]) -> npt.NDArray[np.float64]:
    """Return the positions along an axis as HyperSpy describes it: listed, evenly spaced, or by an expression of another axis.

    Raises
    ------
    KeyError
        If it is described in no such way.
    """
    if axis.get("axis") is not None:
        return np.asarray(axis["axis"], np.float64)
    if "expression" in axis and _number(axis["x"].get("size")) == _number(axis.get("size")):
        numbers = {name: value for name, one in axis.items() if (value := _number(one)) is not None}
        return evaluated(text(axis["expression"]), numbers | {"x": positions_of(axis["x"])})
    scale, offset = (_number(axis.get(word)) for word in ("scale", "offset"))
    if not scale or offset is None:
        raise KeyError("scale")
    return offset + scale * np.arange(int(axis["size"]), dtype=np.float64)


def _number(value: Any) -> float | None:
    try:
        return float(np.ravel(value)[0])
    except (TypeError, ValueError, IndexError):
        return None
