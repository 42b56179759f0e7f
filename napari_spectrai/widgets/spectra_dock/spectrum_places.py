"""Positions at which spectra are read, under the cursor and at points; and the description of a spectrum."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from napari.layers import Image, Points
from napari.viewer import Viewer

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.widgets.layers import as_cube, pixel_at
from napari_spectrai.widgets.spectra_dock.band_slider import band_on_slider

_MOST_POINTS = 50
Spectrum = tuple[SpectralAxis, npt.NDArray[np.float32], tuple[int, ...]]
Place = tuple[str, int, Image, tuple[int, ...]]
"""Name of the curve, number of the layer, the layer, and its pixel."""


def under(world: Sequence[float], layer: Image) -> tuple[int, ...] | None:
    """Return the pixel of a layer at a position in world coordinates, if there is one."""
    return pixel_at(layer, world[-layer.ndim :]) if len(world) >= layer.ndim else None


def cursor_places(world: Sequence[float], drawn: Sequence[tuple[int, Image]]) -> list[Place]:
    """Return the pixel of each layer under the cursor."""
    return [(str(layer.name), number, layer, pixel) for number, layer in drawn if (pixel := under(world, layer)) is not None]


def pinned_places(points: Points | None, drawn: Sequence[tuple[int, Image]], shown: Sequence[float]) -> list[Place]:
    """Return the pixels at a Points layer's first points; a 2D point applies to the plane that is `shown`."""
    places = []
    for number, point in enumerate([] if points is None else points.data[:_MOST_POINTS]):
        for index, layer in drawn:
            ndim = max(layer.ndim, points.ndim)  # type: ignore[union-attr]  # there is a point
            world = np.concatenate([np.zeros(ndim), shown])[-ndim:]
            world[-points.ndim :] = points.data_to_world(point)  # type: ignore[union-attr]
            pixel = pixel_at(layer, tuple(world[-layer.ndim :]))
            if pixel is not None:
                places.append((f"{layer.name} · point {number}", index, layer, pixel))
    return places


def spectrum_of(place: Place) -> tuple[str, int, Image, Spectrum]:
    """Read the spectrum of a pixel."""
    name, number, layer, pixel = place
    cube = as_cube(layer)
    return name, number, layer, (cube.axis, np.asarray(cube.data[pixel], dtype=np.float32), pixel)


def reading(viewer: Viewer, layer: Image, spectrum: Spectrum) -> str:
    """Describe a spectrum in one line: its layer, the band on the slider (else the highest), its pixel, and its value there."""
    axis, values, pixel = spectrum
    names = ("t", "z", "y", "x")[-len(pixel) :] if len(pixel) > 1 else ("spectrum",)
    place = ", ".join(f"{name} {c}" for name, c in zip(names, pixel[-len(names) :], strict=True))
    band = band_on_slider(viewer, layer)
    at = "band"
    if band is None or band >= len(values):
        at, band = "highest at band", int(np.argmax(np.where(np.isfinite(values), values, -np.inf)))
    there = f"{axis.values[band]:.6g} {axis.unit} · " if axis.unit else ""
    return f"{layer.name}: {there}{at} {band} · ({place}) · {values[band]:.4g}"
