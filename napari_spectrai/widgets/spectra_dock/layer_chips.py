"""The layers drawn in the Spectra dock, with their colours, and the one whose bands the line follows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from magicgui.widgets import CheckBox, Container
from napari.layers import Image, Layer
from napari.viewer import Viewer
from psygnal import Signal
from qtpy.QtWidgets import QWidget

from napari_spectrai.widgets.colours import Tinted
from napari_spectrai.widgets.flow_layout import FlowLayout
from napari_spectrai.widgets.layers import as_cube, spectral_layers


class LayerChips(Container[Any]):
    """A check box for each spectral layer, in as few rows as the width allows.

    Signals
    -------
    updated : a layer was switched on or off, or its data changed
    """

    updated = Signal()

    def __init__(self, viewer: Viewer, colour: Callable[[int], str]) -> None:
        self._viewer, self._colour = viewer, colour
        self.of: dict[Image, CheckBox] = {}
        self._last: Image | None = None
        super().__init__(name="layers", labels=False)
        self.margins = (0, 0, 0, 0)
        rows = QWidget()
        self._rows = FlowLayout(rows)
        self.native.layout().addWidget(rows)

    def refresh(self) -> None:
        """Offer the present layers; ticked ones stay ticked."""
        chosen = {layer: chip.value for layer, chip in self.of.items()}
        for chip in self.of.values():
            chip.native.setParent(None)
        self.leave()
        layers = spectral_layers(self._viewer)
        for number, layer in enumerate(layers):
            # layers with a spectral axis are drawn by default, other stacks on request
            on = chosen.get(layer, "spectral_axis" in layer.metadata or len(layers) == 1)
            about = f"{layer.name}: {as_cube(layer).axis.describe()}"
            # without a name: a layer named "visible" would hide an attribute of the container
            chip = CheckBox(value=on, text=layer.name.replace("&", "&&"), tooltip=about)
            Tinted(chip.native, self._colour(number))
            chip.changed.connect(self._emit)
            layer.events.data.connect(self._emit)
            layer.events.visible.connect(self._emit)
            self._rows.addWidget(chip.native)
            self.of[layer] = chip

    def leave(self) -> None:
        """Disconnect from the layers."""
        for layer in self.of:
            layer.events.data.disconnect(self._emit)
            layer.events.visible.disconnect(self._emit)
        self.of = {}

    def _emit(self, _: Any = None) -> None:
        self.updated.emit()

    def drawn(self) -> list[tuple[int, Image]]:
        """Return the ticked layers that are not hidden in the viewer, with their numbers."""
        return [(number, layer) for number, (layer, chip) in enumerate(self.of.items()) if chip.value and layer.visible]

    def main(self) -> Image | None:
        """Return the layer whose bands the line follows: the selected one if it is drawn, else the previous one, else the first."""
        drawn = [layer for _, layer in self.drawn()]
        active: Layer | None = self._viewer.layers.selection.active
        if active in drawn:  # return the object of our list: the selection may give an equal wrapper of it
            self._last = drawn[drawn.index(active)]
        elif self._last not in drawn:
            self._last = next(iter(drawn), None)
        return self._last
