"""Waves of Igor Pro: the binary file (``.ibw``, versions 2 and 5 of the published layout), and waves of several dimensions in a text."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.io.container import choose
from napari_spectrai.io.coordinates import of_coordinates, spectral
from napari_spectrai.io.found import RawArray, affordable, mapped
from napari_spectrai.io.texts import lines_of, text_of
from napari_spectrai.units import unit_of

_TYPES = {0x02: "f4", 0x04: "f8", 0x08: "i1", 0x10: "i2", 0x20: "i4", 0x80: "i8"}
_COMPLEX, _UNSIGNED = 0x01, 0x40
_HEAD_2, _HEAD_5, _WAVE_2, _WAVE_5 = 16, 64, 110, 320
_LONGEST_UNIT, _LARGEST_HEAD = 2**12, 512
_SIDES = ("x", "y", "z", "time")
_WAVES = re.compile(r"WAVES((?:\([^)]*\)|[^\s(])*)\s+('[^']+'|\S+)", re.IGNORECASE)
_LENGTHS = re.compile(r"/N=\(([\d,\s]+)\)", re.IGNORECASE)
_NUMBER = r"([-+]?[\d.]+(?:[eE][-+]?\d+)?)"
_SCALE = re.compile(
    rf"SetScale\s*(/[PI])?\s+([xyzt])\s+{_NUMBER}\s*,\s*{_NUMBER}\s*(?:,\s*\"([^\"]*)\")?\s*,\s*('[^']+'|[^\s;,]+)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Wave:
    """A wave: its dimensions, and along each the first position, the step and the unit.

    Parameters
    ----------
    shape : lengths of the dimensions in Igor's order: rows, columns, layers, chunks; rows run fastest in the file
    scales : first position and step along each
    """

    name: str
    shape: tuple[int, ...]
    scales: tuple[tuple[float, float], ...]
    units: tuple[str, ...]


def inspect(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the waves and their shapes."""
    if _is_text(path):
        return {wave.name: wave.shape for wave, _ in _of_text(path)}
    wave, *_ = _header(path)
    return {wave.name: wave.shape}


def read(path: Path, *, dataset: str | None = None) -> RawArray:
    """Read a wave, whose bands lie along the dimension with a unit of spectra."""
    if _is_text(path):
        waves = {wave.name: (wave, data) for wave, data in _of_text(path)}
        name = choose({name: data.shape for name, (_, data) in waves.items()}, dataset, path)
        return _arranged(path, *waves[name])
    wave, dtype, start = _header(path)
    choose({wave.name: wave.shape}, dataset)
    return _arranged(path, wave, mapped(path, dtype, wave.shape[::-1], start).transpose())


def _arranged(path: Path, wave: Wave, data: Any) -> RawArray:
    """Return a wave with its bands last and, as Igor has x before y, its other dimensions the other way round."""
    names = [f"dimension {number}" for number in range(data.ndim)]
    lines = {
        name: first + step * np.arange(length)
        for name, length, (first, step), unit in zip(names, wave.shape, wave.scales, wave.units, strict=True)
        if step and ((first, step) != (0.0, 1.0) or unit)
    }
    units = {name: unit for name, unit in zip(names, wave.units, strict=True) if unit}
    place = spectral([name if name in lines else "" for name in names], units)
    place = _of_another_unit(wave.units) if place is None else place
    scaled = [number for number, name in enumerate(names) if name in lines]
    sure = place is not None or data.ndim == 1
    place = place if place is not None else scaled[0] if len(scaled) == 1 else 0
    rest = [number for number in range(data.ndim) if number != place][::-1]
    order = [*rest, place]
    titles = [*_SIDES[: len(rest)][::-1], "position"]
    found = of_coordinates(
        path, data.transpose(order), titles, {title: lines[names[n]] for title, n in zip(titles, order, strict=True) if names[n] in lines},
        {title: units[names[n]] for title, n in zip(titles, order, strict=True) if names[n] in units}, bands=len(rest),
    )  # fmt: skip
    return replace(found, sure=sure, name=wave.name, dataset=wave.name)


def _of_another_unit(units: Sequence[str]) -> int | None:
    """Return the dimension with a unit of spectra where all others have one and the same other unit."""
    known = [number for number, unit in enumerate(units) if unit_of(unit) is not None]
    alone = [number for number in known if len({unit for n, unit in enumerate(units) if n != number} - {units[number]}) == 1]
    alone = [number for number in alone if list(units).count(units[number]) == 1]
    return alone[0] if len(alone) == 1 and len(units) > 2 else None


# ------------------------------------------------------------------ binary


def _header(path: Path) -> tuple[Wave, str, int]:
    """Return the wave of a binary file, the type of its values, and where they start."""
    with path.open("rb") as file:
        head = file.read(_LARGEST_HEAD)
    order = next((mark for mark in "<>" if head[:2] in (struct.pack(f"{mark}h", 2), struct.pack(f"{mark}h", 5))), "")
    if not order:
        raise ValueError("it does not start with a version of Igor's binary waves that is read (2 or 5)")
    version = struct.unpack(f"{order}h", head[:2])[0]
    if len(head) < (_HEAD_5 + _WAVE_5 if version == 5 else _HEAD_2 + _WAVE_2):
        raise ValueError("its header is cut off; it is truncated")
    return _version_5(path, head, order) if version == 5 else _version_2(head, order)


