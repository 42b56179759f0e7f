"""Common parts of the docks: a scrolling column, and text that wraps in it."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

from magicgui.widgets import ComboBox, Container, Label, PushButton
from napari.layers import Image, Layer
from napari.viewer import Viewer
from qtpy.compat import isalive
from qtpy.QtCore import QEvent, QObject, QSize, Qt, QTimer
from qtpy.QtGui import QKeySequence, QShortcut  # type: ignore[attr-defined]  # qtpy has no stubs for it
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_spectrai.widgets.arrangement import arrange, holder_of
from napari_spectrai.widgets.colours import Tinted
from napari_spectrai.widgets.context_menu import offer_on_layers
from napari_spectrai.widgets.dock_memory import recalled
from napari_spectrai.widgets.elided_choice import dress
from napari_spectrai.widgets.layer_choice import LayerChoice
from napari_spectrai.widgets.layers import spectral_layers
from napari_spectrai.widgets.sample_links import Words
from napari_spectrai.widgets.scrolling import Scrolling
from napari_spectrai.widgets.warm_up import begin

_WRONG = "#e0503f"
WORK = ("Preprocess", "Train", "Predict", "Evaluate", "Maps")
"""Docks that Spectra accompanies."""
_ACCOMPANIED = "napari-spectrai accompanied"
_AROUND = 4
"""Pixels around the row below a column."""
WIDTH = 390
"""Initial width of a dock, in pixels."""


class _Column(Scrolling):
    on_resize: Callable[[QSize], Any] | None = None
    """Called with the size of the visible part whenever it changes."""
    footer: QWidget | None = None
    """A row below the visible part that does not scroll."""

    def __init__(self) -> None:
        super().__init__()
        self.setMinimumWidth(300)

    def sizeHint(self) -> QSize:  # noqa: N802
        return QSize(WIDTH, 640)

    def resizeEvent(self, event: Any) -> None:  # noqa: N802
        """Follow the size of the window."""
        super().resizeEvent(event)
        self._place_footer()
        if self.on_resize is not None:
            self.on_resize(self.size())

    def pin(self, widget: QWidget) -> None:
        """Show a widget below the visible part, in sight wherever the column is scrolled to."""
        self.footer = widget
        widget.setParent(self)
        self._place_footer()
        widget.show()

    def _place_footer(self) -> None:
        if self.footer is not None:
            height = self.footer.sizeHint().height() + 2 * _AROUND
            self.setViewportMargins(0, 0, 0, height)
            bar = self.verticalScrollBar()
            width = self.width() - 2 * _AROUND - (bar.sizeHint().width() if bar is not None else 0)  # the bar has the whole height
            self.footer.setGeometry(_AROUND, self.height() - height + _AROUND, width, height - 2 * _AROUND)


_docks: weakref.WeakSet[Dock] = weakref.WeakSet()


def docks() -> list[Dock]:
    """Return the docks in all windows."""
    return [dock for dock in _docks if isalive(dock.native)]  # type: ignore[no-untyped-call]


def dock_name(widget: QWidget) -> str:
    """Return the name of the dock that contains a widget; empty if no dock contains it yet."""
    inside: QWidget | None = widget
    while inside is not None and not isinstance(inside, _Column):
        inside = inside.parentWidget()
    return "" if inside is None else str(inside.objectName())


def opened(viewer: Viewer, name: str) -> Any:
    """Return the dock of that name in the viewer's window; open it if necessary."""
    _, found = viewer.window.add_plugin_dock_widget("napari-spectrai", name)
    # napari returns our object the first time, and the Qt widget in it afterwards
    return next((dock for dock in _docks if found is dock or found is dock.native), found)


class Dock(Container[Any]):
    """A column of widgets that scrolls if the window is too low.

    Attributes
    ----------
    opens_spectra : bool
        Whether the Spectra dock opens with the first work dock.
    fills : bool
        Whether its widgets take the whole height; else they stand at the top.
    """

    opens_spectra = True
    fills = False

    def __init__(self, name: str, widgets: Sequence[Any]) -> None:
        self._column: _Column | None = None
        super().__init__(widgets=list(widgets), labels=False, name=name)
        inner = super().native
        inner.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        if not self.fills:
            inner.layout().addStretch(1)
        self._column = _Column()
        self._column.setWidget(inner)
        self._column.setObjectName(name)
        _docks.add(self)
        self._arranged = False
        Visibility(self._column, self._arrange)
        offer_on_layers()
        bind_keys(self)

    def _arrange(self, visible: bool) -> None:  # noqa: FBT001
        """Put the dock where docks of its kind stand, when it is shown for the first time."""
        if not visible or self._arranged or self._column is None:
            return
        self._arranged = True
        later = QTimer(self._column)  # napari has to add the dock to the window first
        later.setSingleShot(True)
        later.timeout.connect(self._arrange_now)
        later.start(0)

    def _arrange_now(self) -> None:
        if self._column is not None:
            others = [(str(other.native.objectName()), other.native) for other in docks() if other is not self]
            arrange(str(self._column.objectName()), self._column, others)
            begin()
            self._open_spectra()

    def _open_spectra(self) -> None:
        """Open Spectra with the first work dock of a window, unless a person closed it there or in the last session."""
        window = holder_of(self._column)[1] if self._column is not None and isalive(self._column) else None  # type: ignore[no-untyped-call]
        viewer = getattr(self, "_viewer", None)
        if not self.opens_spectra or window is None or viewer is None or self.native.objectName() not in WORK:
            return
        if not window.property(_ACCOMPANIED) and not recalled("Spectra").get("closed"):
            opened(viewer, "Spectra")
        window.setProperty(_ACCOMPANIED, True)

    def take(self, layer: Layer) -> None:
        """Choose a layer to work on; a dock that cannot use it stays unchanged."""

    @property
    def native(self) -> Any:
        """The docked Qt widget: magicgui's widget, in a column that scrolls."""
        return super().native if self._column is None else self._column

    def pin(self, widget: Any) -> None:
        """Keep a row of the column in sight below it, wherever it is scrolled to."""
        if self._column is not None:
            self._column.pin(widget.native)

    def scroll_to(self, widget: Any, *, again: bool = False) -> None:
        """Scroll to a widget of the column once the layout is complete, and stay there while it grows, until somebody scrolls.

        Parameters
        ----------
        again : bool
            Only where the column still stands as it was scrolled here before.
        """
        if self._column is not None:
            self._column.scroll_to(widget.native, again=again)


