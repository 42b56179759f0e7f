"""Cubes that share a slider: it moves by the positions of their bands or, where one has no even spacing, by band numbers.

A slider that did both would show one of them empty.
"""

from __future__ import annotations

from typing import Any

from napari.components import ViewerModel
from napari.layers import Image

from napari_spectrai.widgets.layers import spectral_layers, spectral_position


def is_numbered(layer: Image) -> bool:
    """Whether a layer lies on its slider by band numbers."""
    position = spectral_position(layer)
    return bool(layer.scale[position] == 1 and layer.translate[position] == 0)


def share_slider(viewer: ViewerModel, source: Image, options: dict[str, Any]) -> None:
    """Let a new λ-leading layer and its source share the slider: if only one of them can lie by positions, all cubes lie by band numbers.

    Parameters
    ----------
    options : dict
        Scale, translation and units of the new layer; changed in place.
    """
    if source not in viewer.layers or source.ndim < 3 or len(options["scale"]) != source.ndim:
        return
    numbered = options["scale"][0] == 1 and options["translate"][0] == 0
    if numbered and not is_numbered(source):
        for layer in spectral_layers(viewer):
            if layer.ndim > 2 and not is_numbered(layer):
                _number(viewer, layer)
    elif not numbered and is_numbered(source):
        for name, value in (("scale", 1.0), ("translate", 0.0), ("units", "pixel")):
            options[name] = [value, *options[name][1:]]


def _number(viewer: ViewerModel, layer: Image) -> None:
    """Put a layer on its slider by band numbers; the band that is shown stays."""
    position = spectral_position(layer)
    dimension = viewer.dims.ndim - layer.ndim + position
    band = round(float(layer.world_to_data(viewer.dims.point[-layer.ndim :])[position]))
    for name, value in (("scale", 1.0), ("translate", 0.0), ("units", "pixel")):
        setattr(layer, name, [value if d == position else own for d, own in enumerate(getattr(layer, name))])
    if dimension not in viewer.dims.displayed:
        viewer.dims.set_point(dimension, min(max(band, 0), layer.data.shape[position] - 1))
