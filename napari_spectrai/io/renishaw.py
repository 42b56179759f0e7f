"""Renishaw WiRE ``.wdf``: maps, lines, series and single spectra, with stage coordinates and the white-light picture.

The layout follows publicly available descriptions (by the gwyfile and py-wdf-reader projects): a chain
of blocks, each with a four-letter name, a number and a length.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.io.container import choose
from napari_spectrai.io.found import Picture, RawArray, affordable, mapped, plausible, positions, warn

_UNITS = {1: "1/cm", 2: "1/cm", 3: "nm", 4: "eV", 5: "um"}
_LENGTHS = {3: ("nm", 1.0), 5: ("um", 1.0), 8: ("mm", 1.0), 9: ("m", 1.0)}
_X, _Y = 3, 4  # what a list of coordinates is of
_MOST_BLOCKS = 10_000
_PICTURE_PIXELS = 100_000_000
_HEADER = 512


@dataclass(frozen=True, slots=True)
class _Measurement:
    points: int
    count: int
    capacity: int
    origins: int
    laser: float
    title: str
    blocks: dict[bytes, tuple[int, int]]


def _measurement(path: Path) -> _Measurement:
    length = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(_HEADER)
        if len(head) < _HEADER or head[:4] != b"WDF1":
            raise ValueError("it does not start with a WDF1 block")
        (points, capacity, count, _, _, _, origins) = struct.unpack_from("<IQQIIII", head, 0x3C)
        (laser,) = struct.unpack_from("<f", head, 0x9C)
        title = head[0xF0:0x200].split(b"\0")[0].decode("utf-8", "replace")
        blocks: dict[bytes, tuple[int, int]] = {}
        position = 0
        for _ in range(_MOST_BLOCKS):
            if position + 16 > length:
                break
            file.seek(position)
            name, _, size = struct.unpack("<4sIQ", file.read(16))
            if size < 16:
                raise ValueError(f"its block {name!r} claims a length of {size} bytes")
            blocks.setdefault(name, (position, size))
            position += size
    if not points or not count:
        raise ValueError(f"its header claims {count} spectra of {points} points")
    if count > capacity or origins > 64:
        raise ValueError(f"its header claims {count} spectra of {capacity}, with {origins} coordinates each")
    plausible((capacity, points), np.float32)
    return _Measurement(points, count, capacity, origins, laser, title, blocks)


def _place(measured: _Measurement, name: bytes, path: Path, needed: int) -> int:
    if name not in measured.blocks:
        raise ValueError(f"its block {name.decode()} is missing; it is truncated")
    position, size = measured.blocks[name]
    if size < needed + 16 or position + 16 + needed > path.stat().st_size:
        raise ValueError(f"its block {name.decode()} is too short; it is truncated")
    return position + 16


def _axis(path: Path, measured: _Measurement) -> SpectralAxis:
    start = _place(measured, b"XLST", path, 8 + 4 * measured.points)
    _, unit = np.fromfile(path, "<u4", 2, offset=start)
    values = np.fromfile(path, "<f4", measured.points, offset=start + 8)
    return positions(path, values, _UNITS.get(int(unit), ""))


def _coordinates(path: Path, measured: _Measurement) -> dict[int, tuple[npt.NDArray[np.float64], str, float]]:
    """Return the stage coordinates of each spectrum, with their unit, by kind."""
    if b"ORGN" not in measured.blocks or not measured.origins:
        return {}
    each = 24 + 8 * measured.capacity
    start = _place(measured, b"ORGN", path, 4 + each * measured.origins) + 4
    found = {}
    for number in range(measured.origins):
        kind, unit = np.fromfile(path, "<u4", 2, offset=start + number * each)
        values = np.fromfile(path, "<f8", measured.count, offset=start + number * each + 24)
        if int(unit) in _LENGTHS and np.isfinite(values).all():
            found[int(kind) & 0x7FFFFFFF] = (values, *_LENGTHS[int(unit)])
    return found


def inspect(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the shape of the measurement: all its spectra × points."""
    measured = _measurement(path)
    return {"data": (measured.count, measured.points)}