class LayerDock(Dock):
    """A dock that works on one spectral layer, chosen in `_layer`."""

    _layer: LayerChoice
    _viewer: Viewer

    def _layers(self) -> list[Image]:
        return spectral_layers(self._viewer)

    @property
    def layer(self) -> Image | None:
        """The layer the dock works on."""
        return self._layer.value

    @layer.setter
    def layer(self, layer: Image) -> None:
        self._layer.value = layer

    def take(self, layer: Layer) -> None:
        """Choose the layer the dock works on."""
        if layer in self._layers():
            self._layer.value = layer


PRIMARY, CANCEL = ("start", "open"), ("cancel", "stop")
"""Names of the buttons pressed by Ctrl+Return and Escape."""


def bind_keys(dock: Dock) -> None:
    """Let Ctrl+Return press the primary button of a dock, and Escape the one that cancels, wherever the focus is in the dock.

    napari ignores keys in a manifest, and the viewer's keys do not work while a dock has the focus.
    """
    for keys, names in (("Ctrl+Return", PRIMARY), ("Ctrl+Enter", PRIMARY), ("Escape", CANCEL)):
        shortcut = QShortcut(QKeySequence(keys), dock.native)
        shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        shortcut.setAutoRepeat(False)
        shortcut.activated.connect(lambda names=names: press(dock, names))
    for names, keys in ((PRIMARY, "Ctrl+Return"), (CANCEL, "Escape")):
        for button in buttons(dock, names):
            button.tooltip = f"{button.tooltip} ({keys})"


def of_kind(within: Any, kind: type[Any]) -> list[Any]:
    """Return the widgets of a class, including those in containers."""
    found = []
    for widget in within:
        if isinstance(widget, kind):
            found.append(widget)
        elif isinstance(widget, Container):
            found += of_kind(widget, kind)
    return found


def buttons(within: Any, names: Sequence[str]) -> list[PushButton]:
    """Return the buttons with these names, including those in containers."""
    return [button for button in of_kind(within, PushButton) if button.name in names]


def press(dock: Dock, names: Sequence[str]) -> None:
    """Press the first button with one of these names that is enabled and visible."""
    for button in buttons(dock, names):
        if button.enabled and button.native.isVisible():
            button.native.click()
            return


class Visibility(QObject):
    """Reports whether a dock is in view: napari's ✕ hides a dock without closing it, and another tab in front covers it without hiding it.

    Attributes
    ----------
    in_view : bool
    """

    def __init__(self, native: QWidget, report: Callable[[bool], None]) -> None:
        super().__init__(native)
        self._native, self._report = native, report
        self._holder: Any = None
        self.in_view = False
        native.installEventFilter(self)

    def eventFilter(self, watched: Any, event: Any) -> bool:  # noqa: N802
        """Filter the dock's events."""
        if event.type() == QEvent.Type.Show:
            holder, _ = holder_of(self._native)
            if holder is not None and holder is not self._holder:
                self._holder = holder
                holder.visibilityChanged.connect(self._changed)
        if event.type() in (QEvent.Type.Show, QEvent.Type.Hide):
            self._changed(event.type() == QEvent.Type.Show)
        return False

    def _changed(self, in_view: bool) -> None:  # noqa: FBT001
        if in_view != self.in_view:
            self.in_view = in_view
            self._report(in_view)


def rows(*widgets: Any) -> Container[Any]:
    """Stack widgets with their labels at the left."""
    made = Container(widgets=list(widgets), labels=True)
    made.margins = (0, 0, 0, 0)
    for widget in widgets:
        if isinstance(widget, ComboBox):
            dress(widget)
    return made


def line(*widgets: Any) -> Container[Any]:
    """Arrange widgets in a row."""
    made = Container(widgets=list(widgets), labels=False, layout="horizontal")
    made.margins = (0, 0, 0, 0)
    return made


def text(name: str = "", value: str = "") -> Words:
    """Return text that wraps over the whole width and can be copied; menu paths of samples in it are links."""
    return Words(value=value, name=name)


def message(value: str = "") -> Words:
    """Return a text for an error message, hidden while it is empty."""
    made = text(value=value)
    Tinted(made.native, _WRONG)
    made.visible = bool(value)
    return made


def say(label: Label, value: str) -> None:
    """Show an error message, or hide the text if it is empty."""
    label.value = value
    label.visible = bool(value)
