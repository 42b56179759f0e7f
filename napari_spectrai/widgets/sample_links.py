"""Links to bundled samples in messages that say what to do next."""

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
from napari_spectrai.widgets.setting_names import as_labelled

_BLUE = "#4aa3df"
_MENU = f"File ▸ Open Sample ▸ {PLUGIN} ▸ "


def samples() -> dict[str, str]:
    """Return the keys of the bundled samples by their names in the menu."""
    manager = PluginManager.instance()
    if PLUGIN not in manager:
        return {}
    return {sample.display_name: sample.key for sample in manager.get_manifest(PLUGIN).contributions.sample_data or ()}


def open_sample(name: str, near: QWidget) -> None:
    """Open a sample, by its name in the menu, in the viewer of the dock that contains a widget.

    The current viewer may be another one: a dock that floats does not make its own the current one.
    """
    within: Any = near
    while within is not None and getattr(within, "viewer", None) is None:
        within = within.parentWidget()
    viewer = napari.current_viewer() if within is None else within.viewer
    if viewer is not None:
        viewer.open_sample(PLUGIN, samples()[name])


def linked(words: str, colour: str) -> str:
    """Return the text with the menu path of each sample as a link; other text unchanged."""
    names = "|".join(re.escape(name) for name in samples()) if _MENU in words else ""
    if not names:
        return words
    link = rf'<a href="\1" style="color: {colour};">{escape(_MENU)}\1</a>'
    return re.sub(f"{escape(_MENU)}({names})", link, escape(words, quote=False)).replace("\n", "<br>")


class Words(Label):
    """Text that wraps over the whole width and can be copied; links to samples can be clicked, and reached with Tab.

    `value` is the plain text, in which settings are named as forms label them.
    """

    def __init__(self, **options: Any) -> None:
        self._plain = ""
        super().__init__(**options)
        native: QLabel = self.native
        native.setWordWrap(True)
        native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        native.linkActivated.connect(lambda name: open_sample(name, native))
        _Themed(native, self._show)

    @property
    def value(self) -> Any:
        """The text."""
        return self._plain

    @value.setter
    def value(self, words: Any) -> None:
        self._plain = as_labelled(str(words))
        self._show()

    def _show(self) -> None:
        native: QLabel = self.native
        around: QWidget = native.parentWidget() or native
        shown = linked(self._plain, readable(_BLUE, around.palette().color(QPalette.ColorRole.Window).name(), TEXT))
        flags = Qt.TextInteractionFlag.TextSelectableByMouse
        if shown != self._plain:  # without links, Tab skips the text
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
        """Filter the label's events."""
        if event.type() in (QEvent.Type.Show, QEvent.Type.PaletteChange):
            self._changed()
        return False
