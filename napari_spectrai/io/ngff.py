"""Where the pixels of an OME-Zarr image lie: its axes and coordinate transformations, of NGFF 0.4 to 0.6."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.io.container import is_excluded
from napari_spectrai.units import quantity_of, unit_of

_SPECTRAL_TYPES = ("wavelength", "wavelengths", "spectral", "spectrum", "lambda", "wavenumber", "energy", "frequency")
_DEEPEST = 16
_FIRST_AXES = ("t", "c", "z", "y", "x")
"""The axes of every image in NGFF 0.1 and 0.2."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One dimension of an image.

    Parameters
    ----------
    name, kind, unit : as in the file, in lower case
    """

    name: str
    kind: str = ""
    unit: str = ""

    @property
    def is_spectral(self) -> bool:
        """Whether positions along it are those of bands."""
        return self.kind in _SPECTRAL_TYPES or self.name in ("λ", "lambda") or quantity_of(self.name) != ""


@dataclass(slots=True)
class Line:
    """Positions along a dimension: evenly spaced, or a list.

    Parameters
    ----------
    dimension : of the array as stored, which transformations may give another place among the axes
    lost : why the positions are not known, where they follow from a transformation that is not read
    """

    length: int
    dimension: int = 0
    scale: float = 1.0
    start: float = 0.0
    values: npt.NDArray[np.float64] | None = None
    lost: str = ""

    def positions(self) -> npt.NDArray[np.float64]:
        """Return the position of each place."""
        return self.start + self.scale * (np.arange(self.length, dtype=np.float64) if self.values is None else self.values)

    @property
    def given(self) -> bool:
        """Whether any transformation has moved the places away from their numbers."""
        return self.values is not None or self.scale != 1 or self.start != 0


def axes_of(image: Mapping[str, Any], dimensions: int) -> list[Axis]:
    """Return the axes of an image: its own (0.3 to 0.5), those of the coordinate system of its resolutions (0.6), or the five of 0.1."""
    entries = image.get("axes") or _system(image).get("axes")
    if not entries and str(image.get("version", "")) in ("0.1", "0.2") and dimensions == len(_FIRST_AXES):
        entries = list(_FIRST_AXES)
    if not entries:
        raise ValueError("its metadata name no axes, neither 'axes' nor 'coordinateSystems'")
    found = []
    for entry in entries:
        said = entry if isinstance(entry, Mapping) else {"name": entry}
        found.append(Axis(*(str(said.get(key) or "").strip().casefold() for key in ("name", "type", "unit"))))
    return found


def _system(image: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the coordinate system that the transformations of the resolutions lead to, else the first."""
    systems = [system for system in image.get("coordinateSystems") or () if isinstance(system, Mapping)]
    for transformation in _transformations(image["datasets"][0]):
        output = transformation.get("output")
        name = output.get("name") if isinstance(output, Mapping) else output
        for system in systems:
            if name is not None and system.get("name") == name:
                return system
    return systems[0] if systems else {}


