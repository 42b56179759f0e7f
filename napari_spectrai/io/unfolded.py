"""Images whose pixels an array lists one after another, with height and width stored next to it as numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.io.container import short_name
from napari_spectrai.io.facts import length_of
from napari_spectrai.io.found import RawArray, warn
from napari_spectrai.remedies import is_answered, where

_BOTH = (
    "imagesize", "image_size", "imsize", "imgsize", "img_size", "dims", "mapsize", "map_size", "spatial_size", "image_shape", "sz", "shape",
    "spatial_shape", "map_shape", "grid_shape", "original_shape", "img_shape", "spatial_dims", "grid_size", "hw",
    "size", "xy_size", "img_dims", "image_dims", "spatial",
)  # fmt: skip
_SIDES = (
    ("nrow", "ncol"), ("nrows", "ncols"), ("rows", "cols"), ("rows", "columns"), ("n_rows", "n_cols"), ("lines", "samples"),
    ("lines", "columns"), ("height", "width"), ("nlines", "nsamples"), ("ny", "nx"), ("sizey", "sizex"), ("size_y", "size_x"),
)  # fmt: skip
_SHORT_SIDES = (
    ("m", "n"),
    ("h", "w"),
    ("nr", "nc"),
    ("nl", "ns"),
    ("nl", "nc"),
    ("r", "c"),
    ("row", "col"),
    ("dim1", "dim2"),
    ("n1", "n2"),
)
"""Names that numbers of other kinds have too: of matrices, of filters."""


_SIDE = re.compile(
    r"(?:(?:pos|position|stage|map|coord|coordinate|pixel|spatial)s?[_ ]?)?([xyz])s?(?:[_ ]?(?:pos|position|coord|coordinate|um|mm)s?)?"
)
COUNTS = (1, 2, 3)
"""How many numbers give a side of an image, both, or both and the bands."""
_MOST = 2**31


@dataclass(frozen=True, slots=True)
class Sides:
    """Height and width of an image, and what the file calls them."""

    rows: int
    columns: int
    called: str
    certain: bool

    def bands(self, shape: tuple[int, ...]) -> int:
        """Return which dimension of an array of pixels holds the bands."""
        return 0 if shape[1] == self.rows * self.columns else 1


def sides_of(others: Mapping[str, Any], shape: tuple[int, ...]) -> Sides | None:
    """Return height and width of the image whose pixels one dimension of a matrix counts, by the numbers stored next to it."""
    if len(shape) != 2 or is_answered("shape") or is_answered("spectral"):
        return None
    numbers = {short_name(name): np.ravel(value) for name, value in others.items() if np.size(value) in COUNTS}
    numbers = {name: value for name, value in numbers.items() if _are_counts(value)}
    for name, value in numbers.items():  # height, width and bands
        if value.size == 3 and value[2] in shape and value[2] * value[0] * value[1] == shape[0] * shape[1]:
            numbers[name] = value[:2]
    pairs = [(name, values) for name, values in numbers.items() if name in _BOTH and values.size == 2]
    found = [Sides(int(values[0]), int(values[1]), name, certain=True) for name, values in pairs]
    for names, certain in ((_SIDES, True), (_SHORT_SIDES, False)):
        for y, x in names:
            if y in numbers and x in numbers and numbers[y].size == numbers[x].size == 1:
                found.append(Sides(int(numbers[y][0]), int(numbers[x][0]), f"{y}, {x}", certain=certain))
    fitting = [one for one in found if one.rows > 0 and one.columns > 0 and one.rows * one.columns > 1 and one.rows * one.columns in shape]
    fitting = [one for one in fitting if one.certain or min(one.rows, one.columns) > 1]
    return fitting[0] if fitting else None


def _are_counts(values: Any) -> bool:
    return values.dtype.kind in "fiu" and bool(np.isfinite(values).all() and (values == np.rint(values)).all() and (values < _MOST).all())


def with_places(path: Path, found: RawArray, lists: Mapping[str, Any], units: Mapping[str, str]) -> RawArray:
    """Return a set of spectra with the places that lists called x and y (and z) next to it give each of them.

    It stays a set, as labels next to it count its spectra; where `shape` would make an image of them, a warning says its sides.
    """
    shape = tuple(found.data.shape)
    count = shape[1 - found.spectral % 2] if len(shape) == 2 else 0
    if count < 2 or shape[0] == shape[1] or is_answered("shape") or is_answered("spectral") or "coordinates" in found.metadata:
        return found
    placed: dict[str, tuple[Any, str]] = {}
    for name, values in lists.items():
        flat, side = np.ravel(values), _SIDE.fullmatch(short_name(name))
        if side is not None and flat.size == count and flat.dtype.kind in "fiu" and np.isfinite(flat).all():
            unit, factor = length_of(units.get(name, ""))
            placed.setdefault(side.group(1), (flat * factor if factor != 1 else flat, unit))
    if not {"x", "y"} <= set(placed):
        return found
    x, y = placed["x"][0], placed["y"][0]
    rows, columns = np.unique(y).size, np.unique(x).size
    slow, runs = (x, rows) if found.by_columns else (y, columns)
    if rows * columns == count and min(rows, columns) > 1 and (slow.reshape(-1, runs) == slow[::runs, None]).all():
        said = f"its lists x and y place its {count} spectra on {rows} × {columns} points"
        warn(path, f"{said}; for an image give height and width {where('shape')}")
    coordinates = {side: {"values": values.tolist(), "unit": unit} for side, (values, unit) in sorted(placed.items())}
    return replace(found, metadata={**found.metadata, "coordinates": coordinates})


def folded(path: Path, data: Any, sides: Sides, axis: SpectralAxis | None, *, by_columns: bool = False) -> RawArray:
    """Return a matrix of pixels as an image: row by row, or, as MATLAB stores them, column by column; said where either is a guess."""
    rows, columns = sides.rows, sides.columns
    spectra = data.T if sides.bands(tuple(data.shape)) == 0 else data
    if not (by_columns and sides.certain):
        order = "column by column" if by_columns else "row by row"
        taken = f"its {rows * columns} pixels are taken for an image of {rows} × {columns} ({sides.called}), {order}"
        warn(path, f"{taken}; if that is wrong give height and width {where('shape')}")
    image = spectra.reshape(columns, rows, -1).transpose(1, 0, 2) if by_columns else spectra.reshape(rows, columns, -1)
    return RawArray(image, axis=axis)
