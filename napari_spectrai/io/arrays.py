"""NumPy files: ``.npy`` (memory-mapped) and ``.npz``, with the axis next to the array. Pickled objects are never loaded."""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from napari_spectrai.cube import Cube, SpectralAxis
from napari_spectrai.cube_metadata import OF_SPECTRA
from napari_spectrai.io.axis_lists import find_axis, say_unfitting
from napari_spectrai.io.container import choose, kind_of, numbers_in, plainly_last, spells_axis
from napari_spectrai.io.even_positions import even_positions
from napari_spectrai.io.found import RawArray, affordable, plausible, warn
from napari_spectrai.io.ordered_lines import of_ordered_line
from napari_spectrai.io.unfolded import COUNTS, folded, sides_of, with_places
from napari_spectrai.parsing import read_document

KEPT = ("laser_nm", "origin", "placement", "bad_bands", "prediction", "prepared", "planes", "map_layer", *OF_SPECTRA)
"""Metadata that are kept in all formats written here; ENVI holds the first four and the names of a set of spectra."""


def header_of(cube: Cube) -> dict[str, Any]:
    """Return what an array alone does not contain, as plain data."""
    return {
        "spectral_axis": cube.axis.to_json(),
        "pixel_size": list(cube.pixel_size) if cube.pixel_size else None,
        "pixel_unit": cube.pixel_unit,
        "name": cube.name,
        "metadata": {key: cube.metadata[key] for key in KEPT if key in cube.metadata and is_plain(cube.metadata[key])},
    }


def is_plain(value: Any) -> bool:
    """Whether a value can be written as JSON; the metadata of a layer may hold any object."""
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True


def from_header(data: Any, header: dict[str, Any], axis: SpectralAxis | None = None, **more: Any) -> RawArray:
    """Return the array with the header that `header_of` made."""
    size = header.get("pixel_size")
    if "spectral_axis" in header:
        axis = SpectralAxis.from_json(header["spectral_axis"])
    return RawArray(
        data,
        axis=axis,
        pixel_size=(float(size[0]), float(size[1])) if size else None,
        pixel_unit=str(header.get("pixel_unit", "pixel")),
        name=str(header.get("name") or ""),
        metadata=dict(header.get("metadata") or {}),
        **more,
    )


