"""Metadata of a part of a cube: what remains true of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.placement import KEY as PLACEMENT
from napari_spectrai.placement import Placement

Metadata = Mapping[str, Any]


def of_bands(metadata: Metadata, numbers: npt.NDArray[np.integer[Any]]) -> Metadata:
    """Return the metadata of some bands, given their numbers: marks of bad bands move with them."""
    if "bad_bands" not in metadata:
        return dict(metadata)
    bad = {int(band) for band in metadata["bad_bands"]}
    return {**metadata, "bad_bands": [place for place, band in enumerate(numbers.tolist()) if band in bad]}


def of_pixels(
    metadata: Metadata,
    place: Placement | None,
    keys: tuple[Any, ...],
    spatial_shape: Sequence[int],
    pixel_size: tuple[float, float] | None,
) -> Metadata:
    """Return the metadata of a part of an image, which begins elsewhere; pixels chosen one by one lose their place.

    Parameters
    ----------
    metadata : mapping
    place : Placement or None
        The place of the whole image.
    keys : tuple
        An index for each spatial dimension.
    spatial_shape : sequence of int
        Shape of the whole image, without its bands.
    pixel_size : (float, float) or None
    """
    if place is None:
        return metadata
    kept = {name: value for name, value in metadata.items() if name not in (PLACEMENT, "origin")}
    if not all(isinstance(part, slice) for part in keys):
        return kept
    if "origin" in metadata and pixel_size is not None:
        begins = [part.indices(length)[0] for part, length in zip(keys[-2:], spatial_shape[-2:], strict=True)]
        pairs = zip(metadata["origin"], begins, pixel_size, strict=True)
        kept["origin"] = tuple(float(start) + begin * length for start, begin, length in pairs)
    return kept | {PLACEMENT: place.cut(keys).to_json()}


def of_other_values(metadata: Metadata, *, same_axis: bool, same_pixels: bool) -> Metadata:
    """Return the metadata that remain true of other values, without marks of other bands and the place of other pixels."""
    stale = {"prediction"} | (set() if same_axis else {"bad_bands"}) | (set() if same_pixels else {PLACEMENT, "origin"})
    return {key: value for key, value in metadata.items() if key not in stale}
