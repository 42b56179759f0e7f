"""Save what a layer shows as a figure for print, with scale bar and colour bar or legend."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from magicgui.widgets import Container, PushButton
from napari.layers import Image, Labels, Layer
from napari.utils.notifications import show_info
from napari.viewer import Viewer
from pydantic import ValidationError
from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QPixmap
from qtpy.QtWidgets import QApplication, QDialog, QFileDialog, QLabel, QMainWindow, QVBoxLayout, QWidget

from napari_spectrai.label_conversion import as_labels
from napari_spectrai.placement import Placement
from napari_spectrai.reports.figure import Figure, FigureSettings, figure
from napari_spectrai.spec import Problem, SettingsError, problems
from napari_spectrai.widgets.dock import line, message, say
from napari_spectrai.widgets.form import SpecForm
from napari_spectrai.widgets.layers import as_cube, spectral_layers, spectral_position

PREVIEW_DPI = 110
WAIT = 150
"""Milliseconds after the last change of a setting before the preview is drawn again."""
_FILTERS = "PNG (*.png);;SVG (*.svg);;TIFF (*.tif)"


def plane(viewer: Viewer, layer: Layer) -> npt.NDArray[Any]:
    """Return the plane (y, x) of a layer that its last two dimensions show at the present position of the sliders."""
    data = layer.data[0] if getattr(layer, "multiscale", False) else layer.data
    return np.asarray(data[_place(viewer, layer)])


def _place(viewer: Viewer, layer: Layer) -> tuple[int, ...]:
    """Return the index of the plane that is shown, in the dimensions before the last two."""
    point = np.asarray(viewer.dims.point, np.float64)[-layer.ndim :]
    index = np.round(layer.world_to_data(point)).astype(int)
    return tuple(int(np.clip(at, 0, length - 1)) for at, length in zip(index[:-2], layer.data.shape[:-2], strict=True))


def figure_of(viewer: Viewer, layer: Layer, **settings: Any) -> Figure:
    """Draw what a layer shows, in its colours, between its contrast limits, with its pixel size.

    Parameters
    ----------
    viewer : napari.Viewer
        Its sliders choose the plane of a layer with more than two dimensions.
    layer : Image or Labels
    **settings
        Of `FigureSettings`; by default the limits of the colours are the layer's contrast limits.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        If the layer has another type or fewer than two dimensions, or is an RGB image.
    """
    if not isinstance(layer, Image | Labels) or layer.ndim < 2 or getattr(layer, "rgb", False):
        raise ValueError(f"{layer.name!r} is no map of values or classes; select such an Image or Labels layer")
    lies = Placement.of_layer(layer, layer.data.shape)
    size, unit = (None, "") if lies is None or lies.units[-1] == "pixel" else ((lies.pixel_size[-2], lies.pixel_size[-1]), lies.units[-1])
    shown = plane(viewer, layer)
    if isinstance(layer, Labels):
        known = as_labels(layer)
        present = [one for one in known.classes() if (shown == one.value).any()]
        if not present:
            raise ValueError(f"{layer.name!r} holds no class in this plane; paint some, or move the sliders")
        return figure(shown, pixel_size=size, pixel_unit=unit, classes=present, **settings)
    low, high = (float(value) for value in layer.contrast_limits)
    settings = {"low": low, "high": high} | {name: value for name, value in settings.items() if value is not None}
    colours = np.asarray(layer.colormap.map(np.linspace(0, 1, 256))).tolist()
    return figure(shown, pixel_size=size, pixel_unit=unit, colours=colours, **settings)


def title_of(viewer: Viewer, layer: Layer) -> str:
    """Return a title for the colour bar of a layer: the position of the band that is shown, or the name of the map."""
    if layer in spectral_layers(viewer):
        cube, at = as_cube(layer), spectral_position(layer)
        if at < layer.ndim - 2:
            return f"{cube.axis.values[_place(viewer, layer)[at]]:.5g} {cube.axis.unit.replace('1/cm', 'cm⁻¹').replace('um', 'µm')}".strip()
    return str(layer.name).rpartition(" · ")[2]


class FigureDialog(QDialog):
    """Settings of a figure, its preview, and a button that saves it.

    Attributes
    ----------
    form : SpecForm
        The fields of `FigureSettings`.
    """

    def __init__(self, viewer: Viewer, layer: Layer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(f"Figure of {layer.name}")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._viewer, self._layer = viewer, layer
        start = FigureSettings(label=title_of(viewer, layer)[:40]).model_dump()
        skipped = ("low", "high") if isinstance(layer, Labels) else ()
        if not skipped:
            start["low"], start["high"] = (float(f"{value:.4g}") for value in layer.contrast_limits)
        self.form = SpecForm(FigureSettings, start, skip=skipped)
        self._problem = message()
        self._save = PushButton(text="Save…", name="save", tooltip="save as PNG, SVG or TIFF")
        self._close = PushButton(text="Close", name="close", tooltip="close without saving")
        self.preview = QLabel()
        self.preview.setStyleSheet("background: white;")
        self._column = Container(widgets=[self.form, self._problem, line(self._save, self._close)], labels=False)
        layout = QVBoxLayout(self)
        layout.addWidget(self.preview)
        layout.addWidget(self._column.native)
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(WAIT)
        self._later.timeout.connect(self.draw)
        self.form.changed.connect(lambda _: self._later.start())
        self._save.changed.connect(self._ask)
        self._close.changed.connect(self._leave)
        self.draw()

    def figure(self) -> Figure | None:
        """Return the figure with the present settings; None, and the reason in the dialog, if it cannot be drawn."""
        try:
            chosen = FigureSettings.model_validate(self.form.read())
            drawn = figure_of(self._viewer, self._layer, **chosen.model_dump())
        except (ValidationError, SettingsError, ValueError) as error:
            found = problems(error) if isinstance(error, ValidationError) else getattr(error, "problems", [Problem("", str(error))])
            rest = self.form.show_problems(found)
            say(self._problem, "\n".join(one.message for one in rest))
            self._save.enabled = False
            return None
        self.form.show_problems([])
        say(self._problem, "")
        self._save.enabled = True
        return drawn

    def draw(self) -> None:
        """Draw the preview."""
        drawn = self.figure()
        if drawn is None:
            return
        small = min(PREVIEW_DPI, round(25.4 * 420 / drawn.drawing.width))  # a wide figure is shown smaller
        picture = drawn.drawing.raster(small).convert("RGBA")
        pixels = QPixmap()
        pixels.loadFromData(_png(picture))
        self.preview.setPixmap(pixels)

    def _leave(self) -> None:
        self.close()

    def _ask(self) -> None:
        start = Path.cwd() / f"{''.join(c if c.isalnum() or c in '-_. ' else '' for c in str(self._layer.name)).strip()}.png"
        path, chosen = QFileDialog.getSaveFileName(self, "Save the figure", str(start), _FILTERS)
        if path:
            self.save(Path(path) if Path(path).suffix else Path(f"{path}.{chosen[:3].lower()}"))

    def save(self, path: Path) -> None:
        """Save the figure; what prevents it is shown in the dialog."""
        drawn = self.figure()
        if drawn is None:
            return
        try:
            drawn.save(path)
        except (ValueError, OSError) as error:
            say(self._problem, str(error))
            return
        show_info(f"The figure was saved as {path}.")
        self.close()


def _png(picture: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def open_figure(viewer: Viewer, layer: Layer | None) -> FigureDialog | None:
    """Open the dialog for a layer; without a suitable one, say so."""
    if not isinstance(layer, Image | Labels) or layer.ndim < 2 or getattr(layer, "rgb", False):
        show_info("Figure: select a layer with a map, an image or classes first")
        return None
    dialog = FigureDialog(viewer, layer, owner())
    dialog.show()
    return dialog


def owner() -> QWidget | None:
    """Return the window of napari that keeps a dialog, and closes it with itself: the active one, else any in view."""
    windows = [QApplication.activeWindow(), *QApplication.topLevelWidgets()]
    return next((one for one in windows if isinstance(one, QMainWindow) and one.isVisible()), None)
