"""Choice of the input of a model: one layer or a part of it, several layers, or files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from magicgui.widgets import Container
from napari.layers import Image
from napari.viewer import Viewer
from psygnal import Signal

from napari_spectrai.widgets.dock import rows
from napari_spectrai.widgets.layer_choice import LayerChoice, is_made, is_named_truth
from napari_spectrai.widgets.layer_watch import LayerWatch
from napari_spectrai.widgets.layers import likely_source, spectral_layers
from napari_spectrai.widgets.predict_dock.file_list import FileList
from napari_spectrai.widgets.predict_dock.model_list import Ticks
from napari_spectrai.widgets.predict_dock.region_choice import RegionChoice
from napari_spectrai.widgets.radio_row import RadioRow

ONE, SEVERAL, FILES = "a layer", "several layers", "files"
_SAYS = {
    ONE: "apply the model to one layer",
    SEVERAL: "apply the model to several layers, one after the other",
    FILES: "apply the model to files; the results are files, too",
}


class Targets(Container[Any]):
    """The choice between one layer, several layers, and files.

    Signals
    -------
    updated : the choice has changed
    """

    updated = Signal()

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._has_chosen = False
        self.what = RadioRow(
            _SAYS, label="Apply to", name="apply_to",
            tooltip="one layer; several, one after another; or files, whose results are written as files",
        )  # fmt: skip
        self.choice = LayerChoice(viewer, self._layers, label="Layer", name="layer_choice", tooltip="the layer to apply the model to")
        self.several = Ticks("several_layers", "apply the model to this layer")
        self.several.label = "Layers"
        self.region = RegionChoice(viewer)
        self.files = FileList()
        self._choices = rows(self.what, self.choice, self.several, self.region.choice)
        super().__init__(widgets=[self._choices, self.files], labels=False, name="targets")
        self.margins = (0, 0, 0, 0)
        self._watch = LayerWatch(self.native, self.refresh)
        self.what.changed.connect(self._on_what)
        self.choice.changed.connect(self._emit)
        self.region.choice.changed.connect(self._emit)
        self.several.updated.connect(self._emit)
        self.files.updated.connect(self._emit)
        self._on_what()

    def _layers(self) -> list[Image]:
        return spectral_layers(self._viewer)

    def _on_what(self, _: Any = None) -> None:
        what = self.what.value
        self.choice.visible, self.several.visible, self.files.visible = what == ONE, what == SEVERAL, what == FILES
        self.region.choice.visible = what != FILES
        self._emit()

    def _emit(self, _: Any = None) -> None:
        self._has_chosen = self._has_chosen or self.choice.value is not None
        self._watch.watch(self.layers)
        self.updated.emit()

    def leave(self) -> None:
        """Disconnect from the layers, and end the thread that reads files."""
        self._watch.leave()
        self.files.leave()

    def refresh(self) -> None:
        """Offer the present layers; chosen ones stay chosen."""
        self.choice.reset_choices()
        if not self._has_chosen:  # before any choice was made, the first suitable layer is the default
            self.choice.choose(likely_source([layer for layer in self._layers() if not is_made(layer) and not is_named_truth(layer)]))
        self.several.offer([(layer.name, layer) for layer in self._layers()], lambda layer: layer is self.choice.value)
        self.region.refresh()
        self._emit()

    @property
    def layers(self) -> list[Image]:
        """The chosen layers; empty if files are chosen."""
        if self.what.value == SEVERAL:
            return list(self.several.ticked)
        return [self.choice.value] if self.what.value == ONE and self.choice.value is not None else []

    def take(self, layers: Sequence[Image]) -> None:
        """Choose layers: one, or several."""
        if len(layers) == 1:
            self.what.value, self.choice.value = ONE, layers[0]
        else:
            self.what.value = SEVERAL
            self.several.tick(layers)
