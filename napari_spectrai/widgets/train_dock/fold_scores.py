"""The cross-validation of the run chosen in the list, or the settings and scores of the sweep."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from magicgui.widgets import Container
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractItemView, QTableWidget, QTableWidgetItem

from napari_spectrai.reports.fold_table import FoldTable, fold_table
from napari_spectrai.reports.sweep_table import sweep_table
from napari_spectrai.runs import RunFolder
from napari_spectrai.widgets.dock import text
from napari_spectrai.widgets.latest_only import LatestOnly

MOST_ROWS = 5
"""Rows that are in view at once."""
_FOLDS = "scores of each candidate on samples it was not trained on: of all of them together, and in each fold; bold: in the model"
_SWEEP = "each combination of settings, with its mean score over the seeds and an interval of the mean; bold: the best"


class FoldScores(Container[Any]):
    """A table that is hidden for single runs without a cross-validation."""

    def __init__(self) -> None:
        super().__init__(labels=False, name="fold_scores", visible=False)
        self.margins = (0, 0, 0, 0)
        self._title = text("fold_title")
        self.append(self._title)
        self.table = QTableWidget()
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.table.setTabKeyNavigation(False)
        self.table.setAccessibleName("cross-validation or sweep")
        self._tooltip = _FOLDS
        self.native.layout().addWidget(self.table)
        self._reading = LatestOnly(self.native)
        self._reading.answered.connect(self._show)
        self._reading.failed.connect(lambda _: self._show(None))  # the list says that the run cannot be read

    def take(self, folder: RunFolder | None) -> None:
        """Read the cross-validation of a run, on a thread."""
        self._tooltip = _FOLDS
        self._reading.ask(lambda: None if folder is None else fold_table(folder))

    def take_sweep(self, folder: Path) -> None:
        """Read the runs of a sweep, on a thread."""
        self._tooltip = _SWEEP
        self._reading.ask(lambda: sweep_table(folder))

    def _show(self, found: FoldTable | None) -> None:
        self.visible = found is not None
        if found is None:
            return
        self._title.value = found.title
        self.table.setToolTip(self._tooltip)
        table: Any = self.table
        table.setColumnCount(len(found.heads))
        table.setRowCount(len(found.rows))
        table.setHorizontalHeaderLabels(list(found.heads))
        table.verticalHeader().setVisible(False)
        for number, (row, chosen, note) in enumerate(zip(found.rows, found.chosen, found.notes, strict=True)):
            for column, words in enumerate(row):
                item = QTableWidgetItem(words)
                item.setToolTip(note)
                font = item.font()
                font.setBold(chosen)
                item.setFont(font)
                if column:
                    item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                table.setItem(number, column, item)
        table.resizeColumnsToContents()
        inside = sum(table.rowHeight(row) for row in range(min(len(found.rows), MOST_ROWS)))
        bar = table.horizontalScrollBar().sizeHint().height()
        table.setFixedHeight(inside + table.horizontalHeader().sizeHint().height() + bar + 2 * table.frameWidth() + 2)
