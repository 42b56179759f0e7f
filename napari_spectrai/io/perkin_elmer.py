"""PerkinElmer ``.sp`` (one spectrum) and ``.fsm`` (Spotlight images): blocks of a number, a length and contents after ``PEPE``.

The layout follows publicly available descriptions (by the project specio and by PerkinElmer's own reader).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.io.container import choose
from napari_spectrai.io.facts import length_unit
from napari_spectrai.io.found import RawArray, affordable, mapped, positions, warn
from napari_spectrai.io.spectra import Spectrum, chosen, inspected

_MAGIC, _START, _HEAD = b"PEPE", 44, 6
_DATASET, _IMAGE, _VALUES = 120, 5100, 5105
_RANGE, _POINTS, _X_LABEL, _DATA, _ALIAS = 35698, 35701, 35703, 35708, 35713
_MOST_BLOCKS = 100_000


def inspect(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the shape of the image, or the lengths of the spectra."""
    with path.open("rb") as file:
        image = _image(file.read(2**20))
    return inspected(_spectra(path)) if image is None else {"image": (image.height, image.width, image.bands)}


def read(path: Path, *, dataset: str | None = None) -> RawArray:
    """Map the image, or read the spectra."""
    with path.open("rb") as file:
        image = _image(file.read(2**20))
    if image is None:
        return chosen(path, _spectra(path), dataset)
    choose({"image": (image.height, image.width, image.bands)}, dataset)
    axis = positions(path, image.first + image.step * np.arange(image.bands), image.unit)
    return RawArray(
        _values(path, image), axis=axis, pixel_size=image.pixel if image.sized else None, pixel_unit="um" if image.sized else "pixel",
        name=image.name, metadata={"origin": list(image.origin)} if image.sized else {},
    )  # fmt: skip


def _blocks(content: bytes, start: int, end: int) -> list[tuple[int, int, int]]:
    """Return kind, start and end of the contents of each block between two places, as far as they are whole."""
    found: list[tuple[int, int, int]] = []
    while start + _HEAD <= end and len(found) < _MOST_BLOCKS:
        kind, length = struct.unpack_from("<Hi", content, start)
        if length < 0 or start + _HEAD + length > end:
            break
        found.append((kind, start + _HEAD, start + _HEAD + length))
        start += _HEAD + length
    return found


# ------------------------------------------------------------------ images


@dataclass(frozen=True, slots=True)
class _Image:
    """An image of a Spotlight, from the description before its spectra; lengths in µm, (y, x)."""

    name: str
    pixel: tuple[float, float]
    origin: tuple[float, float]
    height: int
    width: int
    bands: int
    first: float
    step: float
    unit: str
    sized: bool
    start: int


def _image(content: bytes) -> _Image | None:
    """Return the description of the image at the start of a file; None for a file of spectra."""
    if not content.startswith(_MAGIC):
        raise ValueError("it does not start as a file of PerkinElmer does")
    kind, length = struct.unpack_from("<Hi", content, _START) if len(content) >= _START + _HEAD else (0, 0)
    if kind != _IMAGE:
        return None
    block = content[_START + _HEAD : _START + _HEAD + length]
    name, place = _text(block, 0)
    wide, high, step, first, _, _, _, left, top, _, width, height, bands = struct.unpack_from("<10d3i", block, place)
    labels: list[str] = []
    place += 92
    for _ in range(3):  # of y, x and z
        label, place = _text(block, place)
        labels.append(label)
    if min(width, height, bands) < 1:
        raise ValueError(f"its header claims {height} × {width} spectra of {bands} points; it is damaged")
    if not np.isfinite([wide, high, step, first, left, top]).all() or not step:
        raise ValueError(f"its header claims positions from {first:g} in steps of {step:g}; it is damaged")
    place = _START + _HEAD + length
    while place + _HEAD <= len(content):
        kind, length = struct.unpack_from("<Hi", content, place)
        if kind == _VALUES or length < 0:
            break
        place += _HEAD + length
    sized = wide > 0 and high > 0 and all(length_unit(label) == "um" for label in labels[:2])
    return _Image(name, (high, wide), (top, left), height, width, bands, first, step, labels[2], sized, place)


def _text(content: bytes, place: int) -> tuple[str, int]:
    """Return a text that its length precedes, and the place behind it."""
    (length,) = struct.unpack_from("<h", content, place)
    if not 0 <= length <= len(content) - place - 2:
        raise ValueError("one of its texts reaches beyond its block; it is damaged")
    return content[place + 2 : place + 2 + length].decode("cp1252", "replace").strip("\0 "), place + 2 + length


def _values(path: Path, image: _Image) -> npt.NDArray[Any]:
    """Return the spectra as an image, of which x varies fastest: the rows that were started, in which NaN stands for what is missing."""
    record = np.dtype([("kind", "<u2"), ("length", "<i4"), ("values", "<f4", (image.bands,))])
    count = image.height * image.width
    there = min(count, max(0, path.stat().st_size - image.start) // record.itemsize)
    spectra = mapped(path, record, (there,), image.start)
    wrong = np.flatnonzero((spectra["kind"] != _VALUES) | (spectra["length"] != 4 * image.bands))
    there = int(wrong[0]) if wrong.size else there
    if not there:
        raise ValueError(f"it holds no spectrum of {image.bands} points where its header says; it is damaged")
    width = min(there, image.width)
    height = -(-there // width)
    if there == count:
        whole: npt.NDArray[Any] = spectra["values"].reshape(height, width, image.bands)
        return whole
    warn(path, f"{there:,} of its {count:,} spectra are in it, which fill {there / width:.3g} of its {image.height} rows; others are NaN")
    filled = np.full((height * width, image.bands), np.nan, np.float32)
    filled[:there] = spectra["values"][:there]
    return filled.reshape(height, width, image.bands)


# ------------------------------------------------------------------ spectra


def _spectra(path: Path) -> list[Spectrum]:
    """Return the spectra of a file."""
    affordable((path.stat().st_size * 4,), np.uint8)
    content = path.read_bytes()
    found: list[Spectrum] = []
    for kind, start, end in _blocks(content, _START, len(content)):
        if kind == _DATASET:
            members = {member: content[low:high] for member, low, high in _blocks(content, start, end)}
            found.append(_spectrum(members, f"spectrum {len(found) + 1}"))
    if not found:
        raise ValueError("it holds no spectrum of evenly spaced points, or it is truncated")
    return found


def _spectrum(members: dict[int, bytes], name: str) -> Spectrum:
    if not {_RANGE, _POINTS, _DATA} <= set(members):
        raise ValueError("one of its spectra lacks its range, its number of points or its values; it is damaged")
    # each member starts with two bytes that name its type, an array with its length in addition
    first, last = struct.unpack_from("<dd", members[_RANGE], 2)
    (points,) = struct.unpack_from("<i", members[_POINTS], 2)
    values = np.frombuffer(members[_DATA][6 : 6 + (len(members[_DATA]) - 6) // 8 * 8], "<f8")
    if points != len(values) or points < 1 or not np.isfinite([first, last]).all():
        raise ValueError(f"it claims {points} points from {first:g} to {last:g} and holds {len(values)}; it is damaged")
    unit, title = (_text(members[key], 2)[0] if len(members.get(key, b"")) > 4 else "" for key in (_X_LABEL, _ALIAS))
    return Spectrum(name, np.linspace(first, last, points), values, unit, title)
