"""Layers saved as files from napari's menu: cubes, maps, and classes with names and colours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from napari_spectrai.io import write
from napari_spectrai.io.labels import write_labels
from napari_spectrai.label_conversion import labels_of_layer
from napari_spectrai.remedies import advising
from napari_spectrai.widgets.layers import as_cube
from napari_spectrai.widgets.map_cube import is_map, map_as_cube


class NotSavedError(RuntimeError):
    """A layer cannot be saved in that format. It is no ValueError, which napari takes as a sign that another plug-in should try."""


def save_image(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write one image layer as a spectral file, in the format of the suffix."""
    layer = _as_layer(data, {"rgb": False} | meta)
    with _reported():
        return [str(write(map_as_cube(layer) if is_map(layer) else as_cube(layer), path))]


def save_labels(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write one Labels layer with the names and colours of its classes."""
    layer = _as_layer(data, meta)
    if (colours := getattr(getattr(layer, "colormap", None), "map", None)) is not None:
        layer.get_color = colours
    with _reported():
        labels = labels_of_layer(layer)
        return [str(write_labels(replace(labels, metadata={**layer.metadata, **labels.metadata}), path))]


def _as_layer(data: Any, meta: dict[str, Any]) -> Any:
    """Return an object with the attributes of a layer, at its full resolution."""
    finest = data[0] if meta.get("multiscale") else data
    return SimpleNamespace(data=finest, **{"metadata": {}, "name": ""} | meta | {"multiscale": False})


@contextmanager
def _reported() -> Iterator[None]:
    try:
        with advising("window"):
            yield
    except ValueError as error:
        raise NotSavedError(str(error)) from error
