"""What stands at positions of a plot's horizontal axis: a line and a range that can be dragged, and shaded parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyqtgraph as pg


class AxisTools:
    """The line, the range and the shaded parts of a plot; the range of its axes does not include them.

    Parameters
    ----------
    item : PlotItem
    is_light : callable
        Whether the background is light.

    Attributes
    ----------
    line, region : items of pyqtgraph, or None before they are first shown
    shaded : list of (float, float)
    """

    def __init__(self, item: Any, is_light: Callable[[], bool]) -> None:
        self._item, self._is_light = item, is_light
        self.line: Any = None
        self.region: Any = None
        self.shaded: list[tuple[float, float]] = []
        self._shades: list[Any] = []

    def marker(self, position: float | None, moved: Callable[[float], None] | None = None) -> None:
        """Show a vertical line that can be dragged; None hides it."""
        if self.line is None:
            colour = "#8a7a00" if self._is_light() else "#d8d84a"
            self.line = pg.InfiniteLine(position or 0.0, angle=90, movable=True, pen=pg.mkPen(colour, width=1.5))
            self.line.setHoverPen(pg.mkPen("#b0a020", width=3))
            self._item.addItem(self.line, ignoreBounds=True)
            if moved is not None:
                self.line.sigDragged.connect(lambda line: moved(float(line.value())))
        self.line.setVisible(position is not None)
        if position is not None and not self.line.moving:
            self.line.setValue(position)

    def range(
        self, low: float | None, high: float | None, moved: Callable[[float, float], None] | None = None,
        moving: Callable[[float, float], None] | None = None,
    ) -> None:  # fmt: skip
        """Show a range whose ends can be dragged; None hides it. `moved` is called when it is let go, `moving` while it is dragged."""
        if self.region is None:
            if low is None:
                return
            self.region = pg.LinearRegionItem(brush=(216, 216, 74, 40), pen=pg.mkPen("#d8d84a"))
            self.region.setZValue(-5)
            self._item.addItem(self.region, ignoreBounds=True)
            if moved is not None:
                self.region.sigRegionChangeFinished.connect(lambda item: moved(*item.getRegion()))
            if moving is not None:
                self.region.sigRegionChanged.connect(lambda item: moving(*item.getRegion()))
        self.region.setVisible(low is not None and high is not None)
        if low is not None and high is not None and self.region.getRegion() != (low, high):
            self.region.blockSignals(True)
            self.region.setRegion((low, high))
            self.region.blockSignals(False)

    def shade(self, ranges: Sequence[tuple[float, float]]) -> None:
        """Shade parts of the horizontal axis grey, such as bad bands."""
        if list(ranges) == self.shaded:
            return
        for item in self._shades:
            self._item.removeItem(item)
        self.shaded, self._shades = list(ranges), []
        for low, high in ranges:
            item = pg.LinearRegionItem((low, high), movable=False, brush=(128, 128, 128, 60), pen=pg.mkPen(None))
            item.setZValue(-20)
            self._item.addItem(item, ignoreBounds=True)
            self._shades.append(item)

    @property
    def visible(self) -> list[Any]:
        """The line and the range, if they are shown."""
        return [one for one in (self.line, self.region) if one is not None and one.isVisible()]
