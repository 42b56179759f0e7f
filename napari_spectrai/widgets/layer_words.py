"""What docks say of the layer they work on: none is open, none is chosen, or work on it cannot start."""

from __future__ import annotations

from napari.components import ViewerModel
from napari.layers import Image

from napari_spectrai.float_range import beyond_float32
from napari_spectrai.widgets.layer_choice import LayerChoice
from napari_spectrai.widgets.layers import left_out, spectral_layers, undecided


def nothing_open(viewer: ViewerModel, sample: str, what: str = "a hypercube") -> str:
    """Return why no layer is offered, and what to do where there is none to work on."""
    refused = " ".join(filter(None, map(left_out, viewer.layers)))
    return f"{refused} Open {what}, or try File ▸ Open Sample ▸ napari-spectrai ▸ {sample}.".strip()


def nothing_chosen(viewer: ViewerModel, choice: LayerChoice, sample: str) -> str:
    """Return what to do while no layer is chosen."""
    if not spectral_layers(viewer):
        return nothing_open(viewer, sample)
    return f"{choice.gone!r} was removed; choose another layer." if choice.gone else "Choose a layer."


def unsuitable(layer: Image | None) -> str:
    """Return what keeps work on a layer from starting: an unknown spectral dimension, or values beyond float32; empty if nothing."""
    if layer is None:
        return ""
    asked = undecided(layer)
    return f"{asked} in the Spectra dock." if asked else beyond_float32(layer.data, str(layer.name))