def _version_5(path: Path, head: bytes, order: str) -> tuple[Wave, str, int]:
    size, formula, note, _, *extended = struct.unpack(f"{order}4i4i", head[4:36])
    wave = head[_HEAD_5:]
    (kind,) = struct.unpack(f"{order}h", wave[16:18])
    lengths = struct.unpack(f"{order}4i", wave[68:84])
    shape = lengths[: next((number for number, length in enumerate(lengths) if length == 0), 4)]
    steps, starts = struct.unpack(f"{order}4d", wave[84:116]), struct.unpack(f"{order}4d", wave[116:148])
    units = [_text(wave[152 + 4 * number : 156 + 4 * number]) for number in range(4)]
    place = _HEAD_5 + size + formula + note + struct.unpack(f"{order}i", head[16:20])[0]
    for number, count in enumerate(extended):  # longer than three characters
        if 0 < count <= _LONGEST_UNIT:
            with path.open("rb") as file:
                file.seek(max(0, place))
                units[number] = _text(file.read(count))
        place += count
    scales = tuple(zip(starts, steps, strict=True))[: len(shape)]
    return Wave(_text(wave[28:60]), shape, scales, tuple(units[: len(shape)])), _type(kind, order), _HEAD_5 + _WAVE_5


def _version_2(head: bytes, order: str) -> tuple[Wave, str, int]:
    wave = head[_HEAD_2:]
    kind, count = struct.unpack(f"{order}h", wave[:2])[0], struct.unpack(f"{order}i", wave[42:46])[0]
    step, start = struct.unpack(f"{order}2d", wave[48:64])
    return Wave(_text(wave[6:26]), (count,), ((start, step),), (_text(wave[38:42]),)), _type(kind, order), _HEAD_2 + _WAVE_2


def _type(kind: int, order: str) -> str:
    if kind == 0 or kind & _COMPLEX or kind & ~_UNSIGNED not in _TYPES:
        what = "texts" if kind == 0 else "complex numbers" if kind & _COMPLEX else f"values of an unknown type ({kind})"
        raise ValueError(f"its wave holds {what}, and a cube holds real numbers")
    name = _TYPES[kind & ~_UNSIGNED]
    return order + (name.replace("i", "u") if kind & _UNSIGNED else name)


def _text(content: bytes) -> str:
    words = content.partition(b"\0")[0]
    try:
        return words.decode("utf-8").strip()
    except UnicodeDecodeError:
        return words.decode("cp1252", "replace").strip()


# ------------------------------------------------------------------ text


def _is_text(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4).upper() == b"IGOR"


def _of_text(path: Path) -> list[tuple[Wave, npt.NDArray[np.float64]]]:
    """Return the waves of several dimensions in a text of Igor: a line per row, and layers one below the other."""
    content = text_of(path)
    affordable((len(content),), np.float64)
    lines = lines_of(content)
    scales = _scales(lines)
    found: list[tuple[Wave, npt.NDArray[np.float64]]] = []
    number = 0
    while number < len(lines):
        match, number = _WAVES.match(lines[number].strip()), number + 1
        lengths = None if match is None else _LENGTHS.search(match[1])
        if match is None or lengths is None:
            continue
        shape = tuple(int(length) for length in lengths[1].split(",") if length.strip())
        rows: list[str] = []
        begin = next((n for n in range(number, len(lines)) if lines[n].strip().upper() == "BEGIN"), len(lines))
        for number in range(begin + 1, len(lines)):  # where the next wave is sought from
            if lines[number].strip().upper() == "END":
                break
            rows.append(lines[number])
        else:
            raise ValueError("its wave has no END; it is truncated")
        found.append(_numbers(match[2].strip("'"), shape, rows, scales))
    if not found:
        raise ValueError("it holds no wave of several dimensions")
    return found


def _numbers(
    name: str, shape: tuple[int, ...], rows: Sequence[str], scales: dict[tuple[str, str], tuple[str, float, float, str]]
) -> tuple[Wave, npt.NDArray[np.float64]]:
    """Return a wave and its values."""
    values = np.array(" ".join(rows).split(), np.float64)
    if values.size != np.prod(shape, dtype=object):
        raise ValueError(
            f"its wave {name!r} has {values.size:,} values and promises {'×'.join(map(str, shape))}; it is truncated or damaged"
        )
    layers = values.reshape(*shape[:1:-1], *shape[:2])  # chunk by chunk, layer by layer, a line per row
    data = layers.transpose(*range(len(shape) - 2, len(shape)), *range(len(shape) - 2)[::-1])
    said = [_scale(scales.get((name.casefold(), side)), length) for side, length in zip("xyzt", shape, strict=False)]
    return Wave(name, shape, tuple((first, step) for first, step, _ in said), tuple(unit for *_, unit in said)), data


def _scales(lines: Sequence[str]) -> dict[tuple[str, str], tuple[str, float, float, str]]:
    """Return the way, two numbers and the unit of each scale by wave and dimension."""
    found = {}
    for line in lines:
        if line.lstrip()[:1].upper() == "X":
            for way, side, first, second, unit, name in _SCALE.findall(line):
                found[name.strip("'").casefold(), side.casefold()] = (way.upper(), float(first), float(second), unit.strip())
    return found


def _scale(said: tuple[str, float, float, str] | None, length: int) -> tuple[float, float, str]:
    """Return first position, step and unit: given by the step (/P), by the last position (/I), or by what would follow it."""
    if said is None:
        return 0.0, 1.0, ""
    way, first, second, unit = said
    if way == "/P":
        return first, second, unit
    return first, (second - first) / max(1, length - (way == "/I")), unit
