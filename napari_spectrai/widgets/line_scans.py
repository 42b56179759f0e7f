"""Lines, depth series and single spectra as layers: pictures of λ × distance that are neither hairlines nor black."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.cube import Cube
from napari_spectrai.io import Picture
from napari_spectrai.placement import KEY as PLACEMENT

_LINE_COLOUR = "#ffd23f"
_FLAT = 0.6
"""Height of the picture of a line, as a share of its width."""
_UNEVEN = 0.1
"""Largest deviation of a step of a line from the mean step, as a share of it."""


@dataclass(frozen=True, slots=True)
class Along:
    """The distances at which the spectra of a line were measured: start and step in `unit`."""

    start: float = 0.0
    step: float = 1.0
    unit: str = "pixel"


def without_thin_sides(cube: Cube) -> Cube:
    """Return an image of one row or column as a set of spectra with stage coordinates; other cubes unchanged."""
    if len(cube.spatial_shape) != 2 or min(cube.spatial_shape) > 1:
        return cube
    count = cube.count
    metadata = {key: value for key, value in cube.metadata.items() if key not in (PLACEMENT, "origin", "spectral_position")}
    if cube.pixel_size is not None:
        start = np.array(cube.metadata.get("origin", (0.0, 0.0)), np.float64)
        steps = np.array(cube.pixel_size) * (np.array(cube.spatial_shape) > 1)
        places = start + steps * np.arange(count)[:, None]
        metadata |= {"stage_y": places[:, 0].tolist(), "stage_x": places[:, 1].tolist(), "stage_unit": cube.pixel_unit}
    return replace(cube, data=cube.data.reshape(count, -1), pixel_size=None, pixel_unit="pixel", metadata=metadata)


def _places(cube: Cube) -> dict[str, npt.NDArray[np.float64]]:
    """Return the stage coordinates that a file gives for each of its spectra, by axis."""
    known = {name: cube.metadata.get(f"stage_{name}") for name in "zyx"}
    series = cube.metadata.get("coordinates")
    if not any(known.values()) and isinstance(series, Mapping):  # depths or times
        known = {name: one.get("values") for name, one in series.items() if isinstance(one, Mapping)}
    return {name: np.asarray(values, np.float64) for name, values in known.items() if values is not None and len(values) == cube.count}


def along(cube: Cube) -> Along:
    """Return the distances along a straight line of evenly spaced spectra; spectra without one are numbered.

    A line along one axis of the stage keeps the coordinates of that axis; others begin at zero.
    """
    varying = {name: values for name, values in _places(cube).items() if np.ptp(values) > 0}
    if not varying or cube.count < 2:
        return Along()
    places = np.stack(list(varying.values()), 1)
    steps = np.diff(places, axis=0)
    mean = steps.mean(0)
    step = float(np.linalg.norm(mean))
    if step == 0 or (np.linalg.norm(steps - mean, axis=1) > _UNEVEN * step).any():
        return Along()
    own = len(varying) == 1 and mean[0] > 0
    return Along(float(places[0, 0]) if own else 0.0, step, _unit(cube, next(iter(varying))))


def _unit(cube: Cube, name: str) -> str:
    series = cube.metadata.get("coordinates")
    own = series.get(name, {}).get("unit") if isinstance(series, Mapping) else None
    return str(cube.metadata.get("stage_unit") or own or "pixel")


def shaped(cube: Cube, options: Mapping[str, Any], views: Sequence[Picture] = ()) -> dict[str, Any]:
    """Return the layer attributes of a set of spectra so that its picture is wider than high, below the pictures of its file."""
    count, bands = cube.count, len(cube.axis)
    line = along(cube)
    if line == Along() and count >= bands / 2:
        return dict(options)
    width = line.step * count if line != Along() or count > 1 else bands / _FLAT
    if line == Along() and count > 1:
        width = bands / _FLAT
        line = Along(0.0, width / count)
    step = width if count == 1 else line.step
    height = width * _FLAT
    top, left = 0.0, line.start
    if views:
        picture = views[0]
        tall = picture.pixel_size[0] * picture.data.shape[0]
        height = max(height, tall * _FLAT)
        top, left = picture.origin[0] + tall * 1.05, picture.origin[1]
    # both dimensions have the unit of the distance: napari draws no layers of different units
    return {**options, "scale": [height / bands, step], "translate": [top, left], "units": [line.unit] * 2}


def place_in_picture(cube: Cube, views: Sequence[Picture]) -> tuple[Any, dict[str, Any], str] | None:
    """Return the layer that shows on the picture of a file where its spectra were measured; None if the file does not say."""
    known = _places(cube)
    if not views or "x" not in known or "y" not in known:
        return None
    picture = views[0]
    places = np.stack([known["y"], known["x"]], 1)
    options: dict[str, Any] = {"name": f"{cube.name} · place", "units": [picture.pixel_unit] * 2}
    size = max(picture.pixel_size) * max(picture.data.shape[:2])
    if along(cube) == Along():
        return places, options | {"size": size / 60, "face_color": _LINE_COLOUR, "border_width": 0}, "points"
    more = {"shape_type": "line", "edge_color": _LINE_COLOUR, "edge_width": size / 150}
    return [places[[0, -1]]], options | more, "shapes"
