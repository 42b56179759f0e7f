"""imzML, mass-spectrometry images: planes, regions, and pixels that keep their own masses."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.io.container import choose
from napari_spectrai.io.found import RawArray, affordable, positions, warn
from napari_spectrai.io.imzml_index import Index, Stored, read_index
from napari_spectrai.parsing import refuse_special

TOLERANCE = 10e-6
"""Masses with a smaller relative difference are one, on the common axis of a processed image: 10 ppm."""
MOST_BINS = 20_000
_LEAST_FILLED = 0.1
_PIECE = 2**16
_LENGTHS = {"UO:0000017": 1.0, "UO:0000018": 1e-3, "UO:0000016": 1e3, "UO:0000015": 1e4, "UO:0000008": 1e6}
"""Units of length in µm: µm, nm, mm, cm, m."""


@dataclass(frozen=True, slots=True)
class _Values:
    """The ``.ibd`` next to the XML."""

    file: IO[bytes]
    size: int


def inspect(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the number of spectra and of masses of the first, without reading the others."""
    with _opened(path) as (index, _):
        return {"data": (len(index.places), index.masses.lengths[0])}


def read(path: Path, *, dataset: str | None = None) -> RawArray:
    """Read an image, or a volume where pixels have more than one z; pixels that were not measured are NaN.

    A processed file, whose pixels keep masses of their own, is binned to a common axis, with a warning.
    """
    choose({"data": (1, 2)}, dataset)
    with _opened(path) as (index, values):
        places = np.array(index.places, np.int64)
        _checked(path, index, values)
        masses, spectra = _spectra(path, index, values)
    size, unit = _pixel(index)
    low = places.min(0)
    shape = tuple(int(length) for length in places.max(0) - low + 1)
    axis = positions(path, masses, "m/z")
    # coordinates count from 1, but some programs begin at 0
    first = np.minimum(low, 1)
    origin = [float(start) * (side if size else 1.0) for start, side in zip((low - first)[1:], size or (1.0, 1.0), strict=True)]
    count = int(np.prod([float(length) for length in shape]))
    flat = np.ravel_multi_index(tuple((places - low).T), shape) if count < 2**62 else np.zeros(len(places), np.int64)
    sparse = count * _LEAST_FILLED > len(places)
    if sparse or np.unique(flat).size != len(places):
        why = f"fill little of {' × '.join(map(str, shape))} places" if sparse else "lie partly at the same places"
        warn(path, f"its {len(places)} spectra {why}; they are read as a set, with their places in metadata['stage_x'] and 'stage_y'")
        stage = {f"stage_{name}": places[:, column].tolist() for column, name in enumerate("zyx")}
        return RawArray(spectra, axis=axis, metadata=stage)
    affordable((count, len(masses)), np.float32)
    image = np.full((count, len(masses)), np.nan, np.float32)
    image[flat] = spectra
    image = image.reshape(*shape, len(masses))
    metadata = {"origin": origin} if any(origin) else {}
    return RawArray(image if shape[0] > 1 else image[0], axis=axis, pixel_size=size, pixel_unit=unit, metadata=metadata)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Index, _Values]]:
    """Read the XML and open the values next to it."""
    values = next((other for other in path.parent.iterdir() if other.suffix.lower() == ".ibd" and other.stem == path.stem), None)
    if values is None:
        raise FileNotFoundError(f"{path.stem}.ibd with its values is missing next to it")
    refuse_special(values)
    index = read_index(path)
    with values.open("rb") as file:
        yield index, _Values(file, values.stat().st_size)


def _checked(path: Path, index: Index, values: _Values) -> None:
    """Warn if the values are those of another file: both start with the same identifier."""
    values.file.seek(0)
    found = values.file.read(16).hex()
    if len(index.identifier) == 32 and index.identifier != found:
        warn(path, f"its .ibd has the identifier {found} instead of {index.identifier}; its values may be those of another file")


def _array(stored: Stored, number: int, values: _Values) -> npt.NDArray[Any]:
    """Return masses or intensities of a pixel."""
    dtype, offset = np.dtype(stored.dtype), stored.offsets[number]
    needed = stored.lengths[number] * dtype.itemsize
    there = max(0, values.size - offset) if offset >= 0 else 0
    content = b""
    if there and (stored.packed or needed <= there):
        values.file.seek(offset)
        content = _inflated(values.file, needed) if stored.packed else values.file.read(needed)
    if len(content) != needed:
        said = len(content) if stored.packed else there
        raise ValueError(f"pixel {number + 1} has {said:,} of {needed:,} bytes; its .ibd is truncated or damaged")
    return np.frombuffer(content, dtype)


