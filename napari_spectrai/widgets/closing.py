"""The end of a dock that was taken out of its window: napari's cross only takes it out, so that it would go on unseen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtWidgets import QWidget

_AGAIN = 100
"""Milliseconds after which a dock is looked at again: a script may put it elsewhere, and work of it may have ended."""


class Closing(QObject):
    """Destroys a dock that stands in no window any more, once it has no work left whose result becomes a layer."""

    def __init__(self, column: QWidget, occupied: Callable[[], bool]) -> None:
        super().__init__(column)
        self._column, self._occupied = column, occupied
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(_AGAIN)
        self._later.timeout.connect(self._look)
        column.installEventFilter(self)

    def eventFilter(self, watched: Any, event: Any) -> bool:  # noqa: N802
        """Filter the events of the dock."""
        if event.type() == QEvent.Type.ParentChange and watched.parent() is None:
            self._later.start()
        return False

    def _look(self) -> None:
        if self._column.parent() is not None or self._column.isVisible():  # docked again, or shown as a window
            return
        if self._occupied():
            self._later.start()
        else:
            self._column.deleteLater()
