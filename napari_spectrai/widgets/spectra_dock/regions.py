"""The pixels of a cube that a Labels or Shapes layer marks, with their colours."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Image, Labels, Shapes
from napari.utils.colormaps.standardize_color import rgb_to_hex

from napari_spectrai.label_conversion import names_of_layer
from napari_spectrai.widgets.layers import as_cube, spectral_position
from napari_spectrai.widgets.short_names import without_source

MOST_REGIONS = 30
Region = tuple[str, str, npt.NDArray[np.intp]]
"""Name, colour and pixels, of shape (n, spatial dimensions)."""


def regions(layer: Labels | Shapes, image: Image, point: Sequence[float]) -> list[Region]:
    """Return the regions that `layer` marks on the pixels of `image`.

    Parameters
    ----------
    point : position of the sliders, in world coordinates; of stacks, the plane shown is used
    """
    cube = as_cube(image)
    if not cube.is_image:
        return []
    found = _of_labels(layer, image, point) if isinstance(layer, Labels) else _of_shapes(layer, image, point)
    height, width = cube.spatial_shape[-2:]
    front = _plane(image, point)
    # shapes are filled on the image's grid, labels have their own grid
    onto = onto_pixels(image, layer) if isinstance(layer, Labels) else np.asarray
    done: list[Region] = []
    for name, colour, places in found:
        there = np.rint(onto(places)).astype(np.intp)
        inside = ((there >= 0) & (there < (height, width))).all(1)
        marked = np.zeros(height * width, bool)
        marked[there[inside, 0] * width + there[inside, 1]] = True
        flat = np.flatnonzero(marked)
        if flat.size:
            pixels = np.stack([*(np.full(flat.size, index) for index in front), flat // width, flat % width], 1)
            done.append((name, colour, pixels.astype(np.intp)))
        if len(done) == MOST_REGIONS:
            break
    return done


def _plane(image: Image, point: Sequence[float]) -> list[int]:
    """Return the indices of the spatial dimensions before y and x, from the sliders."""
    place = [round(float(c)) for c in image.world_to_data(point[-image.ndim :])]
    del place[spectral_position(image)]
    return [min(max(c, 0), length - 1) for c, length in zip(place[:-2], as_cube(image).spatial_shape[:-2], strict=True)]


def onto_pixels(image: Image, layer: Any) -> Callable[[npt.NDArray[Any]], npt.NDArray[np.float64]]:
    """Return the map from (y, x) of one layer's data to the other's, through both layers' transforms and units.

    The transforms are affine, so three points determine them.
    """
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    in_plane = [d for d in range(image.ndim) if d != spectral_position(image)][-2:]
    factor = _factor(layer.units[-1], image.units[in_plane[-1]])
    ends = []
    for corner in corners:
        world = np.zeros(image.ndim)
        world[in_plane] = np.asarray(layer.data_to_world([*[0.0] * (layer.ndim - 2), *corner]))[-2:] * factor
        ends.append(np.asarray(image.world_to_data(world))[in_plane])
    matrix = np.stack([ends[1] - ends[0], ends[2] - ends[0]])
    return lambda places: places @ matrix + ends[0]


def _factor(unit: Any, onto: Any) -> float:
    """Return the factor from one unit to another; 1 if they measure different quantities."""
    try:
        return float((1 * unit).to(onto).magnitude)
    except Exception:  # noqa: BLE001  # pint has an error of its own for each way they can differ
        return 1.0


def _of_labels(layer: Labels, image: Image, point: Sequence[float]) -> Iterator[Region]:
    data = np.asarray(layer.data[0] if layer.multiscale else layer.data)
    place = np.asarray(layer.world_to_data(point[-layer.ndim :]))
    spectral = layer.ndim - image.ndim + spectral_position(image)
    for dimension in range(layer.ndim - 3, -1, -1):
        if dimension == spectral:  # marks apply to every band, whichever was shown when they were painted
            data = data.max(axis=dimension)
        else:
            data = data.take(min(max(round(float(place[dimension])), 0), data.shape[dimension] - 1), axis=dimension)
    rows, columns = np.nonzero(data)
    values = data[rows, columns]
    if not len(values):
        return
    names, own = names_of_layer(layer), without_source(str(layer.name), str(image.name))
    order = np.argsort(values, kind="stable")
    labels, starts = np.unique(values[order], return_index=True)
    for label, members in zip(labels.tolist(), np.split(order, starts[1:]), strict=True):
        yield names.get(label, f"{own} {label}"), _hex(layer.get_color(label)), np.column_stack([rows[members], columns[members]])


def _hex(colour: Any) -> str:
    return "#9a9a9a" if colour is None else str(rgb_to_hex(np.atleast_2d(colour))[0])[:7]


def _of_shapes(layer: Shapes, image: Image, point: Sequence[float]) -> Iterator[Region]:
    spectral = layer.ndim - image.ndim + spectral_position(image)
    shown = np.asarray(layer.world_to_data(point[-layer.ndim :]))
    own = without_source(str(layer.name), str(image.name))
    for number, (vertices, kind) in enumerate(zip(layer.data, layer.shape_type, strict=True)):
        corners = np.asarray(vertices, np.float64)
        planes = [d for d in range(layer.ndim - 2) if d != spectral]
        if any(abs(corners[0, d] - shown[d]) > 0.5 for d in planes):  # drawn on another plane
            continue
        outline = corners[:, -2:]
        if kind == "ellipse":
            turn = np.linspace(0, 2 * np.pi, 64, endpoint=False)[:, None]
            one, other = (outline[1] - outline[0]) / 2, (outline[3] - outline[0]) / 2
            outline = outline.mean(0) + np.cos(turn) * one + np.sin(turn) * other
        yield f"{own} {number + 1}", _hex(layer.edge_color[number]), _filled(onto_pixels(image, layer)(outline), kind)


def _filled(outline: npt.NDArray[np.float64], kind: str) -> npt.NDArray[np.intp]:
    """Return the pixels of the image's grid that an outline encloses, or that a line passes."""
    from skimage.draw import line, polygon

    if kind in ("line", "path"):
        ends = np.rint(outline).astype(int)
        parts = [line(*a, *b) for a, b in itertools.pairwise(ends)]
        return np.column_stack([np.concatenate([part[side] for part in parts]) for side in (0, 1)])
    return np.column_stack(polygon(outline[:, 0], outline[:, 1]))