def _inflated(file: IO[bytes], needed: int) -> bytes:
    """Return what a compressed stream at the file's position contains, at most `needed` bytes and one more."""
    stream, content = zlib.decompressobj(), b""
    while len(content) <= needed and not stream.eof and (piece := file.read(_PIECE)):
        content += stream.decompress(piece, needed + 1 - len(content))
    return content


def _spectra(path: Path, index: Index, values: _Values) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float32]]:
    """Return masses and the intensities of every pixel at them."""
    masses, intensities, count = index.masses, index.intensities, len(index.places)
    first = np.asarray(_array(masses, 0, values), np.float64)
    affordable((count, max(intensities.lengths)), np.float32)
    shared = len(set(masses.offsets)) == 1 and len(set(masses.lengths)) == 1
    if masses.lengths != intensities.lengths:
        raise ValueError("a pixel has other numbers of masses and intensities; it is damaged")
    found = [np.asarray(_array(intensities, number, values)) for number in range(count)]
    if shared:
        return first, np.array(found, np.float32)
    own = [first, *(np.asarray(_array(masses, number, values), np.float64) for number in range(1, count))]
    if all(np.array_equal(one, first) for one in own):
        return first, np.array(found, np.float32)
    if not any(len(one) for one in own):
        raise ValueError("its pixels hold no masses")
    everything, heights = np.concatenate(own), np.concatenate([np.asarray(one, np.float64) for one in found])
    if not np.isfinite(everything).all() or (everything <= 0).any():
        raise ValueError("its masses are not positive numbers throughout; it is damaged")
    pixel = np.repeat(np.arange(count), [len(one) for one in own])
    bins, axis, words = common_axis(everything)
    affordable((count, len(axis)), np.float64)
    summed = np.bincount(pixel * len(axis) + bins, weights=heights, minlength=count * len(axis)).reshape(count, len(axis))
    warn(path, f"its pixels hold masses of their own (a processed imzML); they are binned to a common axis of {len(axis)} masses, {words}")
    return axis, summed.astype(np.float32)


def common_axis(masses: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64], str]:
    """Return the bin of each mass, the masses of the bins, and a description of the binning.

    Masses that lie within `TOLERANCE` of each other are one. Where that leaves more than `MOST_BINS`, or profiles run into each other,
    bins have equal relative widths.
    """
    order = np.argsort(masses, kind="stable")
    ordered = masses[order]
    group = np.concatenate([[0], np.cumsum(np.diff(ordered) > TOLERANCE * ordered[:-1])])
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    ends = np.concatenate([starts[1:], [len(ordered)]]) - 1
    bins = np.empty(len(masses), np.intp)
    if len(starts) <= MOST_BINS and (ordered[ends] - ordered[starts] <= 10 * TOLERANCE * ordered[starts]).all():
        bins[order] = group
        return bins, np.add.reduceat(ordered, starts) / (ends - starts + 1), f"where those within {TOLERANCE * 1e6:g} ppm are one"
    width = max(np.log1p(TOLERANCE), np.log(ordered[-1] / ordered[0]) / MOST_BINS)
    bins[:] = np.floor(np.log(masses / ordered[0]) / width).astype(np.intp)
    count = int(bins.max()) + 1
    return bins, ordered[0] * np.exp((np.arange(count) + 0.5) * width), f"each {np.expm1(width) * 1e6:.3g} ppm wide"


def _pixel(index: Index) -> tuple[tuple[float, float] | None, str]:
    """Return the pixel size in µm, if the file gives it; a side that is not given is as long as the other."""
    found: dict[str, float] = {}
    for side, accession in (("x", "IMS:1000046"), ("y", "IMS:1000047")):
        if accession not in index.settings:
            continue
        value, unit = index.settings[accession]
        try:
            found[side] = float(value) * _LENGTHS.get(unit or "UO:0000017", 0.0)
        except ValueError:
            return None, "pixel"
    size = (found.get("y", found.get("x", 0.0)), found.get("x", found.get("y", 0.0)))
    return (size, "um") if min(size) > 0 and np.isfinite(size).all() else (None, "pixel")
