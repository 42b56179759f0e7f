"""Augmentations: each samples its parameters for a whole batch, then applies them, on the batch's device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy.special import betaincinv
from torch import Generator, Tensor

from napari_spectrai.experiment.augmentations import AugmentationSpec

Pair = tuple[Tensor, Tensor]


def _uniform(count: int, generator: Generator) -> Tensor:
    return torch.rand(count, generator=generator, device=generator.device)


def _column(values: Tensor) -> Tensor:
    return values.view(-1, 1, 1, 1)


class Noise:
    """Add Gaussian noise to the input."""

    def __init__(self, spec: Any) -> None:
        self.sigma: float = spec.sigma

    def __call__(self, x: Tensor, y: Tensor, generator: Generator) -> Pair:
        """Return the varied batch ``(N, y, x, λ)`` and its truth."""
        return x + self.sigma * torch.randn(x.shape, generator=generator, device=x.device), y


class Mixup:
    """Blend each sample with another of the batch, input and truth alike."""

    def __init__(self, spec: Any) -> None:
        # torch's Beta takes no generator; its quantile function, tabulated, turns uniform draws into Beta ones
        quantiles = betaincinv(spec.alpha, spec.alpha, np.linspace(0, 1, 4097))
        self.quantiles = torch.from_numpy(quantiles.astype(np.float32))

    def __call__(self, x: Tensor, y: Tensor, generator: Generator) -> Pair:
        """Return the varied batch ``(N, y, x, λ)`` and its truth."""
        other = torch.randperm(len(x), generator=generator, device=x.device)
        self.quantiles = self.quantiles.to(x.device)
        place = _uniform(len(x), generator) * 4096
        left = place.floor().long()
        share = _column(torch.lerp(self.quantiles[left], self.quantiles[left + 1], place - left))
        return torch.lerp(x[other], x, share), torch.lerp(y[other], y, share)


class SpectralShift:
    """Shift input and truth along the axis by a fraction of a band or several, the ends held."""

    def __init__(self, spec: Any) -> None:
        self.bands: float = spec.bands

    def __call__(self, x: Tensor, y: Tensor, generator: Generator) -> Pair:
        """Return the varied batch ``(N, y, x, λ)`` and its truth."""
        shift = (2 * _uniform(len(x), generator) - 1) * self.bands
        return self.apply(x, shift), self.apply(y, shift)

    @staticmethod
    def apply(spectra: Tensor, shift: Tensor) -> Tensor:
        """Shift each sample of ``(N, y, x, λ)`` by its number of bands, towards higher ones, by linear interpolation."""
        bands = spectra.shape[-1]
        wanted = (torch.arange(bands, device=spectra.device) - shift[:, None]).clamp(0, bands - 1)
        left = wanted.floor().long()
        right = (left + 1).clamp(max=bands - 1)
        weight = (wanted - left).to(spectra.dtype)[:, None, None, :]
        at_left = spectra.gather(-1, left[:, None, None, :].expand_as(spectra))
        at_right = spectra.gather(-1, right[:, None, None, :].expand_as(spectra))
        return torch.lerp(at_left, at_right, weight)


class Flip:
    """Mirror input and truth together, in space and (if asked) along the spectrum."""

    def __init__(self, spec: Any) -> None:
        self.probability: float = spec.probability
        self.dimensions = ([1, 2] if spec.spatial else []) + ([3] if spec.spectral else [])

    def __call__(self, x: Tensor, y: Tensor, generator: Generator) -> Pair:
        """Return the varied batch ``(N, y, x, λ)`` and its truth."""
        for dimension in self.dimensions:
            mirrored = _column(_uniform(len(x), generator) < self.probability)
            x = torch.where(mirrored, x.flip(dimension), x)
            y = torch.where(mirrored, y.flip(dimension), y)
        return x, y


class Chain:
    """Augmentations one after another."""

    def __init__(self, specs: Sequence[AugmentationSpec]) -> None:
        self.parts = [spec.load()(spec) for spec in specs]

    def __call__(self, x: Tensor, y: Tensor, generator: Generator) -> Pair:
        """Return the varied batch and its truth."""
        for part in self.parts:
            x, y = part(x, y, generator)
        return x, y
