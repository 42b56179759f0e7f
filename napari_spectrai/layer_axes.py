"""Which dimension of a napari layer is spectral: as its metadata or its axis labels say, else guessed with a warning."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

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
"""First words of the axis labels of spectral dimensions, in lower case; those of the first row count before those of the second."""


class SpectralWarning(UserWarning):
    """Something that data do not say and that was guessed, left open or mended; the message names the remedy."""


@runtime_checkable
class Layer(Protocol):
    """What is asked of a napari layer: its array and its metadata."""

    data: Any
    metadata: dict[str, Any]


def spectral_dimension(layer: Layer) -> int | None:
    """Return which dimension of a layer is spectral, as its metadata or its axis labels say; None where they do not.

    A layer that napari projected or cut keeps the metadata of its source: an axis that does not fit its dimension says nothing, and
    neither does the label of a dimension of which a single band is left.
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
    return None


def axis_position(layer: Layer, shape: Sequence[int]) -> int | None:
    """Return the dimension of the spectral axis that a layer's metadata hold, where it has as many bands."""
    known = layer.metadata.get("spectral_axis")
    if not isinstance(known, Mapping) or "values" not in known:
        return None
    place = int(known.get("position", 0))
    return place if 0 <= place < len(shape) and len(known["values"]) == shape[place] else None


def guessed(layer: Layer, shape: Sequence[int]) -> int:
    """Return the first dimension as the spectral one of a layer that does not say, with a warning."""
    sizes = " × ".join(map(str, shape))
    warnings.warn(
        f"the layer {str(getattr(layer, 'name', ''))!r} ({sizes}) does not say which of its dimensions is spectral; the first, of "
        f"{shape[0]} bands, is taken, as napari shows stacks. Give as_cube(layer, position=…), or name the layer's axis_labels",
        SpectralWarning,
        stacklevel=4,
    )
    return 0
