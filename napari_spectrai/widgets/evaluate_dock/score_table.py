"""A table of scores with their intervals, whose rows can be sorted and copied; the best of a column is bold where it is certain."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from magicgui.widgets import Container
from psygnal import Signal
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QFontMetrics, QKeySequence, QPalette, QShortcut  # type: ignore[attr-defined]  # qtpy has no stubs for it
from qtpy.QtWidgets import QAbstractItemView, QApplication, QHeaderView, QTableWidget, QTableWidgetItem

from napari_spectrai.experiment.metrics import Metric
from napari_spectrai.reports.svg import rounded

MOST_ROWS = 17
"""Number of rows shown at once; with more, the table scrolls."""
NAMES = 96
"""Largest width of the names at the left, in pixels."""
_BETWEEN = 6
"""Pixels between two rows, whose cells have several lines."""
FEW = 3
"""Largest number of columns that are wide enough for an interval in one line."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its header, its description, and which direction is better (None: neither)."""

    title: str
    words: str = ""
    larger_is_better: bool | None = None
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A row: its name, its values, whether it is shown dimmed, and the 90 % intervals of values that have one, by column."""

    name: str
    values: Sequence[float]
    dimmed: bool = False
    words: str = field(default="")
    intervals: Mapping[int, Sequence[float]] = field(default_factory=dict)


def _wrapped(title: str) -> str:
    """Return a header, on two lines if it is long or has a unit."""
    before, space, last = title.rpartition(" ")
    return f"{before}\n{last}" if space and (len(title) > 9 or last.startswith("(")) else title


def short_names(names: Sequence[str]) -> list[str]:
    """Return the ends of names of layers, without their source, where these differ."""
    ends = [name.rpartition(" · ")[2] for name in names]
    return ends if len(set(ends)) == len(ends) else list(names)


def in_two_lines(words: str, metrics: QFontMetrics, width: int) -> str:
    """Return words in one line, or in two of that width; the end of what does not fit is left out."""
    first, rest = "", re.findall(r"[^\s-]+-?|-|\s+", words)
    while rest and metrics.horizontalAdvance((first + rest[0]).strip()) <= width:
        first += rest.pop(0)
    lines = [first.strip(), "".join(rest).strip()] if first else [words]
    return "\n".join(metrics.elidedText(line, Qt.TextElideMode.ElideRight, width) for line in lines if line)


class _Head(QHeaderView):
    """A header view that wraps its text."""

    def sectionSizeFromContents(self, section: int) -> Any:  # noqa: N802
        size = super().sectionSizeFromContents(section)
        model = self.model()
        text = str(model.headerData(section, Qt.Orientation.Horizontal, Qt.ItemDataRole.DisplayRole)) if model is not None else ""
        widest = max((self.fontMetrics().horizontalAdvance(word) for word in text.split("\n")), default=0)
        size.setWidth(widest + 12)
        return size


class ScoreTable(Container[Any]):
    """Scores by row. A click on a header sorts best first, then worst first, then in the given order; Ctrl+C copies.

    Signals
    -------
    chosen : name of the row that was clicked
    """

    chosen = Signal(str)

    def __init__(self, name: str, tooltip: str) -> None:
        super().__init__(name=name, labels=False)
        self.margins = (0, 0, 0, 0)
        self._lines: list[Line] = []
        self._columns: list[Column] = []
        self._sorted: tuple[int, int] = (-1, 0)
        self.table: Any = QTableWidget()
        self.table.setHorizontalHeader(_Head(Qt.Orientation.Horizontal))
        self.table.setToolTip(tooltip)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setShowGrid(False)
        self.table.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        heads: Any = self.table.horizontalHeader()
        sides: Any = self.table.verticalHeader()
        heads.setSectionsClickable(True)
        heads.setHighlightSections(False)
        heads.setDefaultAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        heads.sectionClicked.connect(self.sort)
        sides.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        sides.setHighlightSections(False)
        sides.setMaximumWidth(NAMES)
        self.table.cellClicked.connect(lambda row, _: self.chosen.emit(self.names()[row]))
        sides.sectionClicked.connect(lambda row: self.chosen.emit(self.names()[row]))
        keys = QShortcut(QKeySequence("Ctrl+C"), self.table)
        keys.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        keys.activated.connect(self.copy)
        self.native.layout().addWidget(self.table)

    def show_rows(self, columns: Sequence[Column], lines: Sequence[Line]) -> None:
        """Show other scores, in the given order."""
        self._columns, self._lines, self._sorted = list(columns), list(lines), (-1, 0)
        self.redraw()

    def _order(self) -> list[Line]:
        column, way = self._sorted
        if not way or column >= len(self._columns):
            return self._lines
        best_first = -1 if self._columns[column].larger_is_better is not False else 1
        known = [line for line in self._lines if not math.isnan(line.values[column])]
        known.sort(key=lambda line: line.values[column] * best_first * way)
        return known + [line for line in self._lines if line not in known]

    def sort(self, column: int) -> None:
        """Sort by a column: best first, then worst first, then in the given order."""
        before, way = self._sorted
        self._sorted = (column, {0: 1, 1: -1, -1: 0}[way if before == column else 0])
        self.redraw()

    def redraw(self) -> None:
        """Redraw in the current theme's colours."""
        lines, table = self._order(), self.table
        table.setRowCount(len(lines))
        table.setColumnCount(len(self._columns))
        arrow = {1: " ▾", -1: " ▴", 0: ""}
        for number, column in enumerate(self._columns):
            head = QTableWidgetItem(_wrapped(column.title) + (arrow[self._sorted[1]] if self._sorted[0] == number else ""))
            head.setToolTip(f"{column.words or column.title}; click to sort")
            table.setHorizontalHeaderItem(number, head)
        best = [self._best(number) for number in range(len(self._columns))]
        for row, (line, short) in enumerate(zip(lines, short_names([line.name for line in lines]), strict=True)):
            name = QTableWidgetItem(in_two_lines(short, table.fontMetrics(), NAMES - 14))
            name.setToolTip(f"{line.name}: {line.words}" if line.words else line.name)
            table.setVerticalHeaderItem(row, name)
            for number, column in enumerate(self._columns):
                table.setItem(row, number, self._cell(line, number, column, best=best[number] == line.name))
        self._fit(len(lines))

    def _best(self, column: int) -> str | None:
        """Return the row whose value in a column is clearly better than all others."""
        known = self._columns[column]
        if known.larger_is_better is None:
            return None
        return Metric(known.title, known.larger_is_better).clearly_best(
            {line.name: line.values[column] for line in self._lines},
            {line.name: line.intervals[column] for line in self._lines if column in line.intervals},
        )

    def _cell(self, line: Line, number: int, column: Column, *, best: bool) -> QTableWidgetItem:
        value = line.values[number]
        ends = line.intervals.get(number)
        shown = rounded(value, whole=column.whole)
        between = "–\n" if len(self._columns) > FEW else "–"
        item = QTableWidgetItem(shown if ends is None else f"{shown}\n{rounded(ends[0])}{between}{rounded(ends[1])}")
        item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        sure = "" if ends is None else f", 90 % interval {ends[0]:.5g} to {ends[1]:.5g}"
        item.setToolTip(f"{line.name}, {column.title}: {value:.9g}{sure}")
        font = item.font()
        font.setBold(best)
        item.setFont(font)
        colour = QColor(self.table.palette().color(QPalette.ColorRole.Text))
        if line.dimmed:
            colour.setAlpha(165)
        item.setForeground(colour)
        return item

    def _fit(self, rows: int) -> None:
        """Adjust the height to the rows, up to a limit."""
        table = self.table
        table.resizeColumnsToContents()
        for column in range(table.columnCount()):  # Qt underestimates the width of bold numbers
            table.setColumnWidth(column, table.columnWidth(column) + (6 if self._best(column) is not None else 0))
        table.resizeRowsToContents()
        for row in range(table.rowCount()):
            table.setRowHeight(row, table.rowHeight(row) + _BETWEEN)
        inside = sum(table.rowHeight(row) for row in range(min(rows, MOST_ROWS)))
        heads = table.horizontalHeader().sizeHint().height()
        table.setFixedHeight(inside + heads + 2 * table.frameWidth() + table.horizontalScrollBar().sizeHint().height() + 2)

    # ---------------------------------------------------------------- content

    def names(self) -> list[str]:
        """Return the names of the rows, from top to bottom."""
        return [line.name for line in self._order()]

    def text(self, row: str, column: str) -> str:
        """Return the text of a cell: its value, and on a second line its interval if it has one."""
        number = next(n for n, one in enumerate(self._columns) if one.title == column)
        item = self.table.item(self.names().index(row), number)
        return "" if item is None else item.text()

    def bold(self, column: str) -> list[str]:
        """Return the rows whose value is bold in a column."""
        number = next(n for n, one in enumerate(self._columns) if one.title == column)
        items = {name: self.table.item(row, number) for row, name in enumerate(self.names())}
        return [name for name, item in items.items() if item is not None and item.font().bold()]

    def copied(self) -> str:
        """Return the table as tab-separated text, as spreadsheets paste it: the values, then the ends of the intervals there are."""
        lines = [["", *(column.title for column in self._columns)]]
        lines += [[line.name, *(f"{value:.9g}" for value in line.values)] for line in self._order()]
        sure = [number for number in range(len(self._columns)) if any(number in line.intervals for line in self._lines)]
        lines[0] += [f"{self._columns[number].title}, {end} end of 90 % interval" for number in sure for end in ("lower", "upper")]
        for cells, line in zip(lines[1:], self._order(), strict=True):
            cells += [f"{end:.9g}" for number in sure for end in line.intervals.get(number, (math.nan, math.nan))]
        return "\n".join("\t".join(line) for line in lines)

    def copy(self) -> None:
        """Copy the table to the clipboard."""
        clipboard = QApplication.clipboard()
        assert clipboard is not None  # noqa: S101  # there is one while there is a window
        clipboard.setText(self.copied())
