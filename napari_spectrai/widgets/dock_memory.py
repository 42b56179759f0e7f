"""Remember from session to session where a person put the docks."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from qtpy.QtCore import QEvent, QObject, QRect, Qt, QTimer
from qtpy.QtWidgets import QDockWidget, QMainWindow, QPushButton

from napari_spectrai.files import write_text
from napari_spectrai.widgets import fold_state

FILE = "docks.json"
"""Name of the file, in the folder of the state of the folds."""
_QUIET = 400
"""Milliseconds without a change after which the place of a dock is saved."""
_CROSS = "QTitleBarCloseButton"
"""Name that napari gives to the button which closes a dock."""
_AREAS = {
    "left": Qt.DockWidgetArea.LeftDockWidgetArea, "right": Qt.DockWidgetArea.RightDockWidgetArea,
    "top": Qt.DockWidgetArea.TopDockWidgetArea, "bottom": Qt.DockWidgetArea.BottomDockWidgetArea,
}  # fmt: skip

Fit: TypeAlias = Callable[[str, QDockWidget, QMainWindow], int]


def recalled(name: str) -> dict[str, Any]:
    """Return where a dock was left: ``area``, ``size`` (pixels), ``floating``, ``geometry``, ``closed``; empty if it was never opened."""
    known = _read().get(name)
    return dict(known) if isinstance(known, Mapping) else {}


def remember(name: str, **changed: Any) -> None:
    """Save where a dock is."""
    place = fold_state.place().with_name(FILE)
    state = _read()
    state[name] = recalled(name) | changed
    try:
        write_text(place, json.dumps(state, indent=1, sort_keys=True), durable=False)
    except OSError:  # a lost arrangement is harmless, and a full disk is reported where it matters
        return


def _read() -> dict[str, Any]:
    try:
        state = json.loads(fold_state.place().with_name(FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # nothing was saved yet, or the file is damaged
        return {}
    return state if isinstance(state, dict) else {}


def put_back(name: str, holder: QDockWidget, window: QMainWindow) -> bool:
    """Put a dock where it was left; return False if that is not known, or on the right, where docks share tabs."""
    left = recalled(name)
    area = _AREAS.get(str(left.get("area")))
    geometry = left.get("geometry")
    if left.get("floating") and isinstance(geometry, list) and len(geometry) == 4:
        holder.setFloating(True)
        holder.setGeometry(QRect(*(int(number) for number in geometry)))
        return True
    if area in (None, Qt.DockWidgetArea.RightDockWidgetArea):
        return False
    assert area is not None  # noqa: S101
    window.addDockWidget(area, holder)
    return True


def size_of(name: str, usual: int) -> int:
    """Return the width of a dock at a side, or its height at the top or bottom, as it was left."""
    size = recalled(name).get("size")
    return size if isinstance(size, int) and size > 0 else usual


class PlaceKeeper(QObject):
    """Saves the place of a dock when a person has moved, resized, floated, closed or opened it.

    A size that came from a window of another size is not a person's: it is not saved, and the dock gets its own again.

    Parameters
    ----------
    fit : gives a dock, by its name, its size in a window as that is now, and returns it; 0 where the window decides
    """

    def __init__(self, name: str, holder: QDockWidget, fit: Fit = lambda *_: 0) -> None:
        super().__init__(holder)
        self._name, self._fit, self._fitted = name, fit, 0
        window = holder.parent()
        self._window = window.size() if isinstance(window, QMainWindow) else None
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(_QUIET)
        self._later.timeout.connect(self._save)
        self._last: dict[str, Any] = {}
        holder.installEventFilter(self)
        holder.dockLocationChanged.connect(self._wait)
        holder.topLevelChanged.connect(self._wait)
        holder.visibilityChanged.connect(self._wait)
        self._holder, self._closes = holder, None
        self._follow_cross()

    def _follow_cross(self) -> None:
        """Notice a click on the cross, after which napari deletes the holder; a dock that a script removes is not remembered as closed."""
        cross: Any = self._holder.findChild(QPushButton, _CROSS)
        if cross is not None and cross is not self._closes:  # napari makes a new title bar where the dock is moved
            self._closes = cross
            cross.clicked.connect(self._on_cross)

    def _on_cross(self, _: Any = None) -> None:
        remember(self._name, closed=True)

    def eventFilter(self, watched: Any, event: Any) -> bool:  # noqa: N802
        """Filter the events of the dock."""
        if event.type() in (QEvent.Type.Resize, QEvent.Type.Move):
            self._wait()
        return False

    def _wait(self, _: Any = None) -> None:
        self._later.start()

    def _save(self) -> None:
        self._follow_cross()
        holder = self.parent()
        window = holder.parent() if isinstance(holder, QDockWidget) else None
        if (
            not isinstance(holder, QDockWidget) or not isinstance(window, QMainWindow) or not window.isVisible()
        ):  # the window is being closed
            return
        if not holder.isFloating() and window.dockWidgetArea(holder) == Qt.DockWidgetArea.NoDockWidgetArea:  # taken out of the window
            return
        changed: dict[str, Any] = {"closed": holder.isHidden()}
        if holder.isVisible():
            area, box = window.dockWidgetArea(holder), holder.geometry()
            sides = {known: side for side, known in _AREAS.items()}
            changed["floating"] = holder.isFloating()
            if holder.isFloating():
                changed["geometry"] = [box.x(), box.y(), box.width(), box.height()]
            elif area in sides:
                changed["area"] = sides[area]
                size = box.height() if sides[area] in ("top", "bottom") else box.width()
                if window.size() != self._window:
                    self._window, self._fitted = window.size(), self._fit(self._name, holder, window) or size
                elif size != self._fitted:
                    changed["size"], self._fitted = size, 0
        if changed != self._last:
            self._last = changed
            remember(self._name, **changed)
