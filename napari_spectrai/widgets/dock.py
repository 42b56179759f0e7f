"""Common parts of the docks: a scrolling column, and text that wraps in it."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

from magicgui.widgets import ComboBox, Container, FileEdit, Label
from napari.layers import Layer
from napari.viewer import Viewer
from qtpy.compat import isalive
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QAbstractSpinBox, QComboBox, QLabel, QSizePolicy, QWidget

from napari_spectrai.widgets import preferences
from napari_spectrai.widgets.arrangement import arrange, holder_of, to_front
from napari_spectrai.widgets.closing import Closing
from napari_spectrai.widgets.colours import Tinted
from napari_spectrai.widgets.column import Column
from napari_spectrai.widgets.context_menu import offer_on_layers
from napari_spectrai.widgets.dock_keys import bind_keys
from napari_spectrai.widgets.dock_memory import recalled
from napari_spectrai.widgets.elided_choice import dress
from napari_spectrai.widgets.sample_links import Words
from napari_spectrai.widgets.stacked_when_narrow import StackedWhenNarrow
from napari_spectrai.widgets.turns import Turns, extend
from napari_spectrai.widgets.visibility import Visibility
from napari_spectrai.widgets.warm_up import begin
from napari_spectrai.widgets.wheel import WheelScrolls
from napari_spectrai.widgets.whole_view import keep_whole

_WRONG = "#e0503f"
_USUAL, _PADDING = "Intensities", 20
"""A label as long as most are, and the space that a style may leave around one, in pixels."""
WORK = ("Preprocess", "Train", "Predict", "Evaluate", "Maps")
"""Docks that Spectra accompanies."""
_ACCOMPANIED = "napari-spectrai accompanied"


_docks: weakref.WeakSet[Dock] = weakref.WeakSet()


def docks() -> list[Dock]:
    """Return the docks in all windows."""
    return [dock for dock in _docks if isalive(dock.column)]  # type: ignore[no-untyped-call]


def dock_name(widget: QWidget) -> str:
    """Return the name of the dock that contains a widget; empty if no dock contains it yet."""
    inside: QWidget | None = widget
    while inside is not None and not isinstance(inside, Column):
        inside = inside.parentWidget()
    return "" if inside is None else str(inside.objectName())


def opened(viewer: Viewer, name: str) -> Any:
    """Return the dock of that name in the viewer's window, complete; open it if necessary."""
    dock = _shown(viewer, name)
    dock.complete()
    return dock


def open_in_turns(viewer: Viewer, name: str, then: Callable[[Any], Any] = lambda _: None) -> None:
    """Bring the dock of that name to the front, open it if necessary, in several turns of the event loop; then do something with it."""
    known = docks()
    dock = _shown(viewer, name)
    if dock in known:  # a new one is shown as soon as it has its place
        to_front(dock.column)
    dock.when_complete(then)


def _shown(viewer: Viewer, name: str) -> Any:
    _, found = viewer.window.add_plugin_dock_widget("napari-spectrai", name)
    # napari returns our object the first time, and the Qt widget in it afterwards
    return next((dock for dock in _docks if found is dock or found is dock.column), found)


