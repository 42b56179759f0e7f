"""HDF5 as it is written here: ``data``, with its axis as ``spectral_axis``, its name and its metadata."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from napari_spectrai.cube import Cube
from napari_spectrai.io.arrays import header_of
from napari_spectrai.io.nexus import found_at, is_own, text

_ELSEWHERE = "metadata_in"
"""The attribute that names the data set of metadata that are too long for an attribute."""
_LONGEST_ATTRIBUTE = 30_000


def said_of(main: h5py.Dataset, name: str) -> dict[str, Any]:
    """Return the name and the metadata that `write` has stored with a data set."""
    said = main.attrs.get("metadata")
    if said is None and _ELSEWHERE in main.attrs and isinstance(item := found_at(main.file, text(main.attrs[_ELSEWHERE])), h5py.Dataset):
        said = item[()] if is_own(item) and item.shape == () and item.dtype.kind in "OS" else None
    metadata = {} if said is None else json.loads(text(said))
    return {"name": text(main.attrs.get("name", "")), "metadata": metadata, "dataset": name}


def write(cube: Cube, path: Path) -> None:
    """Write ``data``, compressed, with its axis as ``spectral_axis``."""
    with h5py.File(path, "w") as file:
        main = file.create_dataset("data", data=np.asarray(cube.data), compression="gzip", shuffle=True)
        main.attrs["name"] = cube.name
        metadata = json.dumps(header_of(cube)["metadata"])
        if len(metadata) > _LONGEST_ATTRIBUTE:  # names or places of many spectra
            main.attrs[_ELSEWHERE] = file.create_dataset("metadata", data=metadata).name
        else:
            main.attrs["metadata"] = metadata
        if cube.pixel_size is not None:
            main.attrs["pixel_size"], main.attrs["pixel_unit"] = cube.pixel_size, cube.pixel_unit
        axis = file.create_dataset("spectral_axis", data=cube.axis.values)
        axis.attrs["unit"] = cube.axis.unit
