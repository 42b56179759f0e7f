"""Texts in a plot: labels of peaks, and what to do where it is empty."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyqtgraph as pg
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel

from napari_spectrai.widgets.colours import readable
from napari_spectrai.widgets.plot import Plot

Label = tuple[float, float, str, str]
"""x, y, text and colour."""


class _Hint(QLabel):
    """Text as wide as it is in the font that it is shown in, which a theme sets later."""

    def changeEvent(self, event: Any) -> None:  # noqa: N802
        """Follow the font."""
        super().changeEvent(event)
        self.adjustSize()

    def showEvent(self, event: Any) -> None:  # noqa: N802
        """Follow the style, which is applied when it is shown."""
        super().showEvent(event)
        self.adjustSize()


class PlotLabels:
    """Labels at points of a plot, and a line of text over it while it is empty."""

    def __init__(self, plot: Plot) -> None:
        self._plot = plot
        self._items: list[Any] = []
        self.shown: list[Label] = []
        self._hint = _Hint(plot.canvas)
        self._hint.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._hint.setStyleSheet("background: transparent;")
        self._hint.move(70, 8)
        self._hint.hide()

    def show(self, labels: Sequence[Label]) -> None:
        """Show other labels."""
        for item in self._items:
            self._plot.remove_item(item)
        self._items, self.shown = [], list(labels)
        for x, y, words, colour in labels:
            item = pg.TextItem(words, color=readable(colour, self._plot.background), anchor=(0.5, 1.0))
            item.setPos(x, y)
            self._plot.add_item(item)
            self._items.append(item)

    def hint(self, words: str) -> None:
        """Say what to do in a plot without curves; empty: nothing."""
        self._hint.setText(words)
        self._hint.adjustSize()
        self._hint.setVisible(bool(words))
