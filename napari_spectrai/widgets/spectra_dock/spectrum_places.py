"""Positions at which spectra are read, under the cursor and at points; and the description of a spectrum."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from napari.layers import Image, Points
from napari.viewer import Viewer

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.widgets.layers import as_cube, pixel_at
from napari_spectrai.widgets.short_names import short
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


def pinned_places(
    points: Points | None, chosen: Sequence[tuple[int, str, str]], drawn: Sequence[tuple[int, Image]], shown: Sequence[float]
) -> list[tuple[Place, str]]:
    """Return the pixels at points, with the colours of their curves; a 2D point applies to the plane that is `shown`.

    Parameters
    ----------
    chosen : number, name and colour of points
    """
    places = []
    for number, name, colour in chosen[:_MOST_POINTS]:
        assert points is not None  # noqa: S101  # there is one
        for index, layer in drawn:
            ndim = max(layer.ndim, points.ndim)
            world = np.concatenate([np.zeros(ndim), shown])[-ndim:]
            world[-points.ndim :] = points.data_to_world(points.data[number])
            pixel = pixel_at(layer, tuple(world[-layer.ndim :]))
            if pixel is not None:
                places.append(((f"{layer.name} · {name}", index, layer, pixel), colour))
    return places


def spectrum_of(place: Place, minus: Image | None = None) -> tuple[str, int, Image, Spectrum]:
    """Read the spectrum of a pixel; `minus`: less that of the same pixel of another layer, NaN where its axis does not reach."""
    name, number, layer, pixel = place
    cube = as_cube(layer)
    values = np.asarray(cube.data[pixel], dtype=np.float32)
    if minus is not None and minus is not layer:
        other = as_cube(minus)
        if other.spatial_shape == cube.spatial_shape:
            values = less(cube.axis, values, other.axis, np.asarray(other.data[pixel], dtype=np.float32))
    return name, number, layer, (cube.axis, values, pixel)


def less(
    axis: SpectralAxis, values: npt.NDArray[np.float32], other: SpectralAxis, subtracted: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Return values less those of another axis at the same positions; unchanged where the units differ."""
    if axis.unit != other.unit:
        return values
    if axis == other:
        return values - subtracted
    order = np.argsort(other.values, kind="stable")
    there = np.interp(axis.values, other.values[order], subtracted[order], left=np.nan, right=np.nan)
    return np.asarray(values - there, np.float32)


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
    return f"{short(layer.name)}: {there}{at} {band} · ({place}) · {values[band]:.4g}"
