"""Cubes as volumes that are read region by region, in the order in which their file stores them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.cube import Cube, FloatArray
from napari_spectrai.float_range import as_float32
from napari_spectrai.memory_map import mapped_file, release
from napari_spectrai.valid import ignored

READ, READ_LAZY = 2**20, 2**22
"""Number of values read at a time from arrays, and from lazy cubes, whose chunks hold about so many."""

Mask = npt.NDArray[np.bool_]
Volume = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Region:
    """A box of pixels in one plane of a volume (z, y, x): rows `y` to `y_end`, columns `x` to `x_end`, ends excluded."""

    z: int
    y: int
    y_end: int
    x: int
    x_end: int

    @property
    def key(self) -> tuple[int, slice, slice]:
        """The index of the region in an array (z, y, x, ...)."""
        return self.z, slice(self.y, self.y_end), slice(self.x, self.x_end)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        return self.y_end - self.y, self.x_end - self.x

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return (self.y_end - self.y) * (self.x_end - self.x)

    def times(self, factor: int) -> Region:
        """Return the same region of an image with `factor` times as many pixels per side."""
        return Region(self.z, self.y * factor, self.y_end * factor, self.x * factor, self.x_end * factor)


@dataclass(frozen=True, slots=True)
class Source:
    """A cube as a volume (z, y, x) of spectra; a set of n spectra is (1, n, 1). Reading a region keeps nothing in memory but its result."""

    cube: Cube

    @property
    def shape(self) -> Volume:
        """Number of planes, rows and columns."""
        spatial = self.cube.spatial_shape
        return (1, spatial[0], 1) if len(spatial) == 1 else (math.prod(spatial[:-2]), spatial[-2], spatial[-1])

    @property
    def bands(self) -> int:
        """Number of bands."""
        return self.cube.shape[-1]

    def stored(self, region: Region) -> Any:
        """Return the values of a region (y, x, λ) as the cube holds them, not yet read."""
        spatial, data = self.cube.spatial_shape, self.cube.data
        if len(spatial) == 1:
            return data[region.y : region.y_end, None]
        return data[(*np.unravel_index(region.z, spatial[:-2]), *region.key[1:])] if len(spatial) > 2 else data[region.key[1:]]

    def read(self, region: Region) -> FloatArray:
        """Return the spectra (y, x, λ) of a region as float32, with ignored values as NaN; a view where the cube is in memory."""
        found = np.asarray(self.stored(region))
        values, ignore = as_float32(found, self.cube.name), ignored(self.cube)
        if ignore is not None and (gone := found == ignore).any():
            values = np.where(gone, np.float32(np.nan), values)
        return self._read(values)

    def spectra(self, region: Region, chosen: Mask) -> FloatArray:
        """Return some spectra (n, λ) of a region, those where `chosen` (y, x) is True, as float32 with ignored values as NaN."""
        if not chosen.any():
            return np.empty((0, self.bands), np.float32)
        stored = self.stored(region)
        if not isinstance(stored, np.ndarray):
            return self.read(region)[chosen]
        found = stored[chosen]
        values, ignore = as_float32(found, self.cube.name), ignored(self.cube)
        return self._read(values if ignore is None else np.where(found == ignore, np.float32(np.nan), values))

    def _read(self, values: FloatArray) -> FloatArray:
        """Return values with the pages of a memory map released, in memory of their own."""
        if mapped_file(values) is not None:
            values = np.array(values)
        release(self.cube.data)
        return values

    def regions(self, values: int | None = None, *, least: int = 1) -> Iterator[Region]:
        """Yield regions that cover the volume once, in the order of storage, each of about so many values; `least`: sides in pixels."""
        height, width = self.sides(values, least)
        planes, rows, columns = self.shape
        for z in range(planes):
            for y in range(0, rows, height):
                for x in range(0, columns, width):
                    yield Region(z, y, min(y + height, rows), x, min(x + width, columns))

    def sides(self, values: int | None = None, least: int = 1) -> tuple[int, int]:
        """Return height and width of regions of about so many values: multiples of the chunks of a lazy cube, else whole rows.

        With a side of at least `least` pixels, regions are as square as the storage allows.
        """
        _, rows, columns = self.shape
        values = values or (READ if isinstance(self.cube.data, np.ndarray) else READ_LAZY)
        least_width = min(least, columns)
        pixels = max(1, values // self.bands, least * least_width)
        height, width = self._chunk()
        if least > 1 and self._has_bands_together():
            height, width = 1, 1  # a part of a row is a run of bytes
        if height * width > pixels:
            width = min(width, max(least_width, math.isqrt(pixels) if least > 1 else pixels))
            return min(rows, max(least, min(height, pixels // width))), width
        width = _several(width, math.isqrt(pixels) if least > 1 else pixels // height, least_width, columns)
        return _several(height, pixels // width, least, rows), width

    def _has_bands_together(self) -> bool:
        """Whether the bands of a pixel lie next to each other in memory or file."""
        data = self.cube.data
        return isinstance(data, np.ndarray) and data.strides[-1] == data.dtype.itemsize

    def _chunk(self) -> tuple[int, int]:
        """Return height and width of what is stored together: a chunk of a lazy cube, else a row."""
        columns = self.shape[2]
        chunks = getattr(self.cube.data, "chunks", None)
        if not chunks or not isinstance(chunks[0], tuple):
            return 1, columns
        return (int(chunks[0][0]), 1) if len(self.cube.spatial_shape) == 1 else (int(chunks[-3][0]), int(chunks[-2][0]))


def _several(chunk: int, wanted: int, least: int, length: int) -> int:
    """Return a multiple of a chunk near a wanted length, at least `least` if the whole `length` allows."""
    return min(length, chunk * max(1, wanted // chunk, -(-least // chunk)))
