"""HDF5 files through h5py: the data set is a lazy dask array, its axis another data set."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.io import hdf5_tables, photothermal, usid
from napari_spectrai.io.axis_lists import find_axis, of_values, say_unfitting
from napari_spectrai.io.container import choose, is_axis, kind_of, numbers_in, plainly_last, spells_axis
from napari_spectrai.io.coordinates import Placement, is_place, of_coordinates, placement, spectral, upright
from napari_spectrai.io.even_positions import even_positions
from napari_spectrai.io.found import MOST_BANDS, OnDisk, RawArray, plausible, unpacked, warn
from napari_spectrai.io.hdf5_axes import numbered_axes, signal_of
from napari_spectrai.io.hdf5_dimensions import axes_along, labelled_dimension, named_dimension, names_of, title_of
from napari_spectrai.io.hdf5_frames import frame_axis
from napari_spectrai.io.hdf5_groups import in_groups
from napari_spectrai.io.hdf5_heaps import open_hdf5
from napari_spectrai.io.hdf5_own import said_of, write
from napari_spectrai.io.named_units import units_for
from napari_spectrai.io.nexus import Signal, axis_values, called, found_at, is_own, scaling, signals, text
from napari_spectrai.io.packing import list_of_packing, of_packing
from napari_spectrai.io.satellites import prisma_scale
from napari_spectrai.io.unfolded import COUNTS, folded, sides_of, with_places
from napari_spectrai.remedies import give
from napari_spectrai.units import unit_of

__all__ = ["datasets", "inspect", "read", "write"]

_INDEX = re.compile(r"(^|/)_i_[^/]*/")
"""Groups in which PyTables keeps the indexes of a table."""
MOST_TEXTS = 2**16
"""Texts of a data set that may spell positions."""


def datasets(file: h5py.File) -> dict[str, h5py.Dataset]:
    """Return the numeric data sets stored in this file itself.

    Links into other files are not followed, and data sets that keep their values in other files (external storage,
    virtual layouts of other files) are left out: opening a file must not open others.
    """
    found: dict[str, h5py.Dataset] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.dtype.kind in "fiub" and item.shape and is_own(item) and not _INDEX.search(name):
            found[name] = item

    file.visititems(visit)
    return found


def unread(file: h5py.File) -> dict[str, str]:
    """Return the data sets whose values are complex numbers or have fields, with what they are."""
    found: dict[str, str] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.dtype.kind in "cV" and item.shape and is_own(item):
            found[name] = kind_of(item.dtype)

    file.visititems(visit)
    return found


def units_of(arrays: dict[str, h5py.Dataset]) -> dict[str, str]:
    """Return the units that data sets state."""
    found = {n: text(value) for n, a in arrays.items() for key, value in a.attrs.items() if key.casefold() in ("unit", "units")}
    return {n: said[1:-1].replace("_", "") if re.fullmatch(r"\[\w*_?\w+\]", said) else said for n, said in found.items()}  # [n_m] of EMD


def lists(arrays: dict[str, h5py.Dataset], main: str) -> dict[str, Any]:
    """Return the data sets that could be an axis of `main`."""
    lengths = set(arrays[main].shape)
    return {
        n: list_of_packing(a[()], a.attrs)
        for n, a in arrays.items()
        if n != main and a.size in lengths and a.size == max(a.shape) <= MOST_BANDS
    }


def say_unwritten(path: Path, main: h5py.Dataset) -> None:
    """Warn of values that are not in the file, as while it is being written; HDF5 gives its fill value for them."""
    if main.is_virtual or not main.size:
        return
    if main.chunks is None:
        missing = "none of its values are in the file" if main.id.get_storage_size() == 0 else ""
    else:
        count = math.prod(-(-length // chunk) for length, chunk in zip(main.shape, main.chunks, strict=True))
        stored = main.id.get_num_chunks() if count <= MOST_BANDS else count
        missing = f"{count - stored} of its {count} chunks are not in the file" if stored < count else ""
    if missing:
        filled = f"{main.fillvalue:g}" if np.ndim(main.fillvalue) == 0 and main.dtype.kind in "fiu" else str(main.fillvalue)
        warn(path, f"{missing}, which may still be being written; their values read as {filled}")


def lazily(path: Path, name: str, main: h5py.Dataset) -> Any:
    """Return a data set as a dask array that opens its file for each read."""
    plausible(main.shape, main.dtype)
    say_unwritten(path, main)
    return OnDisk(path, main.shape, main.dtype, partial(_part, path, name)).lazy(main.chunks)


def _part(path: Path, name: str, key: Any) -> Any:
    with h5py.File(path, "r") as file:
        return file[name][key]


def inspect(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the data sets and their shapes."""
    with open_hdf5(path) as file:
        return {name: item.shape for name, item in datasets(file).items()} | hdf5_tables.inspected(hdf5_tables.tables(file))


