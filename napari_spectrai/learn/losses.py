"""Losses of restoration: batches ``(N, y, x, λ)`` in prepared intensities, one number out."""

from __future__ import annotations

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
