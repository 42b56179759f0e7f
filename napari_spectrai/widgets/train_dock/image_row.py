"""A row of small images with sharp pixels and captions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from magicgui.widgets import Container
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

SIDE = 104
"""Height of an image on the screen, in pixels."""

Picture = npt.NDArray[np.uint8]


class Pictures(Container[Any]):
    """A row of images; hidden while there are none."""

    def __init__(self) -> None:
        super().__init__(labels=False, name="pictures")
        self.margins = (0, 0, 0, 0)
        self._row = QWidget()
        self._columns = QHBoxLayout(self._row)
        self._columns.setContentsMargins(0, 0, 0, 0)
        self._shown: dict[str, tuple[QLabel, QLabel]] = {}
        self.native.layout().addWidget(self._row)
        self.visible = False

    def show(self, pictures: dict[str, Picture], about: str) -> None:  # type: ignore[override]  # of a container, which is `visible`
        """Show images (y, x) of grey values or (y, x, 3) of colours, by caption; `about` is their tooltip."""
        if list(pictures) != list(self._shown):
            self.clear_pictures()
            for name in pictures:
                self._shown[name] = self._column(name)
        for name, picture in pictures.items():
            image, words = self._shown[name]
            image.setPixmap(_pixmap(picture))
            image.setToolTip(f"{name}: {about}")
            words.setToolTip(f"{name}: {about}")
        self.visible = bool(pictures)

    def _column(self, name: str) -> tuple[QLabel, QLabel]:
        column = QWidget()
        layout = QVBoxLayout(column)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        image, words = QLabel(), QLabel(name)
        for label in (image, words):
            label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
            layout.addWidget(label)
        image.setAccessibleName(name)
        self._columns.addWidget(column)
        return image, words

    def clear_pictures(self) -> None:
        """Remove all images."""
        while self._columns.count():
            item: Any = self._columns.takeAt(0)
            item.widget().deleteLater()
        self._shown = {}
        self.visible = False

    def names(self) -> list[str]:
        """Return the images shown."""
        return list(self._shown)


def _pixmap(picture: Picture) -> QPixmap:
    colours = np.ascontiguousarray(picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, -1), np.uint8)
    height, width = colours.shape[:2]
    image = QImage(colours.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
    return QPixmap.fromImage(image.copy()).scaledToHeight(SIDE)


def coloured(classes: Sequence[Sequence[int]], colours: Sequence[str], usual: Sequence[str]) -> Picture:
    """Colour class indices, which start at 1, in the classes' colours (``"#rrggbb"``) or the default cycle; 0 is dark."""
    places = np.asarray(classes, int)
    codes = [colour or usual[number % len(usual)] for number, colour in enumerate(colours)]
    table = np.array([(40, 40, 40), *(tuple(int(code[at : at + 2], 16) for at in (1, 3, 5)) for code in codes)], np.uint8)
    coloured_image: Picture = table[np.clip(places, 0, len(codes))]
    return coloured_image
