"""The surface of a plot, whose axes are drawn while there is something to read from them."""

from __future__ import annotations

from typing import Any

import pyqtgraph as pg
from qtpy.QtCore import QSize, Qt, QTimer

_UNLIMITED = 16777215
"""Largest height of a Qt widget, in pixels."""


class Canvas(pg.PlotWidget):  # type: ignore[misc]  # pyqtgraph has no types
    """A plot as high as a layout makes it, or of a fixed height.

    The hint of a graphics view is its present size, so that a layout which scrolls would never make it lower again.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)  # nothing in it is done by keys that Tab would have to lead to
        self._hiding = QTimer(self)  # curves that are replaced leave the plot empty for a moment
        self._hiding.setSingleShot(True)
        self._hiding.setInterval(0)
        self._hiding.timeout.connect(lambda: self._set_axes(shown=False))

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return the least size."""
        return QSize(200, self.minimumHeight())

    def fill(self, least: int) -> None:
        """Take the height that a layout has left, at least `least` pixels."""
        self.setMinimumHeight(least)
        self.setMaximumHeight(_UNLIMITED)

    def show_axes(self, *, shown: bool) -> None:
        """Draw the axes, or leave them out: without data they would run from 0 to 1."""
        self._hiding.stop()
        if shown:
            self._set_axes(shown=True)
        else:
            self._hiding.start()

    def _set_axes(self, *, shown: bool) -> None:
        for side in ("left", "bottom"):
            axis = self.getPlotItem().getAxis(side)
            if axis.isVisible() != shown:
                axis.setVisible(shown)
