"""HDF5 files through h5py: the data set is a lazy dask array, its axis a data set beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.array as da
import h5py
import numpy as np

from napari_spectrai.cube import Cube, SpectralAxis
from napari_spectrai.io.container import choose, find_axis


class _OnDisk:
    """An HDF5 data set that opens its file for each read, so that no handle stays open."""

    def __init__(self, path: Path, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.path, self.name, self.shape, self.dtype, self.ndim = path, name, shape, dtype, len(shape)

    def __getitem__(self, key: Any) -> Any:
        with h5py.File(self.path, "r") as file:
            return file[self.name][key]


def _datasets(file: h5py.File) -> dict[str, h5py.Dataset]:
    found: dict[str, h5py.Dataset] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.dtype.kind in "fiub":
            found[name] = item

    file.visititems(visit)
    return found


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def inspect(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the data sets and their shapes."""
    with h5py.File(path, "r") as file:
        return {name: item.shape for name, item in _datasets(file).items()}


def read(path: Path, *, dataset: str | None = None, axis: SpectralAxis | None = None, reversed_axes: bool = False) -> Cube:
    """Open one data set lazily; `reversed_axes` undoes MATLAB's storage order."""
    with h5py.File(path, "r") as file:
        arrays = _datasets(file)
        name = choose({n: a.shape[::-1] if reversed_axes else a.shape for n, a in arrays.items()}, dataset)
        main = arrays[name]
        shape, dtype, chunks = main.shape, main.dtype, main.chunks
        bands = shape[0] if reversed_axes else shape[-1]
        if axis is None:
            beside = {n: a[()] for n, a in arrays.items() if n != name and a.size == bands}
            units = {n: _text(a.attrs[key]) for n in beside for a in [arrays[n]] for key in ("unit", "units") if key in a.attrs}
            axis = find_axis(beside, bands, units)
        size, unit = main.attrs.get("pixel_size"), str(main.attrs.get("pixel_unit", "pixel"))
        title = str(main.attrs.get("name", "")) or path.stem
    lazy = da.from_array(_OnDisk(path, name, shape, dtype), chunks=chunks or "auto", asarray=False)
    return Cube(
        lazy.T if reversed_axes else lazy,
        axis,  # type: ignore[arg-type]
        pixel_size=(float(size[0]), float(size[1])) if size is not None else None,
        pixel_unit=unit,
        name=title,
        source=path,
    )


def write(cube: Cube, path: Path) -> None:
    """Write ``data``, compressed, with its axis as ``spectral_axis``."""
    with h5py.File(path, "w") as file:
        main = file.create_dataset("data", data=np.asarray(cube.data), compression="gzip", shuffle=True)
        main.attrs["name"] = cube.name
        if cube.pixel_size is not None:
            main.attrs["pixel_size"], main.attrs["pixel_unit"] = cube.pixel_size, cube.pixel_unit
        axis = file.create_dataset("spectral_axis", data=cube.axis.values)
        axis.attrs["unit"] = cube.axis.unit
