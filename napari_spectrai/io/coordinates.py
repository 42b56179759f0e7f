"""Arrays with names for their dimensions and coordinates along them: which is spectral, and where the pixels lie."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.io.axis_lists import find_axis, of_values
from napari_spectrai.io.container import is_excluded, plainly_last
from napari_spectrai.io.found import RawArray
from napari_spectrai.io.grids import planes
from napari_spectrai.remedies import is_answered
from napari_spectrai.units import quantity_of, unit_of

_LENGTHS = {"um": "um", "µm": "um", "μm": "um", "micrometer": "um", "micron": "um", "mm": "mm", "nm": "nm", "m": "m"}
_TIMES = {
    word: unit
    for unit, words in {
        "s": "s sec second seconds", "ms": "ms milliseconds", "min": "min minute minutes", "h": "h hours", "day": "days",
    }.items()
    for word in (unit, *words.split())
}  # fmt: skip
_SINCE = re.compile(r"\s+since\s.*")
"""What the conventions for climate and forecast put behind the unit of a time."""
_TITLES = {"z": "z", "depth": "z", "height": "z", "time": "time", "t": "time", "x": "x", "y": "y"}
_STAGE = re.compile(r"(^|[_ .-])[sxyz]?[xyz]($|[_ .-])|sample|stage|position|row|column|pixel|time")
_LEAST_PLACES = 2
_BANDS = re.compile(r"(spectral|band|channel|lambda|feature|freq(uency)?|shift|wave|wn|wl|c)(s|_?(axis|dim|index|number|id|names?))?")
_PLACES = re.compile(
    r"[a-z]?[xyzt]|[xyz]_?(pos|coord|pixel|axis|dim)?s?|time|date|lat(itude)?|lon(gitude)?|rows?|col(umn)?s?|lines?|samples?|height|width|depth"
    r"|(north|east)ing|(along|cross|down)_?track|scans?|pixels?(_?[xy])?|spatial_?[xyz]?|points?|spectra|spectrum|frames?|n(rows|cols|lines)"
)
_X_AND_Y = {
    ("lon", "lat"), ("longitude", "latitude"), ("easting", "northing"), ("east", "north"), ("col", "row"), ("cols", "rows"),
    ("column", "row"), ("columns", "rows"), ("column", "line"), ("columns", "lines"), ("sample", "line"), ("samples", "lines"),
    ("width", "height"), ("ncols", "nrows"), ("j", "i"),
}  # fmt: skip
_CERTAIN = ("1/cm", "eV", "m/z")


def of_coordinates(
    path: Path,
    data: Any,
    dimensions: Sequence[str],
    coordinates: Mapping[str, Any],
    units: Mapping[str, str],
    words: Mapping[str, str] | None = None,
    *,
    name: str = "",
    bands: int | None = None,
) -> RawArray:
    """Return an array by the names of its dimensions and the lists of positions that its container holds.

    Parameters
    ----------
    dimensions : names, ``""`` where there is none
    coordinates : lists that may be positions of bands or of pixels; those with the name of a dimension are its own
    units, words : units of the lists, and further names of them
    bands : the dimension of the bands, where the container says which it is
    """
    shape = tuple(data.shape)
    own = {number: np.ravel(coordinates[called]) for number, called in enumerate(dimensions) if called in coordinates}
    lines = {number: values for number, values in own.items() if values.size == shape[number] and values.dtype.kind in "fiu"}
    axes = [called if number in lines else "" for number, called in enumerate(dimensions)]
    place, named = (spectral(axes, units, words), by_names(dimensions)) if bands is None else (bands if bands in lines else None, bands)
    if place is None and named is not None:
        place = named
        taken = {called for number, called in enumerate(dimensions) if number != place}
        fitting = {called: values for called, values in coordinates.items() if np.size(values) == shape[place] and called not in taken}
        axis = find_axis(fitting, (1, shape[place]), units, path=path, main=name)[0]
    elif place is None:
        axis, place = find_axis(coordinates, shape, units, path=path, main=name, data=data)
    else:
        short = axes[place].rpartition("/")[2]
        said = (words or {}).get(axes[place], "")
        title = said if not quantity_of(short) and quantity_of(said) else short
        unit = units.get(axes[place], "") or (said if unit_of(said) is not None else "")
        axis = of_values(path, lines[place].astype(np.float64), unit, title)
    by_length = not lines and named is None
    sure = place is not None or plainly_last(data)
    last = len(shape) - 1 if place is None else place
    where = placement(list(axes), last, units, lines, shape)
    found = RawArray(
        data,
        spectral=last,
        sure=sure,
        axis=axis,
        by_length=by_length,
        pixel_size=where.pixel_size,
        pixel_unit=where.pixel_unit,
        metadata=dict(where.metadata),
    )
    return upright(found, dimensions)


def upright(found: RawArray, names: Sequence[str]) -> RawArray:
    """Return an image with y before x, where the names of its dimensions say that it is stored the other way round."""
    if is_answered("spectral"):  # by its number in the file
        return found
    place = found.spectral % len(names)
    rest = [number for number in range(len(names)) if number != place][-2:]
    if len(rest) < 2 or not x_before_y([names[number] for number in rest]):
        return found
    size, origin = found.pixel_size, found.metadata.get("origin")
    return replace(
        found,
        data=found.data.swapaxes(*rest),
        pixel_size=None if size is None else (size[1], size[0]),
        metadata={**found.metadata, **({} if origin is None else {"origin": list(origin)[::-1]})},
    )


def upright_labels(labels: Any, names: Sequence[str]) -> Any:
    """Return labels (x, y) as (y, x), where the names of their dimensions say so."""
    return labels.swapaxes(-2, -1) if labels.ndim > 1 and x_before_y(names[-2:]) else labels


def x_before_y(names: Sequence[str]) -> bool:
    """Whether two dimensions are called as x and y are, in this order."""
    first, second = (name.rpartition("/")[2].strip().casefold() for name in names)
    if (first, second) in _X_AND_Y:
        return True
    return len(first) == len(second) and [pair for pair in zip(first, second, strict=True) if pair[0] != pair[1]] == [("x", "y")]


def is_place(name: str) -> bool:
    """Whether a dimension is called as places of pixels and times are."""
    return _PLACES.fullmatch(name.rpartition("/")[2].casefold()) is not None


def by_names(dimensions: Sequence[str]) -> int | None:
    """Return the only dimension that is called as bands are, else the only one that is not called as places and times are."""
    names = [called.rpartition("/")[2].casefold() for called in dimensions]
    bands = [number for number, called in enumerate(names) if quantity_of(called) and not is_excluded(called)]
    bands = bands or [number for number, called in enumerate(names) if _BANDS.fullmatch(called)]
    others = [number for number, called in enumerate(names) if not is_place(called)]
    bands = bands or (others if len(names) - len(others) >= _LEAST_PLACES else [])
    return bands[0] if len(bands) == 1 else None


def spectral(axes: Sequence[str], units: Mapping[str, str], words: Mapping[str, str] | None = None) -> int | None:
    """Return which of some axes is spectral: by its name, else by a unit that only spectra have, else by the only one in nm or µm.

    `words` are further names of the axes.
    """
    said = words or {}
    plain = tuple("" if is_excluded(axis) else axis for axis in axes)
    axes = plain if any(plain) else axes  # of excitation and emission, the latter
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


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the pixels of a signal lie, as far as its axes are evenly spaced.

    Parameters
    ----------
    pixel_size : (y, x), or None
    metadata : ``"origin"`` and ``"planes"`` of images, ``"coordinates"`` of sets of spectra
    """

    pixel_size: tuple[float, float] | None = None
    pixel_unit: str = "pixel"
    metadata: Mapping[str, Any] = field(default_factory=dict)


