"""Where docks stand in the window: work docks share tabs on the right, Spectra stands at the bottom, wide and low."""

from __future__ import annotations

from collections.abc import Iterable

from qtpy.compat import isalive
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget

from napari_spectrai.widgets.dock_memory import PlaceKeeper, put_back, size_of

AT_THE_BOTTOM = ("Spectra",)
"""Docks that are wide and low; the others are work docks."""
LOW = 250
"""Height of a dock at the bottom, in pixels, where the window has room for three times as much."""


SMALL_WINDOW = 900
"""Height of a window, in pixels, below which the docks at the left keep its whole height."""


def holder_of(widget: QWidget) -> tuple[QDockWidget | None, QMainWindow | None]:
    """Return the dock widget that holds a widget, and its main window; None where there is none yet."""
    place: QWidget | None = widget
    while place is not None and not isinstance(place, QDockWidget):
        place = place.parentWidget()
    window: QWidget | None = place
    while window is not None and not isinstance(window, QMainWindow):
        window = window.parentWidget()
    return place, window


def to_front(widget: QWidget) -> None:
    """Show a dock that is open already: in front of other tabs, also after it was hidden."""
    holder, _ = holder_of(widget)
    if holder is not None:
        holder.show()
        holder.raise_()


def arrange(name: str, widget: QWidget, others: Iterable[tuple[str, QWidget]]) -> None:
    """Put a dock where a person left it, else where docks of its kind stand; once. A dock that floats stays.

    Parameters
    ----------
    name : str
        Of the dock.
    widget : QWidget
        Its content.
    others : iterable of (str, QWidget)
        All other docks: a work dock joins the tabs of those in the same window.
    """
    if not isalive(widget):  # type: ignore[no-untyped-call]
        return
    holder, window = holder_of(widget)
    if holder is None or window is None or holder.isFloating():
        return
    if name in AT_THE_BOTTOM:
        _give_corner(window)
    holder.setWindowTitle(name)  # short, so that the tabs of five docks can be read
    PlaceKeeper(name, holder, _fit)
    if not put_back(name, holder, window):
        if name in AT_THE_BOTTOM:
            window.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, holder)
        else:
            _join_tabs(holder, window, others)
    to_front(widget)
    _resize(name, holder, window)


def _join_tabs(holder: QDockWidget, window: QMainWindow, others: Iterable[tuple[str, QWidget]]) -> None:
    for other_name, other in others:
        beneath, same = holder_of(other) if isalive(other) else (None, None)  # type: ignore[no-untyped-call]
        if other_name in AT_THE_BOTTOM or beneath is None or beneath is holder or same is not window or beneath.isFloating():
            continue
        if window.dockWidgetArea(beneath) == Qt.DockWidgetArea.RightDockWidgetArea and beneath.isVisible():
            window.tabifyDockWidget(beneath, holder)
            return


def _give_corner(window: QMainWindow) -> None:
    """Give the lower left corner to the docks at the left where the window is low: the controls of a layer need the height."""
    low = window.height() < SMALL_WINDOW
    area = Qt.DockWidgetArea.LeftDockWidgetArea if low else Qt.DockWidgetArea.BottomDockWidgetArea
    if window.corner(Qt.Corner.BottomLeftCorner) != area:
        window.setCorner(Qt.Corner.BottomLeftCorner, area)


def _fit(name: str, holder: QDockWidget, window: QMainWindow) -> int:
    """Give a low dock the height that it was left with, or its usual one, after its window has changed its own; return that height."""
    if holder.isFloating() or not _is_low(holder, window):
        return 0
    if name in AT_THE_BOTTOM:
        _give_corner(window)
    size = min(size_of(name, min(LOW, window.height() // 3)), window.height() // 2)
    window.resizeDocks([holder], [size], Qt.Orientation.Vertical)
    return size


def _is_low(holder: QDockWidget, window: QMainWindow) -> bool:
    return window.dockWidgetArea(holder) in (Qt.DockWidgetArea.TopDockWidgetArea, Qt.DockWidgetArea.BottomDockWidgetArea)


def _resize(name: str, holder: QDockWidget, window: QMainWindow) -> None:
    low = _is_low(holder, window)
    size = size_of(name, min(LOW, window.height() // 3) if low else 0)
    if size and not holder.isFloating() and not window.tabifiedDockWidgets(holder):
        window.resizeDocks([holder], [size], Qt.Orientation.Vertical if low else Qt.Orientation.Horizontal)
