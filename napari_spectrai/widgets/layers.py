"""Conversion between cubes and napari layers: λ leads in a layer, as a view of the cube, where λ is last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from weakref import WeakSet

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer
from napari.utils.colormaps import DirectLabelColormap, label_colormap
from napari.utils.notifications import show_warning
from psygnal import Signal

from napari_spectrai import conversion
from napari_spectrai.cube import Cube, SpectralAxis
from napari_spectrai.io import Picture, pictures, read
from napari_spectrai.label_conversion import as_labels
from napari_spectrai.labels import Colour
from napari_spectrai.labels import Labels as SpectralLabels
from napari_spectrai.layer_axes import spectral_dimension
from napari_spectrai.notices import noting
from napari_spectrai.placement import KEY as PLACEMENT
from napari_spectrai.placement import placed
from napari_spectrai.remedies import advising
from napari_spectrai.summary import contrast_limits, telling_band
from napari_spectrai.widgets import line_scans
from napari_spectrai.widgets.layer_choice import is_made
from napari_spectrai.widgets.layer_place import place_options
from napari_spectrai.widgets.map_cube import map_layer
from napari_spectrai.widgets.shared_units import agreeing

LayerData = tuple[Any, dict[str, Any], str]

FIRST_BAND = "spectrai_first_band"
"""Metadata key of layers that were just opened: the band to show first. It is removed when the layer is added to a viewer."""

MORE_CLASSES = 32
"""Numbers above those of the known classes that have a colour, too."""


def layer_data(cube: Cube, **more: Any) -> LayerData:
    """Return what napari needs to show `cube`: a λ-leading view, labels and units for every axis, and the spectral axis.

    A set of n spectra becomes an image of bands × spectra.
    """
    data = _spectral_first(cube.data)
    spatial = ("z", "y", "x")[-len(cube.spatial_shape) :] if cube.is_image else ("spectrum",)
    spatial = tuple(f"t{n}" for n in range(len(cube.spatial_shape) - len(spatial))) + spatial
    scale, units, translate = [1.0] * len(cube.shape), ["pixel"] * len(cube.shape), [0.0] * len(cube.shape)
    step = cube.axis.step
    if cube.is_image and cube.axis.unit in ("nm", "um", "1/cm", "eV") and step is not None and step > 0:
        # wavelengths with µm pixels are shown without a unit: napari would convert all axes to nm, and back to µm as soon as a layer
        # without units is added (a new Points or Labels layer), which leaves the view empty
        alone = cube.pixel_size is None or cube.pixel_unit == "pixel" or cube.axis.quantity != "wavelength"
        scale[0], units[0], translate[0] = step, cube.axis.unit if alone else "pixel", float(cube.axis.values[0])
    if cube.pixel_size is not None and cube.is_image:
        scale[-2:], units[-2:] = list(cube.pixel_size), [cube.pixel_unit] * 2
        translate[-2:] = [float(c) for c in cube.metadata.get("origin", (0.0, 0.0))]
    for dimension, plane in enumerate(_planes(cube), len(cube.shape) - 2 - len(_planes(cube))):
        scale[dimension], translate[dimension], units[dimension] = plane
    lies = placed(cube.metadata, cube.spatial_shape)
    options: dict[str, Any] = {} if lies is None else place_options(lies, scale, translate, units)
    options |= {
        "name": cube.name or "cube",
        "axis_labels": (cube.axis.quantity, *spatial),
        "scale": scale,
        "translate": translate,
        "units": units,
        "metadata": {
            **_without(cube.metadata, PLACEMENT, "spectral_position"),
            "spectral_axis": cube.axis.to_json() | {"position": 0},
            **_file(cube, data),
        },
        "contrast_limits": _contrast(data),
    }
    return data, options | more, "image"


def _planes(cube: Cube) -> list[tuple[float, float, str]]:
    """Return step, start and unit of the dimensions before y and x, where the file gives them, as of depths or times."""
    known = cube.metadata.get("planes")
    count = len(cube.spatial_shape) - 2
    if count < 1 or not isinstance(known, Mapping) or len(known) > count:
        return []
    try:
        return [(float(one["step"]), float(one["start"]), one.get("unit") or "pixel") for one in known.values()]
    except (TypeError, KeyError, ValueError, AttributeError):
        return []


def _without(metadata: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in metadata.items() if key not in names}


def _file(cube: Cube, data: Any) -> dict[str, Any]:
    """Return a token that shows later whether a lazy layer still equals its file."""
    name = getattr(data, "name", None)
    if cube.source is None or name is None:
        return {}
    return {"spectral_file": {"path": str(cube.source), "array": name, "axis": hash(cube.axis)}}


def _spectral_first(data: Any) -> Any:
    if isinstance(data, np.ndarray):
        return np.moveaxis(data, -1, 0)
    import dask.array as da

    return da.moveaxis(da.asarray(data), -1, 0)


def _contrast(data: Any) -> tuple[float, float]:
    """Return contrast limits over all bands, from a sample: one bright band must not leave the others black."""
    thinned = np.asarray(data[tuple(slice(None, None, max(1, length // 48)) for length in data.shape)])
    return contrast_limits(thinned, (0.5, 99.5))


def opened_layer(cube: Cube, views: Sequence[Picture] = (), **more: Any) -> LayerData:
    """Return the layer of a cube that is opened from a file or as a sample, with the band to show first.

    Parameters
    ----------
    cube : Cube
        An image of one row or column becomes a set of spectra.
    views : pictures of the same file
    more : attributes of the layer
    """
    cube = line_scans.without_thin_sides(cube)
    data, options, kind = layer_data(cube, **more)
    if not cube.is_image:
        options = line_scans.shaped(cube, options, views) | {"colormap": "viridis"} | more
    options["metadata"][FIRST_BAND] = telling_band(cube)
    return data, options, kind


def add_cube(viewer: ViewerModel, cube: Cube, **more: Any) -> Image:
    """Add `cube` to the viewer as an image layer."""
    ((data, options, _),) = agreeing(viewer, [layer_data(cube, **more)])
    return cast("Image", viewer.add_image(data, **options))


def as_cube(layer: Layer) -> Cube:
    """Return a layer as a cube; if its spectral dimension is unknown, the first one is assumed until a person chooses another.

    Docks that compute check `undecided` first. What was inferred of the axis is shown once for each layer.
    """
    with advising("window"), noting() as notes:
        cube = conversion.as_cube(layer, position=spectral_position(layer))
    if notes and layer not in _noticed:
        _noticed.add(layer)
        for note in notes:
            show_warning(note)
    return cube


_noticed: WeakSet[Layer] = WeakSet()


def undecided(layer: Layer) -> str:
    """Return a message if the spectral dimension of a layer is unknown; empty if metadata, axis labels or a person determine it."""
    if spectral_dimension(layer) is not None:
        return ""
    sizes = " × ".join(map(str, layer.data.shape))
    cut = "is a projection or a part of another layer, whose spectral axis no longer fits" if "spectral_axis" in layer.metadata else ""
    return f"{layer.name!r} ({sizes}) {cut or 'has no known spectral dimension'}; choose its spectral dimension"


def spectral_layers(viewer: ViewerModel) -> list[Image]:
    """Return the image layers that can be read as cubes: two dimensions or more, not RGB, and not made from bands."""
    stacks = [layer for layer in viewer.layers if isinstance(layer, Image) and layer.ndim >= 2 and not left_out(layer)]
    return [layer for layer in stacks if layer.metadata.get("spectral", True)]


def left_out(layer: Layer) -> str:
    """Return why an image layer is not offered as a cube: it is an RGB image, empty, or holds no real numbers; empty if it is offered."""
    if isinstance(layer, Image) and layer.rgb:
        return f"{layer.name!r} is an RGB image, not a spectral one."
    if isinstance(layer, Image) and np.dtype(layer.dtype).kind not in "biuf":  # napari opens none, but takes them for others
        return f"{layer.name!r} holds {layer.dtype}, not real numbers; convert it first (e.g. its real part)."
    if isinstance(layer, Image) and 0 in layer.data.shape:
        return f"{layer.name!r} ({' × '.join(map(str, layer.data.shape))}) holds no values."
    return ""


def label_layers(viewer: ViewerModel) -> list[Labels]:
    """Return the Labels layers."""
    return [layer for layer in viewer.layers if isinstance(layer, Labels)]


def add_labels(viewer: ViewerModel, labels: SpectralLabels, source: Image | None, **more: Any) -> Labels:
    """Add labels with the names and colours of their classes; for a set of spectra, over all of its bands."""
    data = labels.data
    if data.ndim == 1:
        data = np.ascontiguousarray(np.broadcast_to(data, (1 if source is None else source.data.shape[0], len(data))))
    units = {} if source is None else units_over(source, data.ndim)
    return cast("Labels", viewer.add_labels(data, **units | label_options(labels) | more))


def units_over(source: Image, dimensions: int) -> dict[str, Any]:
    """Return the units of labels over an image, to be given from the beginning: napari draws no layers of different units."""
    place = spectral_position(source)
    own = [unit for d, unit in enumerate(source.units) if dimensions == source.ndim or d != place]
    return {"units": own} if len(own) == dimensions else {}


def label_options(labels: SpectralLabels) -> dict[str, Any]:
    """Return layer attributes that show labels with the names and colours of their classes."""
    data = labels.data
    names = ["unlabelled" if value == 0 and 0 not in labels.names else labels.names.get(value, "") for value in range(int(data.max()) + 1)]
    options: dict[str, Any] = {
        "name": labels.name or "classes",
        "features": {"class": names},
        "metadata": {**_without(labels.metadata, PLACEMENT), "class_names": dict(labels.names)},
    }
    if (lies := labels.placement) is not None and labels.data.ndim > 1:
        scale, translate, units = [1.0] * labels.data.ndim, [0.0] * labels.data.ndim, ["pixel"] * labels.data.ndim
        options |= place_options(lies, scale, translate, units) | {"scale": scale, "translate": translate, "units": units}
    if labels.colours:
        colours: dict[int | None, Any] = {None: "transparent", 0: "transparent"}
        colours.update(labels.colours.items())
        used = {*labels.values(), *labels.names, *labels.colours}
        usual = label_colormap()
        # classes that are painted later are seen, too; a number that means "no class" stays transparent
        colours.update({value: usual.map(value) for value in range(1, max(used, default=0) + MORE_CLASSES) if value not in used})
        options["colormap"] = DirectLabelColormap(color_dict=colours)
    return options


def painted(layer: Labels, source: Image | None) -> SpectralLabels:
    """Return the labels of a layer; painted over a set of spectra (bands × spectra), a stroke anywhere on a spectrum marks it."""
    labels = as_labels(layer)
    if not labels.colours:  # results are shown in the same colours as these labels
        labels = replace(labels, colours={value: _colour(layer, value) for value in labels.values(0)})
    if source is None or source.ndim != 2 or labels.data.shape != source.data.shape:
        return labels
    return replace(labels, data=labels.data.max(spectral_position(source)))


def _colour(layer: Labels, value: int) -> Colour:
    red, green, blue, *_ = (float(part) for part in layer.get_color(value))
    return red, green, blue, 1.0


def likely_source(layers: Sequence[Image]) -> Image | None:
    """Return the default input: the topmost layer that is neither a truth nor made here from another layer."""
    named = [layer for layer in layers if "truth" not in layer.name.lower() and not is_made(layer)]
    known = [layer for layer in named if "spectral_axis" in layer.metadata]
    return next(reversed(known or named or list(layers)), None)


def spectral_position(layer: Layer, chosen: int | None = None) -> int:
    """Return the spectral dimension of the layer: the chosen one, the one in its metadata or axis labels, else the first."""
    if chosen is not None:
        return chosen
    return spectral_dimension(layer) or 0


class _Turned:
    """Notifies every dock that the spectral dimension of a layer was changed."""

    turned = Signal(object)


turned = _Turned()


def choose_dimension(layer: Image, position: int) -> None:
    """Set the spectral dimension of a layer; its bands are then numbered."""
    bands = SpectralAxis.bands(layer.data.shape[position])
    layer.metadata["spectral_axis"] = bands.to_json() | {"position": position}
    turned.turned.emit(layer)


def placing(source: Layer, keep: Sequence[int]) -> dict[str, Any]:
    """Return the placement of some dimensions of a layer, for a layer of these dimensions to be shown over it."""
    kept, whole = np.ix_(keep, keep), np.ix_([*keep, -1], [*keep, -1])
    shear = np.eye(source.ndim)
    shear[np.triu_indices(source.ndim, 1)] = source.shear
    return {
        "scale": np.asarray(source.scale)[list(keep)], "translate": np.asarray(source.translate)[list(keep)],
        "rotate": np.asarray(source.rotate)[kept], "shear": shear[kept][np.triu_indices(len(keep), 1)],
        "affine": np.asarray(source.affine.affine_matrix)[whole], "units": [source.units[d] for d in keep],
    }  # fmt: skip


def pixel_at(layer: Image, world: Sequence[float]) -> tuple[int, ...] | None:
    """Return the pixel (spatial indices) at a position in world coordinates, or None outside the layer."""
    position = spectral_position(layer)
    place = [round(float(c)) for c in layer.world_to_data(world)]
    lengths = list(layer.data.shape)
    del place[position], lengths[position]
    return tuple(place) if all(0 <= c < length for c, length in zip(place, lengths, strict=True)) else None


def layers_from_file(path: str | Path, **options: Any) -> list[LayerData]:
    """Return the layers of a spectral file: the ordinary images in the file, below the cube."""
    return layers_of(read(path, **options), path)


def layers_of(cube: Cube, path: str | Path) -> list[LayerData]:
    """Return the layers of a file that is read already: the ordinary images in the file, below the cube."""
    found = pictures(path)
    flat = map_layer(cube)
    if flat is not None:
        return [flat]
    below: list[LayerData] = []
    for picture in found:
        more = {"name": f"{cube.name} · {picture.name}", "rgb": True, "scale": picture.pixel_size, "translate": picture.origin}
        below.append((picture.data, more | {"units": [picture.pixel_unit] * 2}, "image"))
    place = None if cube.is_image else line_scans.place_in_picture(cube, found)
    return [*below, *([] if place is None else [place]), opened_layer(cube, found)]
