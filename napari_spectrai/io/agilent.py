"""Agilent's images of focal-plane arrays: single ones (``.seq``, ``.dat`` with ``.bsp``) and mosaics (``.dmt`` with tiles ``.dmd``).

The layout follows publicly available descriptions (the projects agilent-file-formats and python-agilent-file-formats): 1,020 bytes
precede the values of a tile, which lie band by band, each from its lowest row up; tiles are numbered from the left and from the top.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.io.agilent_files import Files, files_of
from napari_spectrai.io.container import choose
from napari_spectrai.io.found import OnDisk, RawArray, affordable, mapped, plausible, warn

_PREAMBLE = 1020
_STEP, _FIRST, _POINTS = 2216, 2228, 2236
_LONGEST_HEAD = 2**22
_PIXEL, _AGGREGATED = b"FPA Pixel Size", b"PixelAggregationSize"
_THERMAL = b"FFF\0"
_VALUE = b"1.00"
"""What precedes the value of a property, by its version."""


@dataclass(frozen=True, slots=True)
class _Head:
    """What the file of parameters says: spectra from `first` in `step`, and the pixel size in µm, None if it is not given."""

    step: float
    first: int
    points: int
    pixel: float | None


def inspect(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the shape of the image of spectra, and of that of interferograms, if there is one."""
    with path.open("rb") as file:
        if file.read(len(_THERMAL)) == _THERMAL:
            raise ValueError("it is a thermal video of FLIR, which has no spectra")
    files = files_of(path)
    head = _head(files.parameters)
    shapes: dict[str, tuple[int, ...]] = {name: _shape(tiles, points) for name, tiles, points in _arrays(files, head)}
    if not shapes:
        raise FileNotFoundError(f"the values next to it are missing: {files.base}.dat or {files.base}_0000_0000.dmd")
    return shapes


def read(path: Path, *, dataset: str | None = None) -> RawArray:
    """Return the image of spectra, lazily; interferograms only where they are asked for or alone."""
    shapes = inspect(path)
    files = files_of(path)
    head = _head(files.parameters)
    arrays = {name: (tiles, points) for name, tiles, points in _arrays(files, head)}
    name = choose(shapes, dataset, None, main=next(iter(shapes)))
    tiles, points = arrays[name]
    axis = SpectralAxis(head.step * (head.first + np.arange(points, dtype=np.float64)), "1/cm") if name == "spectra" else None
    if axis is None:
        warn(path, "interferograms are read, which have no positions in a unit of spectra")
    data = _mosaic(path, tiles, points)
    return RawArray(
        data, axis=axis, pixel_size=(head.pixel, head.pixel) if head.pixel else None, pixel_unit="um" if head.pixel else "pixel",
        name=files.base.name, dataset=name,
    )  # fmt: skip


def _arrays(files: Files, head: _Head) -> list[tuple[str, dict[tuple[int, int], Path], int]]:
    """Return name, tiles and points of the arrays that are there; of the interferograms, the points follow from the size of the file."""
    found = [("spectra", files.spectra, head.points)] if files.spectra else []
    points = _interferogram(files.parameters) if files.interferograms else 0
    return [*found, *([("interferograms", files.interferograms, points)] if points else [])]


def _head(path: Path) -> _Head:
    content = _content(path)
    if len(content) < _POINTS + 4:
        raise ValueError(f"{path.name} with its parameters has {len(content):,} bytes; it is truncated")
    (step,), (first,), (points,) = (
        struct.unpack_from(code, content, place) for code, place in (("<d", _STEP), ("<i", _FIRST), ("<i", _POINTS))
    )
    if points < 1 or first < 0 or not np.isfinite(step) or step <= 0:
        raise ValueError(f"{path.name} claims {points} points from {first} in steps of {step:g}; it is damaged")
    plausible((points,), np.float32)
    return _Head(step, first, points, _pixel(content))


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_LONGEST_HEAD)


def _pixel(content: bytes) -> float | None:
    """Return the pixel size in µm, that of the detector times the pixels that were averaged along a side."""
    value = content.partition(_PIXEL)[2][:200].partition(_VALUE)[2]
    size = struct.unpack_from("<d", value, 12)[0] if len(value) >= 20 else 0.0
    if not 0 < size < 1e4:
        return None
    # the number of averaged pixels stands as text among control characters
    said = re.match(rb"[\x00-\x1f]*(\d+)", content.partition(b"\0" + _AGGREGATED + b"\x04")[2][:100])
    return size * max(1, int(said.group(1))) if said is not None and len(said.group(1)) < 5 else size


def _interferogram(path: Path) -> int:
    """Return the number of points of the interferograms; 0 if it is not given."""
    value = _content(path).partition(b"Interferogram")[2].partition(_VALUE)[2]
    return max(0, int(struct.unpack_from("<i", value, 32)[0])) if len(value) >= 36 else 0


def _side(path: Path, points: int) -> int:
    """Return the side of a square tile in pixels, from the size of its file."""
    count = (path.stat().st_size - _PREAMBLE) / 4 / points
    side = int(np.rint(np.sqrt(max(count, 0.0))))
    if side < 1 or side * side != count:
        raise ValueError(f"{path.name} has {path.stat().st_size:,} bytes, which hold no square tile of {points} points; it is truncated")
    return side


def _shape(tiles: dict[tuple[int, int], Path], points: int) -> tuple[int, int, int]:
    side = _side(tiles[min(tiles)], points)
    rows, columns = (max(place[number] for place in tiles) + 1 for number in (0, 1))
    return rows * side, columns * side, points


def _mosaic(path: Path, tiles: dict[tuple[int, int], Path], points: int) -> Any:
    """Return the tiles as one image, the topmost row first; those that are missing are NaN."""
    if len(tiles) == 1:
        return _tile(next(iter(tiles.values())), points)
    import dask.array as da

    side = _side(tiles[min(tiles)], points)
    height, width, _ = _shape(tiles, points)
    rows, columns = height // side, width // side
    if len(tiles) < rows * columns:
        warn(path, f"{rows * columns - len(tiles)} of its {rows * columns} tiles are missing; they are NaN")
        affordable((side, side, points), np.float32)
    for tile in tiles.values():
        if _side(tile, points) != side:
            raise ValueError(f"{tile.name} is no tile of {side} × {side}, as the first is")
    empty = da.full((side, side, points), np.nan, np.float32, chunks=-1)
    lazy = {
        place: OnDisk(tile, (side, side, points), np.float32, partial(_part, tile, points)).lazy((side, side, points))
        for place, tile in tiles.items()
    }
    return da.block([[[lazy.get((row, column), empty)] for column in range(columns)] for row in range(rows)])


def _tile(path: Path, points: int) -> Any:
    side = _side(path, points)
    return mapped(path, "<f4", (points, side, side), _PREAMBLE)[:, ::-1].transpose(1, 2, 0)


def _part(path: Path, points: int, key: Any) -> Any:
    return np.array(_tile(path, points)[key])