def _shape(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Return shape and type from the header of a ``.npy``."""
    version = npy.read_magic(file)
    shape, _, dtype = npy.read_array_header_1_0(file) if version == (1, 0) else npy.read_array_header_2_0(file)
    plausible(shape, dtype)
    return shape, dtype


def members_of(path: Path) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
    """Return shape and type of the arrays of a ``.npz``, from their headers alone."""
    with zipfile.ZipFile(path) as archive:
        found: dict[str, tuple[tuple[int, ...], np.dtype[Any]]] = {}
        for item in archive.infolist():
            if item.filename.endswith(".npy"):
                name = item.filename.removesuffix(".npy")
                with archive.open(item) as file:
                    shape, dtype = _shape(file)
                found |= fields_of(f"{name}/", shape, dtype) if dtype.names else {name: (shape, dtype)}
        return found


def fields_of(prefix: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
    """Return shape and type of each field of a structured array."""
    inner = {field: dtype[field] for field in dtype.names or ()}
    return {f"{prefix}{field}": ((*shape, *kind.shape), kind.base) for field, kind in inner.items()}


def _of_fields(path: Path, fields: Mapping[str, Any], name: str) -> RawArray:
    """Return one field of a structured array, with the positions that another holds."""
    lists = {field: values for field, values in fields.items() if field != name and values.dtype.kind in "fiu" and values.ndim == 1}
    axis, place = find_axis(lists, fields[name].shape, path=path, main=name, data=fields[name])
    return RawArray(
        fields[name], spectral=-1 if place is None else place, sure=place is not None or plainly_last(fields[name]), axis=axis,
        by_length=True, dataset=name,
    )  # fmt: skip


def inspect(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the arrays and their shapes."""
    if path.suffix.lower() == ".npy":
        with path.open("rb") as file:
            shape, dtype = _shape(file)
        return {field: one[0] for field, one in fields_of("", shape, dtype).items()} if dtype.names else {"data": shape}
    return {name: shape for name, (shape, _) in members_of(path).items()}


def read(path: Path, *, dataset: str | None = None) -> RawArray:
    """Read a ``.npy`` as a memory map (its axis from ``NAME.npy.json`` if there is one), or a ``.npz``."""
    return _array(path, dataset) if path.suffix.lower() == ".npy" else _archive(path, dataset)


def _array(path: Path, dataset: str | None) -> RawArray:
    name = choose(inspect(path), dataset)
    data = np.load(path, mmap_mode="r", allow_pickle=False)
    if data.dtype.names is not None:
        return _of_fields(path, {field: data[field] for field in fields_of("", data.shape, data.dtype)}, name)
    sidecar = next((file for place in (path, path.resolve()) if (file := place.with_name(place.name + ".json")).exists()), path)
    header = json.loads(read_document(sidecar)) if sidecar != path else {}
    if header and tuple(header.get("shape", data.shape)) != data.shape:
        warn(path, f"{sidecar.name} next to it describes an array of shape {tuple(header['shape'])}, not {data.shape}; it is not used")
        header = {}
    if not header and (pair := of_ordered_line(path, data)) is not None:
        return pair
    if not header and data.ndim == 2 and data.shape[1] == 1:  # a column vector is one spectrum
        return from_header(data, header, spectral=0)
    return from_header(data, header, sure=bool(header) or plainly_last(data))


def _archive(path: Path, dataset: str | None) -> RawArray:
    members = members_of(path)
    others = {n: kind_of(dtype) for n, (_, dtype) in members.items() if dtype.kind in "cVO"}
    name = choose({n: shape for n, (shape, dtype) in members.items() if dtype.kind in "fiub"}, dataset, path, unread=others)
    affordable(*members[name])
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        data = member(archive, name)
        if "header" in members and members["header"][1].kind == "U":
            return from_header(data, json.loads(str(archive["header"])), dataset=name)
        thin = {n for n, (shape, dtype) in members.items() if dtype.kind in "fiu" and math.prod(shape) == max(shape, default=0)}
        lists = {n: member(archive, n) for n in sorted(thin - {name}) if math.prod(members[n][0]) in data.shape}
        for n, (shape, dtype) in members.items():
            if dtype.kind in "US" and n != name and spells_axis(n) and math.prod(shape) in data.shape:
                spelled = numbers_in(archive[n])
                lists |= {} if spelled is None else {n: spelled}
        words = {n: str(np.ravel(archive[n])[0]) for n, (shape, dtype) in members.items() if dtype.kind == "U" and math.prod(shape) == 1}
        numbers = {n: member(archive, n) for n, (shape, dtype) in members.items() if dtype.kind in "fiu" and math.prod(shape) in COUNTS}
    lists = even_positions(numbers, data.shape[-1] if data.shape else 0) | lists
    sides = sides_of(numbers, data.shape)
    if sides is not None:
        lists = {n: values for n, values in lists.items() if np.size(values) == data.shape[sides.bands(data.shape)]}
    axis, place = find_axis(lists, data.shape, _units(lists, words), path=path, main=name, data=data)
    if sides is not None:
        return replace(folded(path, data, sides, axis), dataset=name)
    if axis is None and (pair := of_ordered_line(path, data)) is not None:
        return replace(pair, dataset=name)
    if axis is None:
        say_unfitting(path, {n: shape for n, (shape, dtype) in members.items() if dtype.kind in "fiu"}, data.shape, name)
    size, unit = _spacing(lists, data.shape)
    sure = place is not None or plainly_last(data)
    whole = RawArray(
        data, spectral=-1 if place is None else place, sure=sure, axis=axis, by_length=True, pixel_size=size, pixel_unit=unit, dataset=name
    )
    return with_places(path, whole, lists, _units(lists, words))


def member(archive: Any, name: str) -> Any:
    """Return an array of an archive, or the field of one."""
    whole, _, field = name.rpartition("/")
    return archive[whole][field] if name not in archive and whole in archive else archive[name]


def _units(lists: Mapping[str, Any], words: Mapping[str, str]) -> dict[str, str]:
    """Return the units that texts of the archive give for its lists, by names such as ``wavelength_unit``, or ``units`` for all."""
    keys = ("{}_units", "{}_unit", "units", "unit", "spectral_unit", *([] if "x" in lists else ["x_unit"]))
    return {
        name: found for name in lists if (found := next((words[key.format(name)] for key in keys if key.format(name) in words), "")) != ""
    }


def _spacing(lists: dict[str, Any], shape: tuple[int, ...]) -> tuple[tuple[float, float] | None, str]:
    """Return the pixel size, from coordinates ``y_um``, ``x_um`` stored with the array."""
    for unit in ("um", "mm", "nm"):
        sides = [np.asarray(lists.get(f"{side}_{unit}", ())) for side in "yx"]
        if all(side.ndim == 1 and side.size > 1 and side.size in shape for side in sides):
            steps = [np.diff(side) for side in sides]
            if all(np.allclose(step, step[0], rtol=1e-3) and step[0] for step in steps):
                return (abs(float(steps[0].mean())), abs(float(steps[1].mean()))), unit
    return None, "pixel"


def write(cube: Cube, path: Path) -> None:
    """Write ``.npz`` compressed, or ``.npy`` with what it cannot hold in ``NAME.npy.json`` next to it."""
    if path.suffix.lower() == ".npz":
        np.savez_compressed(path, data=np.asarray(cube.data), header=np.array(json.dumps(header_of(cube))))
        return
    np.save(path, np.asarray(cube.data), allow_pickle=False)
    # always, so that an older file is not taken for this one's
    path.with_name(path.name + ".json").write_text(json.dumps(header_of(cube) | {"shape": list(cube.shape)}), encoding="utf-8")
