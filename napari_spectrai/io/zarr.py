"""Zarr stores (formats 2 and 3), read lazily; the axis is in the array's attributes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import zarr
from zarr.codecs import ZstdCodec

from napari_spectrai.cube import Cube
from napari_spectrai.io.arrays import from_header, header_of
from napari_spectrai.io.axis_lists import find_axis, say_unfitting
from napari_spectrai.io.container import choose, is_axis, numbers_in
from napari_spectrai.io.coordinates import of_coordinates
from napari_spectrai.io.even_positions import even_positions
from napari_spectrai.io.found import MOST_BANDS, RawArray, warn
from napari_spectrai.io.hdf5_axes import GroupAxis, axes_of_groups, signal_of
from napari_spectrai.io.named_units import units_for
from napari_spectrai.io.packing import PACKING, list_of_packing, of_packing
from napari_spectrai.io.unfolded import COUNTS, folded, sides_of, with_places
from napari_spectrai.io.zarr_arrays import arrays_of, lazily, refuse_unsafe, say_unwritten
from napari_spectrai.io.zarr_stores import node_of

CHUNK = (64, 64, 32)
"""Chunk of the last three dimensions: near 0.5 MB of float32, for both a plane and a spectrum."""
CHECKED = ZstdCodec(checksum=True)
"""Compression of what is written: a bit that has changed on the disk is an error in reading, not another value."""
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
    say_unwritten(path, arrays[name])
    folder = name.rpartition("/")[0]
    dimensions = [f"{folder}/{one}".strip("/") if one else "" for one in dimensions_of(arrays[name])]
    said = {key: dict(item.attrs) for key, item in arrays.items()}
    units = {key: str(one[word]) for key, one in said.items() for word in ("unit", "units") if word in one}
    words = {key: " ".join(str(one.get(word, "")) for word in ("long_name", "standard_name")) for key, one in said.items()}
    values = of_packing(data, _packing(arrays[name]))
    fields = {**attributes_of(path, folder), **attributes}
    known = even_positions(fields, data.shape[-1]) | _lists(path, arrays, name) | lists_in(fields)
    units |= units_for(known, fields)
    if not any(dimensions) and (axes := _numbered_axes(path, arrays, name)) is not None:
        lines = {key: one.positions for key, one in axes.items()}
        said_units = {key: one.unit for key, one in axes.items()}
        return replace(of_coordinates(path, values, list(axes), lines, said_units, bands=signal_of(axes)), dataset=name)
    sides = sides_of(_numbers(path, arrays, folder) | attributes, tuple(data.shape)) if not any(dimensions) else None
    if sides is not None:
        fitting = {key: one for key, one in known.items() if np.size(one) == data.shape[sides.bands(tuple(data.shape))]}
        axis = find_axis(fitting, tuple(data.shape), units, path=path, main=name)[0]
        return replace(folded(path, values, sides, axis), name=str(attributes.get("name") or ""), dataset=name)
    found = of_coordinates(
        path, values, dimensions, known, units, words, name=name,
    )  # fmt: skip
    found = with_places(path, replace(found, name=str(attributes.get("name") or ""), dataset=name), known, units)
    if found.axis is None:
        say_unfitting(path, {key: item.shape for key, item in arrays.items()}, tuple(data.shape), name)
    size = attributes.get("pixel_size")
    if isinstance(size, list) and len(size) == 2 and all(isinstance(side, (int, float)) and side > 0 for side in size):
        found = replace(found, pixel_size=(float(size[0]), float(size[1])), pixel_unit=str(attributes.get("pixel_unit", "pixel")))
    return found


def _numbered_axes(path: Path, arrays: Mapping[str, zarr.Array[Any]], name: str) -> dict[str, GroupAxis] | None:
    """Return the axis of each dimension by its name, if groups next to an array describe them all."""
    folder, node = name.rpartition("/")[0], node_of(path)

    def described(number: int) -> tuple[Mapping[str, Any], Any] | None:
        place = f"{folder}/axis-{number}".strip("/")
        group = node.get(place) if isinstance(node, zarr.Group) else None
        listed = arrays.get(f"{place}/axis")
        if not isinstance(group, zarr.Group):
            return None
        inner = node.get(f"{place}/x")
        said = dict(group.attrs) | ({"x": dict(inner.attrs)} if isinstance(inner, zarr.Group) else {})
        if listed is None or listed.shape != arrays[name].shape[number : number + 1]:
            return said, None
        refuse_unsafe(listed)
        return said, listed[...]

    return axes_of_groups(arrays[name].shape, described)


def _numbers(path: Path, arrays: Mapping[str, zarr.Array[Any]], folder: str) -> dict[str, Any]:
    """Return the numbers, up to three, in a group: in its arrays, and in attributes of it and of the store."""
    node = node_of(path)
    holders = [node] if isinstance(node, zarr.Array) or not folder else [node, node[folder]]
    found = {key: value for holder in holders for key, value in dict(holder.attrs).items() if np.size(value) in COUNTS}
    for key, item in arrays.items():
        if key.rpartition("/")[0] == folder and item.size in COUNTS and item.dtype.kind in "fiu":
            refuse_unsafe(item)
            found[key] = np.asarray(item[...])
    return found


def dimensions_of(array: zarr.Array[Any]) -> list[str]:
    """Return the names of an array's dimensions, which xarray keeps in an attribute in format 2."""
    names = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS") or []
    found = [str(one or "") for one in names] if isinstance(names, (list, tuple)) else []
    return found if len(found) == array.ndim else [""] * array.ndim


