"""The wheel of the mouse over a field of a dock: it scrolls the dock, where Qt would change the value that happens to lie under it."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QWidget


class WheelScrolls(QObject):
    """Leaves the wheel over a widget to what is around it."""

    def __init__(self, widget: QWidget) -> None:
        super().__init__(widget)
        widget.installEventFilter(self)

    def eventFilter(self, watched: Any, event: Any) -> bool:  # noqa: N802
        """Filter the events of the widget."""
        if event.type() != QEvent.Type.Wheel:
            return False
        event.ignore()
        return True
