"""Colours with sufficient contrast to their background, in any theme."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtCore import Signal as QtSignal  # type: ignore[attr-defined]  # qtpy has no stubs for it
from qtpy.QtGui import QColor, QPalette
from qtpy.QtWidgets import QWidget

TEXT, CURVE = 4.5, 3.0
"""Minimum contrast of text and of curves; WCAG 2.2, success criteria 1.4.3 and 1.4.11."""


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, from 1 to 21."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = QColor(colour).getRgbF()[:3]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@lru_cache(maxsize=256)
def readable(colour: str, background: str, least: float = CURVE) -> str:
    """Return the colour, made lighter or darker until it contrasts with the background."""
    step = -0.02 if _luminance(background) > 0.18 else 0.02  # the luminance at which black and white contrast equally
    hue, saturation, lightness, _ = QColor(colour).getHslF()
    adjusted = QColor(colour)
    while contrast(adjusted.name(), background) < least and 0 < lightness < 1:
        lightness = min(1.0, max(0.0, lightness + step))
        adjusted = QColor.fromHslF(max(hue, 0.0), saturation, lightness)
    return str(adjusted.name())


class Tinted(QObject):
    """Keeps the text of a widget in one hue, as light or dark as the theme requires."""

    _due = QtSignal()

    def __init__(self, widget: QWidget, colour: str) -> None:
        super().__init__(widget)
        self._widget, self._wanted, self._shown = widget, colour, ""
        # queued: a style set during a style change has no effect
        self._due.connect(self._tint, Qt.ConnectionType.QueuedConnection)
        widget.installEventFilter(self)
        self._tint()

    def tint(self, colour: str) -> None:
        """Choose another hue."""
        self._wanted = colour
        self._tint()

    def eventFilter(self, watched: Any, event: Any) -> bool:  # noqa: N802
        """Filter the widget's events."""
        if event.type() in (QEvent.Type.Show, QEvent.Type.StyleChange, QEvent.Type.PaletteChange):
            self._due.emit()
        return False

    def _tint(self) -> None:
        around: QWidget = self._widget.parentWidget() or self._widget
        colour = readable(self._wanted, around.palette().color(QPalette.ColorRole.Window).name(), TEXT)
        if colour != self._shown:
            self._shown = colour
            self._widget.setStyleSheet(f"color: {colour};")
