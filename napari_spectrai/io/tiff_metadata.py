"""What ImageJ and Zeiss say of an image in a TIFF: positions, pixel size, and steps of depth and time."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import tifffile

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.io.descriptions import axis_of_image, fields_of, listed_dimension
from napari_spectrai.io.facts import length_of
from napari_spectrai.io.titles import from_labels, has_positions, of_hyperstack


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
