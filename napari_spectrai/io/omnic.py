"""Thermo OMNIC ``.spa``: one spectrum, found through the directory of blocks at the start of the file.

The layout follows publicly available descriptions: entries of 16 bytes give kind, place and length of each block; a block of
kind 2 describes the spectrum, one of kind 3 holds its values.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from napari_spectrai.io.container import choose
from napari_spectrai.io.found import RawArray, mapped, positions

_MAGIC = b"Spectral Data File"
_TITLE, _DIRECTORY, _ENTRY = slice(30, 256), 0x120, 16
_MOST_ENTRIES = 200
_DESCRIPTION, _VALUES = 2, 3
_UNITS = {1: "1/cm", 2: "", 3: "nm", 4: "um", 32: "1/cm"}


def _layout(path: Path) -> tuple[str, int, int, float, float, int]:
    """Return title, number of points, unit, first and last position, and where the values start."""
    length = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(_DIRECTORY + _ENTRY * _MOST_ENTRIES)
    if not head.startswith(_MAGIC):
        raise ValueError("it does not start as a spectrum of OMNIC does")
    places: dict[int, int] = {}
    for start in range(_DIRECTORY, len(head) - _ENTRY, _ENTRY):
        kind, place, size = struct.unpack_from("<HII", head, start)
        if not kind and not place:
            break
        if place + size <= length:
            places.setdefault(kind, place)
    if not {_DESCRIPTION, _VALUES} <= set(places):
        raise ValueError("it names no block of values with its description; it is truncated or damaged")
    with path.open("rb") as file:
        file.seek(places[_DESCRIPTION])
        described = file.read(24)
    if len(described) < 24:
        raise ValueError("the description of its spectrum is cut short; it is truncated")
    points, unit = struct.unpack_from("<II", described, 4)
    first, last = struct.unpack_from("<ff", described, 16)
    title = head[_TITLE].partition(b"\0")[0].decode("cp1252", "replace").strip()
    return title, points, unit, first, last, places[_VALUES]


def inspect(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the number of points."""
    return {"spectrum": (_layout(path)[1],)}


def read(path: Path, *, dataset: str | None = None) -> RawArray:
    """Map the spectrum."""
    choose(inspect(path), dataset or "spectrum")
    title, points, unit, first, last, start = _layout(path)
    values = mapped(path, "<f4", (points,), start)
    if not (np.isfinite([first, last]).all() and points):
        raise ValueError(f"it claims {points} points from {first:g} to {last:g}; it is damaged")
    axis = positions(path, np.linspace(first, last, points), _UNITS.get(unit, ""))
    return RawArray(values, axis=axis, name=title)
