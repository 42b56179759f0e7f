"""Curves, in napari's colours: one small class over pyqtgraph."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from magicgui.widgets import Container
from napari.components import ViewerModel
from napari.utils.theme import get_theme
from qtpy.QtCore import Qt

SOURCE, TRUTH = "#9a9a9a", "#3fae5a"
CLASSICAL = "#d08a2e"
CYCLE = ("#4aa3df", "#e0663d", "#b26fd1", "#d9a520", "#4fbf9f", "#e05a9b", "#8aa83a")


class _DecadeAxis(pg.AxisItem):  # type: ignore[misc]  # pyqtgraph has no types
    """A logarithmic axis with ticks at 1, 2 and 5 of each decade; pyqtgraph's own crowd in a low plot."""

    def tickValues(self, low: float, high: float, size: float) -> list[tuple[float, list[float]]]:  # noqa: N802
        decades = range(math.floor(low), math.ceil(high) + 1)
        ticks = [decade + math.log10(digit) for decade in decades for digit in (1, 2, 5)]
        return [(1.0, [tick for tick in ticks if low <= tick <= high])]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:  # noqa: N802
        return [f"{10**value:.3g}" for value in values]


class Plot(Container[Any]):
    """A plot that lives in a magicgui container.

    Parameters
    ----------
    viewer : napari viewer whose theme is followed
    x, y : titles of the axes
    height : in pixels
    """

    def __init__(self, viewer: ViewerModel, *, x: str, y: str, height: int = 200, name: str = "plot", logarithmic: bool = False) -> None:
        super().__init__(name=name, labels=False)
        self.margins = (0, 0, 0, 0)
        self._viewer = viewer
        self._plot = pg.PlotWidget(axisItems={"left": _DecadeAxis("left") if logarithmic else pg.AxisItem("left")})
        self._plot.setLogMode(y=logarithmic)
        self._plot.setFixedHeight(height)
        self._plot.setMenuEnabled(False)
        self._plot.hideButtons()
        self._item = self._plot.getPlotItem()
        self._item.getViewBox().setDefaultPadding(0.06)
        self._item.getAxis("left").setWidth(56)
        for side in ("left", "bottom"):
            self._item.getAxis(side).enableAutoSIPrefix(False)
        self._legend = self._item.addLegend(offset=(-4, 2), labelTextSize="8pt", colCount=2, verSpacing=-6)
        self._curves: dict[str, Any] = {}
        self._line: Any = None
        self._titles = {"bottom": x, "left": y}
        self.native.layout().addWidget(self._plot)
        viewer.events.theme.connect(self._recolour)
        self._recolour()

    def _recolour(self, _: Any = None) -> None:
        theme = get_theme(self._viewer.theme)
        text = theme.text.as_hex()
        self._plot.setBackground(theme.background.as_hex())
        for side, title in self._titles.items():
            axis = self._item.getAxis(side)
            axis.setPen(text)
            axis.setTextPen(text)
            self._item.setLabel(side, title, color=text)
        self._legend.setLabelTextColor(text)
        for _, label in self._legend.items:  # those already drawn keep theirs otherwise
            label.setText(label.text, color=text)

    @property
    def accent(self) -> str:
        """Colour of predictions: the theme's accent, light enough for a curve."""
        return "#4aa3df"

    def titles(self, *, x: str | None = None, y: str | None = None) -> None:
        """Set the titles of the axes."""
        new = {"bottom": x or self._titles["bottom"], "left": y or self._titles["left"]}
        if new != self._titles:
            self._titles = new
            self._recolour()

    def curve(
        self, name: str, x: npt.ArrayLike, y: npt.ArrayLike, colour: str, *, dashed: bool = False, width: float = 1.2, legend: bool = True
    ) -> None:
        """Draw or redraw the curve of that name."""
        style = Qt.PenStyle.DashLine if dashed else Qt.PenStyle.SolidLine
        pen = pg.mkPen(colour, width=width, style=style)
        if name not in self._curves:
            self._curves[name] = self._item.plot(name=name if legend else None, antialias=True)
        self._curves[name].setPen(pen)
        self._curves[name].setData(np.asarray(x, np.float64), np.asarray(y, np.float64))

    def remove_curve(self, name: str) -> None:
        """Take a curve away, if it is there."""
        curve = self._curves.pop(name, None)
        if curve is not None:
            self._item.removeItem(curve)

    def clear_curves(self) -> None:
        """Take all curves away."""
        for name in list(self._curves):
            self.remove_curve(name)

    def names(self) -> list[str]:
        """Return the names of the curves drawn."""
        return list(self._curves)

    def data(self, name: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return x and y of a curve."""
        curve = self._curves[name]
        return curve.xData, curve.yData

    def marker(self, position: float | None, moved: Callable[[float], None] | None = None) -> None:
        """Show a vertical line that can be dragged; None hides it."""
        if self._line is None:
            self._line = pg.InfiniteLine(position or 0.0, angle=90, movable=True, pen=pg.mkPen("#d8d84a", width=1.5))
            self._line.setHoverPen(pg.mkPen("#ffff80", width=3))
            self._item.addItem(self._line, ignoreBounds=True)
            if moved is not None:
                self._line.sigDragged.connect(lambda line: moved(float(line.value())))
        self._line.setVisible(position is not None)
        if position is not None and not self._line.moving:
            self._line.setValue(position)

    def save(self, path: str) -> None:
        """Save a picture of the plot."""
        self._plot.grab().save(path)
