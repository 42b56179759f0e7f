"""Layers that are maps, not cubes, as cubes of one band or of three colours, which files keep, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from napari.utils.colormaps import AVAILABLE_COLORMAPS, Colormap

from napari_spectrai.cube import Cube
from napari_spectrai.layer_axes import spectral_dimension
from napari_spectrai.placement import KEY as PLACEMENT
from napari_spectrai.placement import Placement, placed
from napari_spectrai.widgets.layer_place import place_options

KEY = "map_layer"
"""Key of the metadata of a cube that is a map; what it holds is how the map is shown."""


def is_map(layer: Any) -> bool:
    """Whether a layer has no spectral dimension: a map made here, or a plane without a known spectral dimension."""
    if "spectral" in layer.metadata:
        return not layer.metadata["spectral"]
    return not layer.rgb and len(layer.data.shape) == 2 and spectral_dimension(layer) is None


def map_as_cube(layer: Any) -> Cube:
    """Return a map as a cube of one band, or of its colours, with its place and how it is shown.

    Parameters
    ----------
    layer : napari layer, or an object with the attributes of one

    Returns
    -------
    Cube
    """
    values = np.asarray(layer.data)
    colours = bool(layer.rgb)
    values = values if colours else values[..., None]
    lies = Placement.of_layer(layer, values.shape[:-1])
    shown = {
        "rgb": colours,
        "colormap": _colormap_as_plain(getattr(layer, "colormap", None)),
        "contrast_limits": [float(limit) for limit in getattr(layer, "contrast_limits", None) or ()],
        "metadata": {key: value for key, value in layer.metadata.items() if key != KEY},
    }
    sized = lies is not None and lies.units[-1] != "pixel"
    return Cube(
        values,
        None,  # type: ignore[arg-type]  # bands are numbered
        pixel_size=(lies.pixel_size[-2], lies.pixel_size[-1]) if lies is not None and sized else None,
        pixel_unit=lies.units[-1] if lies is not None and sized else "pixel",
        name=str(layer.name),
        metadata={KEY: shown} | ({} if lies is None else {PLACEMENT: lies.to_json()}),
    )


def map_layer(cube: Cube) -> tuple[Any, dict[str, Any], str] | None:
    """Return the layer of a cube that `map_as_cube` made; None for any other cube."""
    shown = cube.metadata.get(KEY)
    if not isinstance(shown, Mapping) or cube.shape[-1] not in ((3, 4) if shown.get("rgb") else (1,)):
        return None
    values = np.asarray(cube.data)
    values = values if shown.get("rgb") else values[..., 0]
    count = len(cube.spatial_shape)
    scale, translate, units = [1.0] * count, [0.0] * count, ["pixel"] * count
    lies = placed(cube.metadata, cube.spatial_shape)
    options: dict[str, Any] = {} if lies is None else place_options(lies, scale, translate, units)
    kept = shown.get("metadata")
    options |= {"name": cube.name or "map", "scale": scale, "translate": translate, "units": units, "rgb": bool(shown.get("rgb"))}
    options["metadata"] = {**(kept if isinstance(kept, Mapping) else {}), "spectral": False}
    if not shown.get("rgb"):
        options["colormap"] = _colormap_of(shown.get("colormap"))
        limits = shown.get("contrast_limits")
        if isinstance(limits, Sequence) and len(limits) == 2 and float(limits[0]) < float(limits[1]):
            options["contrast_limits"] = (float(limits[0]), float(limits[1]))
    return values, options, "image"


def _colormap_as_plain(colormap: Any) -> Any:
    """Return a colormap as plain data: its name if napari knows it, else its colours too."""
    if isinstance(colormap, str) or colormap is None:
        return colormap
    if isinstance(colormap, Mapping):
        colormap = Colormap(**colormap)
    name = str(colormap.name)
    return name if name in AVAILABLE_COLORMAPS else {"name": name, "colors": np.asarray(colormap.colors, np.float64).tolist()}


def _colormap_of(plain: Any) -> Any:
    """Return a colormap from what `_colormap_as_plain` returned; viridis for anything else, since metadata can contain anything."""
    if isinstance(plain, str) and plain in AVAILABLE_COLORMAPS:
        return plain
    colours = np.asarray(plain["colors"], np.float64) if isinstance(plain, Mapping) and "colors" in plain else np.zeros(0)
    if colours.ndim != 2 or colours.shape[1] != 4 or len(colours) < 2 or not np.isfinite(colours).all():
        return "viridis"
    return Colormap(np.clip(colours, 0, 1), name=str(plain.get("name", "saved")))
