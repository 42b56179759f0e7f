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
from napari_spectrai.widgets.flow_layout import FewRows, FlowLayout
from napari_spectrai.widgets.layers import as_cube, left_out, spectral_layers
from napari_spectrai.widgets.short_names import short


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
        self._tints: dict[Image, Tinted] = {}
        self._last: Image | None = None
        super().__init__(name="layers", labels=False)
        self.margins = (0, 0, 0, 0)
        rows = QWidget()
        self._rows = FlowLayout(rows)
        self.native.layout().addWidget(FewRows(rows))

    def refresh(self) -> None:
        """Offer the present layers; ticked ones stay ticked. Boxes of layers that stay are kept: making one takes milliseconds."""
        layers = spectral_layers(self._viewer)
        before = self.of
        for layer in before.keys() - set(layers):
            before[layer].native.setParent(None)
            self._unwatch(layer)
        self.of = {layer: before[layer] if layer in before else self._chip(layer, alone=len(layers) == 1) for layer in layers}
        for number, (layer, chip) in enumerate(self.of.items()):
            # without a name: a layer named "visible" would hide an attribute of the container
            chip.text = short(layer.name).replace("&", "&&")
            chip.tooltip = f"{layer.name}: {as_cube(layer).axis.describe()}"
            self._tints[layer].tint(self._colour(number))
        self._rows.put_in_order([chip.native for chip in self.of.values()])

    def _chip(self, layer: Image, *, alone: bool) -> CheckBox:
        """Make the box of a layer; those with a spectral axis are drawn by default, other stacks on request."""
        chip = CheckBox(value="spectral_axis" in layer.metadata or alone)
        self._tints[layer] = Tinted(chip.native, self._colour(0))
        self._rows.addWidget(chip.native)
        chip.changed.connect(self._emit)
        layer.events.data.connect(self._emit)
        layer.events.visible.connect(self._emit)
        return chip

    def _unwatch(self, layer: Image) -> None:
        layer.events.data.disconnect(self._emit)
        layer.events.visible.disconnect(self._emit)
        del self._tints[layer]

    def leave(self) -> None:
        """Disconnect from the layers."""
        for layer in self.of:
            self._unwatch(layer)
        self.of = {}

    def _emit(self, _: Any = None) -> None:
        self.updated.emit()

    def drawn(self) -> list[tuple[int, Image]]:
        """Return the ticked layers that hold spectra and are not hidden in the viewer, with their numbers."""
        shown = [(number, layer) for number, (layer, chip) in enumerate(self.of.items()) if chip.value and layer.visible]
        return [(number, layer) for number, layer in shown if not left_out(layer)]  # its data may have become others since

    def main(self) -> Image | None:
        """Return the layer whose bands the line follows: the selected one if it is drawn, else the previous one, else the first."""
        drawn = [layer for _, layer in self.drawn()]
        active: Layer | None = self._viewer.layers.selection.active
        if active in drawn:  # return the object of our list: the selection may give an equal wrapper of it
            self._last = drawn[drawn.index(active)]
        elif self._last not in drawn:
            self._last = next(iter(drawn), None)
        return self._last
