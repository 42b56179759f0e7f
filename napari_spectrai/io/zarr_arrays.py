"""The arrays and the metadata of a Zarr store, as both of its formats read them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import dask.array as da
import zarr

from napari_spectrai.io import zarr_loop  # noqa: F401  # it cancels at exit what is pending
from napari_spectrai.io.found import OnDisk
from napari_spectrai.spec import listed

_SAFE = frozenset({
    "adler32", "astype", "bitround", "blosc", "bytes", "bz2", "crc32", "crc32c", "delta", "fixedscaleoffset", "fletcher32", "gzip",
    "jenkins_lookup3", "lz4", "lzma", "packbits", "pcodec", "quantize", "sharding_indexed", "shuffle", "transpose", "vlen-array",
    "vlen-bytes", "vlen-utf8", "zfpy", "zlib", "zstd",
})  # fmt: skip


def arrays_of(path: Path) -> dict[str, zarr.Array[Any]]:
    """Return the arrays of a store."""
    node = zarr.open(path, mode="r")
    if isinstance(node, zarr.Array):
        return {"data": node}
    return {name: item for name, item in node.members(max_depth=None) if isinstance(item, zarr.Array)}


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


def lazily(path: Path, array: zarr.Array[Any]) -> da.Array:
    """Return an array of a store as a dask array whose errors name the store."""
    refuse_unsafe(array)
    metadata = path / array.path / ("zarr.json" if array.metadata.zarr_format == 3 else ".zarray")
    return OnDisk(path, array.shape, array.dtype, partial(_part, array, metadata)).lazy(array.chunks)


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
