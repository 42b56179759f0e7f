"""A frame in the button or choice that has the focus, once Tab has moved it: napari's themes show none."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPalette, QPen
from qtpy.QtWidgets import QAbstractButton, QComboBox, QWidget

from napari_spectrai.widgets.colours import readable

_BLUE = "#4aa3df"
_WIDTH = 2


class FocusFrame(QWidget):
    """A frame inside the edge of a widget, until the focus leaves it.

    A style sheet would not do: an outline is not drawn around choices and runs through the words of narrow buttons, a border
    takes space from them, and either takes 70 to 400 ms in a complete dock.
    """

    def __init__(self, around: QWidget) -> None:
        super().__init__(around)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._around = around
        around.installEventFilter(self)
        self.setGeometry(around.rect())
        self.show()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Follow the widget; the filter is Qt's own."""
        if event is not None and watched is self._around:
            if event.type() == QEvent.Type.FocusOut:
                self.hide()
                self.deleteLater()
            elif event.type() == QEvent.Type.Resize:
                self.setGeometry(self._around.rect())
        return False

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        """Draw the frame."""
        painter = QPainter(self)
        pen = QPen(QColor(readable(_BLUE, self.palette().color(QPalette.ColorRole.Window).name())))
        pen.setWidth(_WIDTH)
        pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
        painter.setPen(pen)
        painter.drawRect(self.rect().adjusted(1, 1, -1, -1))


def show_focus(widget: QWidget | None) -> None:
    """Frame what has got the focus, if it is a button or a choice and a key was pressed; texts show a cursor."""
    window = widget.window() if isinstance(widget, QAbstractButton | QComboBox) else None
    if widget is not None and window is not None and window.testAttribute(Qt.WidgetAttribute.WA_KeyboardFocusChange):
        FocusFrame(widget)
