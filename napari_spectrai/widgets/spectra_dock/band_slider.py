"""The current band on napari's slider."""

from __future__ import annotations

from napari.layers import Image
from napari.viewer import Viewer

from napari_spectrai.widgets.layers import spectral_position


def spectral_slider(viewer: Viewer, layer: Image) -> int | None:
    """Return the viewer's dimension that is the layer's spectral one, if it is on a slider and not on the canvas."""
    dims = viewer.dims
    dimension: int = dims.ndim - layer.ndim + spectral_position(layer)
    return None if dimension in dims.displayed else dimension


def band_on_slider(viewer: Viewer, layer: Image) -> int | None:
    """Return the band on the slider, or None if the spectral dimension is on the canvas."""
    if spectral_slider(viewer, layer) is None:
        return None
    place = layer.world_to_data(viewer.dims.point[-layer.ndim :])
    position = spectral_position(layer)
    return int(min(max(round(float(place[position])), 0), layer.data.shape[position] - 1))


def show_band(viewer: Viewer, layer: Image, band: int) -> None:
    """Move the slider to a band, if there is one."""
    dimension = spectral_slider(viewer, layer)
    if dimension is not None:
        corner = [0.0] * layer.ndim
        corner[spectral_position(layer)] = band
        viewer.dims.set_point(dimension, layer.data_to_world(corner)[spectral_position(layer)])
