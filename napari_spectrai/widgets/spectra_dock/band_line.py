"""The line in the plot at the band on the slider, and its position on the canvas."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from napari.layers import Image
from napari.viewer import Viewer
from qtpy.QtCore import QTimer

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.widgets.layers import as_cube
from napari_spectrai.widgets.plot import Plot
from napari_spectrai.widgets.spectra_dock.band_slider import band_on_slider, show_band

_DRAWING = 30
"""Milliseconds between two parts of the first text."""
_LETTERS = 3
"""Letters in one of them."""


class BandLine:
    """Keeps line and slider together.

    Parameters
    ----------
    main : returns the layer whose bands the line follows
    positions : returns the positions at which the bands of an axis are drawn
    """

    def __init__(
        self, viewer: Viewer, plot: Plot, main: Callable[[], Image | None], positions: Callable[[SpectralAxis], npt.NDArray[np.float64]]
    ) -> None:
        self._viewer, self._plot, self._main, self._positions = viewer, plot, main, positions
        self._words, self._drawn = "", 0
        self._later = QTimer(plot.native)
        self._later.setSingleShot(True)
        self._later.setInterval(_DRAWING)
        self._later.timeout.connect(self._more)

    def mark(self) -> None:
        """Move the line to the band on the slider."""
        layer = self._main()
        band = None if layer is None else band_on_slider(self._viewer, layer)
        overlay = self._viewer.canvas.overlays.text
        if layer is None or band is None:
            self._plot.axis_tools.marker(None, self.on_drag)
            overlay.visible = False
            return
        axis = as_cube(layer).axis
        self._plot.axis_tools.marker(float(self._positions(axis)[band]), self.on_drag)
        words = [f"{axis.values[band]:.6g} {axis.unit}"] if axis.unit else []
        words.append(f"band {band}")
        self._words = " · ".join(words)
        if self._drawn < len(self._words) and not overlay.visible:  # made empty first: that, and each new letter, takes vispy its time
            overlay.text = ""
            self._later.start()
        elif not self._later.isActive():
            overlay.text = self._words
        overlay.visible = True

    def _more(self) -> None:
        """Draw some more letters for the first time."""
        self._drawn += _LETTERS
        self._viewer.canvas.overlays.text.text = self._words[: self._drawn]
        if self._drawn < len(self._words):
            self._later.start()

    def hide(self) -> None:
        """Hide the position on the canvas."""
        self._viewer.canvas.overlays.text.visible = False

    def on_drag(self, position: float) -> None:
        """Move the slider to the band nearest to a position of the plot."""
        layer = self._main()
        if layer is not None:
            show_band(self._viewer, layer, int(np.abs(self._positions(as_cube(layer).axis) - position).argmin()))
