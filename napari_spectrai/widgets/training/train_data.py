"""What a training learns from, in the Train dock: pairs of layers, or files and folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from magicgui.widgets import ComboBox, Container, PushButton
from napari.layers import Image, Labels
from napari.viewer import Viewer
from psygnal import Signal
from qtpy.QtCore import QTimer

from napari_spectrai.cube import Cube
from napari_spectrai.experiment import Experiment
from napari_spectrai.experiment.tasks import tasks
from napari_spectrai.plan.truths import from_files
from napari_spectrai.widgets.background import Latest
from napari_spectrai.widgets.dock import line, message, rows, say
from napari_spectrai.widgets.layers import as_cube, choose_dimension, likely_source, spectral_layers, spectral_position, turned
from napari_spectrai.widgets.training import truth
from napari_spectrai.widgets.training.pair_row import PairRow
from napari_spectrai.widgets.training.paths import PathList
from napari_spectrai.widgets.ways import Ways

_SAYS = {"Layers": "learn from layers of this window", "Files": "learn from files and folders on disk"}
BRUSH = 250
"""Milliseconds after a stroke until what it made is looked at."""


class TrainData(Container[Any]):
    """Layers or files to learn from.

    Signals
    -------
    edited : other data are chosen, or what is chosen has changed
    """

    edited = Signal()

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self.kind = "denoising"
        self.takes_truth = True
        self.reading = self._guessing = False
        self._read: tuple[list[Cube], list[Any]] = ([], [])
        self._asked: Experiment | None = None
        self._watched: list[Labels] = []
        self.source = Ways(_SAYS, label="Data", name="source", tooltip="learn from layers of this window, or from files on disk")
        self.pairs: list[PairRow] = []
        self._pairs_box: Container[Any] = Container(labels=False, name="pairs")
        self._pairs_box.margins = (0, 0, 0, 0)
        self._add = PushButton(text="+ Add a layer", name="add_layer", tooltip="learn from several layers at once")
        self._paint = PushButton(
            text="Paint classes", name="paint", tooltip="add a Labels layer over the input, ready for a few strokes a class"
        )
        self.dimension = ComboBox(
            choices=self._dimensions, nullable=True, label="Spectral dimension", name="dimension",
            tooltip="which dimension of the input is spectral, for a layer whose file did not say; every dock heeds it",
        )  # fmt: skip
        self.inputs = PathList("Input", "spectral files, folders of them, or for classes a folder that holds one folder a class")
        self.truths = PathList("Truth", "one file for each input, in the same order; label images for classes", repeated=True)
        self._layers_page = Container(widgets=[self._pairs_box, line(self._add, self._paint), rows(self.dimension)], labels=False)
        self._files_page = Container(widgets=[self.inputs, self.truths], labels=False, visible=False)
        self.problem = message()
        super().__init__(widgets=[rows(self.source), self._layers_page, self._files_page, self.problem], labels=False)
        for box in (self, self._layers_page, self._files_page):
            box.margins = (0, 0, 0, 0)
        self._latest = Latest(self.native)
        self._latest.answered.connect(self._on_read)
        self._latest.failed.connect(self._on_unreadable)
        self._brush = QTimer(self.native)  # a stroke is many events, and looking at what it made takes a while
        self._brush.setSingleShot(True)
        self._brush.setInterval(BRUSH)
        self._brush.timeout.connect(self.edited.emit)
        self.add()
        self._add.changed.connect(lambda _: self.add())
        self._paint.changed.connect(self.paint)
        self.source.changed.connect(self._on_source)
        self.dimension.changed.connect(self._on_dimension)
        self.inputs.edited.connect(self._read_files)
        self.truths.edited.connect(self._read_files)
        turned.turned.connect(self._on_turned)

    # ---------------------------------------------------------------- layers

    @property
    def from_layers(self) -> bool:
        """Whether layers are chosen, not files."""
        return bool(self.source.value == "Layers")

    @property
    def first(self) -> PairRow:
        """The first pair of layers."""
        return self.pairs[0]

    def _inputs(self, _: Any = None) -> list[Image]:
        return spectral_layers(self._viewer)

    def _truths(self, _: Any = None) -> list[Any]:
        return truth.choices(self._viewer, self.kind)

    def add(self) -> PairRow:
        """Add another pair of layers."""
        pair = PairRow(self._inputs, self._truths, first=not self.pairs)
        self.pairs.append(pair)
        self._pairs_box.append(pair)
        for choice in (pair.input, pair.truth):
            choice.reset_choices()
        taken = [other.input.value for other in self.pairs[:-1]]
        pair.input.value = None if self.pairs[:-1] else likely_source(self._inputs())
        if self.pairs[:-1]:
            pair.input.value = next((layer for layer in self._inputs() if layer not in taken and "truth" not in layer.name.lower()), None)
        pair.input.changed.connect(lambda _: self._on_input(pair))
        pair.truth.changed.connect(lambda _: self._on_choice())
        pair.remove_button.changed.connect(lambda: self.take_out(pair))
        self._on_choice()
        return pair

    def take_out(self, pair: PairRow) -> None:
        """Learn without a pair."""
        self.pairs.remove(pair)
        self._pairs_box.remove(pair)
        pair.native.deleteLater()
        self._on_choice()

    def refresh(self) -> None:
        """Offer the layers there are now, and choose likely ones where none is chosen."""
        for pair in self.pairs:
            pair.forget(self._viewer)
            for choice in (pair.input, pair.truth):
                choice.reset_choices()
        self._likely(self.first)
        self._on_choice()

    def _likely(self, pair: PairRow) -> None:
        source = pair.input.value
        if source is None or ("truth" in source.name.lower() and source != pair.by_hand):
            self._guessing = True
            pair.input.value = likely_source(self._inputs())
            self._guessing = False
        if pair.truth.value is None or pair.truth.value is pair.input.value:
            pair.truth.value = truth.likely(self._viewer, self.kind, pair.input.value)

    def choose_again(self) -> None:
        """Choose again what was chosen, after a layer was renamed."""
        for pair in self.pairs:
            pair.choose_again(self.kind)

    def _on_input(self, pair: PairRow) -> None:
        if not self._guessing:
            pair.by_hand = pair.input.value
        self._on_choice()

    def _on_choice(self) -> None:
        for pair in self.pairs:
            pair.remember(self.kind)
        layer = self.first.input.value
        with self.dimension.changed.blocked():
            self.dimension.reset_choices()
            self.dimension.value = None if layer is None else spectral_position(layer)
        # a file that told the positions of its bands told which dimension they are
        self.dimension.visible = layer is not None and not as_cube(layer).axis.unit
        self._watch()
        self.edited.emit()

    def _dimensions(self, _: Any = None) -> list[tuple[str, int]]:
        layer = self.pairs[0].input.value if self.pairs else None
        return [] if layer is None else [(f"{number}: {length} bands", number) for number, length in enumerate(layer.data.shape)]

    def _on_dimension(self, position: int | None) -> None:
        layer = self.first.input.value
        if layer is not None and position is not None and position != spectral_position(layer):
            choose_dimension(layer, position)

    def _on_turned(self, _: Any = None) -> None:
        self._on_choice()

    def _watch(self) -> None:
        """Heed strokes of the brush in the labels that are chosen."""
        wanted = [pair.truth.value for pair in self.pairs if isinstance(pair.truth.value, Labels)]
        self._unwatch()
        for layer in wanted:
            for event in (layer.events.paint, layer.events.data, layer.events.set_data):  # the last one also of an undone stroke
                event.connect(self._on_paint)
        self._watched = wanted

    def _unwatch(self) -> None:
        for layer in self._watched:
            for event in (layer.events.paint, layer.events.data, layer.events.set_data):
                event.disconnect(self._on_paint)
        self._watched = []

    def _on_paint(self, _: Any = None) -> None:
        self._brush.start()

    def paint(self) -> Labels | None:
        """Add a Labels layer over the input, with the brush in hand."""
        source = self.first.input.value
        if source is None:
            return None
        layer = truth.canvas(self._viewer, source)
        self.first.truth.reset_choices()
        self.first.truth.value = layer
        return layer

    # ---------------------------------------------------------------- files

    def _on_source(self, _: Any = None) -> None:
        self._layers_page.visible, self._files_page.visible = self.from_layers, not self.from_layers
        if self.from_layers:
            say(self.problem, "")  # of files
            self.edited.emit()
        else:
            self._read_files()

    def choose_files(self, inputs: list[str | Path], truths: list[str | Path]) -> None:
        """Learn from files."""
        if not self.from_layers and self.inputs.paths == list(map(Path, inputs)) and self.truths.paths == list(map(Path, truths)):
            return
        with self.inputs.edited.blocked(), self.truths.edited.blocked():
            self.inputs.paths, self.truths.paths = inputs, truths
        self.source.value = "Files"
        self._read_files()

    def _read_files(self) -> None:
        """Read what the files say of themselves, off the main thread; arrays stay on disk where the format allows."""
        self._read = ([], [])
        task = {"kind": self.kind} | ({"unlabelled": None} if tasks[self.kind].truth == "labels" else {})
        self._asked = Experiment.from_mapping({"task": task, "data": self.paths}) if self.inputs.paths else None
        self.reading = self._asked is not None
        say(self.problem, "")
        if self._asked is not None:
            asked = self._asked
            self._latest.ask(lambda: (asked, from_files(asked)))
        self.edited.emit()

    def settle(self) -> None:
        """Read now what a thread is still reading; for scripts, which do not wait."""
        if self.reading and self._asked is not None:
            try:
                self._on_read((self._asked, from_files(self._asked)))
            except (ValueError, OSError) as error:
                self._on_unreadable(error)

    def _on_read(self, word: Any) -> None:
        asked, found = word
        if asked is self._asked and self.reading:
            self.reading, self._read = False, found
            self.edited.emit()

    def _on_unreadable(self, error: Exception) -> None:
        self.reading = False
        say(self.problem, str(error))
        self.edited.emit()

    @property
    def paths(self) -> dict[str, list[Path]]:
        """The files, as the document names them; none while layers are chosen."""
        if self.from_layers:
            return {"input": [], "truth": []}
        return {"input": self.inputs.paths, "truth": self.truths.paths if self.takes_truth else []}

    # ---------------------------------------------------------------- what they hold

    def show_task(self, kind: str, *, takes_truth: bool) -> None:
        """Offer what is a truth for a task."""
        changed, self.kind, self.takes_truth = kind != self.kind, kind, takes_truth
        labelled = tasks[kind].truth == "labels"
        for pair in self.pairs:
            pair.truth.visible = takes_truth
            if changed:
                with pair.truth.changed.blocked():
                    pair.truth.reset_choices()
                    known = pair.truths.get(kind)
                    again = known is not None and known in pair.truth.choices
                    pair.truth.value = known if again else truth.likely(self._viewer, kind, pair.input.value)
                pair.remember(kind)
        self._watch()
        self._paint.visible = labelled
        self.truths.visible = takes_truth
        if changed and not self.from_layers:
            self._read_files()

    def held(self) -> tuple[list[Cube], list[Any]]:
        """Return the cubes chosen and, where the task takes them, their truths."""
        cubes, truths = self.candidates()
        return cubes, truths if self.takes_truth else []

    def candidates(self) -> tuple[list[Cube], list[Any]]:
        """Return the cubes chosen, and their truths also where the task, as it is set, takes none."""
        if not self.from_layers:
            return self._read
        cubes: list[Cube] = []
        truths: list[Any] = []
        for pair in self.pairs:
            one, other = truth.pair(self.kind, pair.input.value, pair.truth.value)
            cubes, truths = cubes + one, truths + (other if one else [])
        return cubes, truths

    @property
    def source_layers(self) -> list[Image]:
        """The layers that are learnt from; none of files."""
        return [pair.input.value for pair in self.pairs if pair.input.value is not None] if self.from_layers else []

    @property
    def title(self) -> str:
        """What a model that learns from these may be called."""
        if not self.from_layers:
            return self.inputs.paths[0].stem if self.inputs.paths else ""
        return str(self.first.input.value.name) if self.first.input.value is not None else ""

    def leave(self) -> None:
        """Let go of the layers."""
        self._unwatch()
        self._brush.stop()
        turned.turned.disconnect(self._on_turned, missing_ok=True)
