"""Which pixels of a cube a Labels or Shapes layer marks, and in which colour."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Image, Labels, Shapes
from napari.utils.colormaps.standardize_color import rgb_to_hex
from skimage.draw import ellipse, line, polygon

from napari_spectrai.cube import as_cube
from napari_spectrai.widgets.layers import spectral_position

MOST_REGIONS = 30
Region = tuple[str, str, npt.NDArray[np.intp]]
"""Name, colour and pixels, of shape (n, spatial dimensions)."""


def regions(layer: Labels | Shapes, image: Image, point: Sequence[float]) -> list[Region]:
    """Return the regions that `layer` marks on the pixels of `image`.

    Parameters
    ----------
    point : where the sliders stand, in world coordinates; of stacks the plane that is shown counts
    """
    cube = as_cube(image)
    if not cube.is_image:
        return []
    found = _of_labels(layer, image, point) if isinstance(layer, Labels) else _of_shapes(layer, image)
    height, width = cube.spatial_shape[-2:]
    front = _plane(image, point)
    done: list[Region] = []
    for name, colour, places in found:
        inside = ((places >= 0) & (places < (height, width))).all(1)
        flat = np.unique(places[inside], axis=0)
        if len(flat):
            done.append((name, colour, np.column_stack([np.tile(front, (len(flat), 1)), flat]).astype(np.intp)))
        if len(done) == MOST_REGIONS:
            break
    return done


def _plane(image: Image, point: Sequence[float]) -> list[int]:
    """Return the indices of the spatial dimensions before y and x, from the sliders."""
    place = [round(float(c)) for c in image.world_to_data(point[-image.ndim :])]
    del place[spectral_position(image)]
    return [min(max(c, 0), length - 1) for c, length in zip(place[:-2], as_cube(image).spatial_shape[:-2], strict=True)]


def _last_two(layer: Any) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    return np.asarray(layer.scale)[-2:], np.asarray(layer.translate)[-2:]


def _onto(image: Image, layer: Any, places: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return (y, x) of one layer's pixels on the other's, by scale and place."""
    (scale, origin), (own_scale, own_origin) = _last_two(layer), _spatial(image)
    return (places * scale + origin - own_origin) / own_scale


def _spatial(image: Image) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    keep = [d for d in range(image.ndim) if d != spectral_position(image)][-2:]
    return np.asarray(image.scale)[keep], np.asarray(image.translate)[keep]


def _of_labels(layer: Labels, image: Image, point: Sequence[float]) -> Iterator[Region]:
    place = layer.world_to_data(point[-layer.ndim :])[:-2]
    front = tuple(min(max(round(float(c)), 0), length - 1) for c, length in zip(place, layer.data.shape[:-2], strict=True))
    data = np.asarray(layer.data[front])
    rows, columns = np.nonzero(data)
    values = data[rows, columns]
    names = _class_names(layer)
    (scale, origin), (own_scale, own_origin) = _last_two(layer), _spatial(image)
    alike = np.allclose(scale, own_scale) and np.allclose(origin, own_origin)
    order = np.argsort(values, kind="stable")
    labels, starts = np.unique(values[order], return_index=True)
    for label, members in zip(labels.tolist(), np.split(order, starts[1:]), strict=True):
        places = np.column_stack([rows[members], columns[members]])
        if not alike:
            places = np.rint(_onto(image, layer, places)).astype(np.intp)
        colour = layer.get_color(label)
        yield names.get(label, f"{layer.name} {label}"), _hex(colour), places


def _class_names(layer: Labels) -> dict[int, str]:
    """Return the names that the layer's features or metadata give its labels."""
    told = layer.metadata.get("class_names", {})
    return {int(label): str(name) for label, name in told.items()} if isinstance(told, dict) else {}


def _hex(colour: Any) -> str:
    return "#9a9a9a" if colour is None else str(rgb_to_hex(np.atleast_2d(colour))[0])[:7]


def _of_shapes(layer: Shapes, image: Image) -> Iterator[Region]:
    height, width = as_cube(image).spatial_shape[-2:]
    for number, (vertices, kind) in enumerate(zip(layer.data, layer.shape_type, strict=True)):
        corners = _onto(image, layer, np.asarray(vertices, np.float64)[:, -2:])
        if kind == "ellipse":
            centre, radius = corners.mean(0), np.ptp(corners, axis=0) / 2
            rows, columns = ellipse(centre[0], centre[1], max(radius[0], 0.5), max(radius[1], 0.5), shape=(height, width))
        elif kind in ("line", "path"):
            ends = np.clip(np.rint(corners), 0, (height - 1, width - 1)).astype(int)
            parts = [line(*a, *b) for a, b in itertools.pairwise(ends)]
            rows, columns = (np.concatenate([part[side] for part in parts]) for side in (0, 1))
        else:
            rows, columns = polygon(corners[:, 0], corners[:, 1], shape=(height, width))
        yield f"{layer.name} {number}", _hex(layer.edge_color[number]), np.column_stack([rows, columns])
