"""Networks that classify single spectra."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_spectrai.experiment.classifier_networks import SpectralCNN as SpectralCNNSpec


class ReZero(nn.Module):
    """Two convolutions along the spectrum, added with a weight that starts at zero (Bachlechner et al. 2021, arXiv:2003.04887)."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        inside = (0, kernel // 2)
        self.body = nn.Sequential(
            nn.GELU(), nn.Conv2d(width, width, (1, kernel), padding=inside), nn.GELU(), nn.Conv2d(width, width, (1, kernel), padding=inside)
        )
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """Return features of the same size."""
        result: Tensor = self.body(x)
        return x + self.weight * result


class SpectralCNN(nn.Module):
    """Stages of ReZero blocks along the spectrum, each half as long as the previous one; the mean over the last one gives the class.

    Parameters
    ----------
    spec : SpectralCNNSpec
    in_bands, out_channels : int
        Number of input bands, and of output classes.
    """

    def __init__(self, spec: SpectralCNNSpec, in_bands: int, out_channels: int, *, classes: bool = True) -> None:
        super().__init__()
        stages: list[nn.Module] = []
        inward = 1
        for number in range(spec.stages):
            width = min(spec.width * 2**number, 4 * spec.width)
            stages.append(nn.Conv2d(inward, width, (1, spec.kernel), padding=(0, spec.kernel // 2)))
            stages += [ReZero(width, spec.kernel | 1) for _ in range(spec.blocks)]
            inward = width
        self.stages = nn.ModuleList(stages)
        self.norm = nn.LayerNorm(inward)
        self.dropout = nn.Dropout(spec.dropout)
        self.last = nn.Linear(inward, out_channels)

    def forward(self, batch: Tensor) -> Tensor:
        """Map ``(N, y, x, bands)`` to logits ``(N, y, x, classes)``."""
        x = batch.reshape(-1, 1, 1, batch.shape[-1])
        for number, stage in enumerate(self.stages):
            if isinstance(stage, nn.Conv2d) and number and x.shape[-1] >= 2:
                x = functional.avg_pool2d(x, (1, 2), ceil_mode=True, count_include_pad=False)
            x = stage(x)
        logits: Tensor = self.last(self.dropout(self.norm(x.mean((2, 3)))))
        return logits.view(*batch.shape[:3], -1)
