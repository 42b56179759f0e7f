"""netCDF: version 4 is HDF5 with dimension scales (h5py), version 3 is read by SciPy; both lazily."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from scipy.io import netcdf_file

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.io.container import choose, find_axis, plainly_last
from napari_spectrai.io.found import MOST_BANDS, PACKING, RawArray, of_packing, plausible
from napari_spectrai.io.hdf5 import datasets, lazily, lists, units_of
from napari_spectrai.io.nexus import text

_SPATIAL = {"um": "um", "micrometer": "um", "µm": "um", "mm": "mm", "nm": "nm", "m": "m"}


def inspect(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the variables and their shapes."""
    if h5py.is_hdf5(path):
        with h5py.File(path, "r") as file:
            return {name: item.shape for name, item in datasets(file).items()}
    with netcdf_file(path, "r", mmap=False) as classic:
        return {name: tuple(variable.shape) for name, variable in classic.variables.items()}


def read(path: Path, *, dataset: str | None = None) -> RawArray:
    """Open one variable; its coordinate variables give the spectral axis and the pixel size."""
    if not h5py.is_hdf5(path):
        return _classic(path, dataset)
    with h5py.File(path, "r") as file:
        arrays = datasets(file)
        name = choose({n: a.shape for n, a in arrays.items()}, dataset, path)
        main = arrays[name]
        scales = [next((s.name.lstrip("/") for s in dimension.values()), "") for dimension in main.dims]
        coordinates = {s: arrays[s][()] for s in scales if s in arrays and arrays[s].size <= MOST_BANDS} | lists(arrays, name)
        data = of_packing(lazily(path, name, main), {key: main.attrs[key] for key in PACKING if key in main.attrs})
        return replace(_found(path, data, scales, coordinates, units_of(arrays), text(main.attrs.get("long_name", ""))), dataset=name)


def _classic(path: Path, dataset: str | None) -> RawArray:
    with netcdf_file(path, "r", mmap=False) as file:
        shapes = {name: tuple(variable.shape) for name, variable in file.variables.items()}
        for name, variable in file.variables.items():
            plausible(shapes[name], variable.data.dtype)
        name = choose(shapes, dataset, path)
        main = file.variables[name]
        units = {n: text(v.units) for n, v in file.variables.items() if hasattr(v, "units")}
        coordinates = {d: np.array(file.variables[d].data) for d in main.dimensions if d in file.variables}
        data = np.array(main.data, dtype=main.data.dtype.newbyteorder("="))
        data = of_packing(data, {key: getattr(main, key) for key in PACKING if hasattr(main, key)})
    return replace(_found(path, data, list(main.dimensions), coordinates, units, ""), dataset=name)


def _found(path: Path, data: Any, dimensions: list[str], coordinates: dict[str, Any], units: dict[str, str], name: str) -> RawArray:
    axis: SpectralAxis | None
    axis, place = find_axis(coordinates, tuple(data.shape), units, path=path)
    spatial = [d for number, d in enumerate(dimensions) if number != (place if place is not None else len(dimensions) - 1)][-2:]
    sizes = [np.diff(coordinates[d]) for d in spatial if d in coordinates and coordinates[d].size > 1]
    even = len(sizes) == 2 and all(step[0] and np.allclose(step, step[0], rtol=1e-3) for step in sizes)
    unit = _SPATIAL.get(units.get(spatial[-1], "") if spatial else "", "")
    size = (abs(float(sizes[0].mean())), abs(float(sizes[1].mean()))) if even and unit else None
    sure = place is not None or plainly_last(data)
    return RawArray(
        data,
        spectral=-1 if place is None else place,
        sure=sure,
        axis=axis,
        pixel_size=size,
        pixel_unit=unit if size else "pixel",
        name=name,
    )
