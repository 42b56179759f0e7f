"""Where the pixels of an OME-Zarr image lie: its axes and coordinate transformations, of NGFF 0.4 to 0.6."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.units import quantity_of, unit_of

_SPECTRAL_TYPES = ("wavelength", "wavelengths", "spectral", "spectrum", "lambda", "wavenumber", "energy", "frequency")
_DEEPEST = 16


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
class _Line:
    """Positions along a dimension: evenly spaced, or a list."""

    length: int
    scale: float = 1.0
    start: float = 0.0
    values: npt.NDArray[np.float64] | None = None

    def positions(self) -> npt.NDArray[np.float64]:
        return self.start + self.scale * (np.arange(self.length, dtype=np.float64) if self.values is None else self.values)

    @property
    def given(self) -> bool:
        return self.values is not None or self.scale != 1 or self.start != 0


def axes_of(image: Mapping[str, Any]) -> list[Axis]:
    """Return the axes: those of the image (0.4, 0.5), or of the first of its coordinate systems (0.6)."""
    systems = image.get("coordinateSystems") or [{}]
    entries = image.get("axes") or systems[0].get("axes")
    if not entries:
        raise ValueError("its metadata name no axes, neither 'axes' nor 'coordinateSystems'")
    found = []
    for entry in entries:
        said = entry if isinstance(entry, Mapping) else {"name": entry}
        found.append(Axis(*(str(said.get(key) or "").strip().casefold() for key in ("name", "type", "unit"))))
    return found


def lines(
    image: Mapping[str, Any], level: Mapping[str, Any], axes: Sequence[Axis], shape: Sequence[int], arrays: Mapping[str, Any]
) -> list[_Line]:
    """Return the positions along each dimension, after the transformations of the resolution and those of the image."""
    state = [_Line(int(length)) for length in shape]
    own = level.get("coordinateTransformations") or ()
    shared = image.get("coordinateTransformations") or () if "axes" in image else ()
    for transformation in (*own, *shared):
        _apply(transformation, state, [axis.name for axis in axes], arrays, 0)
    return state


def _apply(transformation: Mapping[str, Any], state: Sequence[_Line], names: Sequence[str], arrays: Mapping[str, Any], depth: int) -> None:
    """Apply a transformation to the positions along the dimensions that it is given."""
    kind = transformation.get("type")
    if depth > _DEEPEST:
        raise ValueError("its coordinate transformations are nested too deeply")
    if kind == "sequence":
        for inner in transformation.get("transformations", ()):
            _apply(inner, state, names, arrays, depth + 1)
    elif kind == "byDimension":
        for entry in transformation.get("transformations", ()):
            places = [_place(axis, names) for axis in entry.get("input_axes", entry.get("inputAxes", ()))]
            chosen = [place for place in places if place is not None and place < len(state)]
            if len(chosen) == len(places):
                inner = entry.get("transformation", entry)
                _apply(inner, [state[place] for place in chosen], [names[place] for place in chosen], arrays, depth + 1)
    elif kind == "coordinates" and len(state) == 1:
        values = _numbers(transformation, "coordinates", arrays)
        if len(values) == state[0].length:
            state[0].values, state[0].scale, state[0].start = np.asarray(values, np.float64), 1.0, 0.0
    else:
        for line, (scale, start) in zip(state, _linear(transformation, len(state), arrays), strict=False):
            line.scale, line.start = line.scale * scale, line.start * scale + start


def _linear(transformation: Mapping[str, Any], dimensions: int, arrays: Mapping[str, Any]) -> list[tuple[float, float]]:
    """Return factor and offset of each dimension."""
    kind = transformation.get("type")
    if kind == "scale":
        return [(value, 0.0) for value in _numbers(transformation, "scale", arrays)]
    if kind == "translation":
        return [(1.0, value) for value in _numbers(transformation, "translation", arrays)]
    matrix = np.asarray(transformation.get("affine", ()), np.float64)
    if kind == "affine" and matrix.shape == (dimensions, dimensions + 1):
        return [(float(matrix[number, number]), float(matrix[number, -1])) for number in range(dimensions)]
    return []


def _place(axis: Any, names: Sequence[str]) -> int | None:
    if isinstance(axis, int):
        return axis
    return names.index(str(axis).casefold()) if str(axis).casefold() in names else None


def _numbers(transformation: Mapping[str, Any], key: str, arrays: Mapping[str, Any]) -> list[float]:
    """Return the numbers of a transformation, which are in it or in an array of the store."""
    found = transformation.get(key)
    path = str(transformation.get("path", "")).strip("/")
    if not found and path in arrays and arrays[path].size <= 2**24:
        found = np.ravel(arrays[path][...]).tolist()
    return [float(value) for value in found or ()]


def spectral(axes: Sequence[Axis]) -> tuple[int, bool]:
    """Return which dimension holds the bands, and whether the file says so: one of wavelengths, else the channels."""
    for place, axis in enumerate(axes):
        if axis.is_spectral:
            return place, True
    for place, axis in enumerate(axes):
        if axis.kind == "channel" or axis.name == "c":
            return place, True
    return 0, False


def has_positions(axis: Axis, line: _Line) -> bool:
    """Whether the positions along a dimension are those of bands, and not their numbers."""
    return line.given and (axis.is_spectral or unit_of(axis.unit) is not None)
