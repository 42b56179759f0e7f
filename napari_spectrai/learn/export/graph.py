"""A model as one torch module from raw spectra to results: preparation, network, restored intensities or class probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from napari_spectrai.cube import FloatArray
from napari_spectrai.experiment.automatic import Automatic
from napari_spectrai.experiment.network_spec import NetworkSpec
from napari_spectrai.learn.export.steps import as_module
from napari_spectrai.networks.hooks import on_whole_images

if TYPE_CHECKING:
    from napari_spectrai.learn.model import Model


class Graph(nn.Module):
    """What `predict` computes for an image without missing spectra, in one module.

    It maps raw intensities ``(N, y, x, λ)``, float32, to a cube ``(N, y', x', λ')`` in the intensities of the source, or to class
    probabilities ``(N, y, x, classes)``. Spectra that are all zero give zeros, and NaN as probabilities.

    Raises
    ------
    ValueError
        If the model cannot be written as a graph; with the reason and the remedy.
    """

    def __init__(self, model: Model) -> None:
        super().__init__()
        card = model.description
        experiment = card.experiment
        if (reason := obstacle(experiment.network, times=experiment.task.enlarges)) is not None:
            raise ValueError(f"{experiment.network.short_name} cannot be exported, since {reason}, or keep the .safetensors file")
        if experiment.task.of_images:
            raise ValueError("a model of whole images cannot be exported; keep the .safetensors file")
        steps, axis = [], card.axis
        for step in model.preparation.steps:
            steps.append(as_module(step, axis))
            axis = model.preparation.__class__((step,)).apply(_ones(len(axis)), axis)[1]
        self.steps, self.network = nn.ModuleList(steps), model.network
        self.classes, self.times, self.temperature = bool(card.classes), experiment.task.enlarges, card.temperature
        spec = experiment.network
        self.spectral = spec.context == 0 and not spec.whole and not experiment.looks_around

    def forward(self, x: Tensor) -> Tensor:
        """Map raw intensities ``(N, y, x, λ)``."""
        empty = (x == 0).all(-1, keepdim=True)
        prepared, removed = x, []
        for step in self.steps:
            prepared, factors = step(prepared)
            removed += [] if factors is None else [factors]
        if self.spectral:
            result = self.network(prepared.reshape(-1, 1, 1, prepared.shape[-1])).reshape(*x.shape[:3], -1)
        else:
            result = on_whole_images(self.network, prepared)
        if self.classes:
            shares: Tensor = (result / self.temperature).softmax(-1).masked_fill(empty, float("nan"))
            return shares
        for offset, scale in reversed(removed):
            result = result * self._enlarged(scale) + self._enlarged(offset)
        restored: Tensor = result.masked_fill(self._enlarged(empty), 0.0)
        return restored

    def _enlarged(self, values: Tensor) -> Tensor:
        return values if self.times == 1 else values.repeat_interleave(self.times, 1).repeat_interleave(self.times, 2)


EXPORTED_METHODS = frozenset(
    ["ridge", "automatic", "logistic_regression", "mnf_logistic", "pls_da", "pca_lda", "logistic_local_means", "pca_lda_local_means"]
)
"""Kinds of classical methods whose forward is torch alone; of a mixture, if the forward of each of its members is."""


def obstacle(spec: NetworkSpec, *, times: int = 1) -> str | None:
    """Return why a network or method cannot be written as a graph, and what to train instead; None if nothing is known against it."""
    if spec.classical and spec.kind not in EXPORTED_METHODS:
        return "it is not a network: train a network (network.kind)"
    if spec.any_axis and not isinstance(spec, Automatic):
        return "it computes eigenimages of each image: train another network (network.kind)"
    if times > 1 and spec.is_consistent:
        return (
            "what it adds is made consistent with the input by matrices that depend on the size of the image: "
            "train with network.consistent=false"
        )
    return _obstacle_in(spec, times) if isinstance(spec, Automatic) else None


def _obstacle_in(mixture: Automatic, times: int) -> str | None:
    if mixture.radius:
        return f"its class maps are smoothed over the whole image (guided filter, radius {mixture.radius}): train with network.smooth=false"
    for member in mixture.members:
        if member.sees == "superpixels":
            return f"its member {member.name} averages over regions of each image: train the others alone (network.candidates)"
        if (reason := obstacle(member.network, times=times)) is not None:
            return f"its member {member.name} cannot be: {reason}"
    return None


def _ones(bands: int) -> FloatArray:
    return torch.ones(1, bands).numpy()
