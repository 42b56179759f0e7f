"""Pairs of layers to train on in the Train dock: inputs, truths, painted classes."""

from __future__ import annotations

from typing import Any

from magicgui.widgets import ComboBox, Container, PushButton
from napari.layers import Image, Labels
from napari.viewer import Viewer
from psygnal import Signal

from napari_spectrai.cube import Cube
from napari_spectrai.experiment import Experiment
from napari_spectrai.experiment.tasks import tasks
from napari_spectrai.layer_axes import spectral_dimension
from napari_spectrai.spec import Problem
from napari_spectrai.widgets.dock import line, rows
from napari_spectrai.widgets.layer_choice import is_made, is_named_truth
from napari_spectrai.widgets.layer_watch import LayerWatch
from napari_spectrai.widgets.layers import as_cube, choose_dimension, likely_source, spectral_layers, turned
from napari_spectrai.widgets.train_dock import truth_choice
from napari_spectrai.widgets.train_dock.alignment import aligned
from napari_spectrai.widgets.train_dock.class_table import ClassTable, take_brush
from napari_spectrai.widgets.train_dock.pair_row import PairRow


class LayerPairs(Container[Any]):
    """Layers to train on, each with its truth, and the classes painted on the first.

    Signals
    -------
    edited : other layers were chosen, or the chosen ones have changed
    """

    edited = Signal()

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self.kind = "denoising"
        self._has_chosen = False
        self.asks: dict[str, str] = {}
        """What has to be decided before the chosen layers can be used, by field."""
        self.notes: list[str] = []
        """Notes on how the layers were converted."""
        self.pairs: list[PairRow] = []
        self._pairs_box: Container[Any] = Container(labels=False, name="pairs")
        self._pairs_box.margins = (0, 0, 0, 0)
        self._add = PushButton(text="+ Add a layer", name="add_layer", tooltip="train on several layers at once")
        self.paint_button = PushButton(
            text="Paint classes", name="paint", tooltip="add a Labels layer over the input, to paint a few strokes per class"
        )
        self.dimension = ComboBox(
            choices=self._dimensions, nullable=True, label="Spectral dimension", name="dimension",
            tooltip="which dimension of the input is spectral, if its file did not say; applies to all docks",
        )  # fmt: skip
        self.classes = ClassTable(viewer)
        buttons = line(self._add, self.paint_button, self.classes.add)
        super().__init__(widgets=[self._pairs_box, buttons, self.classes, rows(self.dimension)], labels=False)
        self.margins = (0, 0, 0, 0)
        self._watch_of = LayerWatch(self.native, self._on_changed)
        self.add()
        self._add.changed.connect(lambda _: self.add())
        self.paint_button.changed.connect(self.paint)
        self.dimension.changed.connect(self._on_dimension)
        turned.turned.connect(self._on_turned)

    @property
    def first(self) -> PairRow:
        """The first pair of layers."""
        return self.pairs[0]

    def _inputs(self) -> list[Image]:
        return spectral_layers(self._viewer)

    def _known(self) -> list[Image]:
        """Return the layers that can be proposed as inputs: those that are neither a truth nor a result."""
        return [layer for layer in self._inputs() if not is_made(layer) and not is_named_truth(layer)]

    def _truths(self) -> list[Any]:
        return truth_choice.choices(self._viewer, self.kind)

    def add(self) -> PairRow:
        """Add another pair of layers."""
        pair = PairRow(self._viewer, self._inputs, self._truths)
        self.pairs.append(pair)
        self._pairs_box.append(pair)
        taken = [other.input.value for other in self.pairs[:-1]]
        if taken:
            pair.input.value = next((layer for layer in self._known() if layer not in taken), None)
        else:
            pair.input.value = likely_source(self._known())
        self._propose_truth(pair)
        pair.input.changed.connect(lambda _: self._on_input(pair))
        pair.truth.changed.connect(lambda _: self._on_choice())
        pair.align_button.changed.connect(lambda: self._agree(pair))
        pair.remove_button.changed.connect(lambda: self.take_out(pair))
        self._on_choice()
        return pair

    def take_out(self, pair: PairRow) -> None:
        """Remove a pair."""
        self.pairs.remove(pair)
        self._pairs_box.remove(pair)
        pair.native.deleteLater()
        self._on_choice()

    def refresh(self) -> None:
        """Offer the present layers. Chosen ones stay chosen; before any choice was made, the first suitable layer is the default."""
        for pair in self.pairs:
            for choice in (pair.input, pair.truth):
                choice.reset_choices()
        if not self._has_chosen:
            self.first.input.value = likely_source(self._known())
        self._on_choice()

    def choose_again(self) -> None:
        """Update the names of the layers."""
        for pair in self.pairs:
            pair.input.reset_choices()
            pair.truth.reset_choices()
        self._on_choice()

    def _propose_truth(self, pair: PairRow) -> None:
        """Choose a truth if a layer is named as one and none is chosen; everything else is left to a person."""
        if pair.truth.value is None and not pair.truth.gone:
            pair.truth.value = self._likely_truth(pair)

    def _likely_truth(self, pair: PairRow) -> Any:
        taken = [other.truth.value for other in self.pairs if other is not pair]
        return truth_choice.likely(self._viewer, self.kind, pair.input.value, taken)

    def _on_input(self, pair: PairRow) -> None:
        if pair.input.value is not None:
            self._propose_truth(pair)
        self._on_choice()

    def _on_choice(self) -> None:
        self._has_chosen = self._has_chosen or self.first.input.value is not None
        for pair in self.pairs:
            pair.remember(self._viewer, self.kind)
            pair.remove_button.visible = len(self.pairs) > 1
        layer = self.first.input.value
        known = None if layer is None else spectral_dimension(layer)
        with self.dimension.changed.blocked():
            self.dimension.reset_choices()
            self.dimension.value = known
        # a file with band positions also determines the spectral dimension
        self.dimension.visible = layer is not None and (known is None or not as_cube(layer).axis.unit)
        self._watch()
        self._show_classes()
        self.edited.emit()

    def _agree(self, pair: PairRow) -> None:
        pair.agreed = pair.offered
        self.edited.emit()

    def _dimensions(self, _: Any = None) -> list[tuple[str, int]]:
        layer = self.pairs[0].input.value if self.pairs else None
        return [] if layer is None else [(f"{number}: {length} bands", number) for number, length in enumerate(layer.data.shape)]

    def _on_dimension(self, position: int | None) -> None:
        layer = self.first.input.value
        if layer is not None and position is not None and position != spectral_dimension(layer):
            choose_dimension(layer, position)

    def _on_turned(self, _: Any = None) -> None:
        self._on_choice()

    def _watch(self) -> None:
        """Check again after the chosen layers got other data, strokes or marks, or were moved."""
        self._watch_of.watch(layer for pair in self.pairs for layer in (pair.input.value, pair.truth.value))

    def _on_changed(self) -> None:
        """Read the layers again; one whose data hold no spectra any more is no longer offered."""
        for choice in (choice for pair in self.pairs for choice in (pair.input, pair.truth)):
            choice.reset_choices()
        self._show_classes()
        self.edited.emit()

    def _show_classes(self) -> None:
        """Show the classes of the first Labels layer, if the task has classes."""
        labels = [pair.truth.value for pair in self.pairs if isinstance(pair.truth.value, Labels)]
        self.classes.show_layer(labels[0] if labels and tasks[self.kind].classifies else None)
        self.paint_button.text = "Paint" if labels else "Paint classes"

    def paint(self) -> Labels | None:
        """Take up the brush: in the chosen Labels layer, or in a new one over the input."""
        source, known = self.first.input.value, self.first.truth.value
        if isinstance(known, Labels):
            take_brush(self._viewer, known, known.selected_label or 1)
            return known
        if source is None:
            return None
        layer = truth_choice.canvas(self._viewer, source)
        self.first.truth.reset_choices()
        self.first.truth.value = layer
        return layer

    def show_task(self, kind: str, *, takes_truth: bool) -> None:
        """Offer the layers that can be the truth of a task."""
        changed, self.kind = kind != self.kind, kind
        for pair in self.pairs:
            pair.truth.visible = takes_truth
            if changed:
                with pair.truth.changed.blocked():
                    pair.truth.reset_choices()
                    known = pair.truths.get(kind)
                    again = known is not None and known in pair.truth.choices
                    chosen = known if again else self._likely_truth(pair)
                    pair.truth.choose(chosen)
                pair.remember(self._viewer, kind)
        self._watch()
        self.paint_button.visible = tasks[kind].classifies
        if changed:
            self._show_classes()

    # ---------------------------------------------------------------- cubes and truths

    def cubes(self) -> tuple[list[Cube], list[Any]]:
        """Return the chosen cubes and their truths; none if something has to be decided first, which `asks` says."""
        cubes: list[Cube] = []
        truths: list[Any] = []
        self.asks, self.notes = {}, []
        for pair in self.pairs:
            try:
                one, other, notes = truth_choice.pair(self.kind, pair.input.value, pair.truth.value)
            except ValueError as error:  # points without classes; a layer that does not say which dimension is spectral
                self.asks[getattr(error, "field", "truth")] = str(error)
                return [], []
            cubes, truths = cubes + one, truths + (other if one else [])
            self.notes += notes
        return cubes, truths

    def placed(self, experiment: Experiment, cubes: list[Cube], truths: list[Any]) -> tuple[list[Cube], list[Any], list[Problem]]:
        """Return the cubes and truths, aligned where a person has agreed to it, and the problems.

        If a truth does not coincide with its input and both can be aligned exactly, alignment is offered.
        """
        chosen = [pair for pair in self.pairs if pair.input.value is not None]
        self.offer_nothing()
        if experiment.data.pairing == "pixels" or not len(cubes) == len(truths) == len(chosen):
            return cubes, truths, []
        cubes, truths, found, notes = aligned(experiment, chosen, cubes, truths)
        self.notes += notes
        return cubes, truths, found

    def offer_nothing(self) -> None:
        """Withdraw what was offered for alignment."""
        for pair in self.pairs:
            pair.offer("")

    @property
    def gone(self) -> dict[str, str]:
        """Messages about chosen layers that have been removed, by field."""
        removed = {field: name for pair in self.pairs for field, name in pair.gone.items()}
        return {field: f"{name!r} was removed; choose another layer." for field, name in removed.items()}

    def gaps(self, *, takes_truth: bool) -> list[Problem]:
        """Return what is missing in one of several pairs."""
        if len(self.pairs) == 1:
            return []
        found = []
        for pair in self.pairs:
            source, removed = pair.input.value, pair.gone
            if source is None:
                words = f"{removed['input']!r} was removed; choose" if "input" in removed else "Choose"
                found.append(Problem("input", f"{words} a layer, or remove the pair."))
            elif takes_truth and pair.truth.value is None:
                words = f"{removed['truth']!r} was removed; choose" if "truth" in removed else "Choose"
                found.append(Problem("truth", f"{words} the truth of {source.name!r}, or remove the pair."))
        return found

    @property
    def sources(self) -> list[Image]:
        """The layers to train on."""
        return [pair.input.value for pair in self.pairs if pair.input.value is not None]

    def leave(self) -> None:
        """Disconnect from the layers."""
        self._watch_of.leave()
        turned.turned.disconnect(self._on_turned, missing_ok=True)
