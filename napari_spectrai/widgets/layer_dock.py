"""A dock that works on one spectral layer."""

from __future__ import annotations

from napari.layers import Image, Layer
from napari.viewer import Viewer

from napari_spectrai.widgets.dock import Dock
from napari_spectrai.widgets.layer_choice import LayerChoice
from napari_spectrai.widgets.layers import spectral_layers


class LayerDock(Dock):
    """A dock that works on one spectral layer, chosen in `_layer`."""

    _layer: LayerChoice
    _viewer: Viewer

    def _layers(self) -> list[Image]:
        return spectral_layers(self._viewer)

    @property
    def layer(self) -> Image | None:
        """The layer the dock works on."""
        return self._layer.value

    @layer.setter
    def layer(self, layer: Image) -> None:
        self._layer.value = layer

    def take(self, layer: Layer) -> None:
        """Choose the layer the dock works on."""
        if layer in self._layers():
            self._layer.value = layer
