"""Truths in the Train dock: which layers a task accepts as its truth, which one is probably meant, and the resulting pair."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from napari.layers import Image, Labels, Layer, Points, Shapes
from napari.viewer import Viewer

from napari_spectrai.conversion import as_cube as cube_of
from napari_spectrai.cube import Cube
from napari_spectrai.experiment import Experiment
from napari_spectrai.experiment.tasks import tasks
from napari_spectrai.layer_axes import SpectralWarning
from napari_spectrai.marks import labels_of_marks
from napari_spectrai.widgets.layer_choice import EVALUATED, is_named_truth, own_truth
from napari_spectrai.widgets.layer_frame import lie_over
from napari_spectrai.widgets.layers import as_cube, painted, spectral_layers, spectral_position, undecided, units_over

_TRUTH = "Choose the layer with the target of the input."
_WANTED = {
    "denoising": f"{_TRUTH} Without one, choose 'this map alone' under Learn from.",
    "segmentation": "Choose the Labels layer to train on (or Points or Shapes), or paint a few strokes into a new one (0 is unlabelled).",
    "classification": "Choose the Labels layer that holds the class of each spectrum.",
}


def wanted(kind: str, *, from_layers: bool = True) -> str:
    """Return what to do if the truth of a task is missing."""
    if from_layers:
        return _WANTED.get(kind, _TRUTH)
    alone = " Without any, choose 'this map alone' under Learn from." if kind == "denoising" else ""
    return f"Choose the files with the truths, one per input.{alone}"


def choices(viewer: Viewer, kind: str) -> list[Any]:
    """Return the layers that can be the truth of a task: cubes; or labels, and points or shapes with classes."""
    if not tasks[kind].classifies:
        return list(spectral_layers(viewer))
    return [layer for layer in viewer.layers if isinstance(layer, Labels | Points | Shapes) and EVALUATED not in layer.metadata]


def likely(viewer: Viewer, kind: str, source: Image | None, taken: Sequence[Layer | None] = ()) -> Any:
    """Return the layer of the source's size that is marked as its truth, or None: an equal size alone is no indication.

    Parameters
    ----------
    taken : truths of other inputs
    """
    if source is None:
        return None
    found = [layer for layer in choices(viewer, kind) if layer is not source and layer not in taken and is_named_truth(layer)]
    if tasks[kind].classifies:
        shapes = {as_cube(source).spatial_shape, source.data.shape}
        alike = [layer for layer in found if isinstance(layer, Labels) and layer.data.shape in shapes]
    else:
        alike = [layer for layer in found if layer.data.shape == source.data.shape]
    return own_truth(alike, source, [layer for layer in spectral_layers(viewer) if layer is not source and not is_named_truth(layer)])


def canvas(viewer: Viewer, source: Image) -> Labels:
    """Add an empty Labels layer over `source` with the paint brush selected; over a set of spectra it covers bands × spectra."""
    position = spectral_position(source)
    shape = source.data.shape if source.ndim == 2 else tuple(length for d, length in enumerate(source.data.shape) if d != position)
    layer = viewer.add_labels(np.zeros(shape, np.int32), name=f"{source.name} · strokes", **units_over(source, len(shape)))
    lie_over(layer, source)
    if source.ndim == 2:
        layer.scale, layer.translate, layer.units = source.scale, source.translate, source.units
    layer.brush_size = max(1, min(shape) // 40)
    layer.mode = "paint"
    return layer


def is_taken(kind: str, settings: dict[str, Any]) -> bool:
    """Whether a task with these settings takes a truth; invalid settings are reported next to their fields."""
    try:
        return bool(tasks.parse({"kind": kind, **settings}).needs_truth)
    except ValueError:
        return bool(tasks.parse(kind).needs_truth)


class UndecidedError(ValueError):
    """A layer whose spectral dimension is unknown."""

    def __init__(self, words: str, field: str) -> None:
        super().__init__(words)
        self.field = field


def pair(kind: str, source: Image | None, truth: Any) -> tuple[list[Cube], list[Any], list[str]]:
    """Return the input and the truth, if any, each as a list of at most one, and notes on how they were converted.

    Raises
    ------
    ValueError
        If the spectral dimension of a layer is unknown, or points and shapes have no classes.
    """
    if source is not None and (words := undecided(source)):
        raise UndecidedError(f"{words}.", "input")
    cubes = [as_cube(source)] if source is not None else []
    if truth is None or source is None:
        return cubes, [], []
    if tasks[kind].classifies:
        if isinstance(truth, Labels):
            return cubes, [painted(truth, source)], []
        with warnings.catch_warnings(record=True) as notes:
            warnings.simplefilter("always", SpectralWarning)
            labels = labels_of_marks(truth, cubes[0])
        return cubes, [labels], [str(warning.message) for warning in notes]
    if not (words := undecided(truth)):
        return cubes, [as_cube(truth)], []
    if truth.data.shape != source.data.shape:
        raise UndecidedError(f"{words} in the Spectra dock.", "truth")
    return cubes, [cube_of(truth, position=spectral_position(source))], []


def suited(kind: str, cubes: list[Cube], truths: list[Any]) -> Experiment | None:
    """Return settings that suit the data, or None if the task does not."""
    if not cubes:
        return None
    truth = next(iter(truths), None)
    if kind == "super_resolution" and isinstance(truth, Cube) and truth.spatial_shape == cubes[0].spatial_shape:
        truth = None  # the truth is no sharper image: the training degrades the images instead
    try:
        return Experiment.default(kind, cubes[0], truth)
    except ValueError:  # the checks show it next to the field
        return None
