"""Keys of a dock: its primary button, and the one that cancels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from magicgui.widgets import Container, PushButton
from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence, QShortcut  # type: ignore[attr-defined]  # qtpy has no stubs for it
from qtpy.QtWidgets import QWidget

PRIMARY, CANCEL = ("start", "open"), ("cancel", "stop")
"""Names of the buttons pressed by Ctrl+Return and Escape."""


def bind_keys(dock: Container[Any], column: QWidget) -> None:
    """Let Ctrl+Return press the primary button of a dock, and Escape the one that cancels, wherever the focus is in the dock.

    napari ignores keys in a manifest, and the viewer's keys do not work while a dock has the focus.
    """
    for keys, names in (("Ctrl+Return", PRIMARY), ("Ctrl+Enter", PRIMARY), ("Escape", CANCEL)):
        shortcut = QShortcut(QKeySequence(keys), column)
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


def press(dock: Container[Any], names: Sequence[str]) -> None:
    """Press the first button with one of these names that is enabled and visible."""
    for button in buttons(dock, names):
        if button.enabled and button.native.isVisible():
            button.native.click()
            return
