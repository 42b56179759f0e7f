"""Widgets that are made when they are first shown: hundreds of them stand in folds that hardly anybody opens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QWidget


class FirstShow(QObject):
    """Calls a function when a widget is about to be shown for the first time."""

    def __init__(self, native: QWidget, make: Callable[[], None]) -> None:
        super().__init__(native)
        self._make = make
        native.installEventFilter(self)

    def eventFilter(self, watched: Any, event: Any) -> bool:  # noqa: N802
        """Filter the events of the widget."""
        if event.type() == QEvent.Type.Show:
            watched.removeEventFilter(self)
            self._make()
        return False
