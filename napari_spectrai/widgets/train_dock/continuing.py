"""Continue from the last model: the choice in the Train dock, and why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from magicgui.widgets import CheckBox, Container
from napari.layers import Layer
from psygnal import Signal

from napari_spectrai.cube import Cube
from napari_spectrai.experiment import Experiment
from napari_spectrai.experiment.card import ModelCard, read_card
from napari_spectrai.experiment.continuation import obstacle
from napari_spectrai.plan.presets import continued
from napari_spectrai.plan.truths import Truth, class_table
from napari_spectrai.widgets.dock import text


@dataclass(frozen=True, slots=True)
class Last:
    """The model of the last training of a dock, and the layers that it was trained on."""

    model: Path
    card: ModelCard
    layers: tuple[Layer, ...]


class Continuing(Container[Any]):
    """A check box, with the reason if a training cannot continue from the last model; hidden while the dock has trained none.

    Signals
    -------
    edited : a person has changed the choice
    """

    edited = Signal()

    def __init__(self) -> None:
        self.choice = CheckBox(
            value=True, text="Continue from the last model", name="continue",
            tooltip="start from the weights or methods of the model trained last on this layer: takes seconds. Without, start from the "
            "beginning",
        )  # fmt: skip
        self.reason = text("why_not")
        super().__init__(widgets=[self.choice, self.reason], labels=False, name="continuing", visible=False)
        self.margins = (0, 0, 0, 0)
        self.last: Last | None = None
        self.earlier: frozenset[str] = frozenset()
        """The models that the last one continues, and itself."""
        self._fits = False
        self.choice.changed.connect(lambda _: self.edited.emit())

    def remember(self, model: Path, layers: Sequence[Layer], start: Path | None) -> None:
        """Remember the model of a training that has just ended; `start` is the one that it continued."""
        try:
            card = read_card(model)
        except (OSError, ValueError):  # removed or damaged meanwhile: there is nothing to continue
            self.last, self.earlier = None, frozenset()
            return
        kept = self.earlier if start is not None and str(start) in self.earlier else frozenset()
        self.last, self.earlier = Last(model, card, tuple(layers)), kept | {str(model)}

    def look(self, experiment: Experiment, layers: Sequence[Layer], cubes: Sequence[Cube], truths: Sequence[Truth]) -> Experiment:
        """Say whether a training can continue from the last model, and return its document, continued if that is chosen."""
        last = self.last
        self._fits = False
        if last is None or not cubes or experiment.training.start is not None or tuple(layers) != last.layers or not last.model.exists():
            self.visible = False
            return experiment
        classes = class_table(truths, experiment.task.no_label) if experiment.task.classifies else []
        why = obstacle(last.card, experiment, cubes[0].axis, classes)
        self._fits, self.choice.enabled = not why, not why
        self.reason.value, self.reason.visible = (f"Starts from the beginning: {why[0].lower()}{why[1:]}" if why else ""), bool(why)
        self.visible = True
        return self.applied(experiment)

    def applied(self, experiment: Experiment) -> Experiment:
        """Return the document of a training, continued from the last model if that fits and is chosen."""
        if self.last is None or not self._fits or not self.choice.value:
            return experiment
        return continued(experiment, self.last.model)
