"""The network."""

import torch
from torch import Tensor, nn

from spectrai_mean import settings


class MeanCNN(nn.Module):
    """Map batches ``(N, y, x, in_bands)`` to ``(N, y, x, out_channels)``: bands, or one logit per class."""

    def __init__(self, spec: settings.MeanCNN, in_bands: int, out_channels: int) -> None:
        super().__init__()
        self.inner = nn.Conv2d(in_bands, spec.width, 3, padding=1)
        self.last = nn.Linear(spec.width, out_channels)  # layers called `last` stay trainable where others are frozen

    def forward(self, batch: Tensor) -> Tensor:
        """Compute the outputs."""
        hidden = torch.relu(self.inner(batch.permute(0, 3, 1, 2)))
        outputs: Tensor = self.last(hidden.permute(0, 2, 3, 1))
        return outputs
