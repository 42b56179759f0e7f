"""Plots of curves in napari's colours, on pyqtgraph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from magicgui.widgets import Container
from napari.components import ViewerModel
from napari.utils.theme import get_theme
from psygnal import Signal
from qtpy.QtCore import Qt

from napari_spectrai.widgets.axis_tools import AxisTools
from napari_spectrai.widgets.colours import contrast, readable
from napari_spectrai.widgets.decade_axis import DecadeAxis, LowAxis, WholeAxis
from napari_spectrai.widgets.plot_canvas import Canvas
from napari_spectrai.widgets.plot_legend import Legend
from napari_spectrai.widgets.plot_pictures import save_picture
from napari_spectrai.widgets.preferences import changed, theme_of_plots

SOURCE, TRUTH = "#9a9a9a", "#3fae5a"
CLASSICAL = "#d08a2e"
CYCLE = ("#4aa3df", "#e0663d", "#b26fd1", "#d9a520", "#4fbf9f", "#e05a9b", "#8aa83a", "#7f8ff4", "#c98f6b", "#5fc6d6")


def _connected(x: npt.NDArray[np.float64]) -> Any:
    """Return which points a curve connects: where an axis turns back (overlapping detectors), the line is broken."""
    steps = np.sign(np.diff(x))
    if not steps.size or (steps == steps[0]).all() or np.isnan(steps).any():  # pieces, with NaN between them
        return "finite"
    along = 1 if (steps > 0).sum() >= (steps < 0).sum() else -1
    return np.append(steps != -along, 0).astype(np.int32)


@dataclass(frozen=True, slots=True)
class _Looks:
    colour: str
    dashed: bool = False
    width: float = 1.2
    points: bool = False


class Plot(Container[Any]):
    """A plot in a magicgui container.

    Parameters
    ----------
    viewer : napari viewer whose theme the plot follows, unless the preferences set another
    x, y : titles of the axes
    height : in pixels
    counts : whether the horizontal axis counts things, such as epochs

    Signals
    -------
    clicked : x and y of a click on the plot
    """

    clicked = Signal(float, float)

    def __init__(
        self, viewer: ViewerModel, *, x: str, y: str, height: int = 200, name: str = "plot", logarithmic: bool = False, counts: bool = False
    ) -> None:  # fmt: skip
        super().__init__(name=name, labels=False)
        self.margins = (0, 0, 0, 0)
        self._viewer = viewer
        axes = {"left": (DecadeAxis if logarithmic else LowAxis)("left"), "bottom": (WholeAxis if counts else pg.AxisItem)("bottom")}
        self._plot = Canvas(axisItems=axes)
        self._wants_decades = self._has_decades = logarithmic
        self._plot.setLogMode(y=logarithmic)
        self._plot.setFixedHeight(height)
        self._height = height
        self._plot.setMenuEnabled(False)
        self._plot.hideButtons()
        self._item = self._plot.getPlotItem()
        self._top: Any = None
        self._item.getViewBox().setDefaultPadding(0.06)
        self._item.getAxis("left").setWidth(56)
        self._item.layout.setContentsMargins(0, 7, 0, 6)  # pyqtgraph clips the topmost number and the bottom of the title
        for side in ("left", "bottom"):
            self._item.getAxis(side).enableAutoSIPrefix(False)
        self._legend = Legend(self._item)
        self._curves: dict[str, Any] = {}
        self._measured: list[Any] = []
        self._looks: dict[str, _Looks] = {}
        self._background = "#000000"
        self.axis_tools = AxisTools(self._item, lambda: self.is_light)
        self._titles = {"bottom": x, "left": y}
        self.native.layout().addWidget(self._plot)
        self._plot.scene().sigMouseClicked.connect(self._on_click)
        viewer.events.theme.connect(self._recolour)
        changed.connect(self._recolour)
        self._plot.destroyed.connect(self._leave)
        self._recolour()
        self._plot.show_axes(shown=False)

    def fill(self, least: int) -> None:
        """Take the height that the layout has left, at least `least` pixels."""
        self._plot.fill(least)

    @property
    def canvas_height(self) -> int:
        """Height in pixels."""
        return self._height

    @canvas_height.setter
    def canvas_height(self, pixels: int) -> None:
        if pixels != self._height:
            self._height = pixels
            self._plot.setFixedHeight(pixels)

    def _on_click(self, event: Any) -> None:
        box = self._item.getViewBox()
        if event.button() == Qt.MouseButton.LeftButton and box.sceneBoundingRect().contains(event.scenePos()):
            place = box.mapSceneToView(event.scenePos())
            self.clicked.emit(float(place.x()), float(place.y()))

    def pixels(self, x: float, y: float) -> tuple[float, float]:
        """Return where a point of the plot is on the screen, in pixels of the plot."""
        place = self._plot.mapFromScene(self._item.getViewBox().mapViewToScene(pg.Point(x, y)))
        return float(place.x()), float(place.y())

    def _leave(self) -> None:
        self._viewer.events.theme.disconnect(self._recolour)
        changed.disconnect(self._recolour, missing_ok=True)

    def _recolour(self, _: Any = None) -> None:
        theme = get_theme(theme_of_plots(self._viewer))
        text = theme.text.as_hex()
        self._background = str(theme.background.as_hex())
        self._plot.setBackground(self._background)
        for side, title in self._titles.items():
            axis = self._item.getAxis(side)
            axis.setPen(text)
            axis.setTextPen(text)
            axis.setLabel(title, color=text)
        self._legend.setLabelTextColor(text)
        for _, label in self._legend.items:  # existing entries would keep their colour otherwise
            label.setText(label.text, color=text)
        for name in self._curves:
            self._draw(name)

    @property
    def canvas(self) -> Any:
        """The Qt widget in which curves are drawn."""
        return self._plot

    @property
    def background(self) -> str:
        """Colour of the background."""
        return self._background

    def headroom(self, x: float, top: float | None) -> None:
        """Let the axes reach up to a point, for labels above the curves; None: not."""
        if self._top is not None:
            self._item.removeItem(self._top)
        self._top = None if top is None else pg.PlotCurveItem(np.full(2, x), np.full(2, top), pen=None)
        if self._top is not None:
            self._item.addItem(self._top)

    def add_item(self, item: Any, *, measured: bool = False) -> None:
        """Add an item of pyqtgraph; `measured`: the range of the axes includes it."""
        self._item.addItem(item, ignoreBounds=not measured)
        if measured:
            self._measured.append(item)
            self._plot.show_axes(shown=True)

    def remove_item(self, item: Any) -> None:
        """Remove an item of pyqtgraph."""
        self._item.removeItem(item)
        self._measured = [one for one in self._measured if one is not item]
        self._plot.show_axes(shown=bool(self._curves or self._measured))

    @property
    def is_light(self) -> bool:
        """Whether the background is light."""
        return contrast(self._background, "#ffffff") < contrast(self._background, "#000000")

    def colour(self, number: int) -> str:
        """Return the colour of a layer's curve."""
        return CYCLE[number % len(CYCLE)]

    @property
    def x_title(self) -> str:
        """Title of the horizontal axis."""
        return self._titles["bottom"]

    @property
    def accent(self) -> str:
        """Colour of predictions."""
        return "#4aa3df"

    def share_positions(self, below: Plot | None) -> None:
        """Leave the positions to a plot below this one, which then shows the same range; None: show them here."""
        self._item.setXLink(None if below is None else below._item)  # noqa: SLF001
        self._item.getAxis("bottom").setStyle(showValues=below is None)

    def titles(self, *, x: str | None = None, y: str | None = None) -> None:
        """Set the titles of the axes; an empty one takes no space."""
        new = {"bottom": self._titles["bottom"] if x is None else x, "left": self._titles["left"] if y is None else y}
        if new != self._titles:
            self._titles = new
            self._recolour()

    def curve(
        self, name: str, x: npt.ArrayLike, y: npt.ArrayLike, colour: str, *, dashed: bool = False, width: float = 1.2, legend: bool = True,
        points: bool = False,
    ) -> None:  # fmt: skip
        """Draw or redraw the curve of that name; `points`: draw points without a line, as of a curve of a single point.

        A colour without contrast to the background is made lighter or darker.
        """
        if name not in self._curves:
            self._curves[name] = self._item.plot(name=name if legend else None, antialias=True)
            self._plot.show_axes(shown=True)
        positions, values = np.asarray(x, np.float64), np.asarray(y, np.float64)
        points = points or positions.size == 1
        looks = _Looks(colour, dashed, width, points)
        if self._looks.get(name) != looks:
            self._looks[name] = looks
            self._draw(name)
        if points:  # pyqtgraph warns of points that are nowhere
            there = np.isfinite(positions) & np.isfinite(values)
            positions, values = positions[there], values[there]
        self._curves[name].setData(positions, values, connect=_connected(positions))
        self._suit_scale()

    def _draw(self, name: str) -> None:
        """Set the colour of a curve for the current theme."""
        item, looks = self._curves[name], self._looks[name]
        colour = readable(looks.colour, self._background)
        if isinstance(item, pg.FillBetweenItem):
            fill = pg.mkColor(colour)
            fill.setAlpha(50)
            item.setBrush(fill)
            return
        style = Qt.PenStyle.DashLine if looks.dashed else Qt.PenStyle.SolidLine
        item.setPen(None if looks.points else pg.mkPen(colour, width=looks.width, style=style))
        item.setSymbol("o" if looks.points else None)
        if looks.points:
            item.setSymbolSize(4 + 2 * looks.width)
            item.setSymbolBrush(pg.mkBrush(colour))
            item.setSymbolPen(None)

    def scale(self, *, logarithmic: bool) -> None:
        """Use a logarithmic or a linear vertical axis; for plots created as logarithmic.

        The axis is linear while a point or a whole curve, being negative or zero, would not be seen on a logarithmic one.
        """
        self._wants_decades = logarithmic
        self._suit_scale()

    def _suit_scale(self) -> None:
        decades = self._wants_decades and not any(self._vanishes(name) for name in self._curves)
        if decades != self._has_decades:
            self._has_decades = decades
            self._plot.setLogMode(y=decades)

    def _vanishes(self, name: str) -> bool:
        """Whether a logarithmic axis hides a point of a curve of points, or all of another curve."""
        values = self._curves[name].yData if self.is_curve(name) else None
        known = np.empty(0) if values is None else values[np.isfinite(values)]
        if not known.size:
            return False
        return bool(known.min() <= 0 if self._looks[name].points else known.max() <= 0)

    def spread(self, name: str, x: npt.ArrayLike, low: npt.ArrayLike, high: npt.ArrayLike, colour: str) -> None:
        """Fill the area between two curves with a light colour; `remove_curve` removes it."""
        self.remove_curve(name)
        edges = [pg.PlotCurveItem(np.asarray(x, np.float64), np.asarray(y, np.float64)) for y in (low, high)]
        item = pg.FillBetweenItem(*edges)
        item.setZValue(-10)
        self._item.addItem(item)
        self._curves[name], self._looks[name] = item, _Looks(colour)
        self._plot.show_axes(shown=True)
        self._draw(name)

    def remove_curve(self, name: str) -> None:
        """Remove a curve, if it exists."""
        curve = self._curves.pop(name, None)
        self._looks.pop(name, None)
        if curve is not None:
            self.remove_item(curve)
            self._suit_scale()

    def clear_curves(self) -> None:
        """Remove all curves."""
        for name in list(self._curves):
            self.remove_curve(name)

    def names(self) -> list[str]:
        """Return the names of the curves drawn."""
        return list(self._curves)

    def data(self, name: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return x and y of a curve."""
        curve = self._curves[name]
        return curve.xData, curve.yData

    def colour_of(self, name: str) -> str:
        """Return the colour of a curve, before it is adapted to the background."""
        return self._looks[name].colour

    def is_curve(self, name: str) -> bool:
        """Whether that name is a line, not a filled area."""
        return not isinstance(self._curves.get(name), pg.FillBetweenItem)

    def save(self, path: str) -> None:
        """Save the plot, as PNG or SVG by the suffix."""
        marks = self.axis_tools.visible
        for one in marks:  # the cursor and the range are tools of the screen
            one.setVisible(False)
        try:
            save_picture(self._plot, path, self._background)
        finally:
            for one in marks:
                one.setVisible(True)
