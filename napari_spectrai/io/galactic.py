"""Galactic SPC, new and old versions, in the layout published by Thermo Galactic: one axis for all spectra, or one each."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.io.facts import facts_of
from napari_spectrai.io.found import RawArray, affordable
from napari_spectrai.io.spectra import Spectrum, chosen, inspected
from napari_spectrai.units import unit_of

_SHORTS, _MULTIPLE, _RANDOM, _ORDERED, _LABELS, _OWN_POSITIONS, _POSITIONS = 1, 4, 8, 16, 32, 64, 128
_LITTLE, _BIG, _OLD = 0x4B, 0x4C, 0x4D
_UNITS = {1: "1/cm", 2: "um", 3: "nm", 9: "m/z", 13: "1/cm", 14: "eV", 6: "Hz", 7: "kHz", 8: "MHz", 26: "GHz", 10: "ppm", 4: "s", 5: "min"}
_Z_UNITS = {1: "1/cm", 2: "um", 3: "nm", 4: "s", 5: "min", 11: "days", 12: "years", 20: "°C", 21: "K", 23: "ms", 28: "m", 29: "mm", 30: "h"}
_TIMES = ("ms", "s", "min", "h", "days", "years")
_HEADER, _OLD_HEADER, _SUBHEADER, _ENTRY = 512, 256, 32, 12
_FLOATS = -128
_MOST_WORDS = 100_000


@dataclass(frozen=True, slots=True)
class _Head:
    """The contents of a file's header."""

    flags: int
    order: str
    exponent: int
    points: int
    first: float
    last: float
    count: int
    unit: str
    z_unit: str
    z_step: float
    planes: int
    w_step: float
    w_unit: str
    comment: str
    log: int
    start: int
    old: bool


@dataclass(frozen=True, slots=True)
class _Part:
    """One spectrum as stored in the file."""

    positions: npt.NDArray[np.float64]
    values: npt.NDArray[np.float64]
    z: float
    next_z: float
    w: float


_OF_EDAX = (0.6, 0.61, 0.7)
"""Versions with which spectra of EDAX, which have the same suffix, begin."""


