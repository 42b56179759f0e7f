"""Layout of samples in the cubes: patches, the margins around each cube, the pixels that a part may use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.experiment import Experiment
from napari_spectrai.plan.patch_corners import apart, origins
from napari_spectrai.plan.reflection import extended, reflect, reflected
from napari_spectrai.plan.subsets import TEST, UNUSED, VALIDATION, Map


@dataclass(frozen=True, slots=True)
class Layout:
    """Layout of samples in the pool: the patch, the margin around each cube, and whether patches extend into other parts."""

    patch: int
    margin: int = 0
    shared: bool = False
    pixelwise: bool = False


def layout_of(experiment: Experiment) -> Layout:
    """Return the layout of the samples of a training in its cubes."""
    network, task, split = experiment.network, experiment.task, experiment.split
    shared = task.classifies and (split.context == "shared" or split.method in ("random", "stratified"))
    if not experiment.looks_around or (network.classical and not task.classifies and task.enlarges == 1):
        return Layout(1)
    if network.around:
        return Layout(network.around, margin=network.around // 2, shared=shared, pixelwise=True)
    if network.classical and task.classifies:
        return Layout(1)
    patch = experiment.data.patch
    if task.enlarges > 1 and task.needs_truth:
        patch = max(1, patch // task.enlarges)
    return Layout(patch, shared=shared)


@dataclass(frozen=True, slots=True)
class Place:
    """Position of a cube in the pool: its first pixel, its planes with their margins, and its own size inside them."""

    base: int
    padded: tuple[int, int, int]
    shape: tuple[int, int, int]
    margin: int

    @property
    def size(self) -> int:
        """Number of pixels in the pool."""
        return int(np.prod(self.padded))

    def of(self, pool: Any, times: int = 1) -> Any:
        """Return the cube (z, y, x, ...) in a pool (an array or tensor), as a view."""
        z, y, x = self.padded
        whole = pool[self.base * times**2 : (self.base + self.size) * times**2].reshape(z, y * times, x * times, *pool.shape[1:])
        near = self.margin
        return whole[:, near : near + self.shape[1] * times, near : near + self.shape[2] * times]


def places_of(shapes: Sequence[tuple[int, int, int]], layout: Layout) -> list[Place]:
    """Return the positions of cubes of shape (z, y, x) in the pool, in sequence; those smaller than a patch are padded to one."""
    places, base = [], 0
    patch = 1 if layout.pixelwise else layout.patch
    # if patches may extend into other parts, whole patches cover every pixel once
    multiple = patch if layout.shared else 1
    for z, y, x in shapes:
        near = far = layout.margin
        height, width = (extended(length + near + far, least=patch, multiple=multiple) for length in (y, x))
        padded = (z, height, width)
        places.append(Place(base, padded, (z, y, x), near))
        base += places[-1].size
    return places


def padded(values: npt.NDArray[Any], place: Place, *, edge: bool, times: int = 1) -> npt.NDArray[Any]:
    """Return (z, y, x, ...) padded as its position requires, for a truth with `times` as many pixels per side.

    `edge`: margins repeat the edge, and cubes smaller than a patch are padded by reflection; otherwise both are zero.
    """
    if place.padded == place.shape:
        return values
    near = place.margin * times
    sides = [whole * times for whole in place.padded[1:]]
    if edge and not place.margin:
        return reflect(values, sides, 1)
    around = [(0, 0), *((near, whole - inside - near) for whole, inside in zip(sides, values.shape[1:3], strict=True))]
    around += [(0, 0)] * (values.ndim - 3)
    return np.pad(values, around, mode="edge") if edge else np.pad(values, around)


def fill_margins(pool: npt.NDArray[Any], place: Place, times: int = 1) -> None:
    """Fill the margins of a cube in a pool (pixels, ...) in place: they repeat the edge, or reflect a cube smaller than a patch."""
    if place.padded == place.shape:
        return
    z, height, width = place.padded[0], place.padded[1] * times, place.padded[2] * times
    whole = pool[place.base * times**2 : (place.base + place.size) * times**2].reshape(z, height, width, *pool.shape[1:])
    near, (inner_rows, inner_columns) = place.margin * times, (times * side for side in place.shape[1:])
    columns, rows = _from(inner_columns, width, near), _from(inner_rows, height, near)
    outside = np.flatnonzero(columns != np.arange(width))
    whole[:, near : near + inner_rows, outside] = whole[:, near : near + inner_rows, columns[outside]]
    outside = np.flatnonzero(rows != np.arange(height))
    whole[:, outside] = whole[:, rows[outside]]


def _from(length: int, wanted: int, near: int) -> npt.NDArray[np.int64]:
    """Return for each of `wanted` positions which one it repeats, where `length` known ones begin at `near`."""
    return near + np.clip(np.arange(wanted) - near, 0, length - 1) if near else reflected(length, wanted)


def corners_of(
    labels: Map, label: int, layout: Layout, place: Place, known: npt.NDArray[np.bool_] | None, data: npt.NDArray[np.bool_] | None = None,
) -> npt.NDArray[np.int64]:  # fmt: skip
    """Return the first corners (n, 3) of the patches of one part, in the padded planes of its position.

    Patches may extend over pixels without `data`, which belong to no part.
    """
    wanted = labels == label if known is None else (labels == label) & known
    if layout.pixelwise:
        corners: npt.NDArray[np.int64] = np.argwhere(wanted)  # corners of the window around each pixel, since the margin shifts it
        if not layout.shared:
            inside = np.pad(_with_holes(labels, label, data), [(0, 0), *[(layout.margin, layout.margin)] * 2], constant_values=label)
            whole = np.zeros(labels.shape, bool)
            whole[tuple(origins(inside, label, layout.patch).T)] = True
            corners = corners[np.asarray(whole[tuple(corners.T)])]
        return corners
    if layout.patch == 1:
        return np.argwhere(wanted)
    held = label in (VALIDATION, TEST)
    if layout.shared:
        whole = padded(np.where(wanted, label, UNUSED).astype(np.uint8), place, edge=False)
        step = layout.patch if held else 1
        corners = origins(whole > 0, label, layout.patch, least=1)
        on_grid: npt.NDArray[np.int64] = corners[(corners[:, 1] % step == 0) & (corners[:, 2] % step == 0)]
        return on_grid
    labels = padded(labels, place, edge=True)  # reflected pixels of an image smaller than a patch belong to its part
    corners = _whole(labels, label, layout.patch, None if data is None else padded(data, place, edge=True))
    if known is not None and len(corners):
        corners = corners[[known[z, y : y + layout.patch, x : x + layout.patch].any() for z, y, x in corners]]
    return apart(corners, layout.patch) if held else corners


def _with_holes(labels: Map, label: int, data: npt.NDArray[np.bool_] | None) -> Map:
    """Return a map in which pixels without data belong to a part, too."""
    return labels if data is None else np.where(data, labels, label).astype(np.uint8)


def _whole(labels: Map, label: int, patch: int, data: npt.NDArray[np.bool_] | None) -> npt.NDArray[np.int64]:
    """Return the corners of patches in one part that contain enough of its pixels: if possible, a quarter of the patch."""
    for least in [1] if label in (VALIDATION, TEST) else [max(1, patch * patch // 4), 1]:
        kept = whole_patches(labels, label, patch, data, least)
        if len(kept):
            break
    return kept


def whole_patches(labels: Map, label: int, patch: int, data: npt.NDArray[np.bool_] | None, least: int) -> npt.NDArray[np.int64]:
    """Return the corners of patches in one part, in which at least so many pixels hold data."""
    if data is None or data.all():
        return origins(labels, label, patch)
    corners = origins(_with_holes(labels, label, data), label, patch)
    if not len(corners):
        return corners
    enough = np.zeros(labels.shape, bool)
    enough[tuple(origins(labels, label, patch, least=least).T)] = True
    kept: npt.NDArray[np.int64] = corners[enough[tuple(corners.T)]]
    return kept
