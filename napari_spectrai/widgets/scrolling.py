"""A column that scrolls only where its content is higher than the space."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import QFrame, QScrollArea, QWidget


class Scrolling(QScrollArea):
    """A scroll area without a frame, whose content takes the whole width.

    Qt takes the least height of text that wraps from a narrow column, so that a wide one would scroll past empty space.
    Here the content is as high as it is at the width it has.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

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
