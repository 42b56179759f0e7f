"""Layers for drawing over a cube: regions and lines as 2-D shapes, and one label per pixel instead of one per band."""

from __future__ import annotations

from typing import Any

import numpy as np
from magicgui.widgets import Container, PushButton
from napari.layers import Image, Labels, Shapes
from napari.viewer import Viewer
from psygnal import Signal

from napari_spectrai.widgets.dock import line, text
from napari_spectrai.widgets.layers import as_cube, placing, spectral_layers, spectral_position
from napari_spectrai.widgets.plot import CYCLE

_WIDTHS = 60
"""Number of lines that would cover the shorter side of an image."""


def in_plane(image: Image) -> list[int]:
    """Return the two spatial dimensions of a layer that are seen."""
    return [d for d in range(image.ndim) if d != spectral_position(image)][-2:]


def shapes_over(viewer: Viewer, image: Image, name: str, mode: str) -> Shapes:
    """Add an empty 2-D Shapes layer over an image, ready to draw."""
    keep = in_plane(image)
    width = max(0.2, min(image.data.shape[d] for d in keep) / _WIDTHS)
    shapes: Shapes = viewer.add_shapes(
        ndim=2, name=name, face_color="transparent", edge_color=CYCLE[0], edge_width=width, **placing(image, keep)
    )
    viewer.layers.selection.active = shapes
    shapes.mode = mode
    return shapes


def colour_each(shapes: Shapes) -> None:
    """Give shapes that all have one colour a colour each."""
    count = len(shapes.data)
    if count > 1 and len(np.unique(np.asarray(shapes.edge_color), axis=0)) < count:
        shapes.edge_color = [CYCLE[number % len(CYCLE)] for number in range(count)]


class FlatLabels(Container[Any]):
    """Offers one label per pixel where a new Labels layer has one per band, as napari makes it over a cube.

    Signals
    -------
    made : the layer that replaces it
    """

    made = Signal(object)

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._layer: Labels | None = None
        self.words = text("flat_labels")
        self.button = PushButton(text="One label per pixel", name="flatten", tooltip="replace the layer by a 2-D one over the image")
        super().__init__(widgets=[self.words, line(self.button)], labels=False, name="flat")
        self.margins = (0, 0, 0, 0)
        self.visible = False
        self.button.changed.connect(self.flatten)

    def on_layers(self) -> None:
        """Look for a Labels layer with labels for each band."""
        deep = [layer for layer in self._viewer.layers if isinstance(layer, Labels) and self._source(layer) is not None]
        self._layer = deep[-1] if deep else None
        self.visible = self._layer is not None
        if self._layer is not None:
            self.words.value = f"{self._layer.name!r} has a label for each band; regions need one per pixel."

    def _source(self, layer: Labels) -> Image | None:
        """Return the cube over which a Labels layer has labels for each band."""
        if layer.multiscale:
            return None
        return next(
            (
                image
                for image in spectral_layers(self._viewer)
                if "spectral_axis" in image.metadata and layer.data.shape == image.data.shape and as_cube(image).is_image
            ),
            None,
        )

    def flatten(self) -> None:
        """Replace the layer by one with a label per pixel; labels of all bands are joined."""
        layer = self._layer
        image = None if layer is None else self._source(layer)
        if layer is None or image is None:
            return
        position = spectral_position(image)
        keep = [d for d in range(image.ndim) if d != position]
        joined = np.asarray(layer.data).max(axis=position)
        name, number, mode = layer.name, layer.selected_label, layer.mode
        self._viewer.layers.remove(layer)
        made = self._viewer.add_labels(joined, name=name, **placing(image, keep))
        made.selected_label, made.mode = number, mode
        self.made.emit(made)
