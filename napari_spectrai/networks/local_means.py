"""Fully connected layers on component scores, of single spectra or of means over several windows around each pixel."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_spectrai.experiment import classifier_networks as settings


class Head(nn.Module):
    """Standardised features, fully connected layers, logits; `dropped` is the fraction of features dropped before the first layer."""

    def __init__(self, spec: settings.SpectralMLP | settings.LocalMeansMLP, inward: int, out_channels: int, dropped: float = 0.0) -> None:
        super().__init__()
        self.noise = spec.noise
        self.standardise = nn.BatchNorm1d(inward, affine=False)
        layers: list[nn.Module] = [nn.Dropout(dropped)]
        for _ in range(spec.depth):
            layers += [nn.Linear(inward, spec.width), nn.BatchNorm1d(spec.width), nn.GELU(), nn.Dropout(spec.dropout)]
            inward = spec.width
        self.body = nn.Sequential(*layers)
        self.last = nn.Linear(inward, out_channels)

    def forward(self, features: Tensor) -> Tensor:
        """Map ``(N, y, x, F)`` to logits ``(N, y, x, classes)``."""
        flat = self.standardise(features.flatten(0, 2))
        if self.training and self.noise:
            flat = flat + self.noise * torch.randn_like(flat)
        logits: Tensor = self.last(self.body(flat))
        return logits.view(*features.shape[:3], -1)


class SpectralMLP(nn.Module):
    """Fully connected layers on each spectrum.

    Parameters
    ----------
    spec : settings.SpectralMLP
    in_bands, out_channels : int
        Number of input bands (or component scores), and of output classes.
    """

    def __init__(self, spec: settings.SpectralMLP, in_bands: int, out_channels: int, *, classes: bool = True) -> None:
        super().__init__()
        self.head = Head(spec, in_bands, out_channels)
        self.last = self.head.last

    def forward(self, batch: Tensor) -> Tensor:
        """Map ``(N, y, x, scores)`` to logits."""
        logits: Tensor = self.head(batch)
        return logits


class LocalMeansMLP(nn.Module):
    """Fully connected layers on the means over windows of several sizes.

    Output pixels are those whose windows lie inside the image: ``(N, y, x, C)`` gives ``(N, y - r, x - r, classes)``, where r is the
    largest window minus one; `same` pads the edges first, and returns all pixels.

    Parameters
    ----------
    spec : settings.LocalMeansMLP
    in_bands, out_channels : int
        Number of input component scores, and of output classes.
    """

    def __init__(self, spec: settings.LocalMeansMLP, in_bands: int, out_channels: int, *, classes: bool = True) -> None:
        super().__init__()
        self.sizes, self.around = spec.sizes, spec.around
        self.head = Head(spec, in_bands * len(self.sizes), out_channels, spec.dropout / 2.5)
        self.last = self.head.last

    def features(self, batch: Tensor) -> Tensor:
        """Return the means around the pixels away from the edges: the part without weights."""
        image = batch.permute(0, 3, 1, 2)
        means = []
        for size in self.sizes:
            near = (self.around - size) // 2
            inner = image[:, :, near : image.shape[2] - near, near : image.shape[3] - near]
            means.append(functional.avg_pool2d(inner, size, stride=1))
        return torch.cat(means, 1).permute(0, 2, 3, 1)

    def forward(self, batch: Tensor) -> Tensor:
        """Map ``(N, y, x, scores)`` to logits of the pixels away from the edges."""
        logits: Tensor = self.head(self.features(batch))
        return logits

    def same(self, batch: Tensor) -> Tensor:
        """Return the logits of all pixels, with repeated edges."""
        near = self.around // 2
        image = functional.pad(batch.permute(0, 3, 1, 2), (near,) * 4, mode="replicate")
        result: Tensor = self(image.permute(0, 2, 3, 1))
        return result
