"""One input of a training, and its truth, as layers."""

from __future__ import annotations

from typing import Any

from magicgui.widgets import ComboBox, Container, PushButton
from napari.viewer import Viewer

from napari_spectrai.widgets.dock import rows


class PairRow(Container[Any]):
    """One input layer, and the layer that shows how it should be."""

    def __init__(self, inputs: Any, truths: Any, *, first: bool) -> None:
        self.input = ComboBox(choices=inputs, nullable=True, label="Input", name="input", tooltip="the layer to learn from")
        self.truth = ComboBox(
            choices=truths,
            nullable=True,
            label="Truth",
            name="truth",
            tooltip="the layer that shows how it should be, or holds the classes",
        )
        self.remove_button = PushButton(
            text="Remove this pair", name="remove", visible=not first, tooltip="learn from the other layers only"
        )
        super().__init__(widgets=[rows(self.input, self.truth), self.remove_button], labels=False)
        self.margins = (0, 0, 0, 0)
        self.last: Any = None
        self.truths: dict[str, Any] = {}
        """The truth last chosen for each task."""
        self.by_hand: Any = None
        """The input that a person has chosen."""

    def remember(self, kind: str) -> None:
        """Keep in mind what is chosen: napari makes the lists anew when a layer is renamed, and forgets; and tasks go to and fro."""
        self.last = self.last if self.input.value is None else self.input.value
        if self.truth.value is not None:
            self.truths[kind] = self.truth.value

    def forget(self, viewer: Viewer) -> None:
        """Let go of layers that are no more."""
        self.last, self.by_hand = (layer if layer in viewer.layers else None for layer in (self.last, self.by_hand))
        self.truths = {kind: layer for kind, layer in self.truths.items() if layer in viewer.layers}

    def choose_again(self, kind: str) -> None:
        """Choose what was chosen."""
        for choice, layer in ((self.input, self.last), (self.truth, self.truths.get(kind))):
            choice.reset_choices()
            if layer is not None and layer in choice.choices:
                choice.value = layer