def read(path: Path, *, dataset: str | None = None) -> RawArray:
    """Open one data set lazily: the signal of a NeXus file, else the main one; its axis is a data set or an attribute."""
    with open_hdf5(path) as file:
        arrays = datasets(file)
        units = units_of(arrays)
        if (whole := _of_layout(path, file, arrays, units, dataset)) is not None:
            return whole
        found, missing = signals(file, arrays)
        if dataset is None and not found and not missing and (spectra := in_groups(path, arrays, units)) is not None:
            return spectra
        name = _chosen(path, file, arrays, {signal.name: signal for signal in found}, dataset, missing)
        main = arrays[name]
        more = said_of(main, name)
        signal = next((one for one in found if one.name == name), None)
        data = _scaled(of_packing(lazily(path, name, main), main.attrs), main, signal)
        axes = axes_along(main, arrays) if signal is None else signal.axes
        aliases = [""] * main.ndim if signal is None else signal.named
        known = zip(axes, main.dims, aliases, strict=True)
        words = {axis: f"{called(arrays[axis])} {dimension.label} {alias}" for axis, dimension, alias in known if axis}
        place = spectral(axes, units, words)
        lines = {number: axis_values(arrays[axis], main.shape[number]) for number, axis in enumerate(axes) if axis}
        if place is not None:
            where = placement(axes, place, units, lines, main.shape)
            more["metadata"] = dict(where.metadata) | more["metadata"]
            axis: SpectralAxis | None = of_values(path, lines[place], units.get(axes[place], ""), title_of(axes[place], words))
            whole = RawArray(data, spectral=place, axis=axis, pixel_size=where.pixel_size, pixel_unit=where.pixel_unit, **more)
            return upright(whole, names_of(main, axes, aliases, arrays))
        if (described := _described(path, data, main, arrays)) is not None:
            return replace(described, **more | {"metadata": {**described.metadata, **more["metadata"]}})
        others = even_positions(_attributes(main), main.shape[-1]) | _texts(main) | lists(arrays, name) | attribute_lists(main)
        named = named_dimension(main, axes, aliases)
        taken = {axis for number, axis in enumerate(axes) if axis and number != named and (named is not None or is_place(axis))}
        others = {key: values for key, values in others.items() if key not in taken}
        if signal is None and (sides := sides_of(_numbers(main), main.shape)) is not None:
            fitting = {key: values for key, values in others.items() if np.size(values) == main.shape[sides.bands(main.shape)]}
            axis = find_axis(fitting, main.shape, units | attribute_units(main), path=path, main=name)[0]
            return replace(folded(path, data, sides, axis), **more)
        if named is not None:
            others = {key: values for key, values in others.items() if np.size(values) == main.shape[named]}
        lengths = main.shape if named is None else (1, main.shape[named])
        units_too = units | attribute_units(main)
        axis, place = find_axis(others, lengths, units_too, path=path, main=name, data=main if named is None else None)
        place = named if named is not None else labelled_dimension(main) if place is None else place
        alike = sum(unit_of(units.get(one, "")) is not None for one in axes if one) > 1  # which of them is the spectral one is not said
        if axis is not None and axis.unit in ("nm", "um") and not axis.values.all():
            more["metadata"] = {"bad_bands": np.flatnonzero(axis.values == 0).tolist()} | more["metadata"]
        lost = _lost(path, file, name, signal) if signal is not None and place is None else None
        place = place if lost is None else lost
        if axis is None and lost is None:
            say_unfitting(path, {key: item.shape for key, item in arrays.items()}, main.shape, name)
        where = placement(axes, main.ndim - 1 if place is None else place, units, lines, main.shape)
        more["metadata"] = dict(where.metadata) | more["metadata"]
        if (size := main.attrs.get("pixel_size")) is not None:
            where = Placement((float(size[0]), float(size[1])), str(main.attrs.get("pixel_unit", "pixel")))
        whole = RawArray(
            data,
            spectral=-1 if place is None else place,
            sure=(place is not None and (lost is not None or not alike)) or (place is None and plainly_last(main)),
            axis=axis,
            by_length=named is None and not any(axes),
            pixel_size=where.pixel_size,
            pixel_unit=where.pixel_unit,
            **more,
        )
        return upright(with_places(path, whole, others, units_too), names_of(main, axes, aliases, arrays))


def _of_layout(path: Path, file: h5py.File, arrays: dict[str, h5py.Dataset], units: dict[str, str], dataset: str | None) -> RawArray | None:
    """Return what a file holds in a layout of its own: a table, measurements of PTIR Studio, or data of pyUSID."""
    if (table := _table(file, arrays, dataset)) is None:
        return photothermal.read(file, dataset, path, lazily) or usid.read(file, dataset, path, arrays)
    near = {key: list_of_packing(item[()], item.attrs) for key, item in arrays.items() if item.size <= MOST_BANDS}
    return hdf5_tables.read(path, table, near | attribute_lists(table), units | attribute_units(table))


