"""Where the arrays of a Zarr store lie: in a folder, or in one ZIP archive."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.storage import ZipStore

from napari_spectrai.io import zarr_loop  # noqa: F401  # it cancels at exit what is pending
from napari_spectrai.io.found import affordable

_DECLARATIONS = ("zarr.json", ".zgroup", ".zarray")


def archived(path: Path) -> str | None:
    """Return where a ZIP archive holds a Zarr store, ``""`` or its only folder; None if it holds none, or is no archive."""
    if not path.is_file() or not zipfile.is_zipfile(path):
        return None
    with zipfile.ZipFile(path) as archive:
        found = [name.split("/") for name in archive.namelist() if name.rpartition("/")[2] in _DECLARATIONS]
    for depth in (1, 2):
        folders = {parts[0] if depth == 2 else "" for parts in found if len(parts) == depth}
        if folders:
            return folders.pop() if len(folders) == 1 else None
    return None


def node_of(path: Path) -> Any:
    """Open a store for reading, and return its root: a group or an array."""
    if not path.is_file():
        return zarr.open(path, mode="r")
    inside = archived(path)
    if inside is None:
        raise ValueError("it is no folder, and no archive (.zip) with a Zarr store in it")
    with zipfile.ZipFile(path) as archive:
        largest = max((item.file_size for item in archive.infolist()), default=0)
    affordable((largest,), np.uint8)
    return zarr.open(ZipStore(path, mode="r"), mode="r", path=inside)
