"""Menu of the document of a training: open one, or export it as a script, a command or an experiment file."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from magicgui.widgets import PushButton
from napari.utils.notifications import show_warning
from qtpy.compat import isalive
from qtpy.QtWidgets import QApplication, QFileDialog, QMenu
from superqt.utils import thread_worker

from napari_spectrai.cube import Cube
from napari_spectrai.experiment import Experiment
from napari_spectrai.notices import SpectralWarning
from napari_spectrai.runs.export import command, keep, script

Document = tuple[Experiment, list[Cube] | None, list[Any] | None]
_FILES = "Experiment (*.yml *.yaml)"


class DocumentMenu:
    """A button with a menu: open an experiment; copy as script, copy as command, save the experiment.

    Data that exist only in the viewer are written next to the document, on a thread.

    Parameters
    ----------
    document : function that returns the experiment, and the cubes and truths of layers
    show : function that shows an experiment in the form
    say : function that shows a message
    """

    def __init__(self, document: Callable[[], Document], show: Callable[[Experiment], None], say: Callable[[str], None]) -> None:
        self._document, self._show, self._say = document, show, say
        self._is_ready = self._is_writing = False
        self.button = PushButton(
            text="⋯",
            name="document",
            tooltip="the document of this training: open an experiment, copy the training as a script or a command, or save it",
        )
        self.button.native.setFixedWidth(36)
        self.button.native.setAccessibleName("document of this training")
        menu: Any = QMenu(self.button.native)
        menu.addAction("Open experiment…").triggered.connect(lambda _=False: self._ask_which())
        menu.addSeparator()
        exports = (("Copy as script", self.copy_script), ("Copy as command", self.copy_command), ("Save experiment…", self._ask))
        self._exports = [menu.addAction(words) for words, _ in exports]
        for action, (_, act) in zip(self._exports, exports, strict=True):
            action.triggered.connect(lambda _=False, act=act: act())
        self.button.native.setMenu(menu)
        self.enable(False)

    def enable(self, is_ready: bool) -> None:  # noqa: FBT001
        """Offer to export the training, or not yet."""
        self._is_ready = is_ready
        for action in self._exports:
            action.setEnabled(is_ready and not self._is_writing)

    def open(self, path: str | Path) -> None:
        """Show the settings of an experiment file, and choose the files that it names; without any, the chosen data stay."""
        try:
            with warnings.catch_warnings(record=True) as notes:
                warnings.simplefilter("always", SpectralWarning)
                experiment = Experiment.load(path)
            self._show(experiment)
        except (ValueError, OSError) as error:
            show_warning(str(error))
            return
        self._say(f"opened: {path}")
        for note in notes:
            show_warning(str(note.message))

    def _ask_which(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(self.button.native, "Open experiment", "", _FILES)
        if chosen:
            self.open(chosen)

    def copy_script(self) -> None:
        """Copy a Python script that repeats the training to the clipboard."""
        self._keep(None, lambda path: self._copy(script(path), "the script", path))

    def copy_command(self) -> None:
        """Copy a command line that repeats the training to the clipboard."""
        self._keep(None, lambda path: self._copy(command(path), "the command", path))

    def save(self, path: str | Path) -> None:
        """Write the experiment as YAML, with data that exist only in the viewer next to it."""
        self._keep(Path(path), lambda path: self._say(f"saved: {path}"))

    def _ask(self) -> None:
        chosen, _ = QFileDialog.getSaveFileName(self.button.native, "Save experiment", "experiment.yml", _FILES)
        if chosen:
            self.save(chosen if Path(chosen).suffix else f"{chosen}.yml")

    def _keep(self, path: Path | None, done: Callable[[Path], None]) -> None:
        experiment, cubes, truths = self._document()
        self._is_writing = True
        self.enable(self._is_ready)
        worker = thread_worker(keep, ignore_errors=True)(experiment, cubes, truths, path)
        worker.returned.connect(lambda path: self._back(done, path))
        worker.errored.connect(lambda error: self._back(self._say, str(error)))
        worker.finished.connect(self._free)
        worker.start()

    def _back(self, use: Callable[[Any], None], word: Any) -> None:
        if isalive(self.button.native):  # type: ignore[no-untyped-call]  # the dock may have been closed meanwhile
            use(word)

    def _free(self, _: None = None) -> None:
        self._is_writing = False
        self._back(self.enable, self._is_ready)

    def _copy(self, words: str, what: str, path: Path) -> None:
        clipboard: Any = QApplication.clipboard()
        clipboard.setText(words)
        self._say(f"{what} was copied to the clipboard; the experiment was saved as {path}")
