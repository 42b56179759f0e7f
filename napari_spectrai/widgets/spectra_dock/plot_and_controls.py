"""The plot with its controls next to it in a wide dock, and below it in a narrow one.

In a wide dock each column scrolls on its own, so that the dock as a whole has no scroll bar next to theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from magicgui.widgets import Container
from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QBoxLayout, QSizePolicy

from napari_spectrai.widgets.plot import Plot
from napari_spectrai.widgets.scrolling import Scrolling
from napari_spectrai.widgets.spectra_dock.line_profile import ProfileView
from napari_spectrai.widgets.turns import extend

WIDTH = 290
"""Width of the controls next to the plot, in pixels."""
LEAST_WIDE, LEAST_NARROW, LEAST_OTHER = 90, 250, 150
"""Least height, in pixels, of the plots in a wide dock, of the plot in a narrow one, and of its second plot."""
_LEAST_COLUMN = 40
"""Least height of a column in a wide dock, in pixels: lower than any dock."""
_AROUND_WIDE, _AROUND = 2, 9
"""Pixels above and below the columns of a wide dock, and around them otherwise."""
_WIDE = 2.0
"""Ratio of width to height from which a dock is wide."""


class _Area(Scrolling):
    """A column that scrolls on its own, as high as the dock."""

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return the least size, whatever is in the column."""
        return QSize(WIDTH, _LEAST_COLUMN)

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Return the least size."""
        return self.sizeHint()


class PlotAndControls(Container[Any]):
    """Two columns, or one; filled by `plots` and `controls`."""

    def __init__(self) -> None:
        self._fills: tuple[ProfileView, Plot] | None = None
        self._shown: Container[Any] = Container(labels=False, name="shown")
        self._controls: Container[Any] = Container(labels=False, name="controls")
        super().__init__(widgets=[self._shown, self._controls], labels=False, layout="horizontal", name="columns")
        for one in (self, self._shown, self._controls):
            one.margins = (0, 0, 0, 0)
        self._areas = (_Area(), _Area())
        self._areas[1].setFixedWidth(WIDTH)
        for area in self._areas:
            area.hide()
        self._shown.native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._controls.native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)  # it scrolls, and is not squeezed
        self._controls.native.layout().setAlignment(Qt.AlignmentFlag.AlignTop)
        self._wide = False
        self._around: Any = None
        self._fill()
        self._box.setDirection(QBoxLayout.Direction.TopToBottom)

    @property
    def _box(self) -> QBoxLayout:
        layout: QBoxLayout = self.native.layout()
        return layout

    def plots(self, widgets: Sequence[Any], plot: ProfileView, other: Plot) -> None:
        """Fill the first column, whose plots take the height that is left."""
        extend(self._shown, widgets)
        self._fills = plot, other
        self._fill()

    def controls(self, widgets: Sequence[Any]) -> None:
        """Add to the second column."""
        extend(self._controls, widgets)

    def live_in(self, column: Any) -> None:
        """Follow the size of the dock."""
        self._around = column.widget().layout()
        column.on_resize = self.fit

    def fit(self, size: QSize) -> None:
        """Arrange the columns for a dock of that size."""
        wide = size.width() > _WIDE * size.height()
        if wide != self._wide:
            self._wide = wide
            self._turn()

    def _turn(self) -> None:
        """Put both columns into areas that scroll, or back into the column of the dock."""
        box, direction = self._box, QBoxLayout.Direction
        box.setDirection(direction.LeftToRight if self._wide else direction.TopToBottom)
        for area, column in zip(self._areas, (self._shown, self._controls), strict=True):
            native = column.native
            if self._wide:
                box.removeWidget(native)
                area.setWidget(native)
                box.addWidget(area)
            else:
                area.takeWidget()
                box.removeWidget(area)
                box.addWidget(native)
            area.setVisible(self._wide)
            native.show()
        self._fill()

    def _fill(self) -> None:
        if self._around is not None:
            above = _AROUND_WIDE if self._wide else _AROUND
            self._around.setContentsMargins(_AROUND, above, _AROUND, above)
        if self._fills is not None:
            plot, other = self._fills
            plot.fill(LEAST_WIDE if self._wide else LEAST_NARROW)
            other.fill(LEAST_WIDE if self._wide else LEAST_OTHER)