class Dock(Container[Any]):
    """A column of widgets that scrolls if the window is too low.

    Attributes
    ----------
    opens_spectra : bool
        Whether the Spectra dock opens with the first work dock.
    fills : bool
        Whether its widgets take the whole height; else they stand at the top.
    leaving : ExitStack
        What is called when the dock is closed, however much of it has been made.
    """

    opens_spectra = True
    fills = False
    in_turns = True
    """Whether it is made in several turns of the event loop."""
    occupied: Any = False
    """Whether work goes on whose result becomes a layer; closed meanwhile, the dock lives until it has."""
    computing: Any = ""
    """What is computed on a thread of this process, in words, and is lost with the window; empty if nothing is."""

    def __init__(self, name: str) -> None:
        self._column: Column | None = None
        self._turns: Turns | None = None
        self._wanted: list[Callable[[Any], Any]] = []
        self.leaving = ExitStack()
        super().__init__(labels=False, name=name)
        inner = super().native
        inner.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        if not self.fills:
            inner.layout().addStretch(1)
        self._column = Column()
        self._column.setWidget(inner)
        self._column.setObjectName(name)
        self._column.viewer = self.viewer
        self._column.destroyed.connect(self.leaving.close)
        _docks.add(self)
        self._arranged = False
        if hasattr(viewer := self.viewer, "window"):
            keep_whole(viewer, self._column)
        self._visibility = Visibility(self._column, self._on_view)
        Closing(self._column, lambda: self.is_complete and self.occupied)
        self._turns = Turns(self._column, self._made(), self._on_complete)
        self._turns.take()
        if self.in_turns:
            self._turns.start()
        else:
            self._turns.finish()
        offer_on_layers()

    # ---------------------------------------------------------------- made part by part

    def _parts(self) -> Iterator[Sequence[Any]]:
        """Make the dock in parts of less than 100 ms, from the top: yield the widgets of each, which are shown at once.

        What follows the last one connects the parts. Whatever has to end with the dock is registered in `leaving`.
        """
        raise NotImplementedError

    def _made(self) -> Iterator[None]:
        for widgets in self._parts():
            extend(self, widgets)
            yield
            if not preferences.is_loaded():
                preferences.load()
                yield
        bind_keys(self, self.column)

    def _on_complete(self) -> None:
        if self._visibility.reported:
            self._on_visible(self._visibility.in_view)
        for do in self._wanted:
            do(self)

    def complete(self) -> None:
        """Make now what has not been made yet.

        A dock is made in several turns of the event loop. Reading anything of it, also its Qt widget once it stands in a window, completes
        it, so that a script finds it whole.
        """
        if self._turns is not None:
            self._turns.finish()

    def when_complete(self, do: Callable[[Any], Any]) -> None:
        """Call a function with the dock once it is complete."""
        if self.is_complete:
            do(self)
        else:
            self._wanted.append(do)

    @property
    def viewer(self) -> Viewer | None:
        """The viewer whose layers the dock works on."""
        return self.__dict__.get("_viewer")

    @property
    def is_complete(self) -> bool:
        """Whether all of the dock is made."""
        return self._turns is not None and self._turns.done

    def __getattr__(self, name: str) -> Any:
        turns = self.__dict__.get("_turns")
        if turns is None or turns.done or turns.at_work or name.startswith("__"):
            return super().__getattr__(name)
        self.complete()
        return getattr(self, name)

    # ---------------------------------------------------------------- in the window

    def _on_view(self, in_view: bool) -> None:  # noqa: FBT001
        self._arrange(in_view)
        if self.is_complete:
            self._on_visible(in_view)

    def _on_visible(self, visible: bool) -> None:  # noqa: FBT001
        """Follow whether the dock, once it is complete, is in view."""

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
            others = [(str(other.column.objectName()), other.column) for other in docks() if other is not self]
            arrange(str(self._column.objectName()), self._column, others)
            begin()
            self._open_spectra()

    def _open_spectra(self) -> None:
        """Open Spectra with the first work dock of a window, unless a person closed it there or in the last session."""
        window = holder_of(self._column)[1] if self._column is not None and isalive(self._column) else None  # type: ignore[no-untyped-call]
        viewer = self.viewer
        if not self.opens_spectra or window is None or viewer is None or self.column.objectName() not in WORK:
            return
        if not window.property(_ACCOMPANIED) and not recalled("Spectra").get("closed"):
            open_in_turns(viewer, "Spectra")
        window.setProperty(_ACCOMPANIED, True)

    def reset_choices(self, event: Any = None) -> None:
        """Rebuild all lists, as napari asks for after each change of the layers; a dock follows all changes but that of their order."""
        if getattr(event, "type", "") not in ("inserted", "removed", "renamed"):
            super().reset_choices()

    def take(self, layer: Layer) -> None:
        """Choose a layer to work on; a dock that cannot use it stays unchanged."""

    @property
    def native(self) -> Any:
        """The docked Qt widget: magicgui's widget, in a column that scrolls."""
        if self._column is None:
            return super().native
        if self._column.parent() is not None:  # napari reads it before
            self.complete()
        return self._column

    @property
    def column(self) -> Column:
        """The docked Qt widget, perhaps before it is complete."""
        assert self._column is not None  # noqa: S101
        return self._column

    def pack(self, spacing: int) -> None:
        """Leave so many pixels between the widgets."""
        super().native.layout().setSpacing(spacing)

    def pin(self, widget: Any) -> None:
        """Keep a row of the column in sight below it, wherever it is scrolled to."""
        if self._column is not None:
            self._column.pin(widget.native, _WRONG)

    def because(self, reason: str) -> None:
        """Say next to the main button why it is off, where the words at their field are out of sight; empty if it is on."""
        if self._column is not None and self._column.footer is not None:
            self._column.footer.say(reason)

    def scroll_to(self, widget: Any, *, again: bool = False) -> None:
        """Scroll to a widget of the column once the layout is complete, and stay there while it grows, until somebody scrolls.

        Parameters
        ----------
        again : bool
            Only where the column still stands as it was scrolled here before.
        """
        if self._column is not None:
            self._column.scroll_to(widget.native, again=again)


def rows(*widgets: Any) -> Container[Any]:
    """Stack widgets with their labels at the left; fields start at one place, except next to long labels."""
    made = Container(widgets=list(widgets), labels=True)
    made.margins = (0, 0, 0, 0)
    usual = made.native.fontMetrics().horizontalAdvance(_USUAL) + _PADDING
    for widget in widgets:
        if isinstance(widget, ComboBox):
            dress(widget)
        else:
            as_field(widget, widget.label)
        labelled = widget.native.parentWidget().layout().itemAt(0).widget()
        if isinstance(labelled, QLabel):  # magicgui aligns those of one container, without the padding of the style
            labelled.setMinimumWidth(max(usual, labelled.minimumWidth() + _PADDING))
    return made


def as_field(widget: Any, name: str) -> None:
    """Let the wheel scroll past a field, and give it a name for screen readers, which read none from the label at its left.

    Fields that have a text are named by it.
    """
    if isinstance(widget.native, QComboBox | QAbstractSpinBox):
        WheelScrolls(widget.native)
    if isinstance(widget, FileEdit):
        widget.line_edit.native.setAccessibleName(name)
        widget.choose_btn.native.setAccessibleName(f"{name}: {widget.choose_btn.text}")
    elif not widget.native.accessibleName() and not getattr(widget, "text", ""):
        widget.native.setAccessibleName(name)


def line(*widgets: Any) -> Container[Any]:
    """Arrange widgets in a row, which becomes a column where it is too narrow for the words of its buttons."""
    made = Container(widgets=list(widgets), labels=False, layout="horizontal")
    made.margins = (0, 0, 0, 0)
    StackedWhenNarrow(made.native)
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
