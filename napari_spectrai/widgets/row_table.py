"""A table of plain values, such as the components of a map, the peaks of a spectrum, or the scores of files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from magicgui.widgets import Container
from psygnal import Signal
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractItemView, QTableWidget, QTableWidgetItem

MOST_ROWS = 8
"""Rows of the table that are shown at once."""
_DIGITS = 4
_SMALL, _OF_SMALL = 0.1, 3
"""Below the first, numbers have so many digits, not counting leading zeros."""
_HEAD_MARGIN = 12
"""Pixels around the words of a head."""
_NARROWEST = 72
"""Least width of a column of text, in pixels."""
_MOST_LINES, _MOST_WRAPPED = 2, 200
"""Lines of a text that is wider than its column, in tables of so many rows; what is longer is elided, and in the tooltip."""


class _Table(QTableWidget):
    """A table that reports when it becomes wider or narrower."""

    resized = Signal()

    def resizeEvent(self, event: Any) -> None:  # noqa: N802
        """Report another width."""
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self.resized.emit()


class RowTable(Container[Any]):
    """Rows of plain values; a click on a head sorts."""

    def __init__(self, what: str = "table of the result") -> None:
        super().__init__(name="table", labels=False)
        self.margins = (0, 0, 0, 0)
        table: Any = _Table()
        self.table = table
        self.table.setToolTip(f"{what}; a click on a head sorts")
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.verticalHeader().setVisible(False)
        self.table.horizontalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap)
        self.table.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.table.setAccessibleName(what)
        self._texts: list[int] = []
        self.table.resized.connect(self._fit)
        self.native.layout().addWidget(self.table)

    def show_rows(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Show rows; columns are those of all of them."""
        columns = list(dict.fromkeys(name for row in rows for name in row))
        self._texts = [place for place, name in enumerate(columns) if any(isinstance(row.get(name), str) for row in rows)]
        self.table.setSortingEnabled(False)
        self.table.clear()
        self.table.setRowCount(len(rows))
        self.table.setColumnCount(len(columns))
        self.table.setHorizontalHeaderLabels([name.replace("_", " ") for name in columns])
        for number, row in enumerate(rows):
            for place, name in enumerate(columns):
                self.table.setItem(number, place, _item(row.get(name)))
        self._fit()
        self.table.setSortingEnabled(True)

    def _fit(self) -> None:
        """Make columns as wide as their contents, those of text narrower where they do not fit, and the table as high as its rows."""
        table = self.table
        header = table.horizontalHeader()
        metrics, lines, widths, words = header.fontMetrics(), 1, [], []
        for place in range(table.columnCount()):
            words.append(table.horizontalHeaderItem(place).text().split())
            head = max((metrics.horizontalAdvance(word) for word in words[-1]), default=0) + _HEAD_MARGIN
            widths.append(max(table.sizeHintForColumn(place), head))
            lines = max(lines, len(words[-1]))
        short = sum(widths) - table.viewport().width()
        for place in self._texts:
            if short > 0:
                taken = min(short, max(0, widths[place] - _NARROWEST))
                widths[place], short = widths[place] - taken, short - taken
        for place, width in enumerate(widths):
            table.setColumnWidth(place, width)
        header.setFixedHeight(lines * metrics.lineSpacing() + 8)
        if self._texts and table.rowCount() <= _MOST_WRAPPED:
            table.resizeRowsToContents()
            highest = _MOST_LINES * table.fontMetrics().lineSpacing() + 6
            for row in range(table.rowCount()):
                table.setRowHeight(row, min(table.rowHeight(row), highest))
        inside = sum(table.rowHeight(row) for row in range(min(table.rowCount(), MOST_ROWS)))
        bar = table.horizontalScrollBar().sizeHint().height() if short > 0 else 0
        table.setFixedHeight(header.height() + inside + bar + 2 * table.frameWidth() + 2)


def _item(value: Any) -> QTableWidgetItem:
    item = QTableWidgetItem()
    if isinstance(value, float):
        item.setData(Qt.ItemDataRole.DisplayRole, float(f"{value:.{_OF_SMALL if abs(value) < _SMALL else _DIGITS}g}"))
        item.setToolTip(repr(value))
    elif value is not None:
        item.setData(Qt.ItemDataRole.DisplayRole, value)
        item.setToolTip(str(value) if isinstance(value, str) else "")
    return item
