"""Default layers for an evaluation, and the checks before it starts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Image, Labels, Layer
from napari.viewer import Viewer

from napari_spectrai.correspondence import relation_of
from napari_spectrai.cube import Cube
from napari_spectrai.experiment.card import ModelCard, read_card
from napari_spectrai.experiment.obstacles import Onto, different_cubes, model_obstacle
from napari_spectrai.experiment.tasks import tasks
from napari_spectrai.label_conversion import as_labels
from napari_spectrai.labels import Labels as SpectralLabels
from napari_spectrai.placement import Placement
from napari_spectrai.plan.pairing import refusal
from napari_spectrai.preparation.normalise import Normalise
from napari_spectrai.widgets.layer_choice import EVALUATED, is_named_truth, own_truth
from napari_spectrai.widgets.layers import as_cube, label_layers, painted, spectral_layers, spectral_position, undecided

MADE = EVALUATED
_RESULT_NAMES = ("denoised", "calibrated")


def candidates(viewer: Viewer) -> list[Layer]:
    """Return the layers that can be evaluated, cubes and Labels, topmost first; not what a model has removed."""
    known: list[Layer] = [*spectral_layers(viewer), *label_layers(viewer)]
    known = [layer for layer in known if MADE not in layer.metadata and prediction_metadata(layer).get("role") != "removed"]
    return [layer for layer in reversed(viewer.layers) if layer in known]


def prediction_metadata(layer: Layer | None) -> Mapping[str, Any]:
    """Return what a layer's metadata record about the prediction that made it; empty if no prediction did."""
    found = {} if layer is None else layer.metadata.get("prediction", {})
    return found if isinstance(found, Mapping) else {}


def likely_result(viewer: Viewer) -> Layer | None:
    """Return the layer most likely to be evaluated: the topmost result of a prediction, recognised by its metadata or its name."""
    layers = candidates(viewer)
    made = [layer for layer in layers if prediction_metadata(layer).get("role") == "result"]
    sources = [layer for layer in layers if isinstance(layer, Image) and _source_of(viewer, layer) is not None]
    named = [layer for layer in sources if _is_result_name(layer.name)]
    return next(iter(made or named), None)


def _is_result_name(name: str) -> bool:
    """Whether a name ends as those of results do; napari appends a number to names already in use."""
    last = re.sub(r" \[\d+\]$", "", name).rpartition(" · ")[2]
    return last.startswith(_RESULT_NAMES) or "× enlarged" in last


def _source_of(viewer: Viewer, layer: Layer | None) -> Image | None:
    if layer is None:
        return None
    name = str(prediction_metadata(layer).get("source") or layer.name.rpartition(" · ")[0])
    return next((image for image in spectral_layers(viewer) if image.name == name and image is not layer), None)


def likely_source(viewer: Viewer, result: Layer | None, truth: Layer | None) -> Image | None:
    """Return the layer that a result was made from, if it can be identified."""
    found = _source_of(viewer, result)
    return None if found is truth else found


def truths(viewer: Viewer, results: Sequence[Layer]) -> list[Layer]:
    """Return the layers that can be the truth of results: layers of the same kind that are not results themselves."""
    kind = Labels if results and isinstance(results[0], Labels) else Image
    return [layer for layer in candidates(viewer) if isinstance(layer, kind) and layer not in results]


def likely_truth(viewer: Viewer, results: Sequence[Layer]) -> Layer | None:
    """Return the layer of the result's size that is marked as its truth, or None: an equal size alone is no indication."""
    if not results:
        return None
    source = _source_of(viewer, results[0])
    named = [layer for layer in truths(viewer, results) if layer is not source and is_named_truth(layer)]
    alike = [layer for layer in named if spatial(layer) == spatial(results[0])]
    others = [layer for layer in spectral_layers(viewer) if layer not in (*results, source) and not is_named_truth(layer)]
    return own_truth(alike, source or results[0], others)


def spatial(layer: Layer) -> tuple[int, ...]:
    """Return the shape of a layer's pixels, without the bands."""
    return tuple(layer.data.shape) if isinstance(layer, Labels) else as_cube(layer).spatial_shape


def likely_task(result: Layer | None, source: Image | None) -> str:
    """Return the task to evaluate a result as: from its metadata, else from its kind and size."""
    named = str(prediction_metadata(result).get("task", ""))
    if named in tasks and tasks[named].classifies == isinstance(result, Labels):
        return named
    if isinstance(result, Labels):
        return "segmentation"
    finer = result is not None and source is not None and np.prod(spatial(result)) > np.prod(spatial(source))
    return "super_resolution" if finer else "denoising"


def model_of(result: Layer | None) -> Path | None:
    """Return the model file that made a result, if its metadata name one that still exists."""
    path = Path(str(prediction_metadata(result).get("model", "")))
    return path if path.suffix == ".safetensors" and path.is_file() else None


def card_of(path: Path | None) -> ModelCard | None:
    """Return the card of a model file, or None if the file is not a model."""
    try:
        return None if path is None else read_card(path)
    except (OSError, ValueError):
        return None


def normalised_by(card: ModelCard | None) -> str:
    """Return how a model's preparation scales each spectrum individually; empty if it does not."""
    steps = [] if card is None else [step for step in card.experiment.preparation if isinstance(step, Normalise)]
    return str(steps[0].by) if steps else ""


