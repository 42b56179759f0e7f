"""NeXus: which data set of an HDF5 file is the signal, and which are its axes, in both styles of the NXdata group."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np

from napari_spectrai.units import quantity_of, unit_of

_LENGTHS = {"um": "um", "µm": "um", "μm": "um", "micrometer": "um", "micron": "um", "mm": "mm", "nm": "nm", "m": "m"}
_STAGE = re.compile(r"(^|[_ .-])[sxyz]?[xyz]($|[_ .-])|sample|stage|position|row|column|pixel|time")
_CERTAIN = ("1/cm", "eV", "m/z")


@dataclass(frozen=True, slots=True)
class Signal:
    """A data set and its axes.

    Parameters
    ----------
    name : of the data set
    axes : the name of the data set that is the axis of each dimension, or ``""``
    default : whether the file marks this one as the default to be shown
    """

    name: str
    axes: tuple[str, ...]
    default: bool = False


def text(value: Any) -> str:
    """Return an attribute as text."""
    found = np.ravel(value)[0] if isinstance(value, np.ndarray) and value.size == 1 else value
    return found.decode("utf-8", "replace") if isinstance(found, bytes) else str(found)


def signals(file: h5py.File, arrays: Mapping[str, h5py.Dataset]) -> list[Signal]:
    """Return the signals of all NXdata groups; only data sets among `arrays` count."""
    groups = {name.rpartition("/")[0] for name in arrays}
    default = _default(file)
    found: list[Signal] = []
    for name in sorted(groups):
        group = file[name] if name else file
        signal = _signal(group, name, arrays)
        if signal is not None:
            found.append(Signal(signal, _axes(group, name, arrays[signal], arrays), name == default))
    return found


def _default(file: h5py.File) -> str:
    """Return the group that the chain of ``default`` attributes leads to."""
    group, path = file, ""
    for _ in range(8):
        name = text(group.attrs["default"]) if "default" in group.attrs else ""
        if not name or group.get(name, getlink=True) is None or isinstance(group.get(name, getlink=True), h5py.ExternalLink):
            break
        inner = group.get(name)
        if not isinstance(inner, h5py.Group):
            break
        group, path = inner, f"{path}/{name}".strip("/")
    return path


def _signal(group: h5py.Group, name: str, arrays: Mapping[str, h5py.Dataset]) -> str | None:
    prefix = f"{name}/" if name else ""
    if "signal" in group.attrs and (known := prefix + text(group.attrs["signal"])) in arrays:
        return known
    marked = [key for key, item in arrays.items() if key.rpartition("/")[0] == name and "signal" in item.attrs]
    first = [key for key in marked if text(arrays[key].attrs["signal"]) == "1"]
    return next(iter(first or marked), None)


def _axes(group: h5py.Group, name: str, main: h5py.Dataset, arrays: Mapping[str, h5py.Dataset]) -> tuple[str, ...]:
    """Return the axis of each dimension: by the attributes of the group, of the signal, or of the axes themselves."""
    prefix, found = (f"{name}/" if name else ""), [""] * main.ndim
    given = group.attrs.get("axes", main.attrs.get("axes"))
    if given is not None:
        names = [text(one) for one in np.ravel(given)]
        names = re.split(r"[:,]", names[0].strip("[] ")) if len(names) == 1 else names
        for place, axis in enumerate(names[: main.ndim]):
            _put(found, place, prefix + axis.strip(), main, arrays)
    for key, indices in group.attrs.items():
        if key.endswith("_indices") and np.size(indices) == 1 and np.asarray(indices).dtype.kind in "iu":
            _put(found, int(np.ravel(indices)[0]), prefix + key.removesuffix("_indices"), main, arrays)
    for key, item in arrays.items():
        if key.rpartition("/")[0] == name and "axis" in item.attrs and text(item.attrs["axis"]).isdigit():
            place = int(text(item.attrs["axis"])) - 1
            if 0 <= place < main.ndim and not found[place]:
                _put(found, place, key, main, arrays)
    return tuple(found)


def _put(found: list[str], place: int, key: str, main: h5py.Dataset, arrays: Mapping[str, h5py.Dataset]) -> None:
    if 0 <= place < len(found) and key in arrays and arrays[key].size == main.shape[place]:
        found[place] = key


def called(item: h5py.Dataset) -> str:
    """Return the words that an axis has for its quantity beyond the name of its data set."""
    labels = (text(item.attrs[key]) for key in ("long_name", "standard_name", "NAME", "label", "quantity") if key in item.attrs)
    return " ".join(words for words in labels if not words.startswith("This is a netCDF dimension"))


def spectral(axes: Sequence[str], units: Mapping[str, str], words: Mapping[str, str] | None = None) -> int | None:
    """Return which of some axes is spectral: by its name, else by a unit that only spectra have, else by the only one in nm or µm.

    `words` are further names of the axes.
    """
    said = words or {}
    named = [place for place, axis in enumerate(axes) if axis and quantity_of(axis.rpartition("/")[2])]
    named = named or [place for place, axis in enumerate(axes) if axis and quantity_of(said.get(axis, ""))]
    if len(named) == 1:
        return named[0]
    known = {place: unit_of(units.get(axis, "")) for place, axis in enumerate(axes) if axis}
    certain = [place for place, unit in known.items() if unit is not None and unit.name in _CERTAIN]
    if len(certain) == 1:
        return certain[0]
    free = [place for place, unit in known.items() if unit is not None and not _STAGE.search(axes[place].rpartition("/")[2].casefold())]
    return free[0] if len(free) == 1 and not named else None


def spacing(
    axes: Sequence[str], place: int, units: Mapping[str, str], arrays: Mapping[str, h5py.Dataset]
) -> tuple[tuple[float, float] | None, str, list[float] | None]:
    """Return pixel size, its unit and the coordinates of the first pixel from the axes of the image, where these are evenly spaced."""
    rest = [axis for number, axis in enumerate(axes) if number != place][-2:]
    if len(rest) < 2 or not all(rest):
        return None, "pixel", None
    unit = {_LENGTHS.get(units.get(axis, "").strip().casefold(), "") for axis in rest}
    values = [np.ravel(arrays[axis][()]).astype(np.float64) for axis in rest]
    steps = [np.diff(side) for side in values]
    even = all(step.size and step[0] and np.allclose(step, step[0], rtol=1e-3) for step in steps)
    if not even or len(unit) != 1 or unit == {""}:
        return None, "pixel", None
    ascending = all(step[0] > 0 for step in steps)
    size = (abs(float(steps[0].mean())), abs(float(steps[1].mean())))
    return size, unit.pop(), [float(side[0]) for side in values] if ascending else None
