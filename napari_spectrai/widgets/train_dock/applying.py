"""Apply a model, or a method that needs no training, to the layers that are trained on, in the way of the Predict dock."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from napari.layers import Image
from napari.viewer import Viewer

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.experiment.card import ModelCard, read_card
from napari_spectrai.experiment.network_spec import networks
from napari_spectrai.experiment.untrained import ready_card, ready_kinds, ready_spec
from napari_spectrai.runs.options import PredictOptions
from napari_spectrai.widgets.predict_dock.model_list import shown_name
from napari_spectrai.widgets.predict_dock.predict_request import Around, PredictRequest, on_axis
from napari_spectrai.widgets.preferences import preferences


def without_training(kind: str) -> list[tuple[str, str]]:
    """Return title and kind of each method for a task that needs no training."""
    suited = [one for one in ready_kinds() if one != "raw" and kind in networks[one].tasks]
    return [(networks[one].title, one) for one in sorted(suited, key=lambda one: (not networks[one].images, one))]


def request(viewer: Viewer, model: Path | str, replaces: frozenset[str] = frozenset()) -> PredictRequest:
    """Return the application of a model file, or of a method by its kind, with default settings.

    Raises
    ------
    OSError, ValueError
        If the model cannot be read.
    """
    device = preferences().device
    if isinstance(model, str):
        spec = ready_spec(model)

        def of_axis(axis: SpectralAxis) -> ModelCard:
            return ready_card(spec, axis)

        return PredictRequest(viewer, model, spec.title, of_axis, PredictOptions(device=device), {"device": device})
    card = read_card(model)
    return PredictRequest(
        viewer, model, shown_name(model, card), lambda axis: on_axis(card, axis), PredictOptions(device=device), {"device": device},
        [model], Around.of([card], None), replaces=replaces,
    )  # fmt: skip


def is_shown(viewer: Viewer, models: frozenset[str], layers: Sequence[Image]) -> bool:
    """Whether a result of one of some models on one of these layers is among the layers of the viewer."""
    names = {str(layer.name) for layer in layers}
    made = (layer.metadata.get("prediction", {}) for layer in viewer.layers)
    return any(one.get("model") in models and one.get("source") in names for one in made)
