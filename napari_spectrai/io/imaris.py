"""Imaris ``.ims``: HDF5 with a data set for each channel at each time, whose emission the channel's attributes give."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from napari_spectrai.io.container import choose
from napari_spectrai.io.facts import length_unit
from napari_spectrai.io.found import OnDisk, RawArray
from napari_spectrai.io.grids import planes
from napari_spectrai.io.hdf5 import datasets
from napari_spectrai.io.hdf5_heaps import open_hdf5
from napari_spectrai.io.titles import of_channels

_NAME = "image"
_DATA = re.compile(r"DataSet/ResolutionLevel 0/TimePoint (\d+)/Channel (\d+)/Data")


def inspect(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the image and its shape: channels, times, z, y, x."""
    with open_hdf5(path) as file:
        return {_NAME: _layout(file)[1]}


def read(path: Path, *, dataset: str | None = None) -> RawArray:
    """Open the image in its highest resolution lazily, its channels as bands."""
    choose({_NAME: (1, 2)}, dataset)
    with open_hdf5(path) as file:
        names, shape, dtype = _layout(file)
        said = _attributes(file, "DataSetInfo/Image")
        channels = [_attributes(file, f"DataSetInfo/Channel {number}") for number in range(shape[0])]
    data: Any = OnDisk(path, shape, dtype, partial(_part, path, names)).lazy((1, 1, *shape[2:]))
    kept = tuple(0 if number in (1, 2) and shape[number] == 1 else slice(None) for number in range(5))
    known = [{"name": one.get("Name", ""), "emission_wavelength": _emission(one)} for one in channels]
    axis = of_channels({"channels": known}, shape[0], path)
    sides, unit = _sides(said, shape), length_unit(f"({said.get('Unit', '')})")
    step = {"z": (0.0, sides[0], unit)} if shape[2] > 1 and sides[0] > 0 and unit and shape[1] == 1 else {}
    sized = bool(unit) and min(sides[1:]) > 0
    return RawArray(
        data[kept], spectral=0, axis=axis, pixel_size=sides[1:] if sized else None, pixel_unit=unit if sized else "pixel", name=path.stem,
        metadata=planes((name, *one) for name, one in step.items()), dataset=_NAME,
    )  # fmt: skip


def _layout(file: h5py.File) -> tuple[dict[tuple[int, int], str], tuple[int, ...], np.dtype[Any]]:
    """Return the data set of each channel and time, and shape and type of the image."""
    arrays = datasets(file)
    found = {(int(match.group(2)), int(match.group(1))): match.group(0) for match in map(_DATA.fullmatch, arrays) if match is not None}
    if not found:
        raise ValueError(f"it holds no image of Imaris (DataSet/ResolutionLevel 0); it holds {', '.join(list(arrays)[:8]) or 'nothing'}")
    counts = tuple(max(number) + 1 for number in zip(*found, strict=True))
    shapes = {arrays[name].shape for name in found.values()}
    if counts[0] * counts[1] != len(found) or len(shapes) > 1 or len(next(iter(shapes))) != 3:
        raise ValueError(
            f"it holds {len(found)} arrays for {counts[0]} channels at {counts[1]} times; some are missing or of another shape"
        )
    stored = shapes.pop()
    said = _attributes(file, "DataSetInfo/Image")  # what is stored is padded
    sizes = tuple(int(said[side]) if said.get(side, "").isdigit() else stored[number] for number, side in enumerate("ZYX"))
    inner = tuple(min(size, length) if size > 0 else length for size, length in zip(sizes, stored, strict=True))
    return found, (*counts, *inner), arrays[found[0, 0]].dtype


def _attributes(file: h5py.File, group: str) -> dict[str, str]:
    """Return attributes, which are stored character by character."""
    found = {}
    for key, value in file[group].attrs.items() if group in file else ():
        letters = np.ravel(value)
        found[key] = b"".join(letters.tolist()).decode("utf-8", "replace").strip("\0 ") if letters.dtype.kind == "S" else str(value)
    return found


def _emission(channel: dict[str, str]) -> float | None:
    try:
        found = float(channel.get("LSMEmissionWavelength", ""))
    except ValueError:
        return None
    return found if found > 0 else None


def _sides(said: dict[str, str], shape: tuple[int, ...]) -> tuple[float, float, float]:
    """Return the length of a voxel along z, y and x, 0 where the file does not give it."""

    def side(number: int) -> float:
        try:
            extent = float(said[f"ExtMax{number}"]) - float(said[f"ExtMin{number}"])
        except (KeyError, ValueError):
            return 0.0
        return extent / shape[4 - number] if np.isfinite(extent) else 0.0

    return side(2), side(1), side(0)


def _part(path: Path, names: dict[tuple[int, int], str], key: Any) -> Any:
    """Return a part of the image, a data set at a time."""
    channels, times = (np.arange(count)[part] for count, part in zip(_counts(names), key[:2], strict=True))
    with h5py.File(path, "r") as file:
        found = [file[names[int(channel), int(time)]][key[2:]] for channel in np.ravel(channels) for time in np.ravel(times)]
    whole = np.stack(found)
    return whole.reshape(*np.shape(channels), *np.shape(times), *whole.shape[1:])


def _counts(names: dict[tuple[int, int], str]) -> tuple[int, int]:
    channels, times = zip(*names, strict=True)
    return max(channels) + 1, max(times) + 1
