"""PTIR Studio's HDF5: the attributes of a measurement give its wavenumbers and its place, its channels hold the spectra."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.io.found import MOST_BANDS, RawArray, warn
from napari_spectrai.io.grids import laid_out
from napari_spectrai.io.nexus import found_at, is_own, text
from napari_spectrai.remedies import where
from napari_spectrai.spec import some_of

_VALUES = "Raw_Data"


@dataclass(frozen=True, slots=True)
class _Channel:
    """The spectra of one channel of a measurement.

    Parameters
    ----------
    name : of the data set
    signal, label : of the channel: what was measured, and its name
    axis : wavenumbers of the bands
    rows, columns : of a map; 1, 1 of a point
    said : attributes of the measurement
    """

    name: str
    signal: str
    label: str
    axis: SpectralAxis
    rows: int
    columns: int
    said: Mapping[str, Any]

    @property
    def is_map(self) -> bool:
        return self.rows * self.columns > 1


def read(file: h5py.File, dataset: str | None, path: Path, lazily: Callable[[Path, str, h5py.Dataset], Any]) -> RawArray | None:
    """Return the map or the points of PTIR Studio that a file holds; None where it holds none, or where `dataset` is none of them.

    Of several channels the first is read, with a warning; `dataset` chooses another, or one of several measurements.
    """
    known = {channel.name: channel for channel in _channels(file)}
    if not known or dataset not in (None, *known):
        return None
    if dataset is not None:
        return _of_one(path, file, known[dataset], lazily)
    shown = [channel for channel in known.values() if not _is_background(channel)] or list(known.values())
    shown = [channel for channel in shown if channel.is_map] or shown
    first = shown[0]
    alike = [channel for channel in shown if channel.signal == first.signal and np.array_equal(channel.axis.values, first.axis.values)]
    taken = [first] if first.is_map else alike
    if len(shown) > len(taken):
        others = some_of([f"{channel.name} ({channel.label})" for channel in shown if channel not in taken])
        said = f"of its channels and measurements {first.name} ({first.label}) is read, and not {others}"
        warn(path, f"{said}; choose another {where('dataset')}")
    if len(taken) == 1:
        return _of_one(path, file, first, lazily)
    values = np.stack([np.ravel(file[channel.name][()]) for channel in taken])
    places = {side: [_number(channel.said, f"Location{side.upper()}") for channel in taken] for side in "xy"}
    coordinates = {side: np.array(found, np.float64) for side, found in places.items() if None not in found}
    metadata = {"labels": [text(channel.said.get("Label", "")) or channel.name.partition("/")[0] for channel in taken]}
    return laid_out(path, values, first.axis, coordinates, dict.fromkeys(coordinates, "um"), metadata=metadata)


def _of_one(path: Path, file: h5py.File, channel: _Channel, lazily: Callable[[Path, str, h5py.Dataset], Any]) -> RawArray:
    data = lazily(path, channel.name, file[channel.name])
    found = RawArray(data, axis=channel.axis, dataset=channel.name)
    if not channel.is_map:
        return found
    image = replace(found, data=data.reshape(channel.rows, channel.columns, len(channel.axis)))
    down, across = _side(channel.said, "Y", channel.rows), _side(channel.said, "X", channel.columns)
    if down is None or across is None:
        return image
    return replace(image, pixel_size=(down[1], across[1]), pixel_unit="um", metadata={"origin": (down[0], across[0])})


def _side(said: Mapping[str, Any], side: str, count: int) -> tuple[float, float] | None:
    """Return the lowest place along a side of a map, where its lines begin in whichever direction they were measured, and the step."""
    start, step = (_number(said, f"Range{side}{word}") for word in ("Start", "Increment"))
    return None if start is None or not step else (min(start, start + step * (count - 1)), abs(step))


def _channels(file: h5py.File) -> list[_Channel]:
    """Return the channels of all measurements that give their wavenumbers and as many values as they promise."""
    found: list[_Channel] = []
    for name in sorted(file, key=_in_order):
        measurement = found_at(file, f"/{name}")
        if not name.casefold().startswith("measurement") or not isinstance(measurement, h5py.Group):
            continue
        said = dict(measurement.attrs)
        positions = _positions(said)
        if positions is None:
            continue
        rows, columns = (int(_number(said, f"Range{side}Points") or 1) for side in "YX")
        for key in sorted(measurement, key=_in_order):
            values = found_at(file, f"/{name}/{key}/{_VALUES}")
            if not isinstance(values, h5py.Dataset) or not is_own(values) or values.dtype.kind not in "fiu":
                continue
            of_channel = measurement[key].attrs
            label, signal = (text(of_channel.get(word, "")) or key for word in ("Label", "DataSignal"))
            for sides in ((rows, columns), (1, 1)):
                if values.size == sides[0] * sides[1] * positions.size > 0:
                    found.append(_Channel(f"{name}/{key}/{_VALUES}", signal, label, SpectralAxis(positions, "1/cm"), *sides, said))
                    break
    return found


def _in_order(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


def _positions(said: Mapping[str, Any]) -> npt.NDArray[np.float64] | None:
    first, last, count = (_number(said, f"RangeWavenumber{word}") for word in ("Start", "End", "Points"))
    if first is None or last is None or count is None or not 1 <= count <= MOST_BANDS:
        return None
    return np.linspace(first, last, int(count))


def _number(said: Mapping[str, Any], key: str) -> float | None:
    value = np.ravel(said.get(key, []))
    return float(value[0]) if value.size and value.dtype.kind in "fiub" and np.isfinite(value[0]) else None


def _is_background(channel: _Channel) -> bool:
    unchecked = not channel.is_map and _number(channel.said, "Checked") == 0
    return bool(_number(channel.said, "IsBackground")) or unchecked
