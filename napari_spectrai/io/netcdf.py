"""netCDF: version 4 is HDF5 with dimension scales (h5py), version 3 is read by SciPy; both lazily."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
from scipy.io import netcdf_file

from napari_spectrai.io.container import choose, is_axis
from napari_spectrai.io.coordinates import of_coordinates
from napari_spectrai.io.foreign import starts
from napari_spectrai.io.found import MOST_BANDS, RawArray, plausible
from napari_spectrai.io.hdf5 import attribute_lists, attribute_units, datasets, lazily, lists, units_of
from napari_spectrai.io.hdf5_dimensions import scales_of
from napari_spectrai.io.hdf5_heaps import open_hdf5
from napari_spectrai.io.nexus import called, text
from napari_spectrai.io.packing import PACKING, list_of_packing, of_packing


def inspect(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the variables and their shapes."""
    if h5py.is_hdf5(path):
        with open_hdf5(path) as file:
            return {name: item.shape for name, item in datasets(file).items()}
    with netcdf_file(path, "r", mmap=False) as classic:
        return {name: tuple(variable.shape) for name, variable in classic.variables.items()}


def read(path: Path, *, dataset: str | None = None) -> RawArray:
    """Open one variable; its coordinate variables give the spectral axis and the pixel size."""
    if not h5py.is_hdf5(path):
        return _classic(path, dataset)
    with open_hdf5(path) as file:
        arrays = datasets(file)
        name = choose({n: a.shape for n, a in arrays.items()}, dataset, path)
        main = arrays[name]
        scales = [next(iter(scales_of(dimension)), "") for dimension in main.dims]
        coordinates = {
            s: list_of_packing(arrays[s][()], arrays[s].attrs) for s in scales if s in arrays and arrays[s].size <= MOST_BANDS
        } | lists(arrays, name)
        in_attributes = {key: values for key, values in attribute_lists(main).items() if values.size in main.shape and is_axis(key)}
        units = units_of(arrays) | {key: unit for key, unit in attribute_units(main).items() if key in in_attributes}
        coordinates = in_attributes | coordinates
        data = of_packing(lazily(path, name, main), {key: main.attrs[key] for key in PACKING if key in main.attrs})
        words = {key: called(arrays[key]) for key in coordinates if key in arrays}
        title = text(main.attrs.get("long_name", ""))
        return replace(of_coordinates(path, data, scales, coordinates, units, words, name=name), name=title, dataset=name)


def _classic(path: Path, dataset: str | None) -> RawArray:
    if starts(path, b"CDF\x05"):
        raise ValueError("its variant of netCDF (CDF-5) is not read; convert it: nccopy -k nc4")
    with netcdf_file(path, "r", mmap=False) as file:
        shapes = {name: tuple(variable.shape) for name, variable in file.variables.items()}
        for name, variable in file.variables.items():
            plausible(shapes[name], variable.data.dtype)
        name = choose(shapes, dataset, path)
        main = file.variables[name]
        units = {n: text(v.units) for n, v in file.variables.items() if hasattr(v, "units")}
        lengths = set(main.shape)
        coordinates = {
            n: list_of_packing(np.array(v.data, dtype=v.data.dtype.newbyteorder("=")), vars(v))
            for n, v in file.variables.items()
            if n != name and len(v.shape) == 1 and v.shape[0] in lengths
        }
        data = np.array(main.data, dtype=main.data.dtype.newbyteorder("="))
        data = of_packing(data, {key: getattr(main, key) for key in PACKING if hasattr(main, key)})
        words = {n: text(v.long_name) for n, v in file.variables.items() if hasattr(v, "long_name")}
    return replace(of_coordinates(path, data, list(main.dimensions), coordinates, units, words), dataset=name)
