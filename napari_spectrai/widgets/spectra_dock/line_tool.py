"""A line drawn over the image, and the intensities along it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Image, Shapes
from napari.viewer import Viewer
from psygnal import Signal
from qtpy.QtWidgets import QWidget

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.widgets.latest_only import LatestOnly
from napari_spectrai.widgets.layers import as_cube
from napari_spectrai.widgets.spectra_dock.band_slider import band_on_slider
from napari_spectrai.widgets.spectra_dock.display_options import DisplayOptions
from napari_spectrai.widgets.spectra_dock.drawing import shapes_over
from napari_spectrai.widgets.spectra_dock.line_profile import LineProfile, ProfileView, along, line_of, plane_of
from napari_spectrai.widgets.spectra_dock.region_means import Watch

DRAW = "Draw a line over the image with + Line to see the intensities along it."


class LineTool:
    """Reads the spectra along the last line of a Shapes layer whenever it is drawn or moved.

    Parameters
    ----------
    views : where they are shown
    options : whose choice of a view, and button, are used
    main : returns the layer along which intensities are read
    shown : returns the positions of an axis, and their title

    Signals
    -------
    failed : why there is no profile, in words
    """

    failed = Signal(str)

    def __init__(
        self, viewer: Viewer, views: ProfileView, options: DisplayOptions, main: Callable[[], Image | None],
        shown: Callable[[SpectralAxis], tuple[npt.NDArray[np.float64], str]],
    ) -> None:  # fmt: skip
        self._viewer, self._views, self._options, self._main, self._shown = viewer, views, options, main, shown
        self._watch = Watch(self.take)
        options.line.changed.connect(self.draw)
        options.view.changed.connect(self._on_view)

    def live_in(self, parent: QWidget) -> None:
        """Read for as long as `parent` exists."""
        self._work = LatestOnly(parent)
        self._work.answered.connect(self._on_read)
        self._work.failed.connect(lambda error: self.failed.emit(str(error)))

    def leave(self) -> None:
        """Disconnect from the layer."""
        self._watch.follow(None)
        self._work.leave()

    @property
    def layer(self) -> Shapes | None:
        """The Shapes layer of the line."""
        return self._watch.layer

    @layer.setter
    def layer(self, layer: Shapes | None) -> None:
        self._watch.follow(layer)
        self.take()

    def on_layers(self) -> None:
        """Forget a layer that was removed."""
        if self._watch.layer is not None and self._watch.layer not in self._viewer.layers:
            self.layer = None

    def draw(self, _: Any = None) -> None:
        """Add a 2-D Shapes layer in which to draw the line, and show the picture of distance × λ."""
        image = self._main()
        if image is None or not as_cube(image).is_image:
            return
        if self.layer is None:
            self.layer = shapes_over(self._viewer, image, "line", "add_line")
        else:
            self._viewer.layers.selection.active = self.layer
            self.layer.mode = "add_line"
        self._options.view.value = ProfileView.PICTURE

    def _on_view(self, what: str) -> None:
        self._views.choose(what)
        self.take()

    def take(self, _: Any = None) -> None:
        """Read the spectra along the line again, in the background, if they are in view."""
        image, shapes = self._main(), self.layer
        if self._views.chosen == ProfileView.SPECTRA:
            return
        corners = line_of(shapes, image) if image is not None and shapes is not None and as_cube(image).is_image else None
        if image is None or corners is None:
            self._views.show_profile(None, np.zeros(0), "Band number")
            self.failed.emit(DRAW)
            return
        cube, plane = as_cube(image), plane_of(image, tuple(self._viewer.dims.point))
        self.failed.emit("")
        self._work.ask(lambda: (image, along(cube, corners, plane)))

    def _on_read(self, answer: tuple[Image, LineProfile]) -> None:
        image, profile = answer
        if image is self._main():
            self._views.show_profile(profile, *self._shown(as_cube(image).axis))
            self.mark()

    def mark(self) -> None:
        """Show the intensity of the band on the slider along the line."""
        image = self._main()
        band = None if image is None else band_on_slider(self._viewer, image)
        if image is None or band is None or self._views.profile is None:
            return
        positions, title = self._shown(as_cube(image).axis)
        self._views.show_band(band, f"at {title[0].lower()}{title[1:]} {positions[band]:.6g}")
