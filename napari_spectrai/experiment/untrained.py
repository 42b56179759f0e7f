"""Classical methods without training: their list, and the card of a method as a model; without torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.experiment.card import NO_TRAINING, ModelCard
from napari_spectrai.experiment.classical import ClassicalSpec
from napari_spectrai.experiment.document import Experiment
from napari_spectrai.experiment.network_spec import networks
from napari_spectrai.spec import SettingsError, listed, problems


def ready_kinds() -> list[str]:
    """Return the kinds of the methods without training."""
    return [kind for kind in networks if networks[kind].classical and not networks[kind].learns]


def ready_spec(kind: str, settings: Mapping[str, Any] | None = None) -> ClassicalSpec:
    """Return the settings of a method without training, with some of them changed.

    Raises
    ------
    ValueError
        If there is no such method, if it needs training, or if a setting does not fit.
    """
    known = ready_kinds()
    if kind not in known:
        raise ValueError(f"{kind!r} is neither a model file nor a method without training; {listed(known, kind)}")
    try:
        spec: ClassicalSpec = networks.parse({**(settings or {}), "kind": kind})
    except ValidationError as error:
        raise SettingsError(problems(error), kind) from error
    return spec


def ready_card(spec: ClassicalSpec, axis: SpectralAxis, *, factor: int = 2) -> ModelCard:
    """Return the card of a method without training, for cubes on `axis`; `factor` applies to methods that enlarge."""
    task: dict[str, Any] = {"kind": "denoising", "learns_from": "bands"}
    if spec.finds:
        task = {"kind": "segmentation"}
    elif "denoising" not in spec.tasks:
        task = {"kind": "super_resolution", "factor": factor}
    experiment = Experiment.from_mapping({"task": task, "network": spec, "preparation": [], "name": spec.title})
    return ModelCard.now(name=spec.title, experiment=experiment, axis=axis, truth_axis=axis, trained_on=[NO_TRAINING], classes=spec.finds)
