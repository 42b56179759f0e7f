"""The training data in the Train dock: pairs of layers, or files and folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from magicgui.widgets import Container
from napari.layers import Image
from napari.viewer import Viewer
from psygnal import Signal

from napari_spectrai.cube import Cube
from napari_spectrai.experiment import Data, Experiment
from napari_spectrai.experiment.tasks import tasks
from napari_spectrai.spec import Problem
from napari_spectrai.widgets.dock import rows, say
from napari_spectrai.widgets.radio_row import RadioRow
from napari_spectrai.widgets.train_dock.file_choice import FileChoice
from napari_spectrai.widgets.train_dock.layer_pairs import LayerPairs
from napari_spectrai.widgets.train_dock.pair_row import PairRow
from napari_spectrai.widgets.train_dock.path_list import PathList

_SAYS = {"Layers": "train on layers of this viewer", "Files": "train on files and folders on disk"}


class TrainData(Container[Any]):
    """Layers or files to train on.

    Signals
    -------
    edited : other data were chosen, or the chosen data have changed
    """

    edited = Signal()

    def __init__(self, viewer: Viewer) -> None:
        self.takes_truth = True
        self.source = RadioRow(_SAYS, label="Data", name="source", tooltip="train on layers of this viewer, or on files on disk")
        self.layers = LayerPairs(viewer)
        self.files = FileChoice()
        self.problem = self.files.problem
        super().__init__(widgets=[rows(self.source), self.layers, self.files, self.problem], labels=False)
        self.margins = (0, 0, 0, 0)
        self.source.changed.connect(self._on_source)
        self.layers.edited.connect(self.edited.emit)
        self.files.edited.connect(self.edited.emit)

    @property
    def from_layers(self) -> bool:
        """Whether layers are chosen, not files."""
        return bool(self.source.value == "Layers")

    @property
    def first(self) -> PairRow:
        """The first pair of layers."""
        return self.layers.first

    def refresh(self) -> None:
        """Offer the present layers. Chosen ones stay chosen; before any choice was made, the first suitable layer is the default."""
        self.layers.refresh()

    # ---------------------------------------------------------------- files

    @property
    def inputs(self) -> PathList:
        """The list of input files."""
        return self.files.inputs

    @property
    def truths(self) -> PathList:
        """The list of files with their truths."""
        return self.files.truths

    @property
    def reading(self) -> bool:
        """Whether files are being read."""
        return self.files.reading

    def _on_source(self, _: Any = None) -> None:
        self.layers.visible, self.files.visible = self.from_layers, not self.from_layers
        self.files.active = not self.from_layers
        if self.from_layers:
            self.files.reading = False
            say(self.problem, "")  # about files
            self.edited.emit()
        else:
            self.files.read()

    def choose_files(self, inputs: list[str | Path], truths: list[str | Path]) -> None:
        """Choose files to train on."""
        if not self.from_layers and self.files.is_chosen(inputs, truths):
            return
        self.files.choose(inputs, truths)
        if self.from_layers:
            self.source.value = "Files"  # which reads them
        else:
            self.files.read()

    def read_as(self, settings: Data) -> bool:
        """Read the files as the settings of a document say; return whether they are read again since these have changed."""
        return self.files.read_as(settings)

    def settle(self) -> None:
        """Read now what a thread is still reading; for scripts, which do not wait."""
        self.files.settle()

    @property
    def paths(self) -> dict[str, list[Path]]:
        """The files, as the document names them; empty while layers are chosen."""
        if self.from_layers:
            return {"input": [], "truth": []}
        return {"input": self.inputs.paths, "truth": self.truths.paths if self.takes_truth else []}

    # ---------------------------------------------------------------- cubes and truths

    def show_task(self, kind: str, *, takes_truth: bool) -> None:
        """Offer the layers and files that can be the truth of a task."""
        self.takes_truth = takes_truth
        self.layers.show_task(kind, takes_truth=takes_truth)
        self.files.show_task(kind, may_take_truth=takes_truth or "learns_from" in tasks[kind].model_fields)

    def held(self) -> tuple[list[Cube], list[Any]]:
        """Return the chosen cubes and, if the task takes them, their truths."""
        cubes, truths = self.candidates()
        return cubes, truths if self.takes_truth else []

    def candidates(self) -> tuple[list[Cube], list[Any]]:
        """Return the chosen cubes, and their truths also if the task, with its settings, takes none."""
        return self.layers.cubes() if self.from_layers else self.files.found

    def placed(self, experiment: Experiment) -> tuple[list[Cube], list[Any], list[Problem]]:
        """Return the cubes and truths for the training, and the problems of layers that do not coincide."""
        cubes, truths = self.held()
        if self.from_layers:
            return self.layers.placed(experiment, cubes, truths)
        self.layers.offer_nothing()
        return cubes, truths, []

    @property
    def asks(self) -> dict[str, str]:
        """What has to be decided before the chosen layers can be used, by field."""
        return self.layers.asks if self.from_layers else {}

    @property
    def gone(self) -> dict[str, str]:
        """Messages about chosen layers that have been removed, by field."""
        return self.layers.gone if self.from_layers else {}

    @property
    def notes(self) -> list[str]:
        """Notes on how the layers were converted."""
        return self.layers.notes if self.from_layers else []

    @property
    def gaps(self) -> list[Problem]:
        """What is missing in one of several pairs of layers."""
        return self.layers.gaps(takes_truth=self.takes_truth) if self.from_layers else []

    @property
    def source_layers(self) -> list[Image]:
        """The layers to train on; empty for files."""
        return self.layers.sources if self.from_layers else []

    @property
    def title(self) -> str:
        """A default name for a model trained on these data."""
        names = [str(layer.name) for layer in self.layers.sources] if self.from_layers else [path.stem for path in self.inputs.paths]
        return f"{names[0]} and {len(names) - 1} more" if len(names) > 1 else "".join(names)

    def leave(self) -> None:
        """Disconnect from the layers."""
        self.layers.leave()
