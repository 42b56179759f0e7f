"""Preprocessing steps as torch modules, for graphs that are computed without this package."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.preparation.normalise import Normalise, Scale
from napari_spectrai.preparation.step import SpatialStep, Step

TOLERANCE = 1e-5
"""Largest relative deviation from an affine map of a step that is exported as one."""


class AffineStep(nn.Module):
    """A step that is an affine map of each spectrum: smoothing, derivatives, crops, interpolation, projections."""

    weight: Tensor
    offset: Tensor

    def __init__(self, weight: npt.NDArray[np.float64], offset: npt.NDArray[np.float64]) -> None:
        super().__init__()
        self.register_buffer("weight", torch.from_numpy(weight.astype(np.float32)))
        self.register_buffer("offset", torch.from_numpy(offset.astype(np.float32)))

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        """Map spectra ``(..., λ)`` to ``(..., λ')``; nothing is restored after prediction."""
        return x @ self.weight + self.offset, None


class ScaleStep(nn.Module):
    """Division by one factor; results are multiplied by `back`."""

    def __init__(self, factor: float, back: float) -> None:
        super().__init__()
        self.factor, self.back = factor, back

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return scaled spectra, and the (offset, scale) of shape (..., 1) to restore."""
        one = torch.ones_like(x[..., :1])
        return x / self.factor, (0 * one, self.back * one)


class NormaliseStep(nn.Module):
    """Normalisation of each spectrum, as `preparation.normalise.Normalise`."""

    def __init__(self, by: str) -> None:
        super().__init__()
        self.by = by

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return normalised spectra, and the (offset, scale) of shape (..., 1) to restore."""
        offset, scale = self._factors(x)
        return (x - offset) / torch.where(scale == 0, torch.ones_like(scale), scale), (offset, scale)

    def _factors(self, x: Tensor) -> tuple[Tensor, Tensor]:
        zero = torch.zeros_like(x[..., :1])
        if self.by == "maximum":
            return zero, x.abs().amax(-1, keepdim=True)
        if self.by == "area":
            return zero, x.abs().mean(-1, keepdim=True)
        if self.by == "vector":
            return zero, x.square().sum(-1, keepdim=True).sqrt()
        if self.by == "minmax":
            low = x.amin(-1, keepdim=True)
            return low, x.amax(-1, keepdim=True) - low
        wide = x.double()
        mean = wide.mean(-1, keepdim=True)
        deviation = (wide - mean).square().mean(-1, keepdim=True).sqrt()
        noise = 8 * torch.finfo(torch.float32).eps * mean.abs()  # rounding errors of a constant spectrum are not a deviation
        return mean.float(), torch.where(deviation <= noise, torch.zeros_like(deviation), deviation).float()


def as_module(step: Step, axis: SpectralAxis) -> nn.Module:
    """Return a fitted step on spectra of `axis` as a module that returns the prepared spectra and the factors to restore, or None.

    Raises
    ------
    ValueError
        If the step is neither a scaling nor an affine map; with the remedy.
    """
    if isinstance(step, Scale) and step.factor is not None:
        return ScaleStep(step.factor, step.target or step.factor)
    if isinstance(step, Normalise) and step.by != "rnv":
        return NormaliseStep(step.by)
    undone = type(step).factors is not Step.factors or type(step).given_back is not Step.given_back or step.transform() is not None
    affine = None if undone or isinstance(step, SpatialStep) else _affine(step, axis)
    if affine is None:
        raise ValueError(
            f"a model with the preparation step {step.title!r} cannot be exported, since the step is not linear in the spectrum; "
            "preprocess the data first, train without this step, and export that model"
        )
    return AffineStep(*affine)


def _affine(step: Step, axis: SpectralAxis) -> tuple[Any, Any] | None:
    """Return weight (λ, λ') and offset (λ',) of a step, found from unit spectra and tested on random ones; None if it is not affine."""
    bands = len(axis)
    offset = step.apply(np.zeros((1, bands)), axis)[0][0]
    weight = step.apply(np.eye(bands), axis)[0] - offset
    random = np.random.default_rng(0)
    tests = np.concatenate([random.normal(size=(8, bands)), 100 * random.random((8, bands)), np.cumsum(random.normal(size=(8, bands)), 1)])
    wanted = step.apply(tests, axis)[0]
    if not (np.isfinite(wanted).all() and np.isfinite(weight).all()):
        return None
    difference = np.abs(tests @ weight + offset - wanted).max(-1)
    return (weight, offset) if (difference <= TOLERANCE * np.maximum(np.abs(wanted).max(-1), 1e-30)).all() else None
