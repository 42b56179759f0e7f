"""A clickable confusion matrix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from magicgui.widgets import Container
from psygnal import Signal
from qtpy.QtCore import QAbstractTableModel, QModelIndex, QRect, QSize, Qt
from qtpy.QtGui import QBrush, QColor, QPen
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QStyledItemDelegate, QTableView

from napari_spectrai.widgets.dock import text

NAMED = 6
"""Largest number of classes whose columns show names; with more classes, columns show numbers."""
ROW, COLUMN = 24, 38
MOST_ROWS = 17
NARROW, MOST_NARROW = 13, 24
"""Least width of a column of many classes, in pixels, and the largest number of classes that are seen at once."""
NAMES = 124
RIGHT, WRONG = (48, 125, 190), (212, 96, 28)
"""Colours of the cells on and off the diagonal."""


class _Cells(QAbstractTableModel):
    def __init__(self, matrix: npt.NDArray[np.int64], classes: Sequence[str], short: Callable[[str], str]) -> None:
        super().__init__()
        self.short = short
        self.matrix, self.classes = matrix, list(classes)
        with np.errstate(invalid="ignore", divide="ignore"):
            self.shares = np.nan_to_num(matrix / matrix.sum(1, keepdims=True))

    def rowCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802
        return len(self.classes)

    def columnCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802
        return len(self.classes)

    def data(self, index: QModelIndex, role: int = 0) -> Any:
        row, column = index.row(), index.column()
        count = int(self.matrix[row, column])
        if role == Qt.ItemDataRole.DisplayRole:
            return f"{count:,}" if count else "·"
        if role == Qt.ItemDataRole.ToolTipRole:
            return self.words(row, column)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return Qt.AlignmentFlag.AlignCenter
        return None

    def words(self, row: int, column: int) -> str:
        """Describe a cell in words."""
        count, total = int(self.matrix[row, column]), int(self.matrix[row].sum())
        share = f" ({100 * self.shares[row, column]:.1f} % of {total:,})" if total else ""
        return f"truth {self.classes[row]}, predicted {self.classes[column]}: {count:,}{share}"

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> Any:  # noqa: N802
        name, many = self.classes[section], len(self.classes) > NAMED
        if role == Qt.ItemDataRole.DisplayRole:
            if orientation == Qt.Orientation.Horizontal:
                return str(section + 1) if many else name
            return self.short(f"{section + 1}  {name}" if many else name)
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"{'predicted' if orientation == Qt.Orientation.Horizontal else 'truth'}: {name}"
        if role == Qt.ItemDataRole.TextAlignmentRole and orientation == Qt.Orientation.Vertical:
            return Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        return None


class _Painter(QStyledItemDelegate):
    """Paints the share behind the count, which style sheets do not allow a model to do."""

    def __init__(self, view: QTableView) -> None:
        super().__init__(view)
        self._view = view

    def paint(self, painter: Any, option: Any, index: QModelIndex) -> None:
        cells: Any = index.model()
        row, column = index.row(), index.column()
        share = float(cells.shares[row, column])
        count = int(cells.matrix[row, column])
        colour = QColor(*(RIGHT if row == column else WRONG))
        colour.setAlphaF(0.16 + 0.84 * share if count else 0.0)
        rect: QRect = option.rect.adjusted(1, 1, -1, -1)
        painter.save()
        painter.fillRect(rect, QBrush(colour))
        ink = QColor("white") if share > 0.45 else QColor(option.palette.color(option.palette.ColorRole.Text))
        if not count:
            ink.setAlpha(110)
        painter.setPen(ink)
        words = str(index.data())
        if painter.fontMetrics().horizontalAdvance(words) <= rect.width():  # a narrow cell shows its colour; its count is in the tooltip
            painter.drawText(rect, int(Qt.AlignmentFlag.AlignCenter), words)
        if index == self._view.currentIndex():
            painter.setPen(QPen(QColor(option.palette.color(option.palette.ColorRole.Text)), 2))
            painter.drawRect(rect)
        painter.restore()


class _View(QTableView):
    def sizeHint(self) -> QSize:  # noqa: N802
        return QSize(300, 200)


class ConfusionGrid(Container[Any]):
    """Rows are true classes, columns predicted ones; the colour is the share of the row.

    Signals
    -------
    chosen : names of the true and the predicted class of the cell that was clicked, or selected with Return
    """

    chosen = Signal(str, str)

    def __init__(self) -> None:
        super().__init__(name="confusion", labels=False)
        self.margins = (0, 0, 0, 0)
        self._cells: _Cells | None = None
        self._words = text("confusion_words")
        self.append(self._words)
        self.view = _View()
        self.view.setToolTip("click a cell to show its pixels in the image")
        self.view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.view.setItemDelegate(_Painter(self.view))
        self.view.setShowGrid(False)
        self.view.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.view.clicked.connect(self._on_click)
        self.view.activated.connect(self._on_click)
        sides = self.view.verticalHeader()
        assert sides is not None  # noqa: S101
        sides.setDefaultSectionSize(ROW)
        sides.setMinimumSectionSize(ROW)
        sides.setMaximumWidth(NAMES)
        heads = self.view.horizontalHeader()
        assert heads is not None  # noqa: S101
        for one in (self.view, heads):  # a centred head would else be cut at both ends
            one.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.native.layout().addWidget(self.view)

    def show_matrix(self, matrix: Sequence[Sequence[int]], classes: Sequence[str]) -> None:
        """Show a matrix of shape (C, C) with the names of its classes."""
        self._cells = _Cells(np.asarray(matrix, np.int64), classes, self._short)
        self.view.setModel(self._cells)
        few = len(classes) <= NAMED
        heads, bar = self.view.horizontalHeader(), self.view.horizontalScrollBar()
        assert heads is not None  # noqa: S101
        assert bar is not None  # noqa: S101
        narrow = 4 < len(classes) <= MOST_NARROW and not few
        heads.setMinimumSectionSize(NARROW if narrow else COLUMN)
        heads.setDefaultSectionSize(max(COLUMN, self._widest() + 8))
        stretched = narrow or (few and len(classes) <= 4)  # all columns in sight
        # two digits in a narrow column
        heads.setStyleSheet("QHeaderView::section { padding: 0px; border: 0px; font-size: 8pt; }" if narrow else "")
        heads.setSectionResizeMode(QHeaderView.ResizeMode.Stretch if stretched else QHeaderView.ResizeMode.Interactive)
        numbered = "" if few else ", numbered as the rows are"
        self._words.value = f"Rows: true class. Columns: predicted class{numbered}. Click a cell to see its pixels."
        room = min(len(classes), MOST_ROWS) * ROW + heads.sizeHint().height()
        self.view.setFixedHeight(room + bar.sizeHint().height() + 2 * self.view.frameWidth() + 2)

    def _short(self, name: str) -> str:
        return self.view.fontMetrics().elidedText(name, Qt.TextElideMode.ElideMiddle, NAMES - 16)

    def _widest(self) -> int:
        assert self._cells is not None  # noqa: S101
        return int(self.view.fontMetrics().horizontalAdvance(f"{int(self._cells.matrix.max(initial=0)):,}"))

    def click(self, truth: str, predicted: str) -> None:
        """Act as if a cell had been clicked."""
        assert self._cells is not None  # noqa: S101
        index = self._cells.index(self._cells.classes.index(truth), self._cells.classes.index(predicted))
        self.view.setCurrentIndex(index)
        self._on_click(index)

    def _on_click(self, index: QModelIndex) -> None:
        if self._cells is not None:
            self.view.setCurrentIndex(index)
            self._words.value = self._cells.words(index.row(), index.column())
            self.chosen.emit(self._cells.classes[index.row()], self._cells.classes[index.column()])

    @property
    def hint(self) -> str:
        """Text above the grid: how to read it, or the cell that was clicked."""
        return str(self._words.value)
