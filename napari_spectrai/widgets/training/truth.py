"""Which layer shows how it should be: what a task takes as its truth, which layer is likely meant, and the pair that is learnt from."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Image, Labels
from napari.viewer import Viewer

from napari_spectrai.cube import Cube
from napari_spectrai.experiment import Experiment
from napari_spectrai.experiment.tasks import tasks
from napari_spectrai.plan.parts import PARTS
from napari_spectrai.widgets.layers import as_cube, label_layers, lie_over, painted, spectral_layers, spectral_position

_TRUTH = "Choose the layer that shows how the input should look."
_WANTED = {
    "denoising": f"{_TRUTH} Without one, choose 'bands' or 'masked' under Learns from.",
    "segmentation": "Choose the Labels layer to learn from, or paint a few strokes into a new one (0 is unlabelled).",
    "classification": "Choose the Labels layer that holds the class of each spectrum.",
}


def wanted(kind: str) -> str:
    """Return what to do where a task's truth is missing."""
    return _WANTED.get(kind, _TRUTH)


def choices(viewer: Viewer, kind: str) -> list[Any]:
    """Return the layers that can be a task's truth."""
    return label_layers(viewer) if tasks[kind].truth == "labels" else spectral_layers(viewer)


def likely(viewer: Viewer, kind: str, source: Image | None) -> Any:
    """Return the layer that is most likely the truth of `source`, or None."""
    if source is None:
        return None
    found = choices(viewer, kind)
    if tasks[kind].truth == "labels":
        shapes = {as_cube(source).spatial_shape, source.data.shape}
        return next((layer for layer in reversed(found) if layer.data.shape in shapes and not _is_split(layer)), None)
    others = [layer for layer in found if layer is not source and layer.data.shape == source.data.shape]
    named = [layer for layer in others if "truth" in layer.name.lower()]
    return next(iter(named or others), None)


def _is_split(layer: Labels) -> bool:
    return bool(layer.metadata.get("class_names") == PARTS)


def canvas(viewer: Viewer, source: Image) -> Labels:
    """Add an empty Labels layer over `source`, with the brush in hand; over a set of spectra, bands × spectra, it covers them all."""
    position = spectral_position(source)
    shape = source.data.shape if source.ndim == 2 else tuple(length for d, length in enumerate(source.data.shape) if d != position)
    layer = viewer.add_labels(np.zeros(shape, np.int32), name=f"{source.name} · strokes")
    lie_over(layer, source)
    if source.ndim == 2:
        layer.scale, layer.translate, layer.units = source.scale, source.translate, source.units
    layer.brush_size = max(1, min(shape) // 40)
    layer.mode = "paint"
    return layer


def is_taken(kind: str, settings: dict[str, Any]) -> bool:
    """Whether a task with these settings takes a truth; settings that do not hold are refused where they stand."""
    try:
        return bool(tasks.parse({"kind": kind, **settings}).needs_truth)
    except ValueError:
        return bool(tasks.parse(kind).needs_truth)


def pair(kind: str, source: Image | None, truth: Any) -> tuple[list[Cube], list[Any]]:
    """Return the input and, where there is one, the truth, each as a list of at most one."""
    cubes = [as_cube(source)] if source is not None else []
    if truth is None:
        return cubes, []
    return cubes, [painted(truth, source) if tasks[kind].truth == "labels" else as_cube(truth)]


def suited(kind: str, cubes: list[Cube], truths: list[Any]) -> Experiment | None:
    """Return settings that suit the data, or None where the task does not."""
    if not cubes:
        return None
    truth = next(iter(truths), None)
    if kind == "super_resolution" and isinstance(truth, Cube) and truth.spatial_shape == cubes[0].spatial_shape:
        truth = None  # not a sharper image: images are made coarse instead
    try:
        return Experiment.default(kind, cubes[0], truth)
    except ValueError:  # said beside the field by the checks
        return None
