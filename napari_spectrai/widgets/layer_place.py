"""Scale, translation, units and affine of a layer, from the placement of its pixels."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_spectrai.placement import Placement


def place_options(lies: Placement, scale: list[float], translate: list[float], units: list[str]) -> dict[str, Any]:
    """Give the last dimensions of a layer their scale, translation and units; return its affine if it is rotated or mirrored.

    Parameters
    ----------
    lies : Placement
    scale, translate, units : list
        For all dimensions of the layer; the last ones are set.

    Returns
    -------
    dict
    """
    count = len(lies.shape)
    linear, shift = lies.matrix[:-1, :-1], lies.matrix[:-1, -1]
    straight = lies.is_straight
    units[-count:] = lies.units
    scale[-count:] = np.diag(linear).tolist() if straight else list(lies.pixel_size)
    translate[-count:] = shift.tolist() if straight else [0.0] * count
    if straight:
        return {}
    affine = np.eye(len(scale) + 1)
    affine[-count - 1 : -1, -count - 1 : -1], affine[-count - 1 : -1, -1] = linear / np.array(lies.pixel_size), shift
    return {"affine": affine}
