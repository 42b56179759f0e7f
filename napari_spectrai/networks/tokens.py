"""A transformer over a few tokens pooled from the window around each pixel."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_spectrai.experiment import backbones as settings

AT_ONCE = 4096
"""Number of windows per step, for whole images."""


class SSFTT(nn.Module):
    """Convolutions, tokens, attention (Sun et al. 2022, doi:10.1109/TGRS.2022.3144158).

    Output pixels are those whose windows lie inside the image: ``(N, y, x, C)`` gives ``(N, y - r, x - r, classes)``, where r is the
    window minus one; `same` pads the edges first, and returns all pixels.

    Parameters
    ----------
    spec : settings.SSFTT
    in_bands, out_channels : int
        Number of input component scores, and of output classes.
    """

    def __init__(self, spec: settings.SSFTT, in_bands: int, out_channels: int, *, classes: bool = True) -> None:
        super().__init__()
        self.around = spec.around
        width, volume = spec.width, 8
        self.over_both = nn.Sequential(nn.Conv3d(1, volume, 3, padding=(1, 0, 0)), nn.BatchNorm3d(volume), nn.ReLU())
        self.over_image = nn.Sequential(nn.Conv2d(volume * in_bands, width, 3), nn.BatchNorm2d(width), nn.ReLU())
        self.choose = nn.Linear(width, spec.tokens, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.first = nn.Parameter(torch.zeros(1, 1, width))
        self.position = nn.Parameter(nn.init.normal_(torch.empty(1, spec.tokens + 1, width), std=0.02))
        self.dropout = nn.Dropout(spec.dropout)
        heads = next(count for count in range(min(spec.heads, width), 0, -1) if width % count == 0)
        layer = nn.TransformerEncoderLayer(width, heads, 2 * width, spec.dropout, "gelu", batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, spec.depth, enable_nested_tensor=False)
        self.last = nn.Linear(width, out_channels)

    def forward(self, batch: Tensor) -> Tensor:
        """Map ``(N, y, x, scores)`` to logits of the pixels away from the edges."""
        volume = self.over_both(batch.permute(0, 3, 1, 2).unsqueeze(1))
        features = self.over_image(volume.flatten(1, 2))
        side = self.around - 4  # two convolutions without padding
        if torch.compiler.is_compiling():  # an exported graph is for images of any size: all windows at once
            height, width = features.shape[2] - side + 1, features.shape[3] - side + 1
            shifts = [(dy, dx) for dy in range(side) for dx in range(side)]
            around = torch.stack([features[:, :, dy : dy + height, dx : dx + width] for dy, dx in shifts], 1)
            pixels = around.permute(0, 3, 4, 1, 2).flatten(0, 2)
            return self._classify(pixels).reshape(batch.shape[0], height, width, -1)
        windows = features.unfold(2, side, 1).unfold(3, side, 1).permute(0, 2, 3, 4, 5, 1)
        count, height, width = windows.shape[:3]
        rows = max(1, AT_ONCE // (count * width))  # a window contains many times the values of its pixel
        logits = [
            self._classify(part.reshape(-1, side * side, part.shape[-1])).view(count, part.shape[1], width, -1)
            for part in windows.split(rows, dim=1)
        ]
        return torch.cat(logits, 1).view(count, height, width, -1)

    def _classify(self, pixels: Tensor) -> Tensor:
        """Return logits (n, classes) of windows (n, pixels, features)."""
        shares = self.choose(pixels).softmax(1)
        tokens = shares.transpose(1, 2) @ self.value(pixels)
        tokens = torch.cat([self.first.expand(tokens.shape[0], -1, -1), tokens], 1) + self.position
        logits: Tensor = self.last(self.encoder(self.dropout(tokens))[:, 0])
        return logits

    def same(self, batch: Tensor) -> Tensor:
        """Return the logits of all pixels, with repeated edges."""
        near = self.around // 2
        image = functional.pad(batch.permute(0, 3, 1, 2), (near,) * 4, mode="replicate")
        result: Tensor = self(image.permute(0, 2, 3, 1))
        return result
