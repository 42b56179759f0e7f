"""Files and folders to train on, read on a thread."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from magicgui.widgets import Container
from psygnal import Signal

from napari_spectrai.cube import Cube
from napari_spectrai.experiment import Data, Experiment
from napari_spectrai.experiment.data_settings import READING
from napari_spectrai.experiment.tasks import tasks
from napari_spectrai.plan.truths import from_files
from napari_spectrai.widgets.dock import message, say
from napari_spectrai.widgets.latest_only import LatestOnly
from napari_spectrai.widgets.train_dock.path_list import PathList

_FIELDS = {"data.input": "'Input'", "data.truth": "'Truth'"}
"""Fields of the dock by the keys of documents, which errors name."""


class FileChoice(Container[Any]):
    """Lists of input and truth files.

    Attributes
    ----------
    problem : message
        Why the files cannot be read.
    found : cubes and truths
        What was read last.
    reading : bool
        Whether a thread is reading.

    Signals
    -------
    edited : other files were chosen, or they have been read
    """

    edited = Signal()

    def __init__(self) -> None:
        self.kind, self.may_take_truth = "denoising", True
        self.active = self.reading = False
        self.found: tuple[list[Cube], list[Any]] = ([], [])
        self._asked: Experiment | None = None
        self._as_read = Data().model_dump(include=set(READING))
        self.inputs = PathList("Input", "spectral files, folders of them, or for classes a folder with one folder per class")
        self.truths = PathList("Truth", "one file per input, in the same order; label images for classes", repeated=True)
        self.problem = message()
        super().__init__(widgets=[self.inputs, self.truths], labels=False, name="files_page", visible=False)
        self.margins = (0, 0, 0, 0)
        self._latest = LatestOnly(self.native)
        self._latest.answered.connect(self._on_read)
        self._latest.failed.connect(self._on_unreadable)
        self.inputs.edited.connect(self.read)
        self.truths.edited.connect(self.read)

    def is_chosen(self, inputs: list[str | Path], truths: list[str | Path]) -> bool:
        """Whether these are the files in the lists."""
        return self.inputs.paths == list(map(Path, inputs)) and self.truths.paths == list(map(Path, truths))

    def choose(self, inputs: list[str | Path], truths: list[str | Path]) -> None:
        """Put files into the lists, without reading them."""
        with self.inputs.edited.blocked(), self.truths.edited.blocked():
            self.inputs.paths, self.truths.paths = inputs, truths

    def show_task(self, kind: str, *, may_take_truth: bool) -> None:
        """Offer a list of truths if a task takes them with some settings: they may be chosen after the inputs."""
        changed, self.kind, self.may_take_truth = kind != self.kind, kind, may_take_truth
        self.truths.visible = may_take_truth
        if changed and self.active:
            self.read()

    def read(self) -> None:
        """Read the headers of the files off the main thread; arrays stay on disk where the format allows it."""
        self.found = ([], [])
        task = {"kind": self.kind} | ({"unlabelled": None} if tasks[self.kind].classifies else {})
        data = {"input": self.inputs.paths, "truth": self.truths.paths if self.may_take_truth else []} | self._as_read
        self._asked = Experiment.from_mapping({"task": task, "data": data}) if self.inputs.paths and self.active else None
        self.reading = self._asked is not None
        say(self.problem, "")
        if self._asked is not None:
            asked = self._asked
            self._latest.ask(lambda: (asked, from_files(asked)))
        self.edited.emit()

    def read_as(self, settings: Data) -> bool:
        """Read the files as the settings of a document say; return whether they are read again since these have changed."""
        said = settings.model_dump(include=set(READING))
        if said == self._as_read:
            return False
        self._as_read = said
        if not self.active or not self.inputs.paths:
            return False
        self.read()
        return True

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
            self.reading, self.found = False, found
            self.edited.emit()

    def _on_unreadable(self, error: Exception) -> None:
        self.reading = False
        words = str(error)
        for key, field in _FIELDS.items():
            words = words.replace(key, field)
        say(self.problem, words)
        self.edited.emit()
