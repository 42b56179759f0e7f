"""The arrays and the metadata of a Zarr store, as both of its formats read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import dask.array as da
import zarr

from napari_spectrai.io.found import OnDisk, warn
from napari_spectrai.io.zarr_stores import members_of, node_of
from napari_spectrai.spec import listed

_SAFE = frozenset({
    "adler32", "astype", "bitround", "blosc", "bytes", "bz2", "crc32", "crc32c", "delta", "fixedscaleoffset", "fletcher32", "gzip",
    "jenkins_lookup3", "lz4", "lzma", "packbits", "pcodec", "quantize", "sharding_indexed", "shuffle", "transpose", "vlen-array",
    "vlen-bytes", "vlen-utf8", "zfpy", "zlib", "zstd",
})  # fmt: skip


_MOST_COUNTED = 10_000
"""Chunks of an array that are looked for in its store."""


def arrays_of(path: Path) -> dict[str, zarr.Array[Any]]:
    """Return the arrays of a store, in the order of their names."""
    node = node_of(path)
    if isinstance(node, zarr.Array):
        return {"data": node}
    return {name: item for name, item in members_of(path).items() if isinstance(item, zarr.Array)}


def refuse_unsafe(array: zarr.Array[Any]) -> None:
    """Raise for an array with a codec that is not known to be harmless; one of Zarr 2, ``pickle``, runs whatever code its chunks hold.

    Raises
    ------
    ValueError
        With the names of the codec and of those that are allowed.
    """
    metadata: Any = array.metadata
    if array.metadata.zarr_format == 2:
        used = [str(codec.codec_id) for codec in (metadata.compressor, *(metadata.filters or ())) if codec is not None]
    else:
        used = _names(metadata.to_dict()["codecs"])
    bad = next((name for name in used if name.removeprefix("numcodecs.") not in _SAFE), None)
    if bad is not None:
        raise ValueError(f"its chunks are packed with the codec {bad!r}, which is not allowed here; {listed(_SAFE)}")


def _names(codecs: Any) -> list[str]:
    """Return the names of codecs of Zarr 3, also of those within shards."""
    found = []
    for codec in codecs:
        found.append(str(codec["name"]))
        inside = codec.get("configuration") or {}
        for part in ("codecs", "index_codecs"):
            found += _names(inside.get(part, ()))
    return found


def _part(array: zarr.Array[Any], metadata: Path, key: Any) -> Any:
    """Return a part; zarr takes chunks that are not there for empty ones, so a store that is gone would read as zeros."""
    values = array[key]
    if not metadata.exists():
        raise FileNotFoundError("it was moved or removed, or its disk is gone, since it was opened; open it again")
    return values


def say_unwritten(path: Path, array: zarr.Array[Any]) -> None:
    """Warn of chunks that are not in a store; the library gives the fill value for them."""
    if array.nchunks > _MOST_COUNTED or not array.size:
        return
    missing = array.nchunks - array.nchunks_initialized
    if missing:
        why = "as while it is being written, or where all values are the same"
        warn(path, f"{missing} of its {array.nchunks} chunks are not in the store, {why}; they read as {array.fill_value or 0}")


def lazily(path: Path, array: zarr.Array[Any]) -> da.Array:
    """Return an array of a store as a dask array whose errors name the store."""
    refuse_unsafe(array)
    of_array = path / array.path / ("zarr.json" if array.metadata.zarr_format == 3 else ".zarray")
    metadata = path if path.is_file() else of_array
    return OnDisk(path, array.shape, array.dtype, partial(_part, array, metadata)).lazy(array.chunks)


@dataclass(frozen=True, slots=True)
class Image:
    """One image of a store, with the attributes of its group.

    Parameters
    ----------
    group : path of its group in the store, ``""`` for the store itself
    multiscale : its entry among ``multiscales``
    """

    group: str
    multiscale: Mapping[str, Any]
    attributes: Mapping[str, Any]

    @property
    def levels(self) -> list[tuple[str, Mapping[str, Any]]]:
        """The arrays of its resolutions in the store, the highest first, with their entries."""
        entries = self.multiscale["datasets"]
        return [(f"{self.group}/{entry['path']}".strip("/"), entry) for entry in entries]


def images_of(path: Path) -> list[Image]:
    """Return the images that the metadata of a store declare: its own, else those of groups in it, as of plates and series.

    Images of labels are none of them.
    """
    node = node_of(path)
    if not isinstance(node, zarr.Group):
        return []
    found = _declared("", dict(node.attrs))
    if found:
        return found
    groups = [(name, item) for name, item in members_of(path).items() if isinstance(item, zarr.Group)]
    return [image for name, item in groups for image in _declared(name, dict(item.attrs))]


def _declared(name: str, attributes: dict[str, Any]) -> list[Image]:
    inner = attributes.get("ome", {})
    attributes = attributes | inner if isinstance(inner, dict) else attributes
    entries = attributes.get("multiscales", [])
    if "image-label" in attributes or "labels" in name.split("/") or not isinstance(entries, list):
        return []
    for entry in entries:
        levels = entry.get("datasets") if isinstance(entry, dict) else None
        if not isinstance(levels, list) or not levels or not all(isinstance(one, dict) and "path" in one for one in levels):
            raise ValueError("its metadata (multiscales) name no resolutions; they are damaged")
    return [Image(name, entry, attributes) for entry in entries]
