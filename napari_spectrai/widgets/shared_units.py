"""Units of layers that share a canvas: napari draws those of different kinds, such as µm and pixels, without any, and warns.

A layer that is opened here takes the units of those that are there, and its metadata keep its own, which `placement.units_of` reads. No
other layer is changed, but that cubes of different axes have no unit along their bands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Layer
from napari.utils.notifications import show_info

from napari_spectrai.placement import OWN_UNITS

LayerData = tuple[Any, dict[str, Any], str]


def is_spectral(layer: Layer) -> bool:
    """Whether a layer is a cube whose spectral axis is known."""
    return isinstance(layer, Image) and isinstance(layer.metadata.get("spectral_axis"), Mapping)


def agreeing(viewer: ViewerModel | None, layers: Sequence[LayerData]) -> list[LayerData]:
    """Return layers that are about to be added to a viewer, in units that napari can draw with those of the layers there.

    They have them from the beginning: napari draws as soon as a layer is added.
    """
    if viewer is None:
        return list(layers)
    found: list[LayerData] = []
    there: dict[int, Any] = {}
    for data, options, kind in layers:
        given = dict(options)
        count = len(given["units"]) if "units" in given else data.ndim - bool(given.get("rgb"))
        own = [str(unit) for unit in given.get("units", ["pixel"] * count)]
        units: list[Any] = list(own)
        cube = "spectral_axis" in given.get("metadata", {})
        if cube and count > 2:
            units[0] = along_bands(viewer, count, own[0])
        if not viewer.layers or viewer.layers.extent.units is not None:
            there |= {place: one.units[-place] for one in reversed(viewer.layers) for place in range(1, one.ndim + 1)}
            units = [_joined(unit, there.get(count - d)) for d, unit in enumerate(units)]
            there = {count - d: unit for d, unit in enumerate(units)} | there
        if units[-2:] != own[-2:]:
            given["metadata"] = {**given.get("metadata", {}), OWN_UNITS: _record(own, units, given.get("scale", [1.0] * count))}
            if kind in ("image", "labels") and (count > 2 or not cube):
                _say(str(given.get("name", "this layer")), own[-1], f"{units[-1]:~P}")
        found.append((data, given | {"units": units}, kind))
    return found


def _joined(unit: Any, there: Any) -> Any:
    """Return a unit, or the one of the layers that are there, if these differ in kind."""
    return unit if there is None or isinstance(there, str) or there.is_compatible_with(unit) else there


def along_bands(viewer: ViewerModel, count: int, unit: str) -> str:
    """Return the unit of the bands of a new cube; if it differs in kind from that of others on its slider, all have none.

    The positions of the bands, and their units, are known from the spectral axis.
    """
    alike = [one for one in viewer.layers if is_spectral(one) and one.ndim >= count]
    if all(one.units[-count].is_compatible_with(unit) for one in alike):
        return unit
    for one in alike:
        one.units = ["pixel" if d == one.ndim - count else unit for d, unit in enumerate(one.units)]
    return "pixel"


def remember(layer: Layer, own: Sequence[str], units: Sequence[Any]) -> None:
    """Keep the units of a layer's file in its metadata while it is shown in others."""
    layer.metadata[OWN_UNITS] = _record(own, units, layer.scale)


def _record(own: Sequence[str], units: Sequence[Any], scale: Any) -> dict[str, Any]:
    other = [d for d, unit in enumerate(units) if str(unit) != own[d]]
    return {"own": {d: own[d] for d in other}, "shown": {d: str(units[d]) for d in other}, "scale": np.array(scale, float).tolist()}


def _say(name: str, own: str, shown: str) -> None:
    if own == "pixel":
        show_info(
            f"{name} has no pixel size: next to the layers there, one of its pixels is drawn as 1 {shown}. If you know the size, set the "
            f"scale of the layer."
        )
    else:
        show_info(f"{name} is drawn without its unit ({own}), since layers there have none; it is kept when the layer is saved.")
