"""HDF5 files through h5py: the data set is a lazy dask array, its axis a data set beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from napari_spectrai.cube import Cube
from napari_spectrai.io.arrays import header_of
from napari_spectrai.io.container import choose, find_axis
from napari_spectrai.io.found import OnDisk, RawArray, plausible


def datasets(file: h5py.File) -> dict[str, h5py.Dataset]:
    """Return the numeric data sets that lie in this file itself.

    Links into other files are not followed, and data sets that keep their values in other files (external storage,
    virtual layouts) are left out: a file must not make us open another.
    """
    found: dict[str, h5py.Dataset] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.dtype.kind in "fiub" and item.shape and not item.external and not item.is_virtual:
            found[name] = item

    file.visititems(visit)
    return found


def text(value: Any) -> str:
    """Return an attribute as text."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def units_of(arrays: dict[str, h5py.Dataset]) -> dict[str, str]:
    """Return the units that data sets state."""
    return {n: text(a.attrs[key]) for n, a in arrays.items() for key in ("unit", "units") if key in a.attrs}


def lists(arrays: dict[str, h5py.Dataset], main: str) -> dict[str, Any]:
    """Return the data sets that could be an axis of `main`."""
    lengths = set(arrays[main].shape)
    return {n: a[()] for n, a in arrays.items() if n != main and a.size in lengths and a.size == max(a.shape)}


def lazily(path: Path, name: str, main: h5py.Dataset) -> Any:
    """Return a data set as a dask array that opens its file for each read."""
    plausible(main.shape, main.dtype)

    def fetch(key: Any) -> Any:
        with h5py.File(path, "r") as file:
            return file[name][key]

    return OnDisk(path, main.shape, main.dtype, fetch).lazy(main.chunks)


def inspect(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the data sets and their shapes."""
    with h5py.File(path, "r") as file:
        return {name: item.shape for name, item in datasets(file).items()}


def read(path: Path, *, dataset: str | None = None) -> RawArray:
    """Open one data set lazily."""
    with h5py.File(path, "r") as file:
        arrays = datasets(file)
        name = choose({n: a.shape for n, a in arrays.items()}, dataset)
        main = arrays[name]
        axis, place = find_axis(lists(arrays, name), main.shape, units_of(arrays), path=path)
        size, unit = main.attrs.get("pixel_size"), str(main.attrs.get("pixel_unit", "pixel"))
        return RawArray(
            lazily(path, name, main),
            spectral=-1 if place is None else place,
            axis=axis,
            pixel_size=(float(size[0]), float(size[1])) if size is not None else None,
            pixel_unit=unit,
            name=text(main.attrs.get("name", "")),
            metadata=json.loads(text(main.attrs["metadata"])) if "metadata" in main.attrs else {},
        )


def write(cube: Cube, path: Path) -> None:
    """Write ``data``, compressed, with its axis as ``spectral_axis``."""
    with h5py.File(path, "w") as file:
        main = file.create_dataset("data", data=np.asarray(cube.data), compression="gzip", shuffle=True)
        main.attrs["name"] = cube.name
        main.attrs["metadata"] = json.dumps(header_of(cube)["metadata"])
        if cube.pixel_size is not None:
            main.attrs["pixel_size"], main.attrs["pixel_unit"] = cube.pixel_size, cube.pixel_unit
        axis = file.create_dataset("spectral_axis", data=cube.axis.values)
        axis.attrs["unit"] = cube.axis.unit
