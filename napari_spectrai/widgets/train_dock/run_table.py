"""Table of runs: their scores and baselines, and which are compared."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from magicgui.widgets import Container
from psygnal import Signal
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from napari_spectrai.experiment.metrics import METRICS
from napari_spectrai.runs.history import RunSummary
from napari_spectrai.widgets.train_dock.progress_words import short

STATES = {
    "running": "running",
    "stopped": "stopped",
    "interrupted": "interrupted",
    "failed": "failed",
    "finished": "finished",
    "unreadable": "cannot be read",
    "new": "not started",
}
_HEADS = ("Run", "Reached", "State")
HEIGHT = 150


class RunTable(Container[Any]):
    """A table of runs; the check box of a row draws the run's curve for comparison. A sweep is one row; a double click lists its runs.

    Signals
    -------
    chosen_changed : another run was selected
    compared : path, and whether its curve is to be drawn
    """

    chosen_changed = Signal()
    compared = Signal(object, bool)

    def __init__(self, colour: Callable[[int], str]) -> None:
        super().__init__(labels=False, name="runs")
        self.margins = (0, 0, 0, 0)
        self._colour = colour
        self.known: list[RunSummary] = []
        """All runs and sweeps."""
        self.rows: list[RunSummary] = []
        """Those in the table, from top to bottom."""
        self._open: set[Path] = set()
        """Sweeps whose runs are listed."""
        self._ticked: list[Path] = []
        self._filling = False
        self._table = QTableWidget(0, len(_HEADS))
        self._table.setHorizontalHeaderLabels(_HEADS)
        rows: Any = self._table.verticalHeader()
        rows.setVisible(False)
        self._table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self._table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self._table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self._table.setTabKeyNavigation(False)
        self._table.setFixedHeight(HEIGHT)
        self._table.setToolTip(
            "your runs, newest first; tick one to draw its curve with the others. ≠: scored on other pixels than the run before it. "
            "▸: a sweep; double-click it to list its runs"
        )
        self._table.setAccessibleName("runs")
        header: Any = self._table.horizontalHeader()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in (1, 2):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        self.native.layout().addWidget(self._table)
        self._table.itemSelectionChanged.connect(self._on_selection)
        self._table.itemChanged.connect(self._on_item)
        self._table.itemActivated.connect(self._on_activated)

    def fill(self, rows: Sequence[RunSummary], chosen: Path | None) -> None:
        """Show other rows; ticked runs stay ticked."""
        self.known = list(rows)
        runs = {run.path for row in rows for run in (row, *row.members)}
        self._ticked = [path for path in self._ticked if path in runs]
        self._open |= {row.path for row in rows if any(one.path == chosen for one in row.members)}
        self._filling = True
        self.rows = [run for row in rows for run in (row, *(row.members if row.path in self._open else ()))]
        self._table.setRowCount(len(self.rows))
        members = {one.path for row in rows for one in row.members}
        for number, row in enumerate(self.rows):
            for column, words in enumerate((self._name(row, inside=row.path in members), _reached(row), _state(row))):
                item = QTableWidgetItem(words)
                item.setToolTip(_about(row))
                if column == 1:
                    item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                if column == 0 and not row.members:
                    item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
                    item.setCheckState(Qt.CheckState.Checked if row.path in self._ticked else Qt.CheckState.Unchecked)
                self._table.setItem(number, column, item)
        self._paint()
        self.choose(chosen)
        self._filling = False

    def _name(self, row: RunSummary, *, inside: bool) -> str:
        if row.members:
            return f"{'▾' if row.path in self._open else '▸'} {row.name}"
        return ("    " if inside else "") + (f"{row.name} · {row.network}" if row.network else row.name)

    def _on_activated(self, item: QTableWidgetItem) -> None:
        """List the runs of a sweep, or no longer."""
        row = self.rows[item.row()]
        if row.members:
            self._open ^= {row.path}
            self.fill(self.known, row.path)

    def _paint(self) -> None:
        """Show the names of compared runs in the colours of their curves."""
        for number, row in enumerate(self.rows):
            item: Any = self._table.item(number, 0)
            if row.path in self._ticked:
                item.setForeground(QColor(self.colour_of(row.path)))
            else:
                item.setData(Qt.ItemDataRole.ForegroundRole, None)

    def colour_of(self, path: Path) -> str:
        """Return the colour of a compared run."""
        return self._colour(1 + self._ticked.index(path))

    def choose(self, path: Path | None) -> None:
        """Select a run; clear the selection if it is not in the table."""
        number = next((n for n, row in enumerate(self.rows) if row.path == path), None)
        if number is None:
            self._table.clearSelection()
        else:
            self._table.selectRow(number)

    @property
    def chosen(self) -> RunSummary | None:
        """The selected run."""
        selection: Any = self._table.selectionModel()
        selected = selection.selectedRows()
        return self.rows[selected[0].row()] if selected else None

    @property
    def ticked(self) -> list[Path]:
        """The compared runs, in the order in which they were ticked."""
        return list(self._ticked)

    def tick(self, path: Path, *, on: bool = True) -> None:
        """Compare a run, or not, as a click on its check box does."""
        number = next(n for n, row in enumerate(self.rows) if row.path == path)
        item: Any = self._table.item(number, 0)
        item.setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)

    def _on_selection(self) -> None:
        if not self._filling:
            self.chosen_changed.emit()

    def _on_item(self, item: QTableWidgetItem) -> None:
        if self._filling or item.column() != 0:
            return
        path, on = self.rows[item.row()].path, item.checkState() == Qt.CheckState.Checked
        if on == (path in self._ticked):
            return
        self._ticked = [*self._ticked, path] if on else [other for other in self._ticked if other != path]
        self._filling = True
        self._paint()
        self._filling = False
        self.compared.emit(path, on)

    def text(self) -> list[list[str]]:
        """Return the text of the table, row by row."""
        table: Any = self._table
        return [[table.item(row, column).text() for column in range(len(_HEADS))] for row in range(table.rowCount())]


def _state(row: RunSummary) -> str:
    return row.progress if row.members else STATES[row.state]


def _reached(row: RunSummary) -> str:
    if math.isnan(row.score):
        return ""
    return f"{short(row.score)} ≠" if row.pixels else f"{short(row.score)}"


def _about(row: RunSummary) -> str:
    if row.members:
        best = "" if math.isnan(row.score) else f"best run, {row.part}: {METRICS[row.metric].title} {short(row.score)}"
        return "\n".join(filter(None, [f"{row.name}: a sweep, {row.progress} runs finished", best, str(row.path)]))
    lines = [row.name, f"{row.task} · {row.network} · {row.when} · {STATES[row.state]}" if row.task else STATES[row.state]]
    if not math.isnan(row.score):
        against = "" if math.isnan(row.baseline) else f", {row.baseline_name.replace('_', ' ')} {short(row.baseline)}"
        lines.append(f"{METRICS[row.metric].title}, {row.part}: network {short(row.score)}{against}")
    lines += [row.remark] if row.remark else []
    return "\n".join([*lines, str(row.path)])
