"""Spectra with coordinates, arranged as lines, images and volumes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.io.found import RawArray, affordable, warn

ORDER = ("time", "z", "y", "x")
"""The dimensions given by coordinates, the slowest first."""
_LENGTHS = ("um", "mm", "nm", "m")
FILLED = 0.5
"""Least share of the places of a grid that hold something."""
_LEAST_OF_GRID = 4
"""Spectra of a grid with empty places, at least."""

FloatTable = npt.NDArray[np.float64]


def steps(values: FloatTable) -> tuple[npt.NDArray[np.intp], float]:
    """Return the number of each coordinate on an even grid, and the grid's step; a stage never stops at exactly the same position twice."""
    unique = np.unique(values)
    gaps = np.diff(unique)
    if not gaps.size or gaps.max() == 0:
        return np.zeros(len(values), np.intp), 0.0
    step = float(np.median(gaps[gaps > 0.3 * gaps.max()]))
    return np.rint((values - values.min()) / step).astype(np.intp), step


def laid_out(
    path: Path, spectra: Any, axis: SpectralAxis | None, coordinates: Mapping[str, FloatTable], units: Mapping[str, str], **more: Any
) -> RawArray:
    """Return spectra as the line, image or volume that their coordinates describe, in whatever order they were measured.

    Parameters
    ----------
    spectra : array of shape (spectra, bands)
    coordinates : values of ``"x"``, ``"y"``, ``"z"`` and ``"time"``, one per spectrum, as far as they are known
    units : their units, as far as they are known

    Along one coordinate spectra remain a set, in the file's order, with the coordinate in ``metadata["coordinates"]``. Coordinates that
    form no grid make a set, with a warning; places of a grid that hold no spectrum are NaN, with a warning.
    """
    known = {name: np.asarray(coordinates[name], np.float64) for name in ORDER if name in coordinates}
    metadata: dict[str, Any] = dict(more.pop("metadata", {}))
    varying = [name for name in known if np.isfinite(known[name]).all() and np.unique(known[name]).size > 1]
    kept = {name: {"values": values.tolist(), "unit": units.get(name, "")} for name, values in known.items()}
    if len(spectra) < 2 or len(varying) < 2:
        if kept:
            metadata["coordinates"] = kept
        return RawArray(spectra, axis=axis, metadata=metadata | _stage(known, units, varying), **more)
    grid = _grid(known, varying)
    for running in ("time", "z"):  # a clock or an autofocus, which say when and how high each point was measured
        if grid is None and running in varying and len(varying) > 2:
            varying = [name for name in varying if name != running]
            grid = _grid(known, varying)
            metadata["coordinates"] = kept
    if grid is None:
        metadata.pop("coordinates", None)
        return _as_set(path, spectra, axis, kept, known, metadata, **more)
    place, shape, sizes = grid
    count, bands = math.prod(shape), spectra.shape[1]
    if count > len(spectra):
        warn(path, f"{count - len(spectra)} of {count} places of its {' × '.join(map(str, shape))} grid hold no spectrum; they are NaN")
    affordable((count, bands), np.float64)
    image = np.full((count, bands), np.nan, np.result_type(spectra.dtype, np.float32))
    image[place] = spectra
    if "coordinates" in metadata:  # as the image lies, and not as it was measured
        metadata["coordinates"] = {name: {**one, "values": _in_place(one["values"], place, count)} for name, one in kept.items()}
    if len(metadata.get("labels", ())) == len(spectra):
        names = dict(zip(place.tolist(), metadata["labels"], strict=True))
        metadata["labels"] = [names.get(number, "") for number in range(count)]
    size, unit = _pixel(varying, sizes, units)
    first = {name: float(values.min()) for name, values in known.items()}
    if size is not None:
        metadata["origin"] = [first.get(name, 0.0) for name in varying[-2:]]
    metadata |= planes((name, first[name], step, units.get(name, "")) for name, step in zip(varying[:-2], sizes, strict=False))
    return RawArray(image.reshape(*shape, bands), axis=axis, pixel_size=size, pixel_unit=unit, metadata=metadata, **more)


def _in_place(values: Sequence[float], place: npt.NDArray[np.intp], count: int) -> list[float]:
    found = np.full(count, np.nan)
    found[place] = values
    return [float(value) for value in found]


def planes(dimensions: Iterable[tuple[str, float, float, str]]) -> dict[str, Any]:
    """Return metadata of the dimensions that precede those of the plane: the name, start, step and unit of each, in their order."""
    found = {name: {"start": float(start), "step": float(step), "unit": unit} for name, start, step, unit in dimensions if step > 0}
    return {"planes": found} if found else {}


def _grid(known: Mapping[str, FloatTable], varying: list[str]) -> tuple[npt.NDArray[np.intp], tuple[int, ...], tuple[float, ...]] | None:
    """Return the place of each spectrum on a grid, its shape and its steps; None if the coordinates form none."""
    numbers, sizes = zip(*(steps(known[name]) for name in varying), strict=True)
    shape = tuple(int(number.max()) + 1 for number in numbers)
    if math.prod(shape) > len(numbers[0]) / FILLED:
        return None
    if math.prod(shape) > len(numbers[0]) < _LEAST_OF_GRID:  # two places are always the corners of one
        return None
    place = np.ravel_multi_index(numbers, shape)
    return (place, shape, sizes) if np.unique(place).size == len(place) else None


def _pixel(varying: list[str], sizes: tuple[float, ...], units: Mapping[str, str]) -> tuple[tuple[float, float] | None, str]:
    """Return the pixel size where both sides of the image are lengths in one unit."""
    sides = [units.get(name, "") for name in varying[-2:]]
    if sides[0] != sides[1] or sides[0] not in _LENGTHS:
        return None, "pixel"
    return (sizes[-2], sizes[-1]), sides[0]


def _as_set(
    path: Path,
    spectra: Any,
    axis: SpectralAxis | None,
    kept: dict[str, Any],
    known: Mapping[str, FloatTable],
    metadata: dict[str, Any],
    **more: Any,
) -> RawArray:
    warn(path, "its points form no grid; they are read as a set of spectra with their positions in metadata['coordinates']")
    stage = {f"stage_{name}": known[name].tolist() for name in "xyz" if name in known}
    return RawArray(spectra, axis=axis, metadata=metadata | {"coordinates": kept} | stage, **more)


def _stage(known: Mapping[str, FloatTable], units: Mapping[str, str], varying: list[str]) -> dict[str, Any]:
    """Return the stage coordinates of a line, under the same names as in other formats."""
    if not varying or units.get(varying[0], "") not in _LENGTHS:
        return {}
    return {f"stage_{name}": known[name].tolist() for name in "xyz" if name in known} | {"stage_unit": units[varying[0]]}