def _described(path: Path, data: Any, main: h5py.Dataset, arrays: Mapping[str, h5py.Dataset]) -> RawArray | None:
    """Return an array whose dimensions are described next to it, as HyperSpy and pandas do."""
    if (axes := numbered_axes(main)) is not None:
        said = {key: one.unit for key, one in axes.items()}
        given = {key: one.positions for key, one in axes.items()}
        return of_coordinates(path, data, list(axes), given, said, bands=signal_of(axes))
    frame = frame_axis(path, main, arrays)
    return None if frame is None else RawArray(data, spectral=frame[0], axis=frame[1])


def _lost(path: Path, file: h5py.File, name: str, signal: Signal) -> int | None:
    """Return the dimension of the bands whose axis a signal names and the file does not have, with a warning."""
    lost = spectral(signal.named, {})
    if lost is not None:
        item = found_at(file, f"{name.rpartition('/')[0]}/{signal.named[lost]}")
        what = f"has the shape {'×'.join(map(str, item.shape))}" if isinstance(item, h5py.Dataset) else "is not in this file"
        warn(path, f"its dimension {lost} has the axis {signal.named[lost]!r}, which {what}; its bands are numbered; {give('axis')}")
    return lost


def _table(file: h5py.File, arrays: Mapping[str, h5py.Dataset], dataset: str | None) -> h5py.Dataset | None:
    """Return the table that is read: the requested one, or the only one of a file whose arrays are all positions."""
    found = hdf5_tables.tables(file)
    if dataset in found:
        return found[str(dataset)]
    plain = dataset is not None or any(item.size > 1 and not is_axis(name) for name, item in arrays.items())
    return None if plain or not found else found[hdf5_tables.only(found)]


def _chosen(
    path: Path, file: h5py.File, arrays: dict[str, h5py.Dataset], known: Mapping[str, Signal], dataset: str | None, missing: Sequence[str]
) -> str:
    """Return the data set that is read: the requested one, the signal to be shown, the only signal of spectra, or the evident one."""
    wide = [signal for name, signal in known.items() if arrays[name].ndim > 1] or list(known.values())
    shown = [signal for signal in wide if signal.default] or wide
    if missing and dataset is None and not wide:
        raise ValueError(f"its signal is not read: {missing[0]}")
    if dataset is None and len(shown) == 1:
        axes = {axis for signal in known.values() for axis in signal.axes}
        return choose({name: item.shape for name, item in arrays.items() if name not in axes}, None, path, main=shown[0].name)
    return choose({name: item.shape for name, item in arrays.items()}, dataset, path, unread=unread(file))


def _numbers(main: h5py.Dataset) -> dict[str, Any]:
    """Return the numbers, up to three, next to a data set and in attributes of it, its group and the file."""
    holders = (main.file, main.parent, main)
    found = {key: value for holder in holders for key, value in holder.attrs.items() if np.size(value) in COUNTS}
    for key in main.parent:
        item = found_at(main.file, f"{main.parent.name}/{key}")
        if isinstance(item, h5py.Dataset) and item.dtype.kind in "fiu" and item.size in COUNTS and is_own(item):
            found[key] = item[()]
    return found


def _scaled(data: Any, main: h5py.Dataset, signal: Signal | None) -> Any:
    """Return the values of a signal in the scale that its NXdata group states, or those of PRISMA in that of its attributes."""
    factor, offset = scaling(main, signal=True) if signal is not None else (1.0, 0.0)
    data = unpacked(data, factor=factor, offset=offset * factor)
    factor, offset = prisma_scale(main.name.lstrip("/"), main.file.attrs)
    return unpacked(data, factor=factor, offset=offset)


def attribute_lists(main: h5py.Dataset) -> dict[str, Any]:
    """Return the lists of numbers among the attributes of a data set, of its group and of the file."""
    found = {}
    for holder in (main.file, main.parent, main):
        for key, value in holder.attrs.items():
            if (isinstance(value, np.ndarray) or is_axis(key)) and (values := numbers_in(value)) is not None:
                found[key] = values
    return found


def _texts(main: h5py.Dataset) -> dict[str, Any]:
    """Return the data sets next to a cube that spell the positions of its bands."""
    found = {}
    for key in main.parent:
        item = found_at(main.file, f"{main.parent.name}/{key}") if spells_axis(key) else None
        if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "SO" or not is_own(item) or item.size > MOST_TEXTS:
            continue
        if item.size in main.shape and (values := numbers_in(item[()])) is not None:
            found[f"{main.parent.name}/{key}".strip("/")] = values
    return found


def attribute_units(main: h5py.Dataset) -> dict[str, str]:
    """Return the units that attributes give for others: ``wavelength_units`` for ``wavelengths``."""
    attributes = _attributes(main)
    said = {key.casefold(): text(value) for key, value in attributes.items() if np.size(value) == 1}
    return units_for(attribute_lists(main) | even_positions(attributes, main.shape[-1]), said)


def _attributes(main: h5py.Dataset) -> dict[str, Any]:
    """Return the attributes of the file, of a data set's group and of itself."""
    return {key: value for holder in (main.file, main.parent, main) for key, value in holder.attrs.items()}
