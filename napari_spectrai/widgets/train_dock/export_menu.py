"""Menu that exports a training: as a script, a command, or an experiment file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from magicgui.widgets import PushButton
from qtpy.compat import isalive
from qtpy.QtWidgets import QApplication, QFileDialog, QMenu
from superqt.utils import thread_worker

from napari_spectrai.cube import Cube
from napari_spectrai.experiment import Experiment
from napari_spectrai.runs.export import command, keep, script

Document = tuple[Experiment, list[Cube] | None, list[Any] | None]


class Keeping:
    """A button with a menu: copy as script, copy as command, save the experiment.

    Data that exist only in the viewer are written next to the document, on a thread.

    Parameters
    ----------
    document : function that returns the experiment, and the cubes and truths of layers
    say : function that shows a message
    """

    def __init__(self, document: Callable[[], Document], say: Callable[[str], None]) -> None:
        self._document, self._say = document, say
        self.button = PushButton(
            text="⋯",
            name="keep",
            enabled=False,
            tooltip="export this training: copy it as a script or a command, or save the experiment",
        )
        self.button.native.setFixedWidth(36)
        self.button.native.setAccessibleName("export this training")
        menu: Any = QMenu(self.button.native)
        for words, act in (("Copy as script", self.copy_script), ("Copy as command", self.copy_command), ("Save experiment…", self._ask)):
            menu.addAction(words).triggered.connect(lambda _=False, act=act: act())
        self.button.native.setMenu(menu)

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
        chosen, _ = QFileDialog.getSaveFileName(self.button.native, "Save experiment", "experiment.yml", "Experiment (*.yml *.yaml)")
        if chosen:
            self.save(chosen if Path(chosen).suffix else f"{chosen}.yml")

    def _keep(self, path: Path | None, done: Callable[[Path], None]) -> None:
        experiment, cubes, truths = self._document()
        self.button.enabled = False
        worker = thread_worker(keep, ignore_errors=True)(experiment, cubes, truths, path)
        worker.returned.connect(lambda path: self._back(done, path))
        worker.errored.connect(lambda error: self._back(self._say, str(error)))
        worker.finished.connect(self._free)
        worker.start()

    def _back(self, use: Callable[[Any], None], word: Any) -> None:
        if isalive(self.button.native):  # type: ignore[no-untyped-call]  # the dock may have been closed meanwhile
            use(word)

    def _free(self, _: None = None) -> None:
        self._back(lambda on: setattr(self.button, "enabled", on), True)

    def _copy(self, words: str, what: str, path: Path) -> None:
        clipboard: Any = QApplication.clipboard()
        clipboard.setText(words)
        self._say(f"{what} was copied to the clipboard; the experiment was saved as {path}")
