"""Zarr stores (formats 2 and 3), read lazily; the axis stands in the array's attributes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import zarr

from napari_spectrai.cube import Cube
from napari_spectrai.io.arrays import from_header, header_of
from napari_spectrai.io.container import choose, find_axis
from napari_spectrai.io.found import OnDisk, RawArray
from napari_spectrai.spec import listed

CHUNK = (64, 64, 32)
"""Chunk of the last three dimensions: near 0.5 MB of float32, for both a plane and a spectrum."""
_SAFE = frozenset({
    "adler32", "astype", "bitround", "blosc", "bytes", "bz2", "crc32", "crc32c", "delta", "fixedscaleoffset", "fletcher32", "gzip",
    "jenkins_lookup3", "lz4", "lzma", "packbits", "pcodec", "quantize", "sharding_indexed", "shuffle", "transpose", "vlen-array",
    "vlen-bytes", "vlen-utf8", "zfpy", "zlib", "zstd",
})  # fmt: skip
SLAB = 2**26
"""Bytes written at a time."""


def arrays_of(path: Path) -> dict[str, zarr.Array[Any]]:
    """Return the arrays of a store."""
    node = zarr.open(path, mode="r")
    if isinstance(node, zarr.Array):
        return {"data": node}
    return {name: item for name, item in node.members(max_depth=None) if isinstance(item, zarr.Array)}


def refuse_unsafe(array: zarr.Array[Any]) -> None:
    """Refuse an array with a codec that is not known to be harmless; one of Zarr 2, ``pickle``, runs whatever code its chunks hold.

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


def lazily(path: Path, array: zarr.Array[Any]) -> da.Array:
    """Return an array of a store as a dask array whose faults name the store."""
    refuse_unsafe(array)
    return OnDisk(path, array.shape, array.dtype, lambda key: array[key]).lazy(array.chunks)


def inspect(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the arrays and their shapes."""
    return {name: item.shape for name, item in arrays_of(path).items()}


def read(path: Path, *, dataset: str | None = None) -> RawArray:
    """Open one array lazily; a store with OME metadata is read as OME-Zarr."""
    from napari_spectrai.io import omezarr

    if dataset is None and omezarr.multiscales(path):
        return omezarr.read(path)
    arrays = arrays_of(path)
    name = choose({n: a.shape for n, a in arrays.items()}, dataset)
    attributes: dict[str, Any] = dict(arrays[name].attrs)
    data = lazily(path, arrays[name])
    if isinstance(attributes.get("spectral_axis"), dict):
        return from_header(data, attributes)
    axis, place = find_axis({key: value for key, value in attributes.items() if isinstance(value, list)}, arrays[name].shape, path=path)
    return from_header(data, attributes, axis, spectral=-1 if place is None else place)


def create(path: Path, cube: Cube, dtype: Any, *, fill: float = 0) -> zarr.Array[Any]:
    """Create an empty store with `cube`'s shape, axis and pixel size, to be filled piece by piece; `fill` stands where nothing is."""
    chunks = tuple(min(c, s) for c, s in zip((1,) * (len(cube.shape) - 3) + CHUNK[-len(cube.shape) :], cube.shape, strict=True))
    return zarr.create_array(path, shape=cube.shape, chunks=chunks, dtype=dtype, fill_value=fill, attributes=header_of(cube))


def writing(cube: Cube, path: Path) -> Iterator[tuple[int, int]]:
    """Write a store slab by slab, so that a lazy cube never stands whole in memory; yield (done, total) after each."""
    store = create(path, cube, cube.data.dtype)
    rows, high = cube.shape[0], store.chunks[0]
    row = cube.data.nbytes // rows
    slab = high * max(1, SLAB // max(1, row * high))
    data = da.asarray(cube.data).rechunk({0: min(slab, rows)}) if not isinstance(cube.data, np.ndarray) else cube.data
    for start in range(0, rows, slab):
        store[start : start + slab] = np.asarray(data[start : start + slab])
        yield min(start + slab, rows), rows


def write(cube: Cube, path: Path) -> None:
    """Write a store, slab by slab."""
    for _ in writing(cube, path):
        pass
