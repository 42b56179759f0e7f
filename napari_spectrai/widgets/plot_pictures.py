"""Plots as pictures for print: PNG at about 300 dots per inch, and SVG."""

from __future__ import annotations

from typing import Any

from qtpy.QtGui import QColor, QImage, QPainter
from qtpy.QtSvg import QSvgGenerator

PRINTED = 3
"""Pixels of a saved picture per pixel of the screen, about 300 dots per inch."""


def save_picture(plot: Any, path: str, background: str) -> None:
    """Save a pyqtgraph widget, as SVG or PNG by the suffix.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    done = _draw_svg(plot, path) if path.lower().endswith(".svg") else _draw_png(plot, path, background)
    if not done:
        raise OSError(f"{path} cannot be written; choose another folder, and .png or .svg")


def _draw_png(plot: Any, path: str, background: str) -> bool:
    """Draw the plot at the resolution of print."""
    picture = QImage(plot.size() * PRINTED, QImage.Format.Format_ARGB32)
    picture.fill(QColor(background))
    picture.setDotsPerMeterX(round(plot.logicalDpiX() * PRINTED / 0.0254))
    picture.setDotsPerMeterY(round(plot.logicalDpiY() * PRINTED / 0.0254))
    picture.setDevicePixelRatio(PRINTED)  # lines and letters grow with the picture
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    plot.render(painter)
    return bool(painter.end()) and picture.save(path)


def _draw_svg(plot: Any, path: str) -> bool:
    generator = QSvgGenerator()  # pyqtgraph's own exporter fails on curves with gaps
    generator.setFileName(path)
    generator.setResolution(plot.logicalDpiX())  # curves are scaled by the ratio of resolutions, axes are not
    generator.setSize(plot.size())
    generator.setViewBox(plot.rect())
    painter = QPainter()
    if not painter.begin(generator):
        return False
    plot.render(painter)
    return bool(painter.end())