def placement(
    axes: Sequence[str], place: int, units: Mapping[str, str], lines: Mapping[int, npt.NDArray[Any]], shape: Sequence[int]
) -> Placement:
    """Return where the pixels lie, from the positions along the dimensions that are not spectral."""
    rest = [number for number in range(len(shape)) if number != place]
    lines = {number: values.astype(np.float64) for number, values in lines.items() if number != place}
    said = {number: _SINCE.sub("", units.get(axes[number], "").strip("[]() ").casefold()) for number in lines}
    if len(rest) == 1:
        return Placement(metadata=_coordinates(axes[rest[0]], lines.get(rest[0]), said.get(rest[0], "")))
    leads = [number for number in rest[:-2] if (said.get(number) in _LENGTHS or said.get(number) in _TIMES) and _step(lines[number])]
    known = {_TITLES.get(axes[number].rpartition("/")[2].casefold(), "time" if said[number] in _TIMES else "z"): number for number in leads}
    metadata: dict[str, Any] = planes(
        (name, float(lines[number][0]), abs(_step(lines[number])), _LENGTHS.get(said[number]) or _TIMES[said[number]])
        for name, number in known.items()
        if len(leads) == len(rest) - 2 and _step(lines[number]) > 0
    )
    sides = rest[-2:]
    unit = {_LENGTHS.get(said.get(number, ""), "") for number in sides}
    steps = [_step(lines[number]) if number in lines else 0.0 for number in sides]
    if not all(steps) or len(unit) != 1 or unit == {""}:
        return Placement(metadata=metadata)
    origin = [float(lines[number][0]) for number in sides]
    if min(steps) > 0 and any(origin):
        metadata["origin"] = origin
    return Placement((abs(steps[0]), abs(steps[1])), unit.pop(), metadata)


def _step(values: npt.NDArray[np.float64]) -> float:
    """Return the step between positions that are evenly spaced, else 0."""
    steps = np.diff(values)
    even = bool(steps.size) and bool(np.isfinite(steps).all()) and bool(steps[0]) and bool(np.allclose(steps, steps[0], rtol=1e-3))
    return float(steps.mean()) if even else 0.0


def _coordinates(axis: str, values: npt.NDArray[np.float64] | None, unit: str) -> dict[str, Any]:
    """Return metadata of the coordinate along which a set of spectra was measured."""
    if values is None or not np.isfinite(values).all() or (unit not in _LENGTHS and unit not in _TIMES):
        return {}
    name = "time" if unit in _TIMES else _TITLES.get(axis.rpartition("/")[2].casefold(), "x")
    return {"coordinates": {name: {"values": values.tolist(), "unit": _TIMES.get(unit) or _LENGTHS[unit]}}}
