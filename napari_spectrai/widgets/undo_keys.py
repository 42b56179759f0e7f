"""Undo and redo by keys in a dock, and the focus that stays in the dock when the widget that had it goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.compat import isalive
from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QKeySequence, QShortcut  # type: ignore[attr-defined]  # qtpy has no stubs for it
from qtpy.QtWidgets import QAbstractSpinBox, QApplication, QLineEdit, QWidget

UNDO, REDO = "Ctrl+Z", "Ctrl+Shift+Z"


def keep_focus(within: QWidget, work: Callable[[], object], otherwise: QWidget | None = None) -> None:
    """Do work that may remove or disable the widget with the focus; the focus then stays inside another one.

    Qt would give it to the main window, whose keys are napari's: the next Ctrl+Z would undo a stroke of a Labels layer.

    Parameters
    ----------
    within : widget that has to keep the focus if it has it
    work : callable without arguments
    otherwise : QWidget, optional
        What has the focus where the widget that had it is gone; default: `within`.
    """
    held = QApplication.focusWidget()
    if held is None or not (held is within or within.isAncestorOf(held)):
        work()
        return
    within.setFocus()
    work()
    stays = isalive(held) and held.isEnabled() and held.isVisible() and within.isAncestorOf(held)  # type: ignore[no-untyped-call]
    (held if stays else otherwise or within).setFocus()


class UndoKeys(QObject):
    """Ctrl+Z and Ctrl+Shift+Z wherever the focus is in a dock, also in a field: what is typed there is a change like any other.

    Parameters
    ----------
    dock : QWidget
    undo, redo : callables without arguments
    """

    def __init__(self, dock: QWidget, undo: Callable[[], object], redo: Callable[[], object]) -> None:
        super().__init__(dock)
        self._dock = dock
        self._keys = [QKeySequence(keys) for keys in (UNDO, REDO)]
        for keys, work in zip(self._keys, (undo, redo), strict=True):
            shortcut = QShortcut(keys, dock)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(lambda work=work: keep_focus(dock, work))
        application: Any = QApplication.instance()
        application.focusChanged.connect(self._on_focus)

    def _on_focus(self, _: QWidget | None, now: QWidget | None) -> None:
        if isinstance(now, QLineEdit | QAbstractSpinBox) and self._dock.isAncestorOf(now):
            now.installEventFilter(self)  # once, however often

    def eventFilter(self, _: Any, event: Any) -> bool:  # noqa: N802
        """Keep a field from taking these keys for itself; it has nothing to undo after a change by its arrows."""
        if event.type() != QEvent.Type.ShortcutOverride or QKeySequence(event.keyCombination()) not in self._keys:
            return False
        event.ignore()
        return True
