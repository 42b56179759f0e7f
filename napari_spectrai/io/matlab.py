"""MATLAB files: v4–v7 through SciPy, v7.3 (which is HDF5 with its axes reversed) through h5py."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
from scipy.io import loadmat, savemat, whosmat

from napari_spectrai.cube import Cube, SpectralAxis
from napari_spectrai.io import hdf5
from napari_spectrai.io.container import choose, find_axis


def inspect(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the arrays and their shapes, as MATLAB shows them."""
    if h5py.is_hdf5(path):
        return {name: shape[::-1] for name, shape in hdf5.inspect(path).items() if not name.startswith("#")}
    return {name: tuple(shape) for name, shape, _ in whosmat(path)}


def read(path: Path, *, dataset: str | None = None, axis: SpectralAxis | None = None) -> Cube:
    """Read the cube of a ``.mat`` file and, where one stands beside it, its wavelengths."""
    if h5py.is_hdf5(path):
        return hdf5.read(path, dataset=dataset, axis=axis, reversed_axes=True)
    contents = {name: value for name, value in loadmat(path).items() if not name.startswith("__")}
    numeric = {name: value for name, value in contents.items() if isinstance(value, np.ndarray) and value.dtype.kind in "fiub"}
    name = choose({n: a.shape for n, a in numeric.items()}, dataset)
    data = numeric.pop(name)
    if axis is None:
        units = {"spectral_axis": str(np.ravel(contents["unit"])[0])} if np.size(contents.get("unit", ())) else {}
        axis = find_axis(numeric, data.shape[-1], units)
    size = np.ravel(numeric.get("pixel_size", ()))
    unit = np.ravel(contents.get("pixel_unit", ["pixel"]))
    return Cube(
        data,
        axis,  # type: ignore[arg-type]
        pixel_size=(float(size[0]), float(size[1])) if size.size == 2 else None,
        pixel_unit=str(unit[0]) if unit.size else "pixel",
        name=path.stem,
        source=path,
    )


def write(cube: Cube, path: Path) -> None:
    """Write a v5 file with ``data``, ``spectral_axis`` and ``unit``."""
    contents = {"data": np.asarray(cube.data), "spectral_axis": cube.axis.values, "unit": cube.axis.unit}
    if cube.pixel_size is not None:
        contents |= {"pixel_size": np.array(cube.pixel_size), "pixel_unit": cube.pixel_unit}
    savemat(path, contents, do_compression=True)
