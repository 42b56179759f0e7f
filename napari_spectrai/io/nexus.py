"""NeXus: which data set of an HDF5 file is the signal, and which are its axes, in both styles of the NXdata group."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from napari_spectrai.io.found import MOST_BANDS
from napari_spectrai.io.packing import list_of_packing
from napari_spectrai.units import quantity_of

_MOST_LINKS = 8


@dataclass(frozen=True, slots=True)
class Signal:
    """A data set and its axes.

    Parameters
    ----------
    name : of the data set
    axes : the name of the data set that is the axis of each dimension, or ``""``
    named : what its group calls the axis of each dimension, whether it fits or not, or ``""``
    default : whether the file marks this one as the default to be shown
    """

    name: str
    axes: tuple[str, ...]
    named: tuple[str, ...]
    default: bool = False


def text(value: Any) -> str:
    """Return an attribute as text."""
    if isinstance(value, h5py.Empty):
        return ""
    found = np.ravel(value)[0] if isinstance(value, np.ndarray) and value.size == 1 else value
    return found.decode("utf-8", "replace") if isinstance(found, bytes) else str(found)


def signals(file: h5py.File, arrays: Mapping[str, h5py.Dataset]) -> tuple[list[Signal], list[str]]:
    """Return the signals of all NXdata groups, and which are not among `arrays`, with the reason."""
    groups: dict[str, h5py.Group] = {"": file}
    file.visititems(lambda name, item: groups.update({name: item}) if isinstance(item, h5py.Group) else None)
    names = {h5py.h5o.get_info(item.id).addr: name for name, item in arrays.items()}
    default = _default(file)
    found: list[Signal] = []
    missing: list[str] = []
    for name, group in sorted(groups.items()):
        members = _members(file, group, names)
        signal = _signal(group, members, arrays)
        if signal in members:
            axes = _axes(group, arrays[members[signal]], {key: arrays[place] for key, place in members.items()})
            found.append(Signal(members[signal], tuple(members.get(axis, "") for axis in axes[0]), axes[1], name == default))
        elif signal and group.id.links.exists(signal.encode()):
            item = found_at(file, f"{name}/{signal}")
            elsewhere = not isinstance(item, h5py.Dataset) or not is_own(item)
            missing.append(
                f"{name}/{signal} " + ("lies in another file; open that one" if elsewhere else f"holds values of the type {item.dtype}")
            )
    inside = [one for one in found if default and one.name.startswith(f"{default}/")]
    if not any(one.default for one in found) and len(inside) == 1:  # the chain ends at an entry
        found[found.index(inside[0])] = replace(inside[0], default=True)
    return found, missing


def is_own(item: h5py.Dataset) -> bool:
    """Whether a data set keeps its values in its own file."""
    if not item.is_virtual:
        return not item.external
    sources = [found_at(item.file, source.dset_name) if source.file_name == "." else None for source in item.virtual_sources()]
    return all(isinstance(source, h5py.Dataset) and not source.is_virtual and not source.external for source in sources)


def found_at(file: h5py.File, path: str, depth: int = 0) -> Any:
    """Return what lies at a path, or None; links within the file are followed, those into other files are not."""
    here: Any = file
    for part in filter(None, path.split("/")):
        if not isinstance(here, h5py.Group) or not here.id.links.exists(part.encode()):
            return None
        kind = here.id.links.get_info(part.encode()).type
        if kind == h5py.h5l.TYPE_SOFT and depth < _MOST_LINKS:
            target = here.id.links.get_val(part.encode()).decode("utf-8", "replace")
            here = found_at(file, target if target.startswith("/") else f"{here.name}/{target}", depth + 1)
        else:
            here = here[part] if kind == h5py.h5l.TYPE_HARD else None
    return here


def _members(file: h5py.File, group: h5py.Group, names: Mapping[int, str]) -> dict[str, str]:
    """Return the data sets in a group by what they are called there, links included, with their names in the file."""
    found: dict[str, str] = {}
    for key in group:
        item = found_at(file, f"{group.name}/{key}")
        if isinstance(item, h5py.Dataset) and (place := names.get(h5py.h5o.get_info(item.id).addr)) is not None:
            found[key] = place
    return found


def _default(file: h5py.File) -> str:
    """Return the group that the chain of ``default`` attributes leads to."""
    group, path = file, ""
    for _ in range(_MOST_LINKS):
        name = text(group.attrs["default"]).strip("/") if "default" in group.attrs else ""
        inner = found_at(file, f"{path}/{name}") if name not in ("", ".") else None
        if not isinstance(inner, h5py.Group):
            break
        group, path = inner, f"{path}/{name}".strip("/")
    return path


def _signal(group: h5py.Group, members: Mapping[str, str], arrays: Mapping[str, h5py.Dataset]) -> str:
    """Return what the signal of a group is called in it, or ``""``; it may not be there."""
    named = text(group.attrs["signal"]) if "signal" in group.attrs else ""
    if named in members:
        return named
    marked = [key for key, place in members.items() if "signal" in arrays[place].attrs]
    first = [key for key in marked if text(arrays[members[key]].attrs["signal"]) == "1"]
    return next(iter(first or marked), named)


def _axes(group: h5py.Group, main: h5py.Dataset, members: Mapping[str, h5py.Dataset]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the axis of each dimension that fits, and what it is called: by the attributes of the group, the signal, or the axes."""
    found, named = [""] * main.ndim, [""] * main.ndim

    def put(place: int, key: str) -> None:
        if not 0 <= place < main.ndim or key in ("", "."):
            return
        named[place] = named[place] or key
        better = not found[place] or (quantity_of(key) != "" and quantity_of(found[place]) == "")
        if better and key in members and _fits(members[key], main.shape[place]):
            found[place] = named[place] = key

    given = group.attrs.get("axes", main.attrs.get("axes"))
    if given is not None:
        names = [text(one) for one in np.ravel(given)]
        names = re.split(r"[:,]|\s+", names[0].strip("[] ")) if len(names) == 1 else names
        alone = len(names) == 1 and f"{names[0]}_indices" in group.attrs
        for place, axis in enumerate(() if alone else names[: main.ndim]):
            put(place, axis.strip())
    for key, indices in group.attrs.items():
        if key.endswith("_indices") and np.size(indices) and np.asarray(indices).dtype.kind in "iu":
            places, axis = np.ravel(indices), key.removesuffix("_indices")
            if len(places) == 1 or quantity_of(axis):
                put(int(places[-1]), axis)
    own = [key for key, item in members.items() if "axis" in item.attrs]
    for key in sorted(own, key=lambda one: text(members[one].attrs.get("primary", "")) != "1"):
        if (number := text(members[key].attrs["axis"])).isdigit():
            put(int(number) - 1, key)
    return tuple(found), tuple(named)


