"""The runs in the Train dock, with buttons to resume, reopen, rename and delete them, and to show their reports and splits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from magicgui.widgets import Container, PushButton
from napari.layers import Image
from napari.viewer import Viewer
from psygnal import Signal
from qtpy.QtCore import QTimer, QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QInputDialog, QLineEdit, QMessageBox
from superqt.utils import thread_worker

from napari_spectrai.reports.sweep_report import PAGE as SWEEP_PAGE
from napari_spectrai.runs import RunFolder
from napari_spectrai.runs.history import RunSummary, curve, delete, gathered, rename, summaries
from napari_spectrai.widgets.dock import line
from napari_spectrai.widgets.latest_only import LatestOnly
from napari_spectrai.widgets.layer_frame import show_parts
from napari_spectrai.widgets.layers import spectral_position
from napari_spectrai.widgets.train_dock.fold_scores import FoldScores
from napari_spectrai.widgets.train_dock.progress_view import TrainingView
from napari_spectrai.widgets.train_dock.run_table import RunTable

_AGAIN = 2000
"""Milliseconds after which a list with running runs is read again: another process may end them."""


class RunList:
    """Runs, and the buttons for the one chosen.

    Signals
    -------
    chosen_changed : another run was chosen
    resumed, reopened : the button was pressed
    """

    chosen_changed = Signal()
    resumed = Signal()
    reopened = Signal()

    def __init__(self, viewer: Viewer, view: TrainingView) -> None:
        self._viewer, self._view = viewer, view
        self._active = False
        self._mine: Path | None = None
        self.table = RunTable(view.curves.colour)
        self.resume = PushButton(
            text="Resume", name="resume", enabled=False, tooltip="continue from the run's checkpoint; a run in another process is followed"
        )
        self.reopen = PushButton(
            text="Reopen", name="reopen", enabled=False, tooltip="show the settings and curves of this run, to train again with changes"
        )
        self.report = PushButton(
            text="Report", name="report", enabled=False, tooltip="open the report of this run, an HTML page, in the browser"
        )
        self.split = PushButton(
            text="Split", name="split", enabled=False, tooltip="show the pixels for training, validation and test as a Labels layer"
        )
        self.rename_button = PushButton(text="Rename…", name="rename", enabled=False, tooltip="rename the run and its model")
        self.delete_button = PushButton(
            text="Delete…", name="delete", enabled=False, tooltip="delete the run's folder with its models, after a confirmation"
        )
        first, second = line(self.resume, self.reopen, self.report), line(self.split, self.rename_button, self.delete_button)
        self.folds = FoldScores()
        self.shown: Container[Any] = Container(
            widgets=[self.table, first, second, self.folds], labels=False, name="run_list", visible=False
        )
        self.shown.margins = (0, 0, 0, 0)
        self._again = QTimer(self.table.native)
        self._again.setSingleShot(True)
        self._again.setInterval(_AGAIN)
        self._again.timeout.connect(self.refresh)
        self._reading = LatestOnly(self.table.native)
        self._reading.answered.connect(self._on_rows)
        self._reading.failed.connect(lambda error: self._view.say(str(error)))
        self.table.chosen_changed.connect(self._on_chosen)
        self.table.compared.connect(self._on_compared)
        self.resume.changed.connect(self.resumed.emit)
        self.reopen.changed.connect(self.reopened.emit)
        self.report.changed.connect(self.show_report)
        self.split.changed.connect(self.show_split)
        self.rename_button.changed.connect(self._ask_name)
        self.delete_button.changed.connect(self._ask_deletion)

    @property
    def chosen(self) -> RunFolder | None:
        """The chosen run; until the list has been read, the one asked for."""
        if self._reading.busy and self._mine is not None:
            return RunFolder(self._mine)
        row = self.table.chosen
        return None if row is None or row.members else row.folder

    def choose(self, path: str | Path) -> None:
        """Choose a run."""
        self._mine = Path(path)
        self.table.choose(self._mine)

    def update(self, *, active: bool) -> None:
        """Enable the buttons that apply to the chosen run; `active`: while the dock follows a run."""
        self._active, row = active, self.table.chosen
        if row is not None and row.members:
            row = None
        folder = None if row is None else row.folder
        here = row is not None and folder is not None and row.state != "running"
        running = row is not None and row.state == "running"
        self.resume.text = "Follow" if running else "Resume"
        self.resume.enabled = not active and row is not None and row.state in ("running", "stopped", "interrupted", "failed", "new")
        self.reopen.enabled = not active and row is not None and row.state != "unreadable"
        self.report.enabled = (report := self._report()) is not None and report.exists()
        self.split.enabled = folder is not None and folder.split.exists()
        self.rename_button.enabled = here and row is not None and row.state != "unreadable"
        self.delete_button.enabled = here

    def _report(self) -> Path | None:
        """Return the page of the chosen run or sweep."""
        row = self.table.chosen
        return None if row is None else row.path / SWEEP_PAGE if row.members else row.folder.report

    def refresh(self, mine: RunFolder | None = None) -> None:
        """Read the list again, on a thread; choose `mine`, else the previous choice, else a running one, else the newest if stopped."""
        if mine is not None:
            self._mine = mine.path
        self._reading.ask(lambda: gathered(summaries()))

    def _on_rows(self, summaries: list[RunSummary]) -> None:
        if any(row.state == "running" for row in summaries):
            self._again.start()
        if summaries and summaries == self.table.known and self._mine is None:
            self._on_chosen()
            return
        chosen = self.table.chosen
        paths = [run.path for row in summaries for run in (row, *row.members)]
        # first what another process, or napari before it was closed, is still training
        unfinished = [row.path for row in summaries if row.state == "running"]
        newest = [row for row in summaries[:1] if not row.members]  # older ones were left on purpose
        unfinished += [row.path for row in newest if row.state in ("stopped", "interrupted")]
        kept = None if chosen is None else chosen.path
        wanted = next((path for path in (self._mine, kept, *unfinished) if path in paths), None)
        before = self._compared()
        self.table.fill(summaries, wanted)
        if self._compared() != before:  # a run was renamed or deleted, which changes the colours of those after it
            for path in before:
                self._view.compare_no_more(str(path))
            for path in self.table.ticked:
                self._draw(path)
        self.shown.visible = bool(summaries)
        self._mine = None
        self._on_chosen()

    def _compared(self) -> dict[Path, str]:
        return {row.path: row.name for row in self._runs() if row.path in self.table.ticked}

    def _runs(self) -> list[RunSummary]:
        """Return all runs, those of sweeps too."""
        return [run for row in self.table.known for run in (row.members or (row,))]

    def _on_chosen(self) -> None:
        row = self.table.chosen
        if row is not None and row.members:
            self.folds.take_sweep(row.path)
        else:
            self.folds.take(None if row is None or row.state == "unreadable" else row.folder)
        self.chosen_changed.emit()

    # ---------------------------------------------------------------- curves

    def _on_compared(self, path: Path, on: bool) -> None:  # noqa: FBT001  # a signal's
        if not on:
            self._view.compare_no_more(str(path))
        for other in self.table.ticked:  # the colours of the runs after it have changed
            self._draw(other)

    def _draw(self, path: Path) -> None:
        name = next(row.name for row in self._runs() if row.path == path)
        worker = thread_worker(lambda: (path, name, curve(RunFolder(path))), ignore_errors=True)()
        worker.returned.connect(self._on_curve)
        worker.errored.connect(lambda error: self._view.say(str(error)))
        worker.start()

    def _on_curve(self, word: Any) -> None:
        path, name, (epochs, values, metric) = word
        if path not in self.table.ticked:
            return
        trouble = self._view.compare(str(path), name, epochs, values, metric, self.table.colour_of(path))
        if trouble:
            self._view.say(trouble)

    # ---------------------------------------------------------------- actions

    def show_report(self) -> None:
        """Open the report of the chosen run or sweep in the browser."""
        report = self._report()
        if report is not None and not (report.exists() and QDesktopServices.openUrl(QUrl.fromLocalFile(str(report)))):
            self._view.say(f"no browser could be opened; the report is {report}" if report.exists() else f"{report} no longer exists")
            self.update(active=self._active)

    def show_split(self) -> None:
        """Add the split of the chosen run as Labels layers, over the images of the same shape."""
        if self.chosen is None:
            return
        images = [layer for layer in self._viewer.layers if isinstance(layer, Image)]
        for number, labels in enumerate(self.chosen.parts()):
            over = next((layer for layer in images if _spatial(layer) == labels.shape), None)
            show_parts(self._viewer, labels, over, f"{self.chosen.path.name} · split{f' {number + 1}' if number else ''}")

    def _ask_name(self) -> None:
        row = self.table.chosen
        if row is not None:
            name, good = QInputDialog.getText(self.table.native, "Rename run", "Name", QLineEdit.EchoMode.Normal, row.name)
            if good:
                self._rename(row, name)

    def rename(self, name: str) -> None:
        """Rename the chosen run."""
        row = self.table.chosen
        if row is not None:
            self._rename(row, name)

    def _rename(self, row: RunSummary, name: str) -> None:
        try:
            rename(row.folder, name)
        except (OSError, RuntimeError, ValueError) as error:
            self._view.say(str(error))
        self.refresh(row.folder)

    def _ask_deletion(self) -> None:
        row = self.table.chosen
        if row is None:
            return
        answer = QMessageBox.question(
            self.table.native, "Delete run?", f"{row.name} and its models will be deleted; this cannot be undone.\n\n{row.path}",
            QMessageBox.StandardButton.Discard | QMessageBox.StandardButton.Cancel, QMessageBox.StandardButton.Cancel,
        )  # fmt: skip
        if answer == QMessageBox.StandardButton.Discard:  # the choice may have changed meanwhile, when a run ended
            self._delete(row)

    def delete(self) -> None:
        """Delete the chosen run."""
        row = self.table.chosen
        if row is not None:
            self._delete(row)

    def _delete(self, row: RunSummary) -> None:
        worker = thread_worker(delete, ignore_errors=True)(row.folder)
        worker.errored.connect(lambda error: self._view.say(str(error)))
        worker.finished.connect(self.refresh)
        worker.start()


def _spatial(layer: Image) -> tuple[int, ...]:
    return tuple(length for d, length in enumerate(layer.data.shape) if d != spectral_position(layer))
