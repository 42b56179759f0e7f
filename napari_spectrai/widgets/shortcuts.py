"""Keys that do something in a dock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence, QShortcut  # type: ignore[attr-defined]  # qtpy has no stubs for it
from qtpy.QtWidgets import QWidget


def shortcut(keys: str, widget: QWidget, does: Callable[[], Any]) -> None:
    """Let keys do something while a widget, or what stands in it, has the focus."""
    made = QShortcut(QKeySequence(keys), widget)
    made.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
    made.activated.connect(does)
