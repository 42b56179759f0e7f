"""imzML, mass-spectrometry images, through pyimzML (in the ``formats`` extra): planes, regions, and pixels that keep their own masses."""

from __future__ import annotations

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
        masses, spectra = _spectra(path, parser)
        size, unit = _pixel(parser)
    low = places.min(0)
    shape = tuple(int(length) for length in places.max(0) - low + 1)
    axis = positions(path, masses, "m/z")
    origin = [float(start - 1) * (side if size else 1.0) for start, side in zip(low[1:], size or (1.0, 1.0), strict=True)]
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
    return need("pyimzml.ImzMLParser", "imzML").ImzMLParser(str(path))


def _spectra(path: Path, parser: Any) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float32]]:
    """Return masses and the intensities of every pixel at them."""
    count = len(parser.coordinates)
    lengths = np.array(parser.mzLengths, np.int64)
    first = np.asarray(parser.getspectrum(0)[0], np.float64)
    affordable((count, max(int(lengths.max()), len(first))), np.float32)
    if len(set(parser.mzOffsets)) == 1 and len(set(parser.mzLengths)) == 1:
        return first, np.array([parser.getspectrum(number)[1] for number in range(count)], np.float32)
    pairs = [parser.getspectrum(number) for number in range(count)]
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
    """Return the pixel size in µm, if the file gives it."""
    said: dict[str, Any] = getattr(parser, "imzmldict", {}) or {}
    wide = said.get("pixel size x", 0)
    try:
        size = (float(said.get("pixel size y", wide)), float(wide))
    except (TypeError, ValueError):
        return None, "pixel"
    return (size, "um") if min(size) > 0 else (None, "pixel")
