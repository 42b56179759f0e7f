"""One input of a training, and its truth, as layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from magicgui.widgets import Container, PushButton
from napari.viewer import Viewer

from napari_spectrai.widgets.dock import rows
from napari_spectrai.widgets.layer_choice import LayerChoice


class PairRow(Container[Any]):
    """One input layer, and the layer with its targets."""

    def __init__(self, viewer: Viewer, inputs: Callable[[], list[Any]], truths: Callable[[], list[Any]]) -> None:
        self.input = LayerChoice(viewer, inputs, label="Input", name="input", tooltip="the layer to train on")
        self.truth = LayerChoice(
            viewer, truths, label="Truth", name="truth", tooltip="the layer with the target spectra, or with the classes"
        )
        self.align_button = PushButton(
            text="Align by position", name="align", visible=False,
            tooltip="train on the pixels that correspond, as described above; the layers stay unchanged",
        )  # fmt: skip
        self.remove_button = PushButton(text="Remove this pair", name="remove", visible=False, tooltip="train on the other layers only")
        super().__init__(widgets=[rows(self.input, self.truth), self.align_button, self.remove_button], labels=False)
        self.margins = (0, 0, 0, 0)
        self.truths: dict[str, Any] = {}
        """The truth last chosen for each task."""
        self.offered = self.agreed = ""
        """How the truth lies relative to the input, in words: as offered for alignment, and as agreed to by a person."""

    def remember(self, viewer: Viewer, kind: str) -> None:
        """Remember the truth chosen for a task, for when the task is chosen again; removed layers are forgotten."""
        self.truths[kind] = self.truth.value
        self.truths = {task: layer for task, layer in self.truths.items() if layer is not None and layer in viewer.layers}

    def offer(self, words: str, *, pixels: bool = False) -> None:
        """Offer to align input and truth, or to pair their pixels; `words` describe how they lie, and without words nothing is offered."""
        self.offered = words
        self.align_button.text = "Pair pixel by pixel" if pixels else "Align by position"
        self.align_button.visible = bool(words)

    @property
    def gone(self) -> dict[str, str]:
        """The names of chosen layers that have been removed, by field."""
        return {field: choice.gone for field, choice in (("input", self.input), ("truth", self.truth)) if choice.gone}
