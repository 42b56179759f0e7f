"""Which layers the Spectra dock draws, each with its colour, and which of them the band line follows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from magicgui.widgets import CheckBox, Container
from napari.layers import Image, Layer
from napari.viewer import Viewer
from psygnal import Signal

from napari_spectrai.widgets.colours import Tinted
from napari_spectrai.widgets.layers import as_cube, spectral_layers


class LayerChips(Container[Any]):
    """A box to tick for each spectral layer.

    Signals
    -------
    told : a layer was switched on or off, or its data changed
    """

    told = Signal()

    def __init__(self, viewer: Viewer, colour: Callable[[int], str]) -> None:
        self._viewer, self._colour = viewer, colour
        self.of: dict[Image, CheckBox] = {}
        self._last: Image | None = None
        super().__init__(name="layers", labels=False)
        self.margins = (0, 0, 0, 0)

    def refresh(self) -> None:
        """Offer the layers there are now; those that were ticked stay so."""
        chosen = {layer: chip.value for layer, chip in self.of.items()}
        self.leave()
        self.clear()
        layers = spectral_layers(self._viewer)
        for number, layer in enumerate(layers):
            # what has a spectral axis is drawn from the start; any other stack on request
            on = chosen.get(layer, "spectral_axis" in layer.metadata or len(layers) == 1)
            about = f"{layer.name}: {as_cube(layer).axis.describe()}"
            # without a name: one such as "visible" would hide what the container itself is
            chip = CheckBox(value=on, text=layer.name.replace("&", "&&"), tooltip=about)
            Tinted(chip.native, self._colour(number))
            chip.changed.connect(self._tell)
            layer.events.data.connect(self._tell)
            self.append(chip)
            self.of[layer] = chip

    def leave(self) -> None:
        """Let go of the layers."""
        for layer in self.of:
            layer.events.data.disconnect(self._tell)
        self.of = {}

    def _tell(self, _: Any = None) -> None:
        self.told.emit()

    def drawn(self) -> list[tuple[int, Image]]:
        """Return the layers that are ticked, with their numbers."""
        return [(number, layer) for number, (layer, chip) in enumerate(self.of.items()) if chip.value]

    def main(self) -> Image | None:
        """Return the layer whose bands the line follows: the selected one if it is drawn, else the one before, else the first."""
        drawn = [layer for _, layer in self.drawn()]
        active: Layer | None = self._viewer.layers.selection.active
        if active in drawn:  # the one in our list: what a selection gives may be a wrapper of it, equal and not the same
            self._last = drawn[drawn.index(active)]
        elif self._last not in drawn:
            self._last = next(iter(drawn), None)
        return self._last
