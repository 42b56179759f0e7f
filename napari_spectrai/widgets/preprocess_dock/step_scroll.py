"""The heights of a list of steps, which scrolls, and of plots under it, which stay in view."""

from __future__ import annotations

from typing import Any

from magicgui.widgets import Container
from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtWidgets import QSizePolicy

from napari_spectrai.widgets.preprocess_dock.before_after import BeforeAfter
from napari_spectrai.widgets.scrolling import Scrolling

LEAST_LIST, GOOD_LIST = 40, 88
"""Height that a long list keeps, in pixels: a folded step and a half; and three, one of them with what it found."""
LEAST_PLOT, GOOD_PLOT, MOST_PLOT = 78, 94, 190
"""Limits of the height of a plot with the numbers of its axis, and the height from which on there is space for other things, in pixels."""


class StepScroll(Container[Any]):
    """Shows a list of steps, as high as it is or as there is space."""

    def __init__(self, form: Any) -> None:
        super().__init__(labels=False, name="scrolled_steps")
        self.margins = (0, 0, 0, 0)
        self.form = form
        self.area = Scrolling()
        inner = form.native
        inner.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        inner.layout().addStretch(1)
        self.area.setWidget(inner)
        self.native.layout().addWidget(self.area)

    @property
    def around(self) -> int:
        """Height of the frame that a style draws around the list, in pixels."""
        return 2 * self.area.frameWidth()

    def reset_choices(self, *_: Any) -> None:
        """Rebuild the choices of the steps."""
        self.form.reset_choices()


class Heights(QObject):
    """Divides the visible height of a dock between a list of steps and plots, whenever one of them changes.

    Parameters
    ----------
    column : the scroll area of the dock
    steps : the list
    shown : the plots, with a line of text under them
    dispensable : a line of text that gives way where space is short
    """

    def __init__(self, column: Any, steps: StepScroll, shown: BeforeAfter, dispensable: Any) -> None:
        super().__init__(column)
        self._column, self._steps, self._shown, self._dispensable = column, steps, shown, dispensable
        self._later = QTimer(self)  # layouts have to settle first
        self._later.setSingleShot(True)
        self._later.setInterval(0)
        self._later.timeout.connect(self._fit)
        column.widget().installEventFilter(self)
        steps.form.native.installEventFilter(self)

    def eventFilter(self, watched: Any, event: Any) -> bool:  # noqa: N802
        """Follow the sizes of the dock and of the list."""
        if event.type() in (QEvent.Type.LayoutRequest, QEvent.Type.Resize, QEvent.Type.Show):
            self._later.start()
        return False

    def fit(self, _: Any = None) -> None:
        """Divide the height once layouts have settled."""
        self._later.start()

    def _fit(self) -> None:
        inner = self._column.widget()
        layout, width = inner.layout(), inner.width()
        margins = layout.contentsMargins()
        others, shown = margins.top() + margins.bottom(), 0
        for number in range(layout.count()):
            item = layout.itemAt(number)
            widget = item.widget()
            if widget is None or widget is self._dispensable.native or widget.isHidden():
                continue
            shown += 1
            if widget is self._shown.native:
                others += self._shown.under.native.sizeHint().height()
            elif widget is not self._steps.native:
                others += item.heightForWidth(width) if item.hasHeightForWidth() else item.sizeHint().height()
        free = self._column.viewport().height() - others - layout.spacing() * max(0, shown - 1)
        spared = self._shown.spared
        least = 2 * LEAST_PLOT - spared
        content = self._steps.form.native.sizeHint().height()
        free -= self._steps.around
        line = self._dispensable.native.sizeHint().height() + layout.spacing()
        room = free - line >= 2 * GOOD_PLOT - spared + min(content, GOOD_LIST)
        if self._dispensable.visible != room:
            self._dispensable.visible = room
        free -= line if room else 0
        left = free - least
        # a dock too low for both scrolls as a whole, with the list in full: one scroll bar, not two next to one another
        listed = content if left < LEAST_LIST else min(content, left)
        each = min(MOST_PLOT, max(LEAST_PLOT, (free - listed + spared) // 2))
        self._steps.native.setFixedHeight(listed + self._steps.around)
        for plot, height in ((self._shown.before, each - spared), (self._shown.after, each)):
            plot.canvas_height = height
            plot.native.setFixedHeight(height)
