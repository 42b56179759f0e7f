"""Where the arrays of a Zarr store lie: in a folder, or in one ZIP archive."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.storage import ZipStore

from napari_spectrai.io import zarr_loop  # noqa: F401  # it cancels at exit what is pending
from napari_spectrai.io.found import DECLARATIONS, affordable, one_line

_MOST_DEEP, _MOST_MEMBERS = 64, 100_000


def archived(path: Path) -> str | None:
    """Return where a ZIP archive holds a Zarr store, ``""`` or its only folder; None if it holds none, or is no archive."""
    if not path.is_file() or not zipfile.is_zipfile(path):
        return None
    with zipfile.ZipFile(path) as archive:
        found = [name.split("/") for name in archive.namelist() if name.rpartition("/")[2] in DECLARATIONS]
    for depth in (1, 2):
        folders = {parts[0] if depth == 2 else "" for parts in found if len(parts) == depth}
        if folders:
            return folders.pop() if len(folders) == 1 else None
    return None


def node_of(path: Path) -> Any:
    """Open a store for reading, and return its root: a group or an array."""
    if not path.is_file():
        if path.is_dir() and not any((path / name).is_file() for name in DECLARATIONS):
            raise ValueError(f"it is a folder without an array or a group of Zarr in it ({', '.join(DECLARATIONS)})")
        return zarr.open(path, mode="r")
    inside = archived(path)
    if inside is None:
        raise ValueError("it is no folder, and no archive (.zip) with a Zarr store in it")
    with zipfile.ZipFile(path) as archive:
        largest = max((item.file_size for item in archive.infolist()), default=0)
    affordable((largest,), np.uint8)
    return zarr.open(ZipStore(path, mode="r"), mode="r", path=inside)


def members_of(path: Path) -> dict[str, Any]:
    """Return the groups and arrays in a store by their paths, in the order of these.

    Only what Zarr declares is looked at: other files and folders in a store are none of its members.
    """
    node = node_of(path)
    if isinstance(node, zarr.Array):
        return {}
    own = DECLARATIONS[:1] if node.metadata.zarr_format == 3 else DECLARATIONS[1:]
    names = _in_folder(path, own) if path.is_dir() else _in_archive(path, own)
    found = {}
    for name in sorted(names):
        try:
            found[name] = node[name]
        except Exception as error:  # whatever zarr raises on a broken declaration
            raise ValueError(f"what it says of {name!r} is damaged: {one_line(error)}") from error
    return found


def _in_folder(path: Path, own: tuple[str, ...]) -> list[str]:
    """Return the paths of groups and arrays below a folder; the folders of an array's chunks are not entered."""
    found: list[str] = []
    left = [("", 0)]
    while left:
        folder, depth = left.pop()
        for entry in (path / folder).iterdir():
            name = f"{folder}/{entry.name}".strip("/")
            if entry.is_dir() and any((entry / file).is_file() for file in own):
                found.append(name)
                if depth < _MOST_DEEP and not _is_array(entry):
                    left.append((name, depth + 1))
        if len(found) > _MOST_MEMBERS:
            raise ValueError(f"it holds more than {_MOST_MEMBERS:,} arrays and groups, or a link to a folder above itself")
    return found


def _is_array(folder: Path) -> bool:
    if (folder / ".zarray").is_file():
        return True
    declaration = folder / "zarr.json"
    return declaration.is_file() and re.search(rb'"node_type"\s*:\s*"array"', declaration.read_bytes()) is not None


def _in_archive(path: Path, own: tuple[str, ...]) -> list[str]:
    inside = archived(path) or ""
    with zipfile.ZipFile(path) as archive:
        found = {name.rpartition("/")[0] for name in archive.namelist() if name.rpartition("/")[2] in own}
    start = f"{inside}/" if inside else ""
    return [name.removeprefix(start) for name in found if name.startswith(start) and name not in ("", inside)]
