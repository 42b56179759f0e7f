"""The plot with its controls next to it in a wide dock, and below it in a narrow one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from magicgui.widgets import Container
from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QBoxLayout, QFrame, QScrollArea, QSizePolicy

from napari_spectrai.widgets.plot import Plot
from napari_spectrai.widgets.spectra_dock.line_profile import ProfileView

WIDTH = 290
"""Width of the controls next to the plot, in pixels."""
LEAST_WIDE, LEAST_NARROW, LEAST_OTHER = 100, 250, 150
"""Least height, in pixels, of the plots in a wide dock, of the plot in a narrow one, and of its second plot."""
_AROUND_WIDE, _AROUND = 2, 9
"""Pixels above and below the columns of a wide dock, and around them otherwise."""
_WIDE = 2.0
"""Ratio of width to height from which a dock is wide."""


class _Area(QScrollArea):
    """A column that scrolls on its own, as high as the plot next to it makes the row."""

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return the least size, whatever is in the column."""
        return QSize(WIDTH, LEAST_WIDE)

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Return the least size."""
        return self.sizeHint()


class PlotAndControls(Container[Any]):
    """Two columns, or one.

    Parameters
    ----------
    plot, other : ProfileView and Plot
        Fill the height that is left.
    shown : widgets of the first column, with the plot
    controls : widgets of the second column, which scrolls on its own
    """

    def __init__(self, plot: ProfileView, other: Plot, shown: Sequence[Any], controls: Sequence[Any]) -> None:
        self._plot, self._other = plot, other
        self._shown = Container(widgets=list(shown), labels=False, name="shown")
        self._controls = Container(widgets=list(controls), labels=False, name="controls")
        super().__init__(widgets=[self._shown, self._controls], labels=False, layout="horizontal", name="columns")
        for one in (self, self._shown, self._controls):
            one.margins = (0, 0, 0, 0)
        self._area = _Area()
        self._area.setWidgetResizable(True)
        self._area.setFrameShape(QFrame.Shape.NoFrame)
        self._area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._area.setFixedWidth(WIDTH)
        self._area.hide()
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
        controls = self._controls.native
        if self._wide:
            self._box.setDirection(QBoxLayout.Direction.LeftToRight)
            self._box.removeWidget(controls)
            self._area.setWidget(controls)
            self._box.addWidget(self._area)
            controls.show()
        else:
            self._area.takeWidget()
            self._box.removeWidget(self._area)
            self._box.setDirection(QBoxLayout.Direction.TopToBottom)
            self._box.addWidget(controls)
            controls.show()
        self._area.setVisible(self._wide)
        self._fill()

    def _fill(self) -> None:
        if self._around is not None:
            above = _AROUND_WIDE if self._wide else _AROUND
            self._around.setContentsMargins(_AROUND, above, _AROUND, above)
        self._plot.fill(LEAST_WIDE if self._wide else LEAST_NARROW)
        self._other.fill(LEAST_WIDE if self._wide else LEAST_OTHER)
