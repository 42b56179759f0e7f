"""A column that scrolls only where its content is higher than the space."""

from __future__ import annotations

from typing import Any

from qtpy.compat import isalive
from qtpy.QtCore import QEvent, QObject, QPoint, Qt, QTimer
from qtpy.QtWidgets import QFrame, QScrollArea, QScrollBar, QWidget

_SETTLED = 50
"""Milliseconds after which the layout of a column is complete."""


class Scrolling(QScrollArea):
    """A scroll area without a frame, whose content takes the whole width.

    Qt takes the least height of text that wraps from a narrow column, so that a wide one would scroll past empty space.
    Here the content is as high as it is at the width it has. Tab goes to the fields in it, to which it scrolls.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._anchor: QWidget | None = None
        self._reached: int | None = -1
        self._bar.rangeChanged.connect(self._stay)

    @property
    def _bar(self) -> QScrollBar:
        bar = self.verticalScrollBar()
        assert bar is not None  # noqa: S101  # every scroll area has one
        return bar

    def scroll_to(self, widget: QWidget, *, again: bool = False) -> None:
        """Scroll to a widget of the column once the layout is complete, and stay there while it grows, until somebody scrolls.

        Parameters
        ----------
        again : bool
            Only where the column still stands as it was scrolled here before.
        """
        if not again:
            self._reached = None
        later = QTimer(self)  # deleted with the column
        later.setSingleShot(True)
        later.timeout.connect(lambda: self._hold(widget))
        later.timeout.connect(later.deleteLater)
        later.start(_SETTLED)

    def _hold(self, widget: QWidget) -> None:
        self._anchor = widget
        self._stay()

    def _stay(self, *_: Any) -> None:
        """Scroll to where the chosen widget is now, unless somebody has scrolled away from it."""
        bar, inner = self._bar, self.widget()
        if inner is None or self._anchor is None or not isalive(self._anchor):  # type: ignore[no-untyped-call]
            return
        if self._reached is None or bar.value() == min(self._reached, bar.maximum()):
            bar.setValue(self._anchor.mapTo(inner, QPoint(0, 0)).y())
            self._reached = bar.value()

    def setWidget(self, widget: QWidget | None) -> None:  # noqa: N802
        """Show a column."""
        super().setWidget(widget)
        if widget is not None:
            _release(widget)

    def takeWidget(self) -> QWidget | None:  # noqa: N802
        """Give the column back, as it was."""
        widget = super().takeWidget()
        if widget is not None:
            widget.setMinimumHeight(0)
        return widget

    def eventFilter(self, watched: QObject | None, event: Any) -> bool:  # noqa: N802
        """Follow what is shown in the column; the filter is Qt's own."""
        if watched is self.widget() and event.type() == QEvent.Type.LayoutRequest:
            _release(self.widget())
        return bool(super().eventFilter(watched, event))


def _release(column: QWidget | None) -> None:
    """Let the height follow from the width where there is text that wraps, else from Qt's hint."""
    layout = None if column is None else column.layout()
    if column is not None and layout is not None:
        column.setMinimumHeight(1 if layout.hasHeightForWidth() else 0)