def _head(content: bytes) -> _Head:
    version = content[1] if len(content) > 1 else 0
    if content[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        raise ValueError("it is an OLE file, as Shimadzu writes with this suffix; export it as text or JCAMP-DX")
    if version not in (_LITTLE, _BIG, _OLD) or len(content) < (_OLD_HEADER if version == _OLD else _HEADER):
        edax = len(content) > 4 and any(content[:4] == struct.pack("<f", number) for number in _OF_EDAX)
        raise ValueError(
            "it does not start with the header of an SPC file"
            + ("; it is a spectrum of EDAX, which is not read: export it as .msa" if edax else "")
        )
    if version == _OLD:
        flags, _, exponent, points, first, last, kind = struct.unpack_from("<BBhfffB", content)
        text = content[64:194]
        if not np.isfinite(points):
            raise ValueError(f"its header claims {points:g} points; it is damaged")
        unit = _unit(kind, content[194:224], flags)
        return _Head(flags, "<", exponent, int(points), first, last, 0, unit, "", 0.0, 0, 0.0, "", _words(text), 0, 224, old=True)
    order = ">" if version == _BIG else "<"
    flags, _, _, exponent = struct.unpack_from("4b", content)
    points, first, last, count, kind, _, z_kind = struct.unpack_from(f"{order}iddiBBB", content, 4)
    flags &= 0xFF
    (log,) = struct.unpack_from(f"{order}i", content, 248)
    unit = _unit(kind, content[218:248], flags)
    z_step, planes, w_step, w_kind = struct.unpack_from(f"{order}fifB", content, 312)
    z_unit, w_unit, comment = _Z_UNITS.get(z_kind, ""), _Z_UNITS.get(w_kind, ""), _words(content[88:218])
    return _Head(
        flags,
        order,
        exponent,
        points,
        first,
        last,
        count or 1,
        unit,
        z_unit,
        z_step,
        planes,
        w_step,
        w_unit,
        comment,
        log,
        _HEADER,
        old=False,
    )


def _words(text: bytes) -> str:
    return text.partition(b"\0")[0].decode("cp1252", "replace").strip()


def _unit(kind: int, titles: bytes, flags: int) -> str:
    """Return the unit by the file's own title of the axis, where it names one, else by its number."""
    title = _words(titles) if flags & _LABELS else ""
    return title if unit_of(title) is not None else _UNITS.get(kind, "") or title


def _parts(path: Path) -> tuple[_Head, list[_Part]]:
    """Return the header and every spectrum."""
    affordable((path.stat().st_size * 8,), np.uint8)
    content = path.read_bytes()
    head = _head(content)
    if not 0 <= head.points <= len(content) or not 0 <= head.count <= len(content) // _SUBHEADER + 1:
        raise ValueError(f"its header claims {head.count} spectra of {head.points} points; it is damaged")
    place = head.start
    shared: npt.NDArray[np.float64] | None = None
    if not head.flags & _OWN_POSITIONS:
        if head.flags & _POSITIONS and not head.old:
            shared = _numbers(content, f"{head.order}f4", place, head.points)
            place += 4 * head.points
        else:
            shared = np.linspace(head.first, head.last, head.points)
    parts: list[_Part] = []
    places = _directory(content, head)
    number = 0
    while (number < head.count) if not head.old else (place + _SUBHEADER + 4 <= len(content) and (number == 0 or head.flags & _MULTIPLE)):
        part, place = _part(content, head, places[number] if places else place, shared)
        parts.append(part)
        number += 1
    if not parts:
        raise ValueError("it holds no spectrum")
    return head, parts


def _directory(content: bytes, head: _Head) -> list[int]:
    """Return where each spectrum lies, if a file of spectra of unequal lengths has a directory at its end."""
    end = head.points + _ENTRY * head.count
    if head.old or not (head.flags & _OWN_POSITIONS and head.flags & _MULTIPLE) or head.points < _HEADER or end > len(content):
        return []
    places = [struct.unpack_from(f"{head.order}i", content, head.points + _ENTRY * number)[0] for number in range(head.count)]
    return places if all(_HEADER <= place < len(content) for place in places) else []


def _part(content: bytes, head: _Head, place: int, shared: npt.NDArray[np.float64] | None) -> tuple[_Part, int]:
    """Return a spectrum and where the next one starts."""
    if place + _SUBHEADER > len(content):
        raise ValueError("it ends before its last spectrum; it is truncated")
    _, exponent, _, z, next_z, _, points, _, w = struct.unpack_from(f"{head.order}bbhfffiif", content, place)
    place += _SUBHEADER
    if shared is None:
        points = points if points > 0 else head.points
        own = _numbers(content, f"{head.order}f4", place, points)
        place += 4 * points
    else:
        points, own = head.points, shared
    power = exponent if head.flags & _MULTIPLE else head.exponent
    said = (z, next_z, w)
    if power in (_FLOATS, -_FLOATS):  # 128 in the two bytes of the old version
        return _Part(own, _numbers(content, f"{head.order}f4", place, points), *said), place + 4 * points
    if head.flags & _SHORTS:
        values = _numbers(content, f"{head.order}i2", place, points) * 2.0 ** (power - 16)
        return _Part(own, values, *said), place + 2 * points
    if head.old:  # the high word precedes the low one
        words = _numbers(content, "<u2", place, 2 * points).reshape(-1, 2)
        whole = (words[:, 0] * 2.0**16 + words[:, 1]).astype(np.int64)
        values = np.where(whole >= 2**31, whole - 2**32, whole) * 2.0 ** (power - 32)
    else:
        values = _numbers(content, f"{head.order}i4", place, points) * 2.0 ** (power - 32)
    return _Part(own, values, *said), place + 4 * points


def _numbers(content: bytes, kind: str, place: int, count: int) -> npt.NDArray[np.float64]:
    if count < 0 or place + count * int(kind[-1]) > len(content):
        raise ValueError(f"it holds {len(content):,} bytes, and its values reach beyond; it is truncated")
    return np.frombuffer(content, kind, count, place).astype(np.float64)


def _spectra(head: _Head, parts: list[_Part]) -> list[Spectrum]:
    return [Spectrum(str(number), part.positions, part.values, head.unit, head.comment) for number, part in enumerate(parts)]


def inspect(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the spectra, by number, and their lengths."""
    return inspected(_spectra(*_parts(path)))


def read(path: Path, *, dataset: str | None = None) -> RawArray:
    """Read the spectra that share their positions as a set, with the depths or times and the planes in ``metadata["coordinates"]``."""
    head, parts = _parts(path)
    metadata: dict[str, Any] = _log(path, head)
    found = chosen(path, _spectra(head, parts), dataset)
    if len(found.data) == len(parts) and (coordinates := _coordinates(head, parts)):
        metadata["coordinates"] = coordinates
        lengths = {name: one for name, one in coordinates.items() if name in ("x", "y") and one["unit"] in ("um", "mm", "nm", "m")}
        if len(lengths) == 2 and len({one["unit"] for one in lengths.values()}) == 1:
            metadata |= {f"stage_{name}": one["values"] for name, one in lengths.items()} | {"stage_unit": lengths["x"]["unit"]}
    return replace(found, metadata=metadata)


def _coordinates(head: _Head, parts: list[_Part]) -> dict[str, Any]:
    """Return where each spectrum was measured: its z alone, or its place in the image that planes make, whose rows they are."""
    z, w = _depths(head, parts), _planes(head, parts)
    if w is not None:
        slow, fast = _placed(head)
        return {slow: {"values": w, "unit": head.w_unit}, fast: {"values": z, "unit": head.z_unit}}
    name = "time" if head.z_unit in _TIMES else "z"
    return {name: {"values": z, "unit": head.z_unit}} if len(set(z)) > 1 else {}


def _depths(head: _Head, parts: list[_Part]) -> list[float]:
    """Return the z of each spectrum; in files of even steps, those after the first need not have one."""
    stored = [part.z for part in parts]
    steps = np.diff(stored)
    step = head.z_step or parts[0].next_z - parts[0].z
    even = not head.flags & (_RANDOM | _ORDERED)
    if not even or not step or not np.isfinite(step) or (any(stored[1:]) and ((steps > 0).all() or (steps < 0).all())):
        return stored  # and not zeros behind the first
    rows = len(parts) // head.planes if head.planes > 1 and len(parts) % head.planes == 0 else len(parts)
    repeats = rows < len(parts) and (np.diff(stored[:rows]) != 0).all()
    return stored if repeats else [stored[0] + step * (number % rows) for number in range(len(parts))]


def _planes(head: _Head, parts: list[_Part]) -> list[float] | None:
    """Return the w of each spectrum, whose planes follow one another; None without planes."""
    if head.planes < 2 or len(parts) % head.planes or len(parts) == head.planes:
        return None
    rows = len(parts) // head.planes
    first = [part.w for part in parts[::rows]]
    values = [first[0] + head.w_step * number for number in range(head.planes)] if head.w_step else first
    return [value for value in values for _ in range(rows)] if len(set(values)) == len(values) else None


def _placed(head: _Head) -> tuple[str, str]:
    """Return the dimensions of w and z in the image that planes make."""
    if (head.w_unit in _TIMES) == (head.z_unit in _TIMES):
        return "y", "x"
    return ("time", "x") if head.w_unit in _TIMES else ("y", "time")


def _log(path: Path, head: _Head) -> dict[str, Any]:
    """Return the laser line from the log at the end of a file."""
    length = path.stat().st_size
    if not _HEADER <= head.log < length - 64:
        return {}
    with path.open("rb") as file:
        file.seek(head.log)
        block = file.read(min(length - head.log, _MOST_WORDS))
    (offset,) = struct.unpack_from(f"{head.order}i", block, 8)
    text = block[offset:].partition(b"\0")[0] if 0 < offset < len(block) else b""
    return dict(facts_of(text.decode("cp1252", "replace").splitlines()).metadata)
