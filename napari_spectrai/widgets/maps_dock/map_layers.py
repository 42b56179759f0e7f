"""Maps as layers: each 2-D, over its source, with its own contrast; components in the colours of their curves."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from napari.layers import Image, Labels, Layer
from napari.utils.colormaps import Colormap
from napari.viewer import Viewer

from napari_spectrai.labels import Colour
from napari_spectrai.labels import Labels as SpectralLabels
from napari_spectrai.mapping import MapKind, Maps, kinds
from napari_spectrai.mapping.kind import Doubles
from napari_spectrai.mapping.references import NAMES
from napari_spectrai.widgets.layer_frame import LayerFrame
from napari_spectrai.widgets.layers import label_options
from napari_spectrai.widgets.maps_dock.band_preview import contrast, lying
from napari_spectrai.widgets.plot import CYCLE

CLASSES = {"library": "hit", "components": "cluster"}
"""Maps that hold numbers of classes, by kind."""
_HIDDEN = "hidden for other maps"
"""Key of the metadata of a map that was hidden here, and is shown again once it is brought up to date."""
_BEHIND = ("residual", "failed", "score", "margin")


def add_maps(viewer: Viewer, result: Maps, kind: MapKind, frame: LayerFrame) -> list[Layer]:
    """Add the maps of an image over their source; those made before of the same source and of that name are brought up to date.

    Maps of a set of spectra are not shown as layers.
    """
    components = result.curves is not None and kind.kind in ("components", "unmix")
    names = list(result.maps)[: len(result.curves.data)] if components and result.curves is not None else []
    if CLASSES.get(kind.kind) in result.maps:
        _hide_others(viewer, frame.name, kind.kind)
    elif names:
        _hide_others(viewer, frame.name, kind.kind, made=result.maps)
    made: list[Layer] = []
    coloured = False  # the lowest of the components hides the source, to which the others would be added
    for name, values in reversed(list(result.maps.items())):
        if values.ndim < 2:
            continue
        about = {"source": frame.name, "kind": kind.kind, "map": name}
        if name == CLASSES.get(kind.kind):
            made.append(_labels(viewer, values, result, f"{frame.name} · {name}", about, frame))
            continue
        colour = CYCLE[names.index(name) % len(CYCLE)] if name in names else ""
        shown = bool(colour) if names else name not in _BEHIND and not name.endswith("_error") and name == next(iter(result.maps))
        title = name.replace("_", " ") if kind.kind == "peaks" else name  # names of references are left as they are
        blending = "additive" if colour and coloured else "translucent_no_depth"
        coloured = coloured or bool(colour)
        made.append(_image(viewer, values, f"{frame.name} · {title}", about, frame, colour=colour, visible=shown, blending=blending))
    return made[::-1]


def _hide_others(viewer: Viewer, source: str, kind: str, made: Collection[str] = ()) -> None:
    """Hide what the colours of new maps would be mixed with: maps of other kinds, and components of before that are not among `made`."""
    for layer in viewer.layers:
        about = layer.metadata.get("map")
        if not isinstance(about, dict) or about.get("source") != source or not layer.visible:
            continue
        if about.get("kind") != kind or (made and about.get("map") not in made):
            layer.visible = False
            layer.metadata[_HIDDEN] = True


def _free(viewer: Viewer, name: str, about: dict[str, Any]) -> str:
    """Return a name for a map, with its kind if a layer that shows something else has it, such as the residual of another kind."""
    others = [layer for layer in viewer.layers if layer.name == name]
    return f"{name} ({kinds[about['kind']].title.lower()})" if others and all(one.metadata.get("map") != about for one in others) else name


def _known(viewer: Viewer, name: str, about: dict[str, Any], kind: type[Layer]) -> Any:
    return next(
        (layer for layer in viewer.layers if layer.name == name and isinstance(layer, kind) and layer.metadata.get("map") == about), None
    )


def _image(
    viewer: Viewer, values: Doubles, name: str, about: dict[str, Any], frame: LayerFrame, *, colour: str, visible: bool, blending: str
) -> Image:  # fmt: skip
    name = _free(viewer, name, about)
    layer = _known(viewer, name, about, Image)
    if layer is not None and layer.data.shape == values.shape:
        layer.data = values
        layer.visible = layer.visible or layer.metadata.pop(_HIDDEN, False)  # what a person has hidden stays hidden
    else:
        if layer is not None:
            viewer.layers.remove(layer)
        colormap = Colormap(["#000000", colour], name=f"spectrai {colour}") if colour else "viridis"
        layer = viewer.add_image(
            values, name=name, colormap=colormap, blending=blending, visible=visible,
            metadata={"spectral": False, "map": about}, **lying(frame),
        )  # fmt: skip
        frame.align(layer)
    low, high = contrast(values)
    layer.contrast_limits = (0.0, high) if colour and low >= 0 and high > 0 else (low, high)
    return layer


def _rgba(colour: str) -> Colour:
    red, green, blue = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    return red, green, blue, 1.0


def _labels(viewer: Viewer, values: Doubles, result: Maps, name: str, about: dict[str, Any], frame: LayerFrame) -> Labels:
    """Show numbers of classes as labels with names, 0 where there is none."""
    first = 1 if about["kind"] == "library" else 0  # library spectra are numbered from 0
    numbers = np.where(np.isfinite(values), np.nan_to_num(values) + first, 0).astype(np.int32)
    names = [] if result.curves is None else [str(one) for one in result.curves.metadata.get(NAMES, ())]
    # as their curves in the dock; the many spectra of a library keep napari's colours
    colours = {value: _rgba(CYCLE[(value - 1) % len(CYCLE)]) for value in range(1, len(names) + 1)} if first == 0 else {}
    labels = SpectralLabels(numbers, dict(enumerate(names, 1)), colours, name=name)
    options = label_options(labels) | {"name": _free(viewer, name, about)}
    layer = _known(viewer, options["name"], about, Labels)
    if layer is not None:
        viewer.layers.remove(layer)
    options["metadata"] = {**options["metadata"], "map": about}
    layer = viewer.add_labels(numbers, **options | lying(frame))
    frame.align(layer)
    return layer
