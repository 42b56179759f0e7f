"""Metadata of a part of a cube: what remains true of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.placement import KEY as PLACEMENT
from napari_spectrai.placement import Placement

Metadata = Mapping[str, Any]
_OF_EACH = ("labels", "stage_x", "stage_y", "stage_z")
"""Metadata that list a name or a number for each spectrum; ``coordinates`` hold several such lists."""
OF_SPECTRA = (*_OF_EACH, "stage_unit", "coordinates")
"""Metadata that are those of as many spectra as the cube has, in their order."""


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
    metadata = _of_planes(_of_spectra(metadata, keys, spatial_shape), keys, spatial_shape)
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


def _of_spectra(metadata: Metadata, keys: tuple[Any, ...], spatial_shape: Sequence[int]) -> Metadata:
    """Return the metadata with what lists something for each spectrum cut as the spectra are."""
    if not any(name in metadata for name in OF_SPECTRA):
        return metadata
    numbers = np.arange(math.prod(spatial_shape)).reshape(spatial_shape)[keys].ravel().tolist()

    def part(listed: Any) -> Any:
        return [listed[number] for number in numbers] if np.ndim(listed) and len(listed) == math.prod(spatial_shape) else listed

    kept = {name: part(value) if name in _OF_EACH else value for name, value in metadata.items()}
    if "coordinates" in kept:
        kept["coordinates"] = {name: {**one, "values": part(one["values"])} for name, one in kept["coordinates"].items()}
    return kept


def _of_planes(metadata: Metadata, keys: tuple[Any, ...], spatial_shape: Sequence[int]) -> Metadata:
    """Return the metadata with start and step of the planes that are left; planes chosen one by one have none."""
    if "planes" not in metadata:
        return metadata
    planes = dict(metadata["planes"])
    if len(keys) != len(spatial_shape):
        planes = {}
    for name, part, length in zip(reversed(list(planes)), reversed(keys[:-2]), reversed(spatial_shape[:-2]), strict=False):
        if not isinstance(part, slice):
            del planes[name]
            continue
        begin, _, stride = part.indices(length)
        one = planes[name]
        planes[name] = {**one, "start": one["start"] + begin * one["step"], "step": one["step"] * stride}
    rest = {name: value for name, value in metadata.items() if name != "planes"}
    return rest | ({"planes": planes} if planes else {})


def of_other_values(metadata: Metadata, *, same_axis: bool, same_pixels: bool) -> Metadata:
    """Return the metadata that remain true of other values, without marks of other bands and the place of other pixels."""
    stale = {"prediction"} | (set() if same_axis else {"bad_bands"}) | (set() if same_pixels else {PLACEMENT, "origin", *OF_SPECTRA})
    return {key: value for key, value in metadata.items() if key not in stale}
