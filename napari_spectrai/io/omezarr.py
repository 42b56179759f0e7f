"""OME-Zarr (NGFF 0.4 to 0.6): the highest resolution of the first image, its bands in the channel dimension."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.array as da
import zarr

from napari_spectrai.cube import Cube, SpectralAxis
from napari_spectrai.io.arrays import from_header, header_of
from napari_spectrai.io.found import RawArray, positions, warn
from napari_spectrai.io.grids import planes
from napari_spectrai.io.ngff import Axis, axes_of, has_positions, lines, spectral
from napari_spectrai.io.titles import from_labels
from napari_spectrai.io.zarr_arrays import arrays_of, attributes_of, lazily, multiscales
from napari_spectrai.remedies import where

_UNITS = {"um": "micrometer", "nm": "nanometer", "mm": "millimeter", "m": "meter"}
_TIMES = {"second": "s", "millisecond": "ms", "minute": "min", "hour": "h"}
_OURS = "napari_spectrai"


def inspect(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the arrays and their shapes."""
    return {name: item.shape for name, item in arrays_of(path).items()}


def read(path: Path, *, dataset: str | None = None) -> RawArray:
    """Open the image lazily."""
    images = multiscales(path)
    if not images:
        raise ValueError("it holds no OME metadata (multiscales); name it .zarr to read its arrays")
    attributes, image, arrays = attributes_of(path), images[0], arrays_of(path)
    if len(images) > 1 and dataset is None:
        names = ", ".join(str(one.get("name") or number) for number, one in enumerate(images))
        warn(path, f"it holds several images ({names}); the first is read. Choose an array of another {where('dataset')}")
    entries = [entry for one in images for entry in one["datasets"]] if dataset else image["datasets"]
    level = next((entry for entry in entries if entry["path"] == dataset), None) if dataset else image["datasets"][0]
    if level is None:
        raise ValueError(f"there is no resolution {dataset!r} in it; it holds {', '.join(entry['path'] for entry in entries)}")
    image = next(one for one in images if level in one["datasets"])
    data = lazily(path, arrays[level["path"]])
    if dataset is None and isinstance(attributes.get(_OURS), dict):
        header = attributes[_OURS]
        # a set of spectra is in the image's last dimension
        return from_header(
            data[:, 0] if header.get("spectra") else data, header, spectral=int(header["spectral"]), dataset=str(level["path"])
        )
    axes = axes_of(image)
    if len(axes) != data.ndim:
        raise ValueError(f"its metadata name {len(axes)} axes of an array with {data.ndim}")
    place, sure = spectral(axes)
    places = lines(image, level, axes, data.shape, arrays)
    axis = _positions(path, attributes, axes[place], places[place])
    size, unit, origin = _pixel(axes, places)
    return RawArray(
        data, spectral=place, sure=sure, axis=axis if axis is not None and len(axis) == data.shape[place] else None,
        pixel_size=size, pixel_unit=unit, name=str(image.get("name", "")), metadata=_planes(axes, places, place) | _origin(origin),
        dataset=str(level["path"]),
    )  # fmt: skip


def _positions(path: Path, attributes: dict[str, Any], axis: Axis, places: Any) -> SpectralAxis | None:
    """Return the positions of the bands: those that transformations give, else those that the channels' names spell out."""
    if has_positions(axis, places):
        return positions(path, places.positions(), axis.unit, quantity=axis.name)
    channels = attributes.get("omero", {}).get("channels", ()) if isinstance(attributes.get("omero"), dict) else ()
    return from_labels([channel.get("label", "") for channel in channels], path)


def _origin(origin: list[float] | None) -> dict[str, Any]:
    return {} if origin is None else {"origin": origin}


def _planes(axes: list[Axis], places: list[Any], spectral: int) -> dict[str, Any]:
    """Return metadata of the depths and times before the plane, where the file gives units of them."""
    rest = [number for number in range(len(axes)) if number != spectral][:-2]
    units = {long: short for short, long in _UNITS.items()} | _TIMES
    if not rest or not all(axes[number].unit in units for number in rest):
        return {}
    names = {"t": "time"}
    return planes((names.get(axes[n].name, axes[n].name), places[n].start, places[n].scale, units[axes[n].unit]) for n in rest)


def _pixel(axes: list[Axis], places: list[Any]) -> tuple[tuple[float, float] | None, str, list[float] | None]:
    """Return pixel size, its unit, and where the first pixel lies, if that is not 0."""
    sides = {axis.name: (axis, line) for axis, line in zip(axes, places, strict=True)}
    if not {"x", "y"} <= set(sides):
        return None, "pixel", None
    unit = next((short for short, long in _UNITS.items() if long == sides["x"][0].unit), None)
    size = (float(sides["y"][1].scale), float(sides["x"][1].scale))
    if unit is None or min(size) <= 0:
        return None, "pixel", None
    origin = [float(sides[side][1].start) for side in "yx"]
    return size, unit, origin if any(origin) else None


def write(cube: Cube, path: Path) -> None:
    """Write NGFF 0.5, one resolution, the bands as channels; axis and name also exactly, in an attribute of ours."""
    dimensions = len(cube.spatial_shape)
    if dimensions > 4:
        raise ValueError(f"OME-Zarr holds up to time, z, y and x in addition to the bands, not {dimensions} dimensions; choose .zarr")
    data = da.moveaxis(da.asarray(cube.data), -1, max(dimensions - 3, 0) if dimensions > 3 else 0)
    spectral = 1 if dimensions > 3 else 0
    if dimensions == 1:
        data = data[:, None]
    names = (["t"] if dimensions > 3 else []) + ["c"] + ["z", "y", "x"][-max(dimensions if dimensions < 4 else 3, 2) :]
    long = _UNITS.get(cube.pixel_unit) if cube.pixel_size else None
    kinds = {"t": "time", "c": "channel"}
    known = cube.metadata.get("planes") or {}
    steps = {n: known[key] for n, key in (("t", "time"), ("z", "z")) if n in names and key in known}
    long_of = {short: name for name, short in _TIMES.items()} | _UNITS
    units = {n: long_of.get(step["unit"], "") for n, step in steps.items()} | ({"y": long, "x": long} if long else {})
    axes = [{"name": n, "type": kinds.get(n, "space"), **({"unit": units[n]} if units.get(n) else {})} for n in names]
    sides = {n: float(step["step"]) for n, step in steps.items()}
    sides |= dict(zip("yx", map(float, cube.pixel_size), strict=True)) if cube.pixel_size else {}
    scale = [sides.get(n, 1.0) for n in names]
    image = {
        "name": cube.name, "axes": axes,
        "datasets": [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": scale}]}],
    }  # fmt: skip
    unit = cube.axis.unit
    channels = [
        {"label": f"{value:g} {unit}".strip(), "color": "FFFFFF", "active": number == 0} for number, value in enumerate(cube.axis.values)
    ]
    ome = {"version": "0.5", "multiscales": [image], "omero": {"channels": channels}}
    ours = header_of(cube) | {"spectral": spectral, "spectra": dimensions == 1}
    group = zarr.create_group(path, attributes={"ome": ome, _OURS: ours})
    chunks = tuple(min(length, 32 if n == "c" else 1 if n in "tz" else 64) for length, n in zip(data.shape, names, strict=True))
    store = group.create_array("0", shape=data.shape, chunks=chunks, dtype=cube.data.dtype, dimension_names=names)
    data.rechunk(chunks).store(store, lock=False)
