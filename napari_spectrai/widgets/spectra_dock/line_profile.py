"""Spectra along a line: as a picture of distance × λ, and as the intensity of one band along the line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from magicgui.widgets import Container
from napari.layers import Image, Shapes
from napari.viewer import Viewer

from napari_spectrai.cube import Cube
from napari_spectrai.widgets.layers import spectral_position
from napari_spectrai.widgets.plot import Plot
from napari_spectrai.widgets.spectra_dock.regions import onto_pixels

MOST = 2000
"""Largest number of points of a line."""
Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LineProfile:
    """Spectra along a line.

    Attributes
    ----------
    distance : ndarray of shape (n,)
        From the start of the line, in `unit`.
    spectra : ndarray of shape (n, L), float32
        Interpolated linearly between the four nearest pixels.
    """

    distance: Doubles
    spectra: npt.NDArray[np.float32]
    unit: str


def along(cube: Cube, corners: Doubles, plane: tuple[int, ...] = ()) -> LineProfile:
    """Return the spectra of a cube along a line through `corners` (k, 2) in pixels (y, x), about one for each pixel.

    Parameters
    ----------
    plane : indices of the dimensions before y and x, of a stack

    Raises
    ------
    ValueError
        If the line lies outside the image.
    """
    steps = np.linalg.norm(np.diff(corners, axis=0), axis=1)
    reached = np.concatenate([[0.0], np.cumsum(steps)])
    count = int(np.clip(round(reached[-1]) + 1, 2, MOST))
    wanted = np.linspace(0, reached[-1], count)
    places = np.stack([np.interp(wanted, reached, corners[:, side]) for side in (0, 1)], 1)
    height, width = cube.spatial_shape[-2:]
    inside = ((places >= -0.5) & (places <= np.array([height, width]) - 0.5)).all(1)
    if not inside.any():
        raise ValueError("the line lies outside the image; draw it over the layer")
    places, wanted = places[inside], wanted[inside]
    low = np.clip(np.floor(places).astype(np.intp), 0, [height - 1, width - 1])
    high = np.minimum(low + 1, [height - 1, width - 1])
    share = np.clip(places - low, 0, 1).astype(np.float32)
    top, left = int(low[:, 0].min()), int(low[:, 1].min())
    # one rectangle is read, which for a lazy cube is one request
    part = np.asarray(cube.data[(*plane, slice(top, high[:, 0].max() + 1), slice(left, high[:, 1].max() + 1))], np.float32)
    y, x = (low[:, 0] - top, high[:, 0] - top), (low[:, 1] - left, high[:, 1] - left)
    v, u = share[:, :1], share[:, 1:]
    spectra = (part[y[0], x[0]] * (1 - u) + part[y[0], x[1]] * u) * (1 - v) + (part[y[1], x[0]] * (1 - u) + part[y[1], x[1]] * u) * v
    size = cube.pixel_size
    if size is None:
        return LineProfile(wanted, spectra, "pixels")
    physical = np.linalg.norm(np.diff(corners * np.asarray(size), axis=0), axis=1)
    return LineProfile(np.interp(wanted, reached, np.concatenate([[0.0], np.cumsum(physical)])), spectra, str(cube.pixel_unit or ""))


def line_of(shapes: Shapes, image: Image) -> Doubles | None:
    """Return the corners (k, 2), in pixels of the image, of the last line or path of a Shapes layer; None without one."""
    lines = [vertices for vertices, kind in zip(shapes.data, shapes.shape_type, strict=True) if kind in ("line", "path")]
    return None if not lines else onto_pixels(image, shapes)(np.asarray(lines[-1], np.float64)[:, -2:])


class ProfileView(Container[Any]):
    """The plot of spectra, or one of two views of a line instead."""

    SPECTRA, PICTURE, BAND = "spectra", "picture", "band"

    def __init__(self, viewer: Viewer, spectra: Plot) -> None:
        self.spectra = spectra
        self.picture = Plot(viewer, x="Band number", y="Distance", height=250, name="along_line")
        self.band = Plot(viewer, x="Distance", y="Intensity", height=250, name="band_along_line")
        super().__init__(widgets=[spectra, self.picture, self.band], labels=False, name="views")
        self.margins = (0, 0, 0, 0)
        self._image = pg.ImageItem(axisOrder="row-major")
        self._image.setColorMap(pg.colormap.get("viridis"))
        self.picture.add_item(self._image, measured=True)
        self.profile: LineProfile | None = None
        self.choose(self.SPECTRA)

    @property
    def in_view(self) -> Plot:
        """The plot in view."""
        return {self.SPECTRA: self.spectra, self.PICTURE: self.picture, self.BAND: self.band}[self.chosen]

    def choose(self, what: str) -> None:
        """Show the spectra, the picture, or the intensity of one band along the line."""
        self.chosen = what
        for name, plot in ((self.SPECTRA, self.spectra), (self.PICTURE, self.picture), (self.BAND, self.band)):
            plot.visible = name == what

    def fill(self, least: int) -> None:
        """Take the height that the layout has left, at least `least` pixels."""
        for plot in (self.spectra, self.picture, self.band):
            plot.fill(least)

    def show_profile(self, profile: LineProfile | None, positions: Doubles, title: str) -> None:
        """Draw the picture of a line, whose bands lie at `positions`."""
        self.profile = profile
        self.picture.titles(x=title, y=_short(profile.unit) if profile is not None else "Distance")
        if profile is None or not np.isfinite(profile.spectra).any():
            self._image.clear()
            self.band.clear_curves()
            return
        order = np.argsort(positions, kind="stable")
        even = np.linspace(positions.min(), positions.max(), len(positions))
        nearest = np.clip(np.searchsorted(positions[order], even), 0, len(positions) - 1)
        picture = profile.spectra[:, order][:, nearest]
        low, high = np.nanpercentile(picture, (1, 99))
        self._image.setImage(picture, levels=(float(low), float(max(high, low + 1e-12))))
        length = float(profile.distance[-1]) or 1.0
        self._image.setRect(float(even[0]), 0.0, float(even[-1] - even[0]) or 1.0, length)

    def show_band(self, band: int | None, words: str) -> None:
        """Draw the intensity of one band along the line."""
        if self.profile is None or band is None:
            self.band.clear_curves()
            return
        self.band.titles(x=f"Distance along the line ({_short(self.profile.unit)}), {words}")
        self.band.curve("profile", self.profile.distance, self.profile.spectra[:, band], self.band.accent, legend=False)


def _short(unit: str) -> str:
    """Return a unit of length as it is written in a title."""
    return {"um": "µm", "": "pixels"}.get(unit, unit)


def plane_of(image: Image, point: tuple[float, ...]) -> tuple[int, ...]:
    """Return the indices of the spatial dimensions before y and x at the sliders."""
    place = [round(float(c)) for c in image.world_to_data(point[-image.ndim :])]
    lengths = list(image.data.shape)
    del place[spectral_position(image)], lengths[spectral_position(image)]
    return tuple(min(max(c, 0), length - 1) for c, length in zip(place[:-2], lengths[:-2], strict=True))
