"""Whether a dock is in view."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QWidget

from napari_spectrai.widgets.arrangement import holder_of


class Visibility(QObject):
    """Reports whether a dock is in view: napari's ✕ hides a dock without closing it, and another tab in front covers it without hiding it.

    Attributes
    ----------
    in_view : bool
    reported : bool
        Whether anything was reported yet.
    """

    def __init__(self, native: QWidget, report: Callable[[bool], None]) -> None:
        super().__init__(native)
        self._native, self._report = native, report
        self._holder: Any = None
        self.in_view = self.reported = False
        native.installEventFilter(self)

    def eventFilter(self, watched: Any, event: Any) -> bool:  # noqa: N802
        """Filter the dock's events."""
        if event.type() == QEvent.Type.Show:
            holder, _ = holder_of(self._native)
            if holder is not None and holder is not self._holder:
                self._holder = holder
                holder.visibilityChanged.connect(self._changed)
        if event.type() in (QEvent.Type.Show, QEvent.Type.Hide):
            self._changed(event.type() == QEvent.Type.Show)
        return False

    def _changed(self, in_view: bool) -> None:  # noqa: FBT001
        if in_view != self.in_view:
            self.in_view, self.reported = in_view, True
            self._report(in_view)
