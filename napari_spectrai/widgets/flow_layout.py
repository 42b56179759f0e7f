"""A layout of rows that are filled one after another, as words fill lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import QEvent, QObject, QPoint, QRect, QSize, Qt
from qtpy.QtWidgets import QLayout, QLayoutItem, QSizePolicy, QWidget

from napari_spectrai.widgets.arrangement import SMALL_WINDOW
from napari_spectrai.widgets.scrolling import Scrolling

_APART = (12, 2)
"""Pixels between neighbours, and between rows."""
_SEEN, _SEEN_HIGH = 2, 4
"""Rows that are seen at once in a small window, and in a higher one."""


class FlowLayout(QLayout):
    """Rows of widgets, each as wide as it wants to be, but not wider than the layout."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setContentsMargins(0, 0, 0, 0)
        self._items: list[QLayoutItem] = []

    def addItem(self, item: QLayoutItem | None) -> None:  # noqa: N802
        """Add an item at the end."""
        if item is not None:
            self._items.append(item)

    def put_in_order(self, widgets: Sequence[QWidget]) -> None:
        """Sort the items, as their widgets are sorted here."""
        places = {id(widget): place for place, widget in enumerate(widgets)}
        self._items.sort(key=lambda item: places.get(id(item.widget()), len(places)))
        self.invalidate()

    def count(self) -> int:
        """Return the number of items."""
        return len(self._items)

    def itemAt(self, number: int) -> QLayoutItem | None:  # noqa: N802
        """Return an item."""
        return self._items[number] if 0 <= number < len(self._items) else None

    def takeAt(self, number: int) -> QLayoutItem | None:  # noqa: N802
        """Remove an item, and return it."""
        return self._items.pop(number) if 0 <= number < len(self._items) else None

    def expandingDirections(self) -> Qt.Orientation:  # noqa: N802
        """Return that no more space is wanted than the items take."""
        return Qt.Orientation(0)

    def hasHeightForWidth(self) -> bool:  # noqa: N802
        """Return that the height depends on the width."""
        return True

    def heightForWidth(self, width: int) -> int:  # noqa: N802
        """Return the height of all rows."""
        return self._arrange(QRect(0, 0, width, 0), place=False)

    def setGeometry(self, area: QRect) -> None:  # noqa: N802
        """Place the items."""
        super().setGeometry(area)
        self._arrange(area, place=True)

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return the least size."""
        return self.minimumSize()

    def minimumSize(self) -> QSize:  # noqa: N802
        """Return the size of one row with the highest item; names that are too long are cut."""
        return QSize(0, max((item.sizeHint().height() for item in self._items), default=0))

    def _arrange(self, area: QRect, *, place: bool) -> int:
        x, y, row = area.x(), area.y(), 0
        for item in self._items:
            size = item.sizeHint()
            width = min(size.width(), area.width())
            if x > area.x() and x + width > area.x() + area.width():
                x, y, row = area.x(), y + row + _APART[1], 0
            if place:
                item.setGeometry(QRect(QPoint(x, y), QSize(width, size.height())))
            x, row = x + width + _APART[0], max(row, size.height())
        return y + row - area.y()


class FewRows(Scrolling):
    """A flow of widgets of which few rows are seen at once, so that many of them leave space for other widgets; the others scroll."""

    def __init__(self, flow: QWidget) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setWidget(flow)

    def eventFilter(self, watched: QObject | None, event: Any) -> bool:  # noqa: N802
        """Follow the widgets and the width; the filter is Qt's own."""
        done = super().eventFilter(watched, event)
        if event.type() in (QEvent.Type.LayoutRequest, QEvent.Type.Resize, QEvent.Type.Show):
            self._fit()
        return done

    def _fit(self) -> None:
        flow, window = self.widget(), self.window()
        layout = None if flow is None else flow.layout()
        if layout is None or window is None:
            return
        seen, around = _SEEN if window.height() < SMALL_WINDOW else _SEEN_HIGH, 2 * self.frameWidth()
        whole = layout.heightForWidth(self.width() - around)
        height = around + min(whole, seen * (layout.minimumSize().height() + _APART[1]))
        if self.height() != height or self.minimumHeight() != height:
            self.setFixedHeight(height)
