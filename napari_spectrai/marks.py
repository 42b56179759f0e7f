"""Points and shapes as labels: the pixel under each point, the pixels inside each shape, with the class named by its features."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.cube import Cube
from napari_spectrai.label_conversion import named
from napari_spectrai.labels import Labels
from napari_spectrai.layer_axes import SpectralWarning
from napari_spectrai.placement import KEY, Placement

COLUMNS = ("class", "label", "classes", "labels", "name")
"""Columns of a layer's features that can name the class of each point or shape; the first existing one is used."""


def is_marks(item: Any) -> bool:
    """Whether an object is a napari layer of points or shapes, by its attributes."""
    return hasattr(item, "features") and hasattr(item, "data") and (hasattr(item, "shape_type") or hasattr(item, "symbol"))


def labels_of_marks(layer: Any, cube: Cube) -> Labels:
    """Return the classes that points or shapes assign to the pixels of a cube; 0 elsewhere.

    Parameters
    ----------
    layer : napari Points or Shapes layer
        The class of each is read from a column ``"class"`` or ``"label"`` of its features, from its text, or from its face colour if there
        are several. Points and shapes without a class are ignored.
    cube : Cube
        The cube whose pixels they mark, by world coordinates if both have a position; marks made at one band apply to all bands.

    Raises
    ------
    ValueError
        If there are no classes, or no point or shape lies on the image.

    Warns
    -----
    SpectralWarning
        If some of them lie outside the image, or if a pixel has several classes, which is then unlabelled.
    """
    name = str(getattr(layer, "name", "")) or "the layer"
    if not len(layer.data):
        raise ValueError(f"{name!r} is empty; mark some pixels of each class")
    if not cube.is_image:
        raise ValueError(f"{name!r} marks positions, but {cube.name or 'the input'!r} is a set of spectra; use a Labels layer")
    classes = _classes(layer, name)
    shape = cube.spatial_shape
    data = np.zeros(shape, np.int64)
    outside = clashes = 0
    for value, pixels in zip(classes.data, pixels_of_marks(layer, cube), strict=True):
        if not value:
            continue
        outside += not len(pixels[0])
        before = data[pixels]
        clashes += int(((before != 0) & (before != value)).sum())
        data[pixels] = np.where((before == 0) | (before == value), value, -1)
    data[data < 0] = 0
    _report(name, len(layer.data), outside, clashes, found=bool(data.any()))
    lies = cube.placement
    metadata = {} if lies is None else {KEY: lies.to_json()}
    return Labels(data, classes.names, name=name, metadata=metadata)


def pixels_of_marks(layer: Any, cube: Cube) -> Iterator[tuple[npt.NDArray[np.intp], ...]]:
    """Yield the indices of the pixels of a cube under each point or in each shape; empty for those that lie outside."""
    shape, inner = cube.spatial_shape, _onto(layer, cube)
    for number, place in enumerate(layer.data):
        places = np.atleast_2d(np.asarray(place, np.float64)) @ inner[:-1, :-1].T + inner[:-1, -1]
        kind = str(layer.shape_type[number]) if hasattr(layer, "shape_type") else ""
        pixels = _filled(layer, places, kind, shape) if kind else tuple(np.rint(places).astype(np.intp).T)
        inside = np.all([(along >= 0) & (along < length) for along, length in zip(pixels, shape, strict=True)], axis=0)
        yield tuple(along[inside] for along in pixels)


def _report(name: str, count: int, outside: int, clashes: int, *, found: bool) -> None:
    if not found:
        raise ValueError(
            f"none of the {count:,} marks of {name!r} labels a pixel of the input; they lie outside it or overlap; move them onto it"
        )
    words = [f"{outside:,} of its {count:,} marks lie outside the input and are ignored"] if outside else []
    words += [f"{clashes:,} pixels have marks of two classes and are left unlabelled"] if clashes else []
    if words:
        warnings.warn(f"{name}: {'; '.join(words)}", SpectralWarning, stacklevel=4)


def _classes(layer: Any, name: str) -> Labels:
    """Return the class of each mark as numbers with names; 0 without a class."""
    features = layer.features
    column = next((known for known in COLUMNS if known in features), None)
    if column is not None:
        return _numbered([*features[column]])
    text = [str(value) for value in np.atleast_1d(getattr(getattr(layer, "text", None), "values", ()))]
    if len(text) == len(layer.data) and any(text):
        return _numbered(text)
    colours = np.round(np.atleast_2d(np.asarray(getattr(layer, "face_color", ()), np.float64)), 3)
    if len(colours) == len(layer.data) and len(np.unique(colours, axis=0)) > 1:
        return named(["#" + "".join(f"{round(part * 255):02x}" for part in colour[:3]) for colour in colours])
    raise ValueError(
        f"{name!r} defines no classes for its {len(layer.data):,} marks; set the class of each in a column 'class' of the "
        "layer's features, or give each class a face colour"
    )


def _numbered(values: Sequence[Any]) -> Labels:
    """Return classes given as integers or names; empty names and missing numbers are no class."""
    missing = [value is None or value != value or not str(value).strip() for value in values]  # noqa: PLR0124  # NaN
    known = [value for value, gone in zip(values, missing, strict=True) if not gone]
    if known and all(isinstance(value, int | float | np.integer | np.floating) and float(value).is_integer() for value in known):
        return Labels(np.array([0 if gone else int(value) for value, gone in zip(values, missing, strict=True)], np.int64))
    if not known:
        return Labels(np.zeros(len(values), np.int64))
    labels = named([str(value).strip() for value in known])
    data = np.zeros(len(values), np.int64)
    data[~np.array(missing)] = labels.data
    return Labels(data, labels.names)


def _onto(layer: Any, cube: Cube) -> npt.NDArray[np.float64]:
    """Return the affine matrix from positions in the layer's data to pixels of the cube, without the spectral dimension."""
    dimensions, count = np.atleast_2d(np.asarray(layer.data[0])).shape[-1], len(cube.spatial_shape)
    if dimensions not in (count, count + 1):
        raise ValueError(
            f"the marks of {str(getattr(layer, 'name', ''))!r} have {dimensions} coordinates, but the input has {count} without its bands; "
            f"use {count}, or {count + 1} with the band first"
        )
    spectral = None if dimensions == count else int(cube.metadata.get("spectral_position", 0))
    kept = [d for d in range(dimensions) if d != spectral]
    dropped = np.eye(dimensions + 1)[[*kept, -1]]
    lies, own = cube.placement, Placement.of_layer(layer, (1,) * dimensions, spectral)
    if lies is None or own is None:
        return dropped
    inner: npt.NDArray[np.float64] = np.linalg.solve(lies.matrix, own.in_units_of(lies).matrix) @ dropped
    return inner


def _filled(layer: Any, vertices: npt.NDArray[np.float64], kind: str, shape: Sequence[int]) -> tuple[npt.NDArray[np.intp], ...]:
    """Return the pixels that a shape encloses, or that a line crosses, as napari fills them."""
    alone = type(layer)([vertices], shape_type=[kind], ndim=len(shape))
    return tuple(np.nonzero(alone.to_labels(labels_shape=tuple(shape))))