def finds_clusters(result: Layer | None, truth: Layer | None) -> bool:
    """Whether the numbers of a result are clusters, which have no class names."""
    if not isinstance(result, Labels) or not isinstance(truth, Labels):
        return False
    mine, theirs = (set(_names(layer).values()) for layer in (result, truth))
    return bool(mine and theirs) and not mine & theirs


def _names(layer: Labels) -> Mapping[int, str]:
    names = layer.metadata.get("class_names", {})
    return names if isinstance(names, Mapping) else {}


def handed(layer: Layer, like: Image | None) -> Cube | SpectralLabels:
    """Return a layer as data to evaluate; labels painted over a set of spectra (bands × spectra) become one class per spectrum."""
    if not isinstance(layer, Labels):
        return as_cube(layer)
    labels = painted(layer, like)
    if labels.data is not layer.data and labels.data.ndim == 1:
        return replace(labels, names={**labels.names, 0: "unlabelled"})
    return replace(labels, data=np.array(labels.data))  # a copy, since painting may continue


def spectra_under(layer: Layer, source: Image | None) -> Image | None:
    """Return the set of spectra that labels were painted over, if there is one."""
    flat = isinstance(layer, Labels) and source is not None and source.ndim == 2 and layer.data.shape == source.data.shape
    return source if flat else None


# ---------------------------------------------------------------- checks


def unplaced(results: Sequence[Layer], truth: Layer | None) -> bool:
    """Whether either only the results or only the truth have a position, so that a person has to confirm that the pixels correspond."""
    if truth is None:
        return False
    found = [relation_of(_lies(truth), _lies(result)) for result in results]
    return any(one is not None and one.unplaced for one in found) and all(
        one is None or one.kind == "same" or one.unplaced for one in found
    )


def against_truth(results: Sequence[Layer], truth: Layer | None, source: Image | None, *, placed: bool = True) -> str:
    """Return the problem with the truth for these results, in words; empty if it fits."""
    if truth is None:
        kind = (
            "a Labels layer with the true classes (0 is unlabelled)"
            if isinstance(results[0], Labels)
            else "the layer with the target spectra"
        )
        return f"Choose the truth: {kind}."
    for layer in (*results, truth):
        if isinstance(layer, Image) and (words := undecided(layer)):
            return f"{words} in the Spectra dock."
    for result in results:
        words = _same_data(result, truth) or (against_place(result, truth)[0] if placed else "")
        words = words or (_labels_against(result, truth, source) if isinstance(truth, Labels) else _cubes_against(result, truth))
        if words:
            return words
    if placed and source is not None and isinstance(truth, Image):
        found = relation_of(_lies(truth), _lies(source))
        if found is not None and found.kind in ("cut", "refuse"):
            return f"{found.sentence(repr(truth.name), f'the source {source.name!r}')}; choose another source, or none."
    return ""


def _same_data(result: Layer, truth: Layer) -> str:
    same = result is truth or (isinstance(result, Image) and result.data is truth.data)
    return f"{result.name!r} and its truth are the same data; choose another truth." if same else ""


def against_place(result: Layer, truth: Layer) -> tuple[str, bool]:
    """Describe how a result lies relative to its truth and whether both can be aligned exactly; empty if they coincide."""
    found = relation_of(_lies(truth), _lies(result))
    if found is None or found.kind == "same":
        return "", True
    exact = found.kind == "cut" or (found.kind == "resample" and isinstance(result, Labels))
    names = repr(truth.name), repr(result.name)
    return (f"{found.sentence(*names)}; align by position." if exact else f"{refusal(found, *names)}."), exact


def _lies(layer: Layer) -> Placement | None:
    return Placement.of_layer(layer, layer.data.shape, spectral_position(layer) if isinstance(layer, Image) else None)


def alignable(results: Sequence[Layer], truth: Layer | None) -> bool:
    """Whether some results do not coincide with their truth and all of them can be aligned with it."""
    if truth is None or any(isinstance(result, Labels) != isinstance(truth, Labels) for result in results):
        return False
    found = [against_place(result, truth) for result in results]
    return any(words for words, _ in found) and all(exact for _, exact in found)


def _cubes_against(result: Layer, truth: Layer) -> str:
    words = different_cubes(as_cube(result), as_cube(truth), repr(result.name))
    return f"{words}." if words else ""


def _labels_against(result: Layer, truth: Labels, source: Image | None) -> str:
    shape, known = result.data.shape, truth.data.shape
    if shape != known:
        return f"{result.name!r} has {_size(shape)} and the truth {_size(known)}; they must show the same pixels."
    if not np.any(np.asarray(truth.data)):
        return f"{truth.name!r} labels no pixel (all are 0); paint the true classes into it, or choose another truth."
    if spectra_under(truth, source) is None and not as_labels(truth).data.size:
        return f"{truth.name!r} is empty; choose another truth."
    return ""


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[0]:,} spectra" if len(shape) == 1 else f"{' × '.join(map(str, shape))} pixels"


def against_model(path: Path | None, source: Image | None, kind: str) -> str:
    """Return the problem with the model whose classical methods are requested, in words; empty if it fits."""
    if path is None:
        return ""
    try:
        card = read_card(path)
    except (OSError, ValueError) as error:
        return str(error)
    return model_obstacle(card, tasks.parse(kind), None if source is None else Onto.of(as_cube(source)))
