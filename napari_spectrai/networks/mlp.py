"""Fully connected layers on single spectra."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from napari_spectrai.experiment.networks import ResidualMLP as ResidualMLPSpec


class ResidualMLP(nn.Module):
    """Fully connected layers; without a ridge map their output is added to the input.

    Parameters
    ----------
    spec : ResidualMLPSpec
    in_bands, out_channels : int
    sources : int
        Number of input batches ``(N, y, x, in_bands)``, which are concatenated.
    """

    def __init__(self, spec: ResidualMLPSpec, in_bands: int, out_channels: int, *, sources: int = 1) -> None:
        super().__init__()
        if sources == 1 and in_bands != out_channels:
            raise ValueError(f"a residual of {out_channels} bands cannot be added to {in_bands} bands; set ridge=true")
        layers: list[nn.Module] = [nn.Linear(sources * in_bands, spec.width)]
        for _ in range(spec.depth - 1):
            layers += [nn.GELU(), nn.Dropout(spec.dropout), nn.Linear(spec.width, spec.width)]
        self.body = nn.Sequential(*layers, nn.GELU(), nn.Dropout(spec.dropout))
        self.last = nn.Linear(spec.width, out_channels)
        self.alone = sources == 1

    def forward(self, *sources: Tensor) -> Tensor:
        """Map batches ``(N, y, x, in_bands)`` to ``(N, y, x, out_channels)``."""
        residual: Tensor = self.last(self.body(torch.cat(sources, dim=-1)))
        return sources[0] + residual if self.alone else residual
