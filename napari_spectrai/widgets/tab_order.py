"""The order in which Tab goes through a dock: as its fields stand, not as they were made."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractScrollArea, QAbstractSpinBox, QComboBox, QScrollArea, QWidget

_WHOLE = (QComboBox, QAbstractSpinBox, QAbstractScrollArea)
"""Widgets whose parts are no stops of their own."""


def stops(widget: QWidget | None) -> Iterator[QWidget]:
    """Yield what Tab reaches in a widget, in the order of its layouts."""
    if widget is None or not widget.isVisible():
        return
    if widget.focusPolicy() & Qt.FocusPolicy.TabFocus and widget.isEnabled() and widget.focusProxy() is None:
        yield widget
    if isinstance(widget, QScrollArea):
        yield from stops(widget.widget())
    elif not isinstance(widget, _WHOLE):
        layout: Any = widget.layout()
        yield from _in_layout(layout) if layout is not None else (stop for part in _parts(widget) for stop in stops(part))


def _parts(widget: QWidget) -> list[QWidget]:
    return [part for part in widget.children() if isinstance(part, QWidget)]


def _in_layout(layout: Any) -> Iterator[QWidget]:
    for number in range(layout.count()):
        item = layout.itemAt(number)
        if item.layout() is not None:
            yield from _in_layout(item.layout())
        else:
            yield from stops(item.widget())


def put_in_order(widgets: list[QWidget]) -> None:
    """Let Tab go through widgets of one window in this order."""
    for one, following in pairwise(widgets):
        QWidget.setTabOrder(one, following)
