"""Loss functions, each with one number as the result.

For cubes: batches ``(N, y, x, λ)`` in prepared intensities. For classes: logits ``(N, y, x, C)``, the truth as fractions of each class
(all zero for unlabelled pixels), and one weight per class.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from napari_spectrai.experiment.losses import LossSpec


def mse(spec: LossSpec, output: Tensor, truth: Tensor) -> Tensor:
    """Return the mean squared error."""
    return functional.mse_loss(output, truth)


def l1(spec: LossSpec, output: Tensor, truth: Tensor) -> Tensor:
    """Return the mean absolute error."""
    return functional.l1_loss(output, truth)


def charbonnier(spec: LossSpec, output: Tensor, truth: Tensor) -> Tensor:
    """Return the mean of ``sqrt(error² + ε²) - ε``, zero where output and truth agree."""
    epsilon: float = spec.epsilon  # type: ignore[attr-defined]
    return torch.sqrt((output - truth).square() + epsilon**2).mean() - epsilon


def spectral_angle(spec: LossSpec, output: Tensor, truth: Tensor) -> Tensor:
    """Return the mean angle in radians; spectra that are all zero are ignored."""
    # from the chord, since the arc cosine has no finite slope at zero
    one, other = (functional.normalize(spectra, dim=-1) for spectra in (output, truth))
    valid = (truth.square().sum(-1) > 0).to(output.dtype)
    chord = (one - other).square().sum(-1)
    angle = 2 * torch.asin((torch.sqrt(chord + 1e-12) - 1e-6).div(2).clamp(max=1 - 1e-6))
    return (angle * valid).sum() / valid.sum().clamp(min=1)


def derivative(spec: LossSpec, output: Tensor, truth: Tensor) -> Tensor:
    """Return the mean absolute error of the differences between neighbouring bands."""
    if output.shape[-1] < 2:
        return (output - truth).abs().sum() * 0
    return functional.l1_loss(output.diff(dim=-1), truth.diff(dim=-1))


def _mean(values: Tensor, truth: Tensor, weights: Tensor) -> Tensor:
    """Return the mean of `values` (N, y, x) over the labelled pixels, weighted by class."""
    weight = (truth * weights).sum(-1)
    return (values * weight).sum() / weight.sum().clamp(min=1e-8)


def cross_entropy(spec: LossSpec, output: Tensor, truth: Tensor, weights: Tensor) -> Tensor:
    """Return the mean cross-entropy."""
    smoothing: float = spec.smoothing  # type: ignore[attr-defined]
    wanted = truth * (1 - smoothing) + smoothing * truth.sum(-1, keepdim=True) / truth.shape[-1]
    return _mean(-(wanted * output.log_softmax(-1)).sum(-1), truth, weights)


def binary_cross_entropy(spec: LossSpec, output: Tensor, truth: Tensor, weights: Tensor) -> Tensor:
    """Return the mean over pixels of the sum over classes of the binary cross-entropy."""
    return _mean(functional.binary_cross_entropy_with_logits(output, truth, reduction="none").sum(-1), truth, weights)


def focal(spec: LossSpec, output: Tensor, truth: Tensor, weights: Tensor) -> Tensor:
    """Return the mean cross-entropy, with each class's part weighted by its missing probability to the power gamma."""
    log = output.log_softmax(-1)
    missing = (1 - log.exp()).clamp(min=0).pow(spec.gamma)  # type: ignore[attr-defined]
    return _mean(-(truth * missing * log).sum(-1), truth, weights)


def dice(spec: LossSpec, output: Tensor, truth: Tensor, weights: Tensor) -> Tensor:
    """Return one minus the soft overlap, as the weighted mean over the classes in the batch."""
    labelled = truth.sum(-1, keepdim=True)
    shares = (output.softmax(-1) * labelled).flatten(0, -2)
    wanted = truth.flatten(0, -2)
    overlap = 2 * (shares * wanted).sum(0) / (shares.sum(0) + wanted.sum(0)).clamp(min=1e-8)
    present = (wanted.sum(0) > 0) * weights
    return ((1 - overlap) * present).sum() / present.sum().clamp(min=1e-8)


def added(spec: LossSpec, output: Tensor, truth: Tensor, *weights: Tensor) -> Tensor:
    """Return the weighted sum of the parts."""
    parts: list[Any] = spec.parts  # type: ignore[attr-defined]
    shares: list[float] = spec.shares or [1.0] * len(parts)  # type: ignore[attr-defined]
    total = output.new_zeros(())
    for part, share in zip(parts, shares, strict=True):
        total = total + share * part.load()(part, output, truth, *weights)
    return total
