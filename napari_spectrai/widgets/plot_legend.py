"""The legend of a plot, in rows above the curves, which it never covers."""

from __future__ import annotations

from typing import Any

import pyqtgraph as pg
from qtpy.QtCore import Qt

_SPACING = (8, -6)
"""Pixels between samples and names, and between rows, whose text has space around it."""
_BETWEEN = 3
"""Pixels that pyqtgraph adds at each part of a row."""


class Legend(pg.LegendItem):  # type: ignore[misc]  # pyqtgraph has no types
    """A legend at the top right, with as many columns as fit; the plot begins below it.

    Parameters
    ----------
    plot : PlotItem
        Becomes the parent, and names new curves in this legend.
    """

    def __init__(self, plot: Any) -> None:
        self._plot: Any = None
        super().__init__(offset=(-4, 1), labelTextSize="8pt", horSpacing=_SPACING[0], verSpacing=_SPACING[1], frame=False)
        self.layout.setContentsMargins(0, 0, 0, 0)
        self.setParentItem(plot)
        self._plot = plot
        plot.legend = self
        plot.vb.sigResized.connect(self._fit)

    def updateSize(self) -> None:  # noqa: N802
        """Keep the space above the plot as high as the legend is."""
        self._fit()

    def _fit(self, _: Any = None) -> None:
        if self._plot is None:
            return
        widest = max((sample.width() + label.width() + 2 * (_SPACING[0] + _BETWEEN) for sample, label in self.items), default=1.0)
        columns = int(min(max(1, self._plot.width() // widest), max(1, len(self.items))))
        if columns != self.columnCount:
            self.setColumnCount(columns)  # comes back here through updateSize
            return
        super().updateSize()
        height = self.layout.effectiveSizeHint(Qt.SizeHint.PreferredSize).height()
        self.resize(self.width(), height)
        self._plot.layout.setRowFixedHeight(0, height if self.items else 0.0)
