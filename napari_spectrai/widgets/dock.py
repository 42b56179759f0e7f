"""What the docks share: a scrolling column, and text that wraps in it."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

from magicgui.widgets import Container, Label
from napari.viewer import Viewer
from qtpy.QtCore import QEvent, QObject, QPoint, QSize, Qt, QTimer
from qtpy.QtWidgets import QFrame, QLabel, QScrollArea, QSizePolicy, QWidget

WIDTH = 390
"""Width of a dock at rest, in pixels."""


class _Column(QScrollArea):
    def __init__(self) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMinimumWidth(300)

    def sizeHint(self) -> QSize:  # noqa: N802
        return QSize(WIDTH, 640)


_docks: weakref.WeakSet[Dock] = weakref.WeakSet()


def opened(viewer: Viewer, name: str) -> Any:
    """Return the dock of that name in the viewer's window, which opens if it is not there."""
    _, found = viewer.window.add_plugin_dock_widget("napari-spectrai", name)
    # napari gives what we made the first time, and the Qt widget in it from then on
    return next((dock for dock in _docks if found is dock or found is dock.native), found)


class Dock(Container[Any]):
    """A column of widgets that scrolls where the screen is too low."""

    def __init__(self, name: str, widgets: Sequence[Any]) -> None:
        self._column: _Column | None = None
        super().__init__(widgets=list(widgets), labels=False, name=name)
        inner = super().native
        inner.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        inner.layout().addStretch(1)
        self._column = _Column()
        self._column.setWidget(inner)
        self._column.setObjectName(name)
        _docks.add(self)

    @property
    def native(self) -> Any:
        """The Qt widget that is docked: magicgui's own, in a column that scrolls."""
        return super().native if self._column is None else self._column

    def scroll_to(self, widget: Any) -> None:
        """Bring a widget of the column to its top, once everything has found its place."""
        if self._column is not None:
            later = QTimer(self._column)  # which goes when the column does
            later.setSingleShot(True)
            later.timeout.connect(lambda: self._scroll_to(widget))
            later.timeout.connect(later.deleteLater)
            later.start(50)

    def _scroll_to(self, widget: Any) -> None:
        inner: QWidget | None = None if self._column is None else self._column.widget()
        if self._column is not None and inner is not None:
            bar = self._column.verticalScrollBar()
            assert bar is not None  # noqa: S101
            bar.setValue(widget.native.mapTo(inner, QPoint(0, 0)).y())


class Visibility(QObject):
    """Tells whether a dock is on screen: napari's ✕ hides one, and does not close it."""

    def __init__(self, native: QWidget, tell: Callable[[bool], None]) -> None:
        super().__init__(native)
        self._tell = tell
        native.installEventFilter(self)

    def eventFilter(self, watched: Any, event: Any) -> bool:  # noqa: N802
        """Stand before the dock's own events."""
        if event.type() in (QEvent.Type.Show, QEvent.Type.Hide):
            self._tell(event.type() == QEvent.Type.Show)
        return False


def rows(*widgets: Any) -> Container[Any]:
    """Return widgets one under the other, their labels at the left."""
    made = Container(widgets=list(widgets), labels=True)
    made.margins = (0, 0, 0, 0)
    return made


def line(*widgets: Any) -> Container[Any]:
    """Return widgets side by side."""
    made = Container(widgets=list(widgets), labels=False, layout="horizontal")
    made.margins = (0, 0, 0, 0)
    return made


def text(name: str = "", value: str = "") -> Label:
    """Return text that wraps over the whole width and can be copied."""
    made = Label(value=value, name=name)
    native: QLabel = made.native
    native.setWordWrap(True)
    native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    native.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return made


def message(value: str = "") -> Label:
    """Return text that says what is wrong, hidden while nothing is."""
    made = text(value=value)
    made.native.setStyleSheet("color: #e0503f;")
    made.visible = bool(value)
    return made


def say(label: Label, value: str) -> None:
    """Say what is wrong, or hide the text."""
    label.value = value
    label.visible = bool(value)