def _packing(array: zarr.Array[Any]) -> dict[str, Any]:
    """Return the attributes of packed values, to which the fill value belongs in format 2."""
    said = {key: array.attrs[key] for key in PACKING if key in array.attrs}
    if said and "_FillValue" not in said and array.metadata.zarr_format == 2 and array.fill_value is not None:
        said["_FillValue"] = array.fill_value
    return said


def _lists(path: Path, arrays: Mapping[str, zarr.Array[Any]], main: str) -> dict[str, Any]:
    """Return the arrays of the store that could be an axis of `main`."""
    lengths = set(arrays[main].shape)
    found = {}
    for key, item in arrays.items():
        if key != main and item.size in lengths and item.size == max(item.shape) <= MOST_BANDS and item.dtype.kind in "fiu":
            refuse_unsafe(item)
            found[key] = list_of_packing(item[...], item.attrs)
    return found


def attributes_of(path: Path, folder: str) -> dict[str, Any]:
    """Return the attributes of the store and of an array's group."""
    node = node_of(path)
    holders = [node] if isinstance(node, zarr.Array) or not folder else [node, node[folder]]
    return {key: value for holder in holders for key, value in dict(holder.attrs).items()}


def lists_in(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the lists of numbers among attributes."""
    found = {}
    for key, value in attributes.items():
        if (isinstance(value, list) or is_axis(key)) and (values := numbers_in(value)) is not None:
            found[key] = values
    return found


def create(path: Path, cube: Cube, dtype: Any, *, fill: float = 0, unfinished: bool = False) -> zarr.Array[Any]:
    """Create an empty store with `cube`'s shape, axis and pixel size, to be filled in pieces; `fill` is the value of missing ones.

    With `unfinished`, whoever reads it before `finish` is warned.
    """
    chunks = tuple(min(c, s) for c, s in zip((1,) * (len(cube.shape) - 3) + CHUNK[-len(cube.shape) :], cube.shape, strict=True))
    planes = ("time", "z", "y", "x")[-len(cube.spatial_shape) :] if cube.is_image else ("spectrum",)
    names = (None,) * (len(cube.spatial_shape) - len(planes)) + planes
    return zarr.create_array(
        path,
        dimension_names=(*names, cube.axis.quantity),
        shape=cube.shape,
        chunks=chunks,
        dtype=dtype,
        fill_value=fill,
        compressors=CHECKED,
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
