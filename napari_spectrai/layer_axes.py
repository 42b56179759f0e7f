"""The spectral dimension of a napari layer, from its metadata or axis labels, else guessed with a warning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from napari_spectrai.channel_metadata import channel_axis
from napari_spectrai.notices import SpectralWarning, say_note

__all__ = ["SPECTRAL_NAMES", "Layer", "SpectralWarning", "axis_position", "guessed", "spectral_dimension"]

SPECTRAL_NAMES = (
    (
        "wavelength",
        "wavelengths",
        "λ",
        "lambda",
        "wavenumber",
        "wavenumbers",
        "raman",
        "energy",
        "mass",
        "m/z",
        "mz",
        "emission",
        "spectral",
    ),
    ("band", "bands", "channel", "channels", "c"),
)
"""First words of the axis labels of spectral dimensions, in lower case; the first row takes precedence over the second."""


@runtime_checkable
class Layer(Protocol):
    """The attributes used of a napari layer: its array and its metadata."""

    data: Any
    metadata: dict[str, Any]


def spectral_dimension(layer: Layer) -> int | None:
    """Return the spectral dimension of a layer from its metadata or its axis labels; None if they do not define it.

    Metadata of other readers define it where they list the wavelengths of as many channels as one dimension has.

    A layer that napari projected or cut keeps the metadata of its source: an axis that does not fit its dimension is ignored, and
    so is the label of a dimension with a single remaining band.
    """
    data = layer.data[0] if getattr(layer, "multiscale", False) else layer.data
    place = axis_position(layer, data.shape)
    if place is not None:
        return place
    if getattr(layer, "rgb", False):
        return len(data.shape) - 1
    labels = [str(label).strip().lower() for label in getattr(layer, "axis_labels", ())]
    if len(labels) == len(data.shape):
        for names in SPECTRAL_NAMES:
            places = [place for place, label in enumerate(labels) if label.replace("(", " ").split()[:1] and label.split()[0] in names]
            if len(places) == 1:
                projected = data.shape[places[0]] == 1 and "spectral_axis" in layer.metadata
                return None if projected else places[0]
    if "spectral_axis" in layer.metadata:
        return None
    channels, _ = channel_axis(layer.metadata, data.shape)
    fitting = [] if channels is None else [place for place, length in enumerate(data.shape) if length == len(channels)]
    return fitting[0] if len(fitting) == 1 else None


def axis_position(layer: Layer, shape: Sequence[int]) -> int | None:
    """Return the dimension of the spectral axis in a layer's metadata, if it has the same number of bands."""
    known = layer.metadata.get("spectral_axis")
    if not isinstance(known, Mapping) or "values" not in known:
        return None
    place = int(known.get("position", 0))
    return place if 0 <= place < len(shape) and len(known["values"]) == shape[place] else None


def guessed(layer: Layer, shape: Sequence[int]) -> int:
    """Return the first dimension as the spectral one of a layer that defines none, with a warning."""
    sizes = " × ".join(map(str, shape))
    say_note(
        f"the layer {str(getattr(layer, 'name', ''))!r} ({sizes}) has no known spectral dimension; the first, with "
        f"{shape[0]} bands, is used, as in napari's stacks. Pass as_cube(layer, position=…), or set the layer's axis_labels"
    )
    return 0
