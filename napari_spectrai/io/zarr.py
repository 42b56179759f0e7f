"""Zarr stores (formats 2 and 3), read lazily by dask; the axis stands in the array's attributes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.array as da
import zarr

from napari_spectrai.cube import Cube, SpectralAxis
from napari_spectrai.io.container import choose, find_axis

CHUNK = (64, 64, 32)
"""Chunk of the last three dimensions: near 0.5 MB of float32, for both a plane and a spectrum."""


def _arrays(path: Path) -> dict[str, zarr.Array[Any]]:
    node = zarr.open(path, mode="r")
    if isinstance(node, zarr.Array):
        return {"data": node}
    return {name: item for name, item in node.members(max_depth=None) if isinstance(item, zarr.Array)}


def inspect(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the arrays and their shapes."""
    return {name: item.shape for name, item in _arrays(path).items()}


def read(path: Path, *, dataset: str | None = None, axis: SpectralAxis | None = None) -> Cube:
    """Open one array lazily."""
    arrays = _arrays(path)
    name = choose({n: a.shape for n, a in arrays.items()}, dataset)
    attributes: dict[str, Any] = dict(arrays[name].attrs)
    if axis is None and isinstance(attributes.get("spectral_axis"), dict):
        axis = SpectralAxis.from_json(attributes["spectral_axis"])
    if axis is None:
        lists = {key: value for key, value in attributes.items() if isinstance(value, list)}
        axis = find_axis(lists, arrays[name].shape[-1])
    size = attributes.get("pixel_size")
    return Cube(
        da.from_zarr(arrays[name]),
        axis,  # type: ignore[arg-type]
        pixel_size=(float(size[0]), float(size[1])) if size else None,
        pixel_unit=str(attributes.get("pixel_unit", "pixel")),
        name=str(attributes.get("name") or path.stem),
        source=path,
    )


def create(path: Path, cube: Cube, dtype: Any) -> zarr.Array[Any]:
    """Create an empty store with `cube`'s shape, axis and pixel size, to be filled piece by piece."""
    chunks = tuple(min(c, s) for c, s in zip((1,) * (len(cube.shape) - 3) + CHUNK[-len(cube.shape) :], cube.shape, strict=True))
    attributes: dict[str, Any] = {
        "spectral_axis": cube.axis.to_json(),
        "pixel_size": list(cube.pixel_size) if cube.pixel_size else None,
        "pixel_unit": cube.pixel_unit,
        "name": cube.name,
    }
    return zarr.create_array(path, shape=cube.shape, chunks=chunks, dtype=dtype, attributes=attributes)


def write(cube: Cube, path: Path) -> None:
    """Write a store chunk by chunk, so that a lazy cube never stands whole in memory."""
    store = create(path, cube, cube.data.dtype)
    da.asarray(cube.data).rechunk(store.chunks).store(store, lock=False)
