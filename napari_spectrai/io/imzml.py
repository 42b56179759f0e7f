"""imzML, mass-spectrometry images, through pyimzML (in the ``formats`` extra): planes, regions, and pixels that keep their own masses."""

from __future__ import annotations

import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.io.container import choose
from napari_spectrai.io.found import RawArray, affordable, positions, warn
from napari_spectrai.io.optional import need

TOLERANCE = 10e-6
"""Masses with a smaller relative difference are one, on the common axis of a processed image: 10 ppm."""
MOST_BINS = 20_000
_LEAST_FILLED = 0.1
_PIECE = 2**16
_ZLIB = "MS:1000574"
_OTHER_COMPRESSION = {"MS:1002312": "MS-Numpress", "MS:1002313": "MS-Numpress", "MS:1002314": "MS-Numpress"}
_LENGTHS = {"UO:0000017": 1.0, "UO:0000018": 1e-3, "UO:0000016": 1e3, "UO:0000015": 1e4, "UO:0000008": 1e6}
"""Units of length in µm: µm, nm, mm, cm, m."""


def inspect(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the number of spectra and of masses of the first, without reading the others."""
    with _parser(path) as parser:
        return {"data": (len(parser.coordinates), int(parser.mzLengths[0]))}


def read(path: Path, *, dataset: str | None = None) -> RawArray:
    """Read an image, or a volume where pixels have more than one z; pixels that were not measured are NaN.

    A processed file, whose pixels keep masses of their own, is binned to a common axis, with a warning.
    """
    choose({"data": (1, 2)}, dataset)
    with _parser(path) as parser:
        places = np.array(parser.coordinates, np.int64)[:, ::-1]  # z, y, x
        if not len(places):
            raise ValueError("it holds no pixels")
        _checked(path, parser)
        masses, spectra = _spectra(path, parser)
        size, unit = _pixel(parser)
    low = places.min(0)
    shape = tuple(int(length) for length in places.max(0) - low + 1)
    axis = positions(path, masses, "m/z")
    # coordinates count from 1, but some programs begin at 0
    first = np.minimum(low, 1)
    origin = [float(start) * (side if size else 1.0) for start, side in zip((low - first)[1:], size or (1.0, 1.0), strict=True)]
    count = int(np.prod([float(length) for length in shape]))
    flat = np.ravel_multi_index(tuple((places - low).T), shape) if count < 2**62 else np.zeros(len(places), np.int64)
    if count * _LEAST_FILLED > len(places) or np.unique(flat).size != len(places):
        warn(
            path,
            f"its {len(places)} pixels fill little of {' × '.join(map(str, shape))} places or coincide; they are read as a set of spectra",
        )
        stage = {f"stage_{name}": places[:, column].tolist() for column, name in enumerate("zyx")}
        return RawArray(spectra, axis=axis, metadata=stage)
    affordable((count, len(masses)), np.float32)
    image = np.full((count, len(masses)), np.nan, np.float32)
    image[flat] = spectra
    image = image.reshape(*shape, len(masses))
    metadata = {"origin": origin} if any(origin) else {}
    return RawArray(image if shape[0] > 1 else image[0], axis=axis, pixel_size=size, pixel_unit=unit, metadata=metadata)


def _parser(path: Path) -> Any:
    library = need("pyimzml.ImzMLParser", "imzML")
    values = next((other for other in path.parent.iterdir() if other.suffix.lower() == ".ibd" and other.stem == path.stem), None)
    if values is None:
        raise FileNotFoundError(f"{path.stem}.ibd with its values is missing next to it")
    with warnings.catch_warnings():  # of names that differ from those of the ontology, which other programs write
        warnings.simplefilter("ignore")
        return library.ImzMLParser(str(path))


def _checked(path: Path, parser: Any) -> None:
    """Warn if the values are those of another file: both start with the same identifier."""
    said = str(parser.metadata.file_description.param_by_accession.get("IMS:1000080") or "").strip("{}").replace("-", "").casefold()
    parser.m.seek(0)
    found = parser.m.read(16).hex()
    if len(said) == 32 and said != found:
        warn(path, f"its .ibd has the identifier {found} instead of {said}; its values may be those of another file")


def _compressed(parser: Any) -> tuple[bool, bool]:
    """Whether masses and intensities are compressed by zlib, which pyimzml does not undo.

    Raises
    ------
    ValueError
        If they are compressed in another way.
    """
    found = []
    for group in (parser.mzGroupId, parser.intGroupId):
        params = parser.metadata.referenceable_param_groups[group].param_by_accession
        other = sorted(name for name in params if name in _OTHER_COMPRESSION)
        if other:
            raise ValueError(
                f"its values are compressed as {_OTHER_COMPRESSION[other[0]]}, which is not read; convert it without compression"
            )
        found.append(_ZLIB in params)
    return found[0], found[1]


def _spectrum(parser: Any, number: int, compressed: tuple[bool, bool]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return masses and intensities of a pixel."""
    both = (
        (parser.mzOffsets, parser.mzLengths, parser.mzPrecision),
        (parser.intensityOffsets, parser.intensityLengths, parser.intensityPrecision),
    )
    parts = []
    for (offsets, lengths, precision), packed in zip(both, compressed, strict=True):
        dtype = np.dtype(precision).newbyteorder("<")
        parser.m.seek(offsets[number])
        needed = lengths[number] * dtype.itemsize
        content = _inflated(parser.m, needed) if packed else parser.m.read(needed)
        if len(content) != needed:
            raise ValueError(f"pixel {number + 1} has {len(content):,} of {needed:,} bytes; its .ibd is truncated or damaged")
        parts.append(np.frombuffer(content, dtype))
    return parts[0], parts[1]


def _inflated(file: Any, needed: int) -> bytes:
    """Return what a compressed stream at the file's position contains, at most `needed` bytes and one more."""
    stream, content = zlib.decompressobj(), b""
    while len(content) <= needed and not stream.eof and (piece := file.read(_PIECE)):
        content += stream.decompress(piece, needed + 1 - len(content))
    return content


def _spectra(path: Path, parser: Any) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float32]]:
    """Return masses and the intensities of every pixel at them."""
    count = len(parser.coordinates)
    packed = _compressed(parser)
    lengths = np.array(parser.mzLengths, np.int64)
    first = np.asarray(_spectrum(parser, 0, packed)[0], np.float64)
    affordable((count, max(int(lengths.max()), len(first))), np.float32)
    if len(set(parser.mzOffsets)) == 1 and len(set(parser.mzLengths)) == 1:
        return first, np.array([_spectrum(parser, number, packed)[1] for number in range(count)], np.float32)
    pairs = [_spectrum(parser, number, packed) for number in range(count)]
    if all(np.array_equal(masses, first) for masses, _ in pairs):
        return first, np.array([values for _, values in pairs], np.float32)
    if any(len(masses) != len(values) for masses, values in pairs):
        raise ValueError("a pixel has other numbers of masses and intensities; it is damaged")
    everything = np.concatenate([np.asarray(masses, np.float64) for masses, _ in pairs])
    values = np.concatenate([np.asarray(found, np.float64) for _, found in pairs])
    if not everything.size or not np.isfinite(everything).all() or (everything <= 0).any():
        raise ValueError("its masses are not positive numbers throughout; it is damaged")
    pixel = np.repeat(np.arange(count), [len(masses) for masses, _ in pairs])
    bins, axis, words = common_axis(everything)
    affordable((count, len(axis)), np.float64)
    summed = np.bincount(pixel * len(axis) + bins, weights=values, minlength=count * len(axis)).reshape(count, len(axis))
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


def _pixel(parser: Any) -> tuple[tuple[float, float] | None, str]:
    """Return the pixel size in µm, if the file gives it; a side that is not given is as long as the other."""
    found: dict[str, float] = {}
    for settings in parser.metadata.scan_settings.values():
        for _, accession, value, _, _, _, unit in settings.cv_params:
            side = {"IMS:1000046": "x", "IMS:1000047": "y"}.get(accession)
            if side is None:
                continue
            try:
                found[side] = float(value) * _LENGTHS.get(unit or "UO:0000017", 0.0)
            except (TypeError, ValueError):
                return None, "pixel"
    size = (found.get("y", found.get("x", 0.0)), found.get("x", found.get("y", 0.0)))
    return (size, "um") if min(size) > 0 and np.isfinite(size).all() else (None, "pixel")
