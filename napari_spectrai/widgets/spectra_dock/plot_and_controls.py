"""The plot with its controls next to it in a wide dock, and below it in a narrow one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from magicgui.widgets import Container
from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QBoxLayout, QFrame, QScrollArea, QSizePolicy

from napari_spectrai.widgets.spectra_dock.line_profile import ProfileView

WIDTH = 290
"""Width of the controls next to the plot, in pixels."""
_MOST_BELOW = 34
"""Height that is kept for each other widget of the first column, at most, in pixels."""
_WIDE = 2.0
"""Ratio of width to height from which a dock is wide."""


class PlotAndControls(Container[Any]):
    """Two columns, or one.

    Parameters
    ----------
    plot : ProfileView
        Fills the height of a wide dock.
    shown : widgets of the first column, with the plot
    controls : widgets of the second column, which scrolls on its own
    """

    def __init__(self, plot: ProfileView, shown: Sequence[Any], controls: Sequence[Any]) -> None:
        self._plot = plot
        self._shown = Container(widgets=list(shown), labels=False, name="shown")
        self._controls = Container(widgets=list(controls), labels=False, name="controls")
        super().__init__(widgets=[self._shown, self._controls], labels=False, layout="horizontal", name="columns")
        for one in (self, self._shown, self._controls):
            one.margins = (0, 0, 0, 0)
        self._area = QScrollArea()
        self._area.setWidgetResizable(True)
        self._area.setFrameShape(QFrame.Shape.NoFrame)
        self._area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._area.setFixedWidth(WIDTH)
        self._area.hide()
        self._controls.native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)  # it scrolls, and is not squeezed
        self._wide = False
        self._box.setDirection(QBoxLayout.Direction.TopToBottom)

    @property
    def _box(self) -> QBoxLayout:
        layout: QBoxLayout = self.native.layout()
        return layout

    def live_in(self, column: Any) -> None:
        """Follow the size of the dock."""
        column.on_resize = self.fit

    def fit(self, size: QSize) -> None:
        """Arrange the columns for a dock of that size."""
        wide = size.width() > _WIDE * size.height()
        if wide != self._wide:
            self._wide = wide
            self._turn()
        if not wide:
            self._plot.fit(size)
            return
        self._area.setFixedHeight(max(1, size.height() - 2 * self._box.spacing()))
        others = [one.native for one in self._shown if one is not self._plot and one.visible]
        spacing = self._shown.native.layout().spacing()
        taken = sum(min(one.sizeHint().height(), _MOST_BELOW) + spacing for one in others)
        self._plot.fit(QSize(size.width(), size.height() - taken))

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
