"""Why the main button of a dock is off, next to it, where the words at their field are out of sight."""

from __future__ import annotations

import html
import re

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QLabel, QScrollArea, QVBoxLayout, QWidget

from napari_spectrai.widgets.colours import Tinted
from napari_spectrai.widgets.sample_links import Words
from napari_spectrai.widgets.setting_names import as_labelled

_MOST = 150
"""Characters shown, about three lines of a narrow dock; the tooltip has all."""
_AGAIN = 30
"""Milliseconds after which layouts have settled."""


class Footer(QWidget):
    """The row with the main button, under the reason why it is off.

    Parameters
    ----------
    area : the column that scrolls
    row : what stands under it
    colour : of the reason
    """

    def __init__(self, area: QScrollArea, row: QWidget, colour: str) -> None:
        super().__init__(area)
        self._area, self._full = area, ""
        self.words = Words(name="reason")
        Tinted(self.words.native, colour)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.words.native)
        layout.addWidget(row)
        self.words.native.hide()
        row.show()
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(_AGAIN)
        self._later.timeout.connect(self._look)
        bar = area.verticalScrollBar()
        assert bar is not None  # noqa: S101  # every scroll area has one
        bar.valueChanged.connect(self.look_again)
        bar.rangeChanged.connect(self.look_again)

    def say(self, words: str) -> None:
        """Give the reason; empty if the button is on."""
        self._full = as_labelled(words.strip())  # as it is shown at its field
        short = self._full.partition("\n")[0]
        self.words.value = short if len(short) <= _MOST else short[: _MOST - 1].rsplit(" ", 1)[0] + " …"
        self.words.native.setToolTip(self._full if self._full != self.words.value else "")
        self.look_again()

    def look_again(self, *_: int) -> None:
        """Show or hide the reason once the layout has settled."""
        self._later.start()

    def _look(self) -> None:
        shown = bool(self._full) and not self._is_in_sight()
        if shown is self.words.native.isHidden():
            self.words.native.setVisible(shown)

    def _is_in_sight(self) -> bool:
        """Return whether the column shows the same words."""
        inner, first = self._area.widget(), _plain(self._full.partition("\n")[0])
        labels = [] if inner is None else inner.findChildren(QLabel)
        return any(first in _plain(label.text()) and _is_whole(label) for label in labels if label.isVisible())

    def height_at(self, width: int) -> int:
        """Return the height it needs."""
        layout = self.layout()
        assert layout is not None  # noqa: S101
        return layout.heightForWidth(width) if layout.hasHeightForWidth() else layout.sizeHint().height()


def _plain(words: str) -> str:
    return html.unescape(re.sub(r"<br\s*/?>", "\n", re.sub(r"</?a\b[^>]*>", "", words)))


def _is_whole(label: QLabel) -> bool:
    seen = label.visibleRegion().boundingRect()
    return bool(seen.height() >= label.height() - 2 and label.height() > 0)
