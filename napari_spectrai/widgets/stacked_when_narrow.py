"""Rows of buttons that become columns where a row is too narrow for their words, such as with large fonts."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QAbstractButton, QBoxLayout, QPushButton, QSizePolicy, QWidget

_LEAST = 40
"""Smallest width that any other widget needs, in pixels."""
_LETTERS = 5
"""Number of letters that it shows at least."""


class StackedWhenNarrow(QObject):
    """Turns the layout of a row, by what its buttons need, whenever the row is resized or their words change."""

    def __init__(self, row: QWidget) -> None:
        super().__init__(row)
        self._row = row
        row.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Follow the row; the filter is Qt's own."""
        if event is not None and event.type() in (QEvent.Type.Resize, QEvent.Type.LayoutRequest):
            self._turn()
        return bool(super().eventFilter(watched, event))

    def _turn(self) -> None:
        layout = self._row.layout()
        if not isinstance(layout, QBoxLayout) or self._row.width() < _LEAST:
            return
        items = [layout.itemAt(number) for number in range(layout.count())]
        shown = [widget for item in items if item is not None and (widget := item.widget()) is not None and not widget.isHidden()]
        if not any(isinstance(widget, QAbstractButton) for widget in shown):
            return
        margins = layout.contentsMargins()
        wanted = sum(map(_needed, shown)) + layout.spacing() * (len(shown) - 1) + margins.left() + margins.right()
        way = QBoxLayout.Direction.TopToBottom if wanted > self._row.width() else QBoxLayout.Direction.LeftToRight
        if layout.direction() != way:
            layout.setDirection(way)


def _needed(widget: QWidget) -> int:
    """Return the width that a widget needs: that of its words, if it is a button, else of some letters: texts are wrapped or elided."""
    if not isinstance(widget, QAbstractButton):
        return min(max(_LEAST, _LETTERS * widget.fontMetrics().averageCharWidth()), widget.maximumWidth())
    words, hint = widget.fontMetrics().horizontalAdvance(widget.text()), widget.sizeHint().width()
    return min(min(words + 8, hint) if isinstance(widget, QPushButton) else hint, widget.maximumWidth())


def as_wide_as_its_words(button: QPushButton) -> None:
    """Leave what a row has left to its other widgets, whatever the font."""
    button.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
