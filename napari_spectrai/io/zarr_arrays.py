"""The arrays and the metadata of a Zarr store, as both of its formats read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.array as da
import zarr

from napari_spectrai.io.found import OnDisk


def arrays_of(path: Path) -> dict[str, zarr.Array[Any]]:
    """Return the arrays of a store."""
    node = zarr.open(path, mode="r")
    if isinstance(node, zarr.Array):
        return {"data": node}
    return {name: item for name, item in node.members(max_depth=None) if isinstance(item, zarr.Array)}


def lazily(path: Path, array: zarr.Array[Any]) -> da.Array:
    """Return an array of a store as a dask array whose faults name the store."""
    return OnDisk(path, array.shape, array.dtype, lambda key: array[key]).lazy(array.chunks)


def attributes_of(path: Path) -> dict[str, Any]:
    """Return the attributes of a store, those of OME among them."""
    node = zarr.open(path, mode="r")
    attributes = dict(node.attrs) if isinstance(node, zarr.Group) else {}
    inner = attributes.get("ome", {})
    return attributes | inner if isinstance(inner, dict) else attributes


def multiscales(path: Path) -> list[Any]:
    """Return the images that the store's metadata declare."""
    found = attributes_of(path).get("multiscales", [])
    return found if isinstance(found, list) else []