def _fits(axis: h5py.Dataset, length: int) -> bool:
    """Whether a data set gives a position for each place of a dimension, or the edges of its bins."""
    return axis.size in (length, length + 1) and axis.size == max(axis.shape) and axis.size <= MOST_BANDS + 1


_FIRST_TWO = 2


def axis_values(axis: h5py.Dataset, length: int) -> npt.NDArray[np.float64]:
    """Return the positions that a data set gives, the middles of bins where it gives their edges, in the scale that its group states."""
    factor, offset = scaling(axis)
    stored = (np.ravel(list_of_packing(axis[()], axis.attrs)).astype(np.float64) + offset) * factor
    if len(stored) == _FIRST_TWO < length:  # as EMD shortens positions that are evenly spaced
        return np.asarray(stored[0] + (stored[1] - stored[0]) * np.arange(length), np.float64)
    values: npt.NDArray[np.float64] = (stored[1:] + stored[:-1]) / 2 if len(stored) == length + 1 else stored
    return values


def scaling(item: h5py.Dataset, *, signal: bool = False) -> tuple[float, float]:
    """Return factor and offset of the values of a field of NXdata, which are ``(stored + offset) * factor``."""
    group, short = item.parent, item.name.rpartition("/")[2]

    def given(word: str, otherwise: float) -> float:
        for key in (f"{short}_{word}", *([word] if signal else [])):
            found = found_at(item.file, f"{group.name}/{key}")
            if isinstance(found, h5py.Dataset) and is_own(found) and found.size == 1 and found.dtype.kind in "fiu":
                return float(np.ravel(found[()])[0])
        return otherwise

    return given("scaling_factor", 1.0), given("offset", 0.0)


def called(item: h5py.Dataset) -> str:
    """Return the words that an axis has for its quantity beyond the name of its data set."""
    labels = (text(item.attrs[key]) for key in ("long_name", "standard_name", "NAME", "name", "label", "quantity") if key in item.attrs)
    return " ".join(words for words in labels if not words.startswith("This is a netCDF dimension"))
