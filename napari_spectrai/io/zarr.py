"""Zarr stores (formats 2 and 3), read lazily; the axis is in the array's attributes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import zarr

from napari_spectrai.cube import Cube
from napari_spectrai.io.arrays import from_header, header_of
from napari_spectrai.io.container import choose, find_axis, plainly_last
from napari_spectrai.io.found import RawArray, warn
from napari_spectrai.io.zarr_arrays import arrays_of, lazily

CHUNK = (64, 64, 32)
"""Chunk of the last three dimensions: near 0.5 MB of float32, for both a plane and a spectrum."""
UNFINISHED = "unfinished"
"""Attribute of a store of which parts are missing."""
SLAB = 2**26
"""Bytes written at a time."""


def inspect(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the arrays and their shapes."""
    return {name: item.shape for name, item in arrays_of(path).items()}


def read(path: Path, *, dataset: str | None = None) -> RawArray:
    """Open one array lazily."""
    arrays = arrays_of(path)
    name = choose({n: a.shape for n, a in arrays.items()}, dataset, path)
    attributes: dict[str, Any] = dict(arrays[name].attrs)
    if attributes.pop(UNFINISHED, False):
        warn(path, "it is being written in parts, and some are missing; values that are not written yet are NaN")
    data = lazily(path, arrays[name])
    if isinstance(attributes.get("spectral_axis"), dict):
        return from_header(data, attributes, dataset=name)
    axis, place = find_axis({key: value for key, value in attributes.items() if isinstance(value, list)}, arrays[name].shape, path=path)
    return from_header(
        data, attributes, axis, spectral=-1 if place is None else place, sure=place is not None or plainly_last(data), dataset=name
    )


def create(path: Path, cube: Cube, dtype: Any, *, fill: float = 0, unfinished: bool = False) -> zarr.Array[Any]:
    """Create an empty store with `cube`'s shape, axis and pixel size, to be filled in pieces; `fill` is the value of missing ones.

    With `unfinished`, whoever reads it before `finish` is warned.
    """
    chunks = tuple(min(c, s) for c, s in zip((1,) * (len(cube.shape) - 3) + CHUNK[-len(cube.shape) :], cube.shape, strict=True))
    return zarr.create_array(
        path,
        shape=cube.shape,
        chunks=chunks,
        dtype=dtype,
        fill_value=fill,
        attributes=header_of(cube) | ({UNFINISHED: True} if unfinished else {}),
    )


def finish(path: Path) -> None:
    """Declare a store that was created as unfinished to be complete."""
    attributes = zarr.open_array(path, mode="r+").attrs
    if UNFINISHED in attributes:
        del attributes[UNFINISHED]


def writing(cube: Cube, path: Path) -> Iterator[tuple[int, int]]:
    """Write a store slab by slab, so that a lazy cube is never loaded as a whole; yield (done, total) after each."""
    store = create(path, cube, cube.data.dtype)
    rows, high = cube.shape[0], store.chunks[0]
    row = cube.data.nbytes // rows
    slab = high * max(1, SLAB // max(1, row * high))
    data = da.asarray(cube.data).rechunk({0: min(slab, rows)}) if not isinstance(cube.data, np.ndarray) else cube.data
    for start in range(0, rows, slab):
        store[start : start + slab] = np.asarray(data[start : start + slab])
        yield min(start + slab, rows), rows


def write(cube: Cube, path: Path) -> None:
    """Write a store, slab by slab."""
    for _ in writing(cube, path):
        pass
