"""OME-Zarr (NGFF 0.4 to 0.6): the highest resolution of the first image, its bands in the channel dimension."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dask.array as da
import zarr

from napari_spectrai.cube import Cube, SpectralAxis
from napari_spectrai.io.arrays import from_header, header_of
from napari_spectrai.io.coordinates import upright
from napari_spectrai.io.facts import length_unit
from napari_spectrai.io.found import RawArray, SeveralArraysError, positions, warn
from napari_spectrai.io.grids import planes
from napari_spectrai.io.ngff import Axis, Line, axes_of, has_positions, lines, spectral
from napari_spectrai.io.titles import of_channels
from napari_spectrai.io.zarr import CHECKED
from napari_spectrai.io.zarr_arrays import Image, arrays_of, images_of, lazily, say_unwritten
from napari_spectrai.remedies import give, where
from napari_spectrai.spec import listed

_UNITS = {"um": "micrometer", "nm": "nanometer", "mm": "millimeter", "m": "meter"}
_TIMES = {"second": "s", "millisecond": "ms", "minute": "min", "hour": "h"}
_OURS = "napari_spectrai"
_SHOWN = 8


def inspect(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the arrays and their shapes."""
    return {name: item.shape for name, item in arrays_of(path).items()}


def read(path: Path, *, dataset: str | None = None) -> RawArray:
    """Open the image lazily."""
    image, name, level = _chosen(path, images_of(path), dataset)
    arrays = arrays_of(path)
    if name not in arrays:
        raise ValueError(f"its metadata name the array {name!r}, which is not in it; it holds {', '.join(sorted(arrays)[:20]) or 'none'}")
    data = lazily(path, arrays[name])
    header = image.attributes.get(_OURS)
    if dataset is None and isinstance(header, dict):
        # a set of spectra is in the image's last dimension
        return from_header(data[:, 0] if header.get("spectra") else data, header, spectral=int(header["spectral"]), dataset=name)
    say_unwritten(path, arrays[name])
    axes = axes_of(image.multiscale, data.ndim)
    if len(axes) != data.ndim:
        raise ValueError(f"its metadata name {len(axes)} axes of an array with {data.ndim}")
    place, sure = spectral(axes)
    inside = {key.removeprefix(f"{image.group}/"): item for key, item in arrays.items()}
    places = lines(image.multiscale, level, axes, data.shape, inside)
    order = [line.dimension for line in places]
    data = data if order == sorted(order) else data.transpose(order)
    axis = _positions(path, image.attributes, axes[place], places[place])
    rest = [number for number in range(len(axes)) if number != place]
    size, unit, origin = _pixel([(axes[number], places[number]) for number in rest[-2:]])
    _say_lost(path, places[place] if axes[place].is_spectral else None, [places[number] for number in rest[-2:]])
    if size is None and len(rest) > 1 and not any(axes[number].unit or places[number].lost for number in rest[-2:]):
        sides = [places[number].scale for number in rest[-2:]]
        if sides != [1.0, 1.0]:
            warn(path, f"its pixels measure {sides[0]:g} × {sides[1]:g} in a unit that it does not give; their size is left out")
    found = RawArray(
        data, spectral=place, sure=sure, axis=axis, pixel_size=size, pixel_unit=unit, name=str(image.multiscale.get("name") or ""),
        metadata=_planes(axes, places, place) | _origin(origin), dataset=name,
    )  # fmt: skip
    return upright(found, [one.name for one in axes])


def _chosen(path: Path, images: list[Image], dataset: str | None) -> tuple[Image, str, Mapping[str, Any]]:
    """Return the requested image, else the only or the first one, with the name and the entry of the resolution that is read."""
    if not images:
        raise ValueError("it holds no OME metadata (multiscales)")
    if dataset is not None:
        for image in images:
            for name, level in image.levels:
                if dataset in (name, image.group or name):
                    return image, name, level
        known = [name for image in images for name, _ in image.levels]
        raise ValueError(f"there is no resolution {dataset!r} in it; {listed(known, dataset)}")
    if len(images) > 1:
        first = [image.levels[0][0] for image in images]
        names = ", ".join(first[:_SHOWN]) + (f" and {len(first) - _SHOWN} more" if len(first) > _SHOWN else "")
        if len({image.group for image in images}) > 1:
            raise SeveralArraysError(f"it holds {len(images)} images ({names}); choose one {where('dataset')}")
        names = ", ".join(str(image.multiscale.get("name") or number) for number, image in enumerate(images))
        warn(path, f"it holds several images ({names}); the first is read. Choose an array of another {where('dataset')}")
    return images[0], *images[0].levels[0]


