"""Settings of a trained model that can be changed when it is applied."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from napari_spectrai.experiment.automatic import Automatic
from napari_spectrai.experiment.network_spec import networks
from napari_spectrai.learn.mixture.blend import Blend
from napari_spectrai.learn.model import Model


def with_settings(model: Model, settings: Mapping[str, Any]) -> Model:
    """Return a model with another `radius` of the smoothing of its class probabilities; 0 gives them as they are without smoothing.

    Raises
    ------
    ValueError
        If another setting is given, or the model cannot smooth.
    """
    card = model.description
    spec, fixed = card.experiment.network, sorted(set(settings) - {"radius"})
    if fixed:
        raise ValueError(
            f"settings {', '.join(fixed)} are for a classical method given by its name; a model keeps those it was made with, except the "
            "radius of the smoothing of class maps"
        )
    if not isinstance(spec, Automatic) or not isinstance(model.network, Blend) or not card.classes:
        raise ValueError("the setting radius smooths the class maps of an automatic choice (network: automatic), which this model is not")
    changed = networks.parse(spec.model_dump(mode="json") | {"radius": settings["radius"]})
    assert isinstance(changed, Automatic)  # noqa: S101
    if changed.radius and not model.network.has_guide:
        raise ValueError(
            "this model has nothing that guides a smoothing (trained on a set, or by an earlier version); train it on an image"
        )
    network = copy.copy(model.network)
    network.spec = changed
    return replace(model, network=network, description=replace(card, experiment=card.experiment.model_copy(update={"network": changed})))
