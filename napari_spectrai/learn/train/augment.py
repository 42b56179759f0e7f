"""Augmentations: each draws its parameters for a whole batch, then applies them, on the device of the batch."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from scipy.special import betaincinv
from torch import Generator, Tensor
from torch.nn import functional

from napari_spectrai.experiment.augmentations import AugmentationSpec

Pair = tuple[Tensor, Tensor]


def _uniform(count: int, generator: Generator) -> Tensor:
    return torch.rand(count, generator=generator, device=generator.device)


def _column(values: Tensor) -> Tensor:
    return values.view(-1, 1, 1, 1)


class Augmentation(ABC):
    """Base class of augmentations: transforms a batch ``(N, y, x, λ)`` and its truth.

    `moves_pixels`: whether it also has to transform a truth of classes; `on_labels`: whether the last dimension of the truth is classes.
    """

    moves_pixels: ClassVar[bool] = False
    on_labels = False

    @abstractmethod
    def __call__(self, x: Tensor, y: Tensor, generator: Generator) -> Pair:
        """Return the augmented batch and its truth."""


class Noise(Augmentation):
    """Add Gaussian noise to the input."""

    def __init__(self, spec: Any) -> None:
        self.sigma: float = spec.sigma

    def __call__(self, x: Tensor, y: Tensor, generator: Generator) -> Pair:
        """Return the augmented batch ``(N, y, x, λ)`` and its truth."""
        return x + self.sigma * torch.randn(x.shape, generator=generator, device=x.device), y


class Mixup(Augmentation):
    """Blend each sample with another one of the batch, input and truth alike."""

    moves_pixels = True

    def __init__(self, spec: Any) -> None:
        # torch's Beta accepts no generator; its tabulated quantile function converts uniform draws to Beta draws
        quantiles = betaincinv(spec.alpha, spec.alpha, np.linspace(0, 1, 4097))
        self.quantiles = torch.from_numpy(quantiles.astype(np.float32))

    def __call__(self, x: Tensor, y: Tensor, generator: Generator) -> Pair:
        """Return the augmented batch ``(N, y, x, λ)`` and its truth."""
        other = torch.randperm(len(x), generator=generator, device=x.device)
        self.quantiles = self.quantiles.to(x.device)
        place = _uniform(len(x), generator) * 4096
        left = place.floor().long()
        share = _column(torch.lerp(self.quantiles[left], self.quantiles[left + 1], place - left))
        return torch.lerp(x[other], x, share), torch.lerp(y[other], y, share)


class SpectralShift(Augmentation):
    """Shift input and truth along the axis by a fraction of a band or several, with constant ends."""

    def __init__(self, spec: Any) -> None:
        self.bands: float = spec.bands

    def __call__(self, x: Tensor, y: Tensor, generator: Generator) -> Pair:
        """Return the augmented batch ``(N, y, x, λ)`` and its truth."""
        shift = (2 * _uniform(len(x), generator) - 1) * self.bands
        return self.apply(x, shift), self.apply(y, shift)

    @staticmethod
    def apply(spectra: Tensor, shift: Tensor) -> Tensor:
        """Shift each sample of ``(N, y, x, λ)`` towards higher bands by its own number of bands, by linear interpolation."""
        bands = spectra.shape[-1]
        wanted = (torch.arange(bands, device=spectra.device) - shift[:, None]).clamp(0, bands - 1)
        left = wanted.floor().long()
        right = (left + 1).clamp(max=bands - 1)
        weight = (wanted - left).to(spectra.dtype)[:, None, None, :]
        at_left = spectra.gather(-1, left[:, None, None, :].expand_as(spectra))
        at_right = spectra.gather(-1, right[:, None, None, :].expand_as(spectra))
        return torch.lerp(at_left, at_right, weight)


class Flip(Augmentation):
    """Mirror input and truth together, in space and (if asked) along the spectrum."""

    moves_pixels = True

    def __init__(self, spec: Any) -> None:
        self.probability: float = spec.probability
        self.dimensions = ([1, 2] if spec.spatial else []) + ([3] if spec.spectral else [])

    def __call__(self, x: Tensor, y: Tensor, generator: Generator) -> Pair:
        """Return the augmented batch ``(N, y, x, λ)`` and its truth."""
        for dimension in self.dimensions:
            mirrored = _column(_uniform(len(x), generator) < self.probability)
            x = torch.where(mirrored, x.flip(dimension), x)
            if dimension < 3 or not self.on_labels:
                y = torch.where(mirrored, y.flip(dimension), y)
        return x, y


class Rotate(Augmentation):
    """Rotate square patches by quarter turns, input and truth together."""

    moves_pixels = True

    def __init__(self, spec: Any) -> None:
        pass

    def __call__(self, x: Tensor, y: Tensor, generator: Generator) -> Pair:
        """Return the augmented batch ``(N, y, x, λ)`` and its truth."""
        if x.shape[1] != x.shape[2]:  # a whole image: only half a turn preserves its shape
            turned = _column(_uniform(len(x), generator) < 0.5)
            return torch.where(turned, x.flip(1, 2), x), torch.where(turned, y.flip(1, 2), y)
        quarters = (_uniform(len(x), generator) * 4).long()
        for count in (1, 2, 3):
            chosen = _column(quarters == count)
            x = torch.where(chosen, x.rot90(count, (1, 2)), x)
            y = torch.where(chosen, y.rot90(count, (1, 2)), y)
        return x, y


class RandomCrop(Augmentation):
    """Crop a smaller patch at a random position, the same for input and truth."""

    moves_pixels = True

    def __init__(self, spec: Any) -> None:
        self.share: float = spec.share

    def __call__(self, x: Tensor, y: Tensor, generator: Generator) -> Pair:
        """Return patches ``(N, y', x', λ)`` and their truth."""
        lengths = x.shape[1:3]
        kept = [max(1, round(self.share * length)) for length in lengths]
        starts = [
            (_uniform(len(x), generator) * (length - keep + 1)).long().clamp(max=length - keep)
            for length, keep in zip(lengths, kept, strict=True)
        ]
        cut = []
        for batch in (x, y):
            times = batch.shape[1] // x.shape[1]  # the truth may have more pixels
            if times == 0:  # one class for the whole patch
                cut.append(batch)
                continue
            rows, columns = (
                (start * times)[:, None] + torch.arange(keep * times, device=x.device) for start, keep in zip(starts, kept, strict=True)
            )
            number = torch.arange(len(x), device=x.device)[:, None, None]
            cut.append(batch[number, rows[:, :, None], columns[:, None, :]])
        return cut[0], cut[1]


class Scaling(Augmentation):
    """Multiply input and truth by a random factor."""

    def __init__(self, spec: Any) -> None:
        self.sigma: float = spec.sigma

    def __call__(self, x: Tensor, y: Tensor, generator: Generator) -> Pair:
        """Return the augmented batch ``(N, y, x, λ)`` and its truth."""
        factor = _column((self.sigma * torch.randn(len(x), generator=generator, device=x.device)).exp())
        return x * factor, y * factor


class Baseline(Augmentation):
    """Add a random cubic to the input."""

    def __init__(self, spec: Any) -> None:
        self.size: float = spec.size

    def __call__(self, x: Tensor, y: Tensor, generator: Generator) -> Pair:
        """Return the augmented batch ``(N, y, x, λ)`` and its truth."""
        position = torch.linspace(-1, 1, x.shape[-1], device=x.device)
        # Legendre polynomials, so that the terms are independent and of equal size
        terms = torch.stack([torch.ones_like(position), position, (3 * position**2 - 1) / 2, (5 * position**3 - 3 * position) / 2])
        weights = self.size * torch.randn(len(x), len(terms), generator=generator, device=x.device)
        return x + (weights @ terms)[:, None, None, :].to(x.dtype), y


class Spikes(Augmentation):
    """Add single-band spikes of exponentially distributed height to the input."""

    def __init__(self, spec: Any) -> None:
        self.rate, self.height = float(spec.rate), float(spec.height)

    def __call__(self, x: Tensor, y: Tensor, generator: Generator) -> Pair:
        """Return the augmented batch ``(N, y, x, λ)`` and its truth."""
        hit = torch.rand(x.shape, generator=generator, device=x.device) < self.rate / x.shape[-1]
        heights = torch.rand(x.shape, generator=generator, device=x.device).clamp(min=1e-7).log() * -self.height
        return torch.where(hit, x + heights, x), y


class Broadening(Augmentation):
    """Convolve input and truth with a Gaussian of random width, with constant ends."""

    def __init__(self, spec: Any) -> None:
        self.bands: float = spec.bands

    def __call__(self, x: Tensor, y: Tensor, generator: Generator) -> Pair:
        """Return the augmented batch ``(N, y, x, λ)`` and its truth."""
        reach = max(1, math.ceil(3 * self.bands))
        steps = torch.arange(-reach, reach + 1, device=x.device)
        sigma = (_uniform(len(x), generator) * self.bands).clamp(min=1e-3)
        kernels = torch.exp(-0.5 * (steps / sigma[:, None]) ** 2)
        kernels = (kernels / kernels.sum(1, keepdim=True)).to(x.dtype)
        return self.apply(x, kernels), self.apply(y, kernels)

    @staticmethod
    def apply(spectra: Tensor, kernels: Tensor) -> Tensor:
        """Convolve each sample of ``(N, y, x, λ)`` with its kernel of ``(N, k)``."""
        count, bands = len(spectra), spectra.shape[-1]
        reach = kernels.shape[1] // 2
        padded = functional.pad(spectra.reshape(count, -1, bands), (reach, reach), mode="replicate")
        # one group per sample, whose pixels are the batch
        result = functional.conv1d(padded.transpose(0, 1), kernels[:, None], groups=count)
        return result.transpose(0, 1).reshape(spectra.shape)


class BandDropout(Augmentation):
    """Set random bands of the input to zero."""

    def __init__(self, spec: Any) -> None:
        self.share: float = spec.share

    def __call__(self, x: Tensor, y: Tensor, generator: Generator) -> Pair:
        """Return the augmented batch ``(N, y, x, λ)`` and its truth."""
        kept = torch.rand(len(x), 1, 1, x.shape[-1], generator=generator, device=x.device) >= self.share
        return x * kept, y


class Poisson(Augmentation):
    """Add noise with the variance of photon counts to the input."""

    def __init__(self, spec: Any) -> None:
        self.counts: float = spec.counts

    def __call__(self, x: Tensor, y: Tensor, generator: Generator) -> Pair:
        """Return the augmented batch ``(N, y, x, λ)`` and its truth."""
        return torch.where(x > 0, torch.poisson(x.clamp(min=0) * self.counts, generator=generator) / self.counts, x), y


class Chain:
    """A sequence of augmentations; `labels`: the truth is classes, which are only changed by moving or blending pixels."""

    def __init__(self, specs: Sequence[AugmentationSpec], *, labels: bool = False) -> None:
        self.parts = [spec.load()(spec) for spec in specs]
        self.labels = labels
        for part in self.parts:
            part.on_labels = labels

    def __call__(self, x: Tensor, y: Tensor, generator: Generator) -> Pair:
        """Return the augmented batch and its truth."""
        for part in self.parts:
            if self.labels and not part.moves_pixels:
                x, _ = part(x, x, generator)
            else:
                x, y = part(x, y, generator)
        return x, y
