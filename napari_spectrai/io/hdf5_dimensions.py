"""What an HDF5 file says of the dimensions of a data set: the axes along them, and their names."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import h5py

from napari_spectrai.io.coordinates import by_names, spectral
from napari_spectrai.io.found import MOST_BANDS
from napari_spectrai.io.nexus import called, signals, text
from napari_spectrai.units import quantity_of


def scales_of(dimension: Any) -> list[str]:
    """Return the names of the scales of a dimension; none where they are no longer in the file."""
    try:
        return [scale.name.lstrip("/") for scale in dimension.values() if scale.name]
    except (RuntimeError, KeyError, ValueError):  # of references that lead nowhere
        return []


def axes_along(main: h5py.Dataset, arrays: Mapping[str, h5py.Dataset]) -> tuple[str, ...]:
    """Return the dimension scales of a data set, as in netCDF, else ``dim1``, ``dim2``, … of its group, as in EMD."""
    found = []
    folder = main.name.rpartition("/")[0].strip("/")
    for number, dimension in enumerate(main.dims):
        own = f"{folder}/dim{number + 1}".strip("/")
        names, lengths = scales_of(dimension) or [own], {own: (main.shape[number], 2)}
        fitting = (name for name in names if name in arrays and arrays[name].size in lengths.get(name, (main.shape[number],)))
        found.append(next(fitting, "") if main.shape[number] <= MOST_BANDS else "")
    return tuple(found)


def named_dimension(main: h5py.Dataset, axes: Sequence[str], aliases: Sequence[str]) -> int | None:
    """Return the dimension that its name, or the names of the others, make that of the bands."""
    if spectral(aliases, {}) is not None:  # of a file that names one which is not there
        return None
    known = zip(axes, main.dims, aliases, strict=True)
    return by_names([dimension.label or alias or axis for axis, dimension, alias in known])


def labelled_dimension(main: h5py.Dataset) -> int | None:
    """Return the only dimension whose label names the quantity of positions, or that of the channels of ilastik."""
    named = [number for number, dimension in enumerate(main.dims) if quantity_of(dimension.label)]
    named = named or [number for number, key in enumerate(_tags(main)) if key == "c"]
    return named[0] if len(named) == 1 else None


def _tags(main: h5py.Dataset) -> list[str]:
    """Return the letters that ilastik gives the dimensions (``axistags``), if there is one for each."""
    try:
        axes = json.loads(text(main.attrs["axistags"]))["axes"] if "axistags" in main.attrs else []
        found = [str(axis["key"]) for axis in axes]
    except (ValueError, TypeError, KeyError):
        return []
    return found if len(found) == main.ndim else []


def title_of(axis: str, words: Mapping[str, str]) -> str:
    """Return the name of an axis that says its quantity: that of its data set, or its further names."""
    short = axis.rpartition("/")[2]
    return words[axis].strip() if not quantity_of(short) and quantity_of(words.get(axis, "")) else short


def names_of_sides(file: h5py.File, arrays: Mapping[str, h5py.Dataset], main: h5py.Dataset) -> list[str]:
    """Return the names of the dimensions of an array of labels: its own, else those of an image of spectra of the same size."""
    known = {signal.name: signal for signal in signals(file, arrays)[0]}
    for name, item in {main.name.lstrip("/"): main, **arrays}.items():
        signal = known.get(name)
        axes, aliases = (axes_along(item, arrays), [""] * item.ndim) if signal is None else (signal.axes, signal.named)
        names = names_of(item, axes, aliases, arrays)
        place = spectral(names, {})
        sides = [number for number in range(item.ndim) if number != place or item is main]
        if all(names[number] for number in sides) and tuple(item.shape[number] for number in sides) == main.shape:
            return [names[number] for number in sides]
    return [""] * main.ndim


def names_of(main: h5py.Dataset, axes: Sequence[str], aliases: Sequence[str], arrays: Mapping[str, h5py.Dataset]) -> list[str]:
    """Return the names of the dimensions: those of a signal's axes, of labels, or of the data sets along them."""
    known = zip(axes, main.dims, aliases, strict=True)
    own = re.compile(r"(.*/)?dim\d+")
    return [alias or dimension.label or (called(arrays[axis]) if own.fullmatch(axis) else axis) for axis, dimension, alias in known]
