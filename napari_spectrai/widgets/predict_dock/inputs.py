"""What a model is applied to: one layer or a part of it, several layers, or files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from magicgui.widgets import Container
from napari.layers import Image
from napari.viewer import Viewer
from psygnal import Signal

from napari_spectrai.widgets.dock import rows
from napari_spectrai.widgets.layer_choice import LayerChoice, is_made, is_named_truth
from napari_spectrai.widgets.layers import likely_source, spectral_layers
from napari_spectrai.widgets.predict_dock.file_list import FileList
from napari_spectrai.widgets.predict_dock.model_list import Ticks
from napari_spectrai.widgets.predict_dock.region_choice import RegionChoice
from napari_spectrai.widgets.radio_row import Ways

ONE, SEVERAL, FILES = "a layer", "several layers", "files"
_SAYS = {
    ONE: "apply the model to one layer",
    SEVERAL: "apply the model to several layers, one after another",
    FILES: "apply the model to files, whose results are written as files",
}


class Targets(Container[Any]):
    """The choice between a layer, several, and files.

    Signals
    -------
    told : something else is chosen
    """

    told = Signal()

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._begun = False
        self.what = Ways(
            _SAYS, label="Apply to", name="apply_to",
            tooltip="one layer; several, one after another; or files, whose results are written as files",
        )  # fmt: skip
        self.choice = LayerChoice(viewer, self._layers, label="Layer", name="layer_choice", tooltip="what the model is applied to")
        self.several = Ticks("several_layers", "apply the model to this layer")
        self.several.label = "Layers"
        self.region = RegionChoice(viewer)
        self.files = FileList()
        self._choices = rows(self.what, self.choice, self.several, self.region.choice)
        super().__init__(widgets=[self._choices, self.files], labels=False, name="targets")
        self.margins = (0, 0, 0, 0)
        self.what.changed.connect(self._on_what)
        self.choice.changed.connect(self._tell)
        self.region.choice.changed.connect(self._tell)
        self.several.told.connect(self._tell)
        self.files.told.connect(self._tell)
        self._on_what()

    def _layers(self) -> list[Image]:
        return spectral_layers(self._viewer)

    def _on_what(self, _: Any = None) -> None:
        what = self.what.value
        self.choice.visible, self.several.visible, self.files.visible = what == ONE, what == SEVERAL, what == FILES
        self.region.choice.visible = what != FILES
        self._tell()

    def _tell(self, _: Any = None) -> None:
        self._begun = self._begun or self.choice.value is not None
        self.told.emit()

    def refresh(self) -> None:
        """Offer the layers there are now; those chosen stay."""
        self.choice.reset_choices()
        if not self._begun:  # a form in which nothing was chosen yet begins with the first that suits
            self.choice.choose(likely_source([layer for layer in self._layers() if not is_made(layer) and not is_named_truth(layer)]))
        self.several.offer([(layer.name, layer) for layer in self._layers()], lambda layer: layer is self.choice.value)
        self.region.refresh()
        self._tell()

    @property
    def layers(self) -> list[Image]:
        """The layers chosen; none where files are."""
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
