"""Where docks stand in the window: work docks share tabs on the right, Spectra stands at the bottom, wide and low."""

from __future__ import annotations

from collections.abc import Iterable

from qtpy.compat import isalive
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget

AT_THE_BOTTOM = ("Spectra",)
"""Docks that are wide and low; the others are work docks."""
LOW = 250
"""Height of a dock at the bottom, in pixels, where the window has room for three times as much."""


def holder_of(widget: QWidget) -> tuple[QDockWidget | None, QMainWindow | None]:
    """Return the dock widget that holds a widget, and its main window; None where there is none yet."""
    place: QWidget | None = widget
    while place is not None and not isinstance(place, QDockWidget):
        place = place.parentWidget()
    window: QWidget | None = place
    while window is not None and not isinstance(window, QMainWindow):
        window = window.parentWidget()
    return place, window


def arrange(name: str, widget: QWidget, others: Iterable[tuple[str, QWidget]]) -> None:
    """Put a dock where docks of its kind stand, once; a dock that a person has made floating stays.

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
        window.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, holder)
        window.resizeDocks([holder], [min(LOW, window.height() // 3)], Qt.Orientation.Vertical)
        holder.show()
        return
    for other_name, other in others:
        beneath, same = holder_of(other) if isalive(other) else (None, None)  # type: ignore[no-untyped-call]
        if other_name in AT_THE_BOTTOM or beneath is None or beneath is holder or same is not window or beneath.isFloating():
            continue
        if window.dockWidgetArea(beneath) == Qt.DockWidgetArea.RightDockWidgetArea and beneath.isVisible():
            window.tabifyDockWidget(beneath, holder)
            holder.show()
            holder.raise_()
            return
