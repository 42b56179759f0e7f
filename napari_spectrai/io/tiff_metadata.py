"""What ImageJ, Zeiss, Gatan and GDAL say of an image in a TIFF: positions, pixel size, and steps of depth and time."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import tifffile

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.io.container import CERTAIN_UNITS
from napari_spectrai.io.descriptions import axis_of_image, fields_of, listed_dimension
from napari_spectrai.io.facts import length_of
from napari_spectrai.io.found import positions, warn
from napari_spectrai.io.titles import from_labels, has_positions, of_hyperstack
from napari_spectrai.remedies import give
from napari_spectrai.units import unit_of

_UNITS, _ORIGINS, _SCALES = (65003, 65004, 65005), (65006, 65007, 65008), (65009, 65010, 65011)
"""Tags of Gatan's Digital Micrograph, which HyperSpy writes, too: of x, y and the third dimension."""
_GDAL_METADATA, _GDAL_NODATA = 42112, 42113
_METRE = 9001
_OF_LIGHT = {"nm": (150.0, 3000.0), "um": (0.15, 3.0)}
"""Positions along a third dimension that are those of bands where they have a unit of length, and not depths."""


def named_dimension(file: tifffile.TiffFile, series: tifffile.TiffPageSeries, axes: str) -> int | None:
    """Return the dimension whose positions ImageJ's labels give, or a list in the description of the image."""
    said = (file.imagej_metadata or {}) if file.is_imagej else {}
    labels = list(said.get("Labels") or [])
    depth = axes.find("Z")
    if axes.startswith("TZ") and len(labels) == math.prod(series.shape[:2]) and has_positions(labels, series.shape[depth]):
        return depth
    return listed_dimension(said | fields_of(str(said.get("Info") or "")) | fields_of(series.keyframe.description), series.shape)


def axis_and_size(
    path: Path, file: tifffile.TiffFile, series: tifffile.TiffPageSeries, shape: tuple[int, ...], place: int
) -> tuple[SpectralAxis | None, tuple[float, float] | None, str]:
    """Return axis and pixel size from Zeiss's or ImageJ's metadata."""
    bands = shape[place]
    if file.is_lsm and (said := file.lsm_metadata):
        windows = np.atleast_2d(np.asarray(said.get("ChannelWavelength", ()), float))
        axis = SpectralAxis(windows.mean(1) * 1e9, "nm") if windows.shape == (bands, 2) and (windows > 0).all() else None
        size = (float(said["VoxelSizeY"]) * 1e6, float(said["VoxelSizeX"]) * 1e6)
        return axis, size if min(size) > 0 else None, "um" if min(size) > 0 else "pixel"
    if file.is_imagej and (said := file.imagej_metadata):
        labels = list(said.get("Labels") or [])
        axis = from_labels(labels, path) if len(labels) == bands else of_hyperstack(labels, bands, path) if len(labels) > bands else None
        axis = axis or axis_of_image(said | fields_of(str(said.get("Info") or "")), bands, path)
        tags = series.keyframe.tags
        unit, factor = length_of(str(said.get("unit", "")))
        if unit and "XResolution" in tags and "YResolution" in tags:
            y, x = (tags[name].value for name in ("YResolution", "XResolution"))
            if min(*y, *x) > 0:
                return axis, (factor * y[1] / y[0], factor * x[1] / x[0]), unit
        return axis, None, "pixel"
    return None, None, "pixel"


def steps_of(file: tifffile.TiffFile) -> dict[str, tuple[float, str]]:
    """Return the steps in depth and time that Zeiss's or ImageJ's metadata give, with their units."""
    if file.is_lsm and (said := file.lsm_metadata):
        return {"Z": (float(said.get("VoxelSizeZ") or 0) * 1e6, "um"), "T": (float(said.get("TimeIntervall") or 0), "s")}
    if file.is_imagej and (said := file.imagej_metadata):
        unit, factor = length_of(str(said.get("unit", "")))
        return {"Z": (float(said.get("spacing") or 0) * factor if unit else 0.0, unit), "T": (float(said.get("finterval") or 0), "s")}
    return {}


def of_gatan(path: Path, series: tifffile.TiffPageSeries, place: int) -> tuple[SpectralAxis | None, tuple[float, float] | None, str]:
    """Return the axis of a stack of images along the bands, and its pixel size, from the tags of Digital Micrograph."""
    tags = {tag.code: tag.value for tag in series.keyframe.tags if _UNITS[0] <= tag.code <= _SCALES[-1]}
    units, origins, scales = ([tags.get(code) for code in codes] for codes in (_UNITS, _ORIGINS, _SCALES))
    given = [isinstance(scale, float) and math.isfinite(scale) and scale > 0 for scale in scales]
    words = [str(unit or "").strip("\0 ") for unit in units]
    lengths = [length_of(word) for word in words[:2]]
    unit, factor = lengths[0]
    sized = all(given[:2]) and bool(unit) and lengths[0] == lengths[1]
    size = (float(scales[1]) * factor, float(scales[0]) * factor) if sized else None  # type: ignore[arg-type]
    known, origin = unit_of(words[2]), origins[2]
    if known is None or not given[2] or not isinstance(origin, float) or len(series.shape) != 3 or place != 0:
        return None, size, unit if sized else "pixel"
    values = origin + float(scales[2]) * np.arange(series.shape[0])  # type: ignore[arg-type]
    low, high = _OF_LIGHT.get(known.name, (-math.inf, math.inf))
    if known.name not in CERTAIN_UNITS and not low <= values.min() * known.factor <= values.max() * known.factor <= high:
        return None, size, unit if sized else "pixel"
    if origin and str(series.keyframe.software) != "hyperspy":
        warn(
            path,
            f"its tags give {origin:g} as the origin of its bands, which is taken for the position of the first; otherwise {give('axis')}",
        )
    return positions(path, values, words[2]), size, unit if sized else "pixel"


def missing_value(series: tifffile.TiffPageSeries) -> float | None:
    """Return the value that means "not measured" in a GeoTIFF (GDAL's tag), if it names one."""
    tag = series.keyframe.tags.get(_GDAL_NODATA)
    try:
        return None if tag is None else float(str(tag.value).strip("\x00 "))
    except ValueError:  # no number, so no value of the image
        return None


def gdal_of(series: tifffile.TiffPageSeries) -> str:
    """Return the metadata of GDAL in a TIFF, or ``""``."""
    tag = series.keyframe.tags.get(_GDAL_METADATA)
    return str(tag.value).strip("\x00 \n") if tag is not None else ""


def size_on_ground(series: tifffile.TiffPageSeries) -> tuple[tuple[float, float] | None, str]:
    """Return the pixel size of a GeoTIFF in a projection in metres."""
    said = series.keyframe.geotiff_tags or {}
    scale: list[float] = np.ravel(said.get("ModelPixelScale") or ()).tolist()
    projected = said.get("GTModelTypeGeoKey") == 1 and said.get("ProjLinearUnitsGeoKey", _METRE) == _METRE
    if not projected or len(scale) < 2 or not min(scale[:2]) > 0:
        return None, "pixel"
    return (float(scale[1]), float(scale[0])), "m"