def read(path: Path, *, dataset: str | None = None) -> RawArray:
    """Map the spectra; those of a grid become an image ordered by their stage coordinates, others a set of spectra."""
    choose(inspect(path), dataset or "data")
    measured = _measurement(path)
    spectra = mapped(path, "<f4", (measured.count, measured.points), _place(measured, b"DATA", path, 4 * measured.count * measured.points))
    axis, coordinates = _axis(path, measured), _coordinates(path, measured)
    metadata: dict[str, Any] = {}
    if axis.unit == "1/cm" and np.isfinite(measured.laser) and measured.laser > 0:
        metadata["laser_nm"] = round(1e7 / measured.laser, 4)
    if measured.count < measured.capacity:
        warn(path, f"{measured.count:,} of {measured.capacity:,} spectra were measured before it was stopped")
    cut = [name.decode("ascii", "replace") for name, (start, size) in measured.blocks.items() if start + size > path.stat().st_size]
    misplaced = measured.origins > 0 and b"ORGN" not in measured.blocks
    if cut or misplaced:
        lost = ", and the coordinates of its spectra are lost" if misplaced else ""
        warn(path, f"it ends {f'within its block {cut[0]}' if cut else 'before its last block'}; it is truncated{lost}")
    grid = None
    if _X in coordinates and _Y in coordinates and b"WMAP" in measured.blocks:
        grid = _grid(path, measured, coordinates[_X][0], coordinates[_Y][0])
    if grid is None:
        for kind, name in ((_X, "x"), (_Y, "y"), (5, "z")):
            if kind in coordinates:
                metadata |= {f"stage_{name}": coordinates[kind][0].tolist(), "stage_unit": coordinates[kind][1]}
        return RawArray(spectra, axis=axis, name=measured.title, metadata=metadata)
    image, size, origin = _image(path, spectra, measured, grid)
    return RawArray(
        image, axis=axis, pixel_size=size, pixel_unit=coordinates[_X][1], name=measured.title, metadata=metadata | {"origin": list(origin)}
    )


def _grid(path: Path, measured: _Measurement, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> tuple[Any, ...] | None:
    """Return rows and columns of each spectrum on the map's grid, or None where they are not one."""
    start = _place(measured, b"WMAP", path, 44)
    steps = np.fromfile(path, "<f4", 3, offset=start + 20).astype(np.float64)
    width, height = (int(n) for n in np.fromfile(path, "<u4", 2, offset=start + 32))
    if width < 2 or height < 2 or width * height != measured.capacity:
        return None
    if not (np.abs(steps[:2]) > 0).all():
        return None
    along = [(values - values.min()) / step for values, step in zip((x, y), np.abs(steps[:2]), strict=True)]
    column, row = (np.rint(values).astype(np.intp) for values in along)
    off_grid = max(float(np.abs(values - np.rint(values)).max()) for values in along)
    if off_grid > 0.25 or column.max() >= width or row.max() >= height or np.unique(row * width + column).size != measured.count:
        return None
    return row, column, height, width, (float(abs(steps[1])), float(abs(steps[0]))), (float(y.min()), float(x.min()))


def _image(path: Path, spectra: Any, measured: _Measurement, grid: tuple[Any, ...]) -> tuple[Any, tuple[float, float], tuple[float, float]]:
    row, column, height, width, size, origin = grid
    place = row * width + column
    if np.array_equal(place, np.arange(height * width)):
        return spectra.reshape(height, width, measured.points), size, origin
    by_columns = (np.arange(height * width) % height) * width + np.arange(height * width) // height
    if np.array_equal(place, by_columns):
        return spectra.reshape(width, height, measured.points).transpose(1, 0, 2), size, origin
    affordable((height * width, measured.points), np.float32)
    image = np.full((height * width, measured.points), np.nan, np.float32)  # pixels that were not measured stay NaN
    image[place] = spectra
    return image.reshape(height, width, measured.points), size, origin


def pictures(path: Path) -> list[Picture]:
    """Return the white-light picture of the sample, placed by its stage coordinates."""
    measured = _measurement(path)
    if b"WHTL" not in measured.blocks:
        return []
    position, size = measured.blocks[b"WHTL"]
    with path.open("rb") as file:
        file.seek(position + 16)
        content = file.read(min(size - 16, path.stat().st_size))
    with Image.open(io.BytesIO(content), formats=["JPEG", "PNG", "BMP"]) as image:
        if image.width * image.height > _PICTURE_PIXELS:
            raise ValueError(f"its white-light picture claims {image.width}×{image.height} pixels")
        tags = dict(image.getexif()) | dict(image.getexif().get_ifd(0x8769))
        data = np.asarray(image.convert("RGB"))
    # Renishaw's own tag for the stage position of the upper left corner; the focal-plane tags hold width and height in µm
    origin, wide, high = tags.get(0xFEA0), float(tags.get(0xA20E, 0)), float(tags.get(0xA20F, 0))
    if origin is None or not (wide > 0 and high > 0):
        return [Picture("white light", data)]
    x, y = (float(value) for value in tuple(origin)[:2])
    pixel = (high / data.shape[0], wide / data.shape[1])
    return [Picture("white light", data, pixel, (y + pixel[0] / 2, x + pixel[1] / 2), "um")]