def is_image(path: Path, dataset: str | None) -> bool:
    """Whether a store declares images, the requested array among them."""
    found = images_of(path)
    return bool(found) and (dataset is None or any(dataset in (name, image.group or name) for image in found for name, _ in image.levels))


def _positions(path: Path, attributes: Mapping[str, Any], axis: Axis, places: Line) -> SpectralAxis | None:
    """Return the positions of the bands: those that transformations give, else those that the metadata of channels hold."""
    if has_positions(axis, places):
        return positions(path, places.positions(), axis.unit, quantity=axis.name)
    omero = attributes.get("omero")
    channels = omero.get("channels") if isinstance(omero, dict) else None
    if not isinstance(channels, list) or not all(isinstance(channel, dict) for channel in channels):
        return None
    return of_channels({"channels": channels}, places.length, path)


def _say_lost(path: Path, bands: Line | None, sides: list[Line]) -> None:
    """Warn of positions that follow from a transformation that is not read."""
    reason = next((line.lost for line in sides if line.lost), "")
    if bands is not None and bands.lost:
        also = " and its pixel size is left out" if reason else ""
        warn(path, f"its positions follow from a transformation: {bands.lost}; its bands are numbered{also}; {give('axis')}")
    elif reason:
        warn(path, f"its pixel size follows from a transformation: {reason}; it is left out")


def _origin(origin: list[float] | None) -> dict[str, Any]:
    return {} if origin is None else {"origin": origin}


def _planes(axes: list[Axis], places: list[Any], spectral: int) -> dict[str, Any]:
    """Return metadata of the last depths and times before the plane of which the file gives the units."""
    units = {long: short for short, long in _UNITS.items()} | _TIMES
    rest: list[int] = []
    for number in [number for number in range(len(axes)) if number != spectral][-3::-1]:
        if axes[number].unit not in units:
            break
        rest.insert(0, number)
    names = {"t": "time"}
    return planes((names.get(axes[n].name, axes[n].name), places[n].start, places[n].scale, units[axes[n].unit]) for n in rest)


def _pixel(sides: list[tuple[Axis, Line]]) -> tuple[tuple[float, float] | None, str, list[float] | None]:
    """Return pixel size, its unit, and where the first pixel lies, if that is not 0, from the two dimensions of the plane."""
    units = {length_unit(f"({axis.unit})") for axis, _ in sides}
    if len(sides) < 2 or len(units) > 1 or not units <= set(_UNITS):
        return None, "pixel", None
    size = (float(sides[0][1].scale), float(sides[1][1].scale))
    if any(line.lost for _, line in sides) or not 0 < min(size) <= max(size) < math.inf:
        return None, "pixel", None
    origin = [float(line.start) for _, line in sides]
    return size, units.pop(), origin if any(origin) else None


def write(cube: Cube, path: Path) -> None:
    """Write NGFF 0.5, one resolution, the bands as channels; axis and name also exactly, in an attribute of ours."""
    dimensions = len(cube.spatial_shape)
    if dimensions > 4:
        raise ValueError(f"OME-Zarr holds up to time, z, y and x in addition to the bands, not {dimensions} dimensions; choose .zarr")
    known = cube.metadata.get("planes") or {}
    timed = dimensions > 3 or (dimensions == 3 and list(known) == ["time"])
    spectral = int(timed)
    data = da.moveaxis(da.asarray(cube.data), -1, spectral)
    if dimensions == 1:
        data = data[:, None]
    names = (["t"] if timed else []) + ["c"] + ["z", "y", "x"][-max(dimensions - timed, 2) :]
    long = _UNITS.get(cube.pixel_unit) if cube.pixel_size else None
    kinds = {"t": "time", "c": "channel"}
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
    store = group.create_array("0", shape=data.shape, chunks=chunks, dtype=cube.data.dtype, dimension_names=names, compressors=CHECKED)
    data.rechunk(chunks).store(store, lock=False)
