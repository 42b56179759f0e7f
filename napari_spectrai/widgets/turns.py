"""Work that is divided among turns of the event loop, so that the window answers in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from magicgui.widgets import Container
from qtpy.QtCore import QObject, Qt, QTimer

_APART = 5
"""Milliseconds between two parts, in which the window lays out, paints, and answers keys and clicks."""


def extend(container: Container[Any], widgets: Sequence[Any]) -> None:
    """Add widgets to a container that may be in view; Qt would show them in the next turn only."""
    container.extend(widgets)
    for widget in widgets:
        native = widget.native
        hidden = native.isHidden() and native.testAttribute(Qt.WidgetAttribute.WA_WState_ExplicitShowHide)
        if not hidden and native.parentWidget().isVisible():
            native.setVisible(True)


class Turns(QObject):
    """Does the parts of some work one by one, each in a turn of its own, or the rest of them at once.

    Parameters
    ----------
    parent : QObject
        The work ends when it is destroyed.
    parts : iterator
        Does one part whenever it is asked for the next item.
    then : callable, optional
        Called when all parts are done.
    """

    def __init__(self, parent: QObject, parts: Iterator[object], then: Callable[[], Any] = lambda: None) -> None:
        super().__init__(parent)
        self._parts, self._then = parts, then
        self.done = self.at_work = False
        """Whether all is done, and whether a part is just being done."""
        self._timer = QTimer(self)
        self._timer.setInterval(_APART)
        self._timer.timeout.connect(self.take)

    def start(self) -> None:
        """Do the parts that are left in the turns that follow."""
        if not self.done:
            self._timer.start()

    def take(self) -> None:
        """Do one part now."""
        if self.done or self.at_work:  # a part may let the window work, and so come here again
            return
        self.at_work = True
        left = False
        try:
            next(self._parts)
            left = True
        except StopIteration:
            pass
        finally:
            self.at_work, self.done = False, not left
            if self.done:
                self._timer.stop()
        if self.done:
            self._then()

    def finish(self) -> None:
        """Do now all parts that are left; nothing while one of them is at work."""
        while not self.done and not self.at_work:
            self.take()
