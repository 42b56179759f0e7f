"""Show what was trained: the last model, or a method that needs no training, applied to the layers of the Train dock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from magicgui.widgets import ComboBox, Container, PushButton
from napari.layers import Image
from napari.viewer import Viewer

from napari_spectrai.experiment.tasks import tasks
from napari_spectrai.widgets.dock import line, say, text
from napari_spectrai.widgets.elided_choice import dress
from napari_spectrai.widgets.job_queue import JobQueue
from napari_spectrai.widgets.stacked_when_narrow import as_wide_as_its_words
from napari_spectrai.widgets.train_dock.applying import is_shown, request, without_training


class ShowResult(Container[Any]):
    """A button that applies the last model to the layers, and one for methods without training.

    Parameters
    ----------
    viewer : Viewer
    layers : function that returns the layers to apply them to
    """

    def __init__(self, viewer: Viewer, layers: Callable[[], list[Image]]) -> None:
        self._viewer, self._layers = viewer, layers
        self._offered: list[tuple[str, str]] = []
        self._kind = ""
        self.queue = JobQueue(
            viewer, "Show the result", "apply the model to the layer it was trained on; the brush stays in hand",
            "starting: loading torch and the model …", kept="finished tiles are kept",
        )  # fmt: skip
        self.queue.start.name = "show_result"  # not the dock's primary button
        self.queue.visible = False
        self.about = text("without_training")
        self.method = ComboBox(choices=lambda _: self._offered, name="method", label="Method", tooltip="methods that need no training")
        self.use = PushButton(text="Apply now", name="use", tooltip="apply the method to the layer; nothing is trained")
        as_wide_as_its_words(self.use.native)  # the names of methods are long
        dress(self.method)
        self.untrained: Container[Any] = Container(widgets=[self.about, line(self.method, self.use)], labels=False, visible=False)
        self.untrained.margins = (0, 0, 0, 0)
        super().__init__(widgets=[self.queue], labels=False, name="show")
        self.margins = (0, 0, 0, 0)
        self._model: Path | None = None
        self._replaces: frozenset[str] = frozenset()
        self._trained_on: tuple[Image, ...] = ()
        self.queue.start.changed.connect(self.show_model)
        self.use.changed.connect(self.use_method)
        self.queue.ended.connect(lambda _: self._enable())

    # ---------------------------------------------------------------- the last model

    def offer(self, model: Path, layers: Sequence[Image], replaces: frozenset[str]) -> None:
        """Offer to apply a model that has just been trained; at once, if a result of its predecessor is shown."""
        self._model, self._trained_on, self._replaces = model, tuple(layers), replaces
        self.queue.visible = bool(layers)
        self._enable()
        if is_shown(self._viewer, replaces, layers):
            self.show_model()

    def withdraw(self) -> None:
        """Offer nothing, while another model is trained."""
        self._model = None
        self.queue.visible = self.queue.busy
        self._enable()

    def show_model(self) -> None:
        """Apply the last model to the layers that it was trained on, and bring the results of its predecessors up to date."""
        there = [layer for layer in self._trained_on if layer in self._viewer.layers]
        if self._model is not None and there:
            self._apply(self._model, there, self._replaces)

    def _enable(self) -> None:
        self.queue.start.enabled = self._model is not None and not self.queue.busy
        self.use.enabled = not self.queue.busy and bool(self._layers())

    def _apply(self, model: Path | str, layers: Sequence[Image], replaces: frozenset[str] = frozenset()) -> None:
        if self.queue.busy:
            return
        try:
            wanted = request(self._viewer, model, replaces)
            works = [wanted.on_layer(layer, None) for layer in layers]
        except (OSError, ValueError) as error:
            say(self.queue.problem, str(error))
            return
        self.queue.visible = True
        self.queue.run_all(works, self.native)
        self._enable()

    # ---------------------------------------------------------------- methods without training

    def suit(self, kind: str, network: str) -> None:
        """Offer the methods without training for a task; the one that is chosen as the network, if it needs none, comes first."""
        layers = self._layers()
        if kind != self._kind:
            self._kind, self._offered = kind, []
            self.method.reset_choices()
            self._offered = without_training(kind)
            self.method.reset_choices()
        kinds = [value for _, value in self._offered]
        chosen = network in kinds
        if chosen:
            self.method.value = network
        what = "Clusters and components need no labels" if tasks[kind].classifies else "These methods need no training"
        self.about.value = f"{'The chosen method needs no training' if chosen else what}:"
        self.untrained.visible = bool(self._offered) and bool(layers)
        self._enable()

    def use_method(self) -> None:
        """Apply the chosen method without training to the layers."""
        if self.method.value is not None:
            self._apply(str(self.method.value), self._layers())
