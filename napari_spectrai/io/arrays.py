"""NumPy files: ``.npy`` (memory-mapped) and ``.npz`` with the axis beside the array. Nothing unpickles."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from napari_spectrai.cube import Cube, SpectralAxis
from napari_spectrai.io.container import choose, find_axis


def _sidecar(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def _header(cube: Cube) -> str:
    return json.dumps(
        {
            "spectral_axis": cube.axis.to_json(),
            "pixel_size": cube.pixel_size,
            "pixel_unit": cube.pixel_unit,
            "name": cube.name,
        }
    )


def _with_header(data: Any, header: dict[str, Any], path: Path, axis: SpectralAxis | None) -> Cube:
    size = header.get("pixel_size")
    return Cube(
        data,
        axis if axis is not None else SpectralAxis.from_json(header["spectral_axis"]) if "spectral_axis" in header else None,  # type: ignore[arg-type]
        pixel_size=tuple(size) if size else None,
        pixel_unit=header.get("pixel_unit", "pixel"),
        name=header.get("name") or path.stem,
        source=path,
    )


def inspect(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the arrays and their shapes."""
    if path.suffix.lower() == ".npy":
        return {"data": np.load(path, mmap_mode="r", allow_pickle=False).shape}
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        return {name: archive[name].shape for name in archive.files}


def read(path: Path, *, dataset: str | None = None, axis: SpectralAxis | None = None) -> Cube:
    """Read a ``.npy`` as a memory map (its axis from ``NAME.npy.json`` if there is one), or a ``.npz``."""
    if path.suffix.lower() == ".npy":
        header = json.loads(_sidecar(path).read_text("utf-8")) if _sidecar(path).exists() else {}
        return _with_header(np.load(path, mmap_mode="r", allow_pickle=False), header, path, axis)
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    header = json.loads(str(arrays.pop("header"))) if "header" in arrays else {}
    name = choose({n: a.shape for n, a in arrays.items() if a.dtype.kind in "fiub"}, dataset)
    data = arrays.pop(name)
    if axis is None and "spectral_axis" not in header:
        axis = find_axis(arrays, data.shape[-1])
    return _with_header(data, header, path, axis)


def write(cube: Cube, path: Path) -> None:
    """Write ``.npz`` compressed with its axis, or ``.npy`` if the cube has nothing else to say."""
    if path.suffix.lower() == ".npz":
        np.savez_compressed(path, data=np.asarray(cube.data), header=np.array(_header(cube)))
        return
    if cube.axis.unit or cube.pixel_size is not None:
        raise ValueError("a .npy file cannot hold the spectral axis or the pixel size; choose .npz, .h5 or .zarr")
    np.save(path, np.asarray(cube.data), allow_pickle=False)