def _transformations(holder: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = holder.get("coordinateTransformations") or []
    if not isinstance(found, list) or not all(isinstance(one, Mapping) for one in found):
        raise ValueError("its coordinate transformations are no list of objects")
    return found


def lines(
    image: Mapping[str, Any], level: Mapping[str, Any], axes: Sequence[Axis], shape: Sequence[int], arrays: Mapping[str, Any]
) -> list[Line]:
    """Return the positions along each axis, after the transformations of the resolution and those of the image."""
    state = [Line(int(length), number) for number, length in enumerate(shape)]
    shared = _transformations(image) if "axes" in image else []
    for transformation in (*_transformations(level), *shared):
        _apply(transformation, state, [axis.name for axis in axes], arrays, 0)
    return state


def _apply(transformation: Mapping[str, Any], state: list[Line], names: Sequence[str], arrays: Mapping[str, Any], depth: int) -> None:
    """Apply a transformation to the positions along the dimensions that it is given."""
    kind = str(transformation.get("type"))
    if depth > _DEEPEST:
        raise ValueError("its coordinate transformations are nested too deeply")
    if kind == "sequence":
        for inner in transformation.get("transformations", ()):
            _apply(inner, state, names, arrays, depth + 1)
    elif kind == "bijection":
        _apply(transformation.get("forward") or {}, state, names, arrays, depth + 1)
    elif kind == "byDimension":
        _apply_to_some(transformation, state, names, arrays, depth)
    elif kind == "mapAxis":
        order = list(transformation.get("mapAxis", ()))
        if sorted(map(str, order)) != sorted(map(str, range(len(state)))):
            raise ValueError(f"its transformation mapAxis {str(order)[:40]} is no order of {len(state)} dimensions; it is damaged")
        state[:] = [state[int(number)] for number in order]
    elif kind == "coordinates":
        _put(transformation, state, arrays)
    elif kind != "identity":
        _place_evenly(transformation, kind, state, arrays)


def _apply_to_some(
    transformation: Mapping[str, Any], state: list[Line], names: Sequence[str], arrays: Mapping[str, Any], depth: int
) -> None:
    """Apply the parts of a transformation to the axes that each is given, and put these where each says."""
    after = list(state)
    for entry in transformation.get("transformations", ()):
        given = entry.get("input_axes", entry.get("inputAxes", ()))
        inside, outside = (
            [_place(axis, names) for axis in some] for some in (given, entry.get("output_axes", entry.get("outputAxes", given)))
        )
        sources, targets = ([place for place in places if place is not None] for places in (inside, outside))
        if len(sources) != len(inside) or len(targets) != len(outside) or len(sources) != len(targets):
            _lose(state, "byDimension names axes that it does not have")
            return
        part = [state[place] for place in sources]
        _apply(entry.get("transformation", entry), part, [names[place] for place in sources], arrays, depth + 1)
        for place, line in zip(targets, part, strict=True):
            after[place] = line
    if len({line.dimension for line in after}) == len(after):
        state[:] = after
    else:
        _lose(state, "byDimension gives several axes the same dimension")


def _put(transformation: Mapping[str, Any], state: Sequence[Line], arrays: Mapping[str, Any]) -> None:
    """Put one dimension at the positions that are listed."""
    values = _numbers(transformation, "coordinates", arrays)
    if len(state) == 1 and len(values) == state[0].length:
        state[0].values, state[0].scale, state[0].start = np.asarray(values, np.float64), 1.0, 0.0
    else:
        lengths = " × ".join(str(line.length) for line in state)
        _lose(state, f"coordinates gives {len(values)} positions for {lengths}")


def _place_evenly(transformation: Mapping[str, Any], kind: str, state: Sequence[Line], arrays: Mapping[str, Any]) -> None:
    """Scale and shift positions; those that depend on more than their own dimension, or that are not known, are lost."""
    count = len(state)
    matrix = np.eye(count, count + 1)
    if kind in ("scale", "translation"):
        given = _numbers(transformation, kind, arrays)
        if len(given) != count:
            _lose(state, f"{kind} gives {len(given)} numbers for {count} dimensions")
            return
        if kind == "scale":
            matrix[:, :-1] = np.diag(given)
        else:
            matrix[:, -1] = given
    elif kind in ("affine", "rotation"):
        stored = np.asarray(transformation.get(kind, ()), np.float64)
        columns = count + (kind == "affine")
        if stored.shape not in ((count, columns), (columns, columns)):
            _lose(state, f"{kind} is no matrix of {count} × {columns} in it")
            return
        matrix[:, :columns] = stored[:count]
    else:
        _lose(state, f"{kind} is not read")
        return
    for number, line in enumerate(state):
        if np.delete(matrix[number, :-1], number).any():
            line.lost = line.lost or f"{kind} mixes dimensions"
        line.scale, line.start = (
            line.scale * float(matrix[number, number]),
            line.start * float(matrix[number, number]) + float(matrix[number, -1]),
        )


def _lose(state: Sequence[Line], reason: str) -> None:
    for line in state:
        line.lost = line.lost or reason


def _place(axis: Any, names: Sequence[str]) -> int | None:
    """Return the dimension of an axis: by its number, its name, or as in ``dim_0``."""
    word = str(axis).casefold()
    if word in names:
        return names.index(word)
    number = word.removeprefix("dim_")
    return int(number) if number.isdigit() and int(number) < len(names) else None


def _numbers(transformation: Mapping[str, Any], key: str, arrays: Mapping[str, Any]) -> list[float]:
    """Return the numbers of a transformation, which are in it or in an array of the store; none where there are too many."""
    found = transformation.get(key)
    path = str(transformation.get("path", "")).strip("/")
    if not found and path in arrays and arrays[path].size <= 2**24:
        found = np.ravel(arrays[path][...]).tolist()
    return [float(value) for value in found or ()]


def spectral(axes: Sequence[Axis]) -> tuple[int, bool]:
    """Return which dimension holds the bands, and whether the file says so: one of wavelengths, of emission first, else the channels."""
    known = [place for place, axis in enumerate(axes) if axis.is_spectral]
    if known:
        return min(known, key=lambda place: is_excluded(axes[place].name)), True
    for place, axis in enumerate(axes):
        if axis.kind == "channel" or axis.name == "c":
            return place, True
    return 0, False


def has_positions(axis: Axis, line: Line) -> bool:
    """Whether the positions along a dimension are those of bands, and not their numbers."""
    return line.given and not line.lost and (axis.is_spectral or unit_of(axis.unit) is not None)
