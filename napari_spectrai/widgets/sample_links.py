"""What to do next, as a link in the text that says so: samples to open."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape
from typing import Any

import napari
from magicgui.widgets import Label
from npe2 import PluginManager
from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QPalette
from qtpy.QtWidgets import QLabel, QSizePolicy, QWidget

from napari_spectrai.widgets.colours import TEXT, readable
from napari_spectrai.widgets.preferences import PLUGIN

_BLUE = "#4aa3df"
_MENU = f"File ▸ Open Sample ▸ {PLUGIN} ▸ "


def samples() -> dict[str, str]:
    """Return the keys of the bundled samples by the names that the menu gives them."""
    manager = PluginManager.instance()
    if PLUGIN not in manager:
        return {}
    return {sample.display_name: sample.key for sample in manager.get_manifest(PLUGIN).contributions.sample_data or ()}


def open_sample(name: str) -> None:
    """Open a sample, by the name that the menu gives it, in the window that is in use."""
    viewer = napari.current_viewer()
    if viewer is not None:
        viewer.open_sample(PLUGIN, samples()[name])


def linked(words: str, colour: str) -> str:
    """Return the text with the way to each sample as a link; text that names none as it is."""
    names = "|".join(re.escape(name) for name in samples()) if _MENU in words else ""
    if not names:
        return words
    link = rf'<a href="\1" style="color: {colour};">{escape(_MENU)}\1</a>'
    return re.sub(f"{escape(_MENU)}({names})", link, escape(words, quote=False)).replace("\n", "<br>")


class Words(Label):
    """Text that wraps over the whole width and can be copied; the ways to samples in it can be clicked, and reached by Tab.

    `value` is the plain text.
    """

    def __init__(self, **options: Any) -> None:
        self._plain = ""
        super().__init__(**options)
        native: QLabel = self.native
        native.setWordWrap(True)
        native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        native.linkActivated.connect(open_sample)
        _Themed(native, self._show)

    @property
    def value(self) -> Any:
        """The text."""
        return self._plain

    @value.setter
    def value(self, words: Any) -> None:
        self._plain = str(words)
        self._show()

    def _show(self) -> None:
        native: QLabel = self.native
        around: QWidget = native.parentWidget() or native
        shown = linked(self._plain, readable(_BLUE, around.palette().color(QPalette.ColorRole.Window).name(), TEXT))
        flags = Qt.TextInteractionFlag.TextSelectableByMouse
        if shown != self._plain:  # only then is there anything for Tab to stop at
            flags |= Qt.TextInteractionFlag.LinksAccessibleByMouse | Qt.TextInteractionFlag.LinksAccessibleByKeyboard
        native.setTextInteractionFlags(flags)
        if native.text() != shown:
            native.setText(shown)


class _Themed(QObject):
    """Calls a function when the theme has changed."""

    def __init__(self, label: QLabel, changed: Callable[[], None]) -> None:
        super().__init__(label)
        self._changed = changed
        label.installEventFilter(self)

    def eventFilter(self, watched: Any, event: Any) -> bool:  # noqa: N802
        """Stand before the label's own events."""
        if event.type() in (QEvent.Type.Show, QEvent.Type.PaletteChange):
            self._changed()
        return False
