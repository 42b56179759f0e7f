"""RCAN: deep residual channel attention, with constant width and the enlargement at the end."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_spectrai.experiment import networks as settings
from napari_spectrai.networks.blocks import ACTIVATIONS, convolution
from napari_spectrai.networks.views import channels_in, from_channels, to_channels

NEIGHBOURHOOD = 15
"""Number of pixels (bands) that local attention averages over."""
SHARE = 0.3
"""Fraction of a block's output that is added to its input, which stabilises deep networks (Lim et al. 2017, arXiv:1707.02921)."""


class Attention(nn.Module):
    """Weights channels by their content, over the whole image or in a neighbourhood."""

    def __init__(self, spec: settings.RCAN) -> None:
        super().__init__()
        narrow = max(4, spec.width // spec.reduction)
        self.dims, self.local = spec.dims, spec.local
        self.weigh = nn.Sequential(
            convolution(spec.dims, spec.width, narrow, size=1), nn.ReLU(), convolution(spec.dims, narrow, spec.width, size=1), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the weighted features."""
        if not self.local:
            mean = x.mean(tuple(range(2, x.ndim)), keepdim=True)
        else:
            mean = _local_mean_of_any_size(x) if torch.compiler.is_compiling() else _local_mean(x, self.dims)
        weighed: Tensor = x * self.weigh(mean)
        return weighed


def _local_mean(x: Tensor, dims: int) -> Tensor:
    """Return the mean over the neighbourhood; for an image smaller than it, almost the whole image is used."""
    shape = tuple(min(NEIGHBOURHOOD, length - 1 + length % 2) for length in x.shape[2:])
    pool = functional.avg_pool3d if dims == 3 else functional.avg_pool2d
    return pool(x, shape, stride=1, padding=tuple(length // 2 for length in shape), count_include_pad=False)


def _local_mean_of_any_size(x: Tensor) -> Tensor:
    """Return the same in a graph whose lengths are symbols: along each dimension, a convolution whose weights depend on the length."""
    near = NEIGHBOURHOOD // 2
    offsets = torch.arange(-near, near + 1, device=x.device).abs()
    for dimension in range(2, x.ndim):
        length = x.shape[dimension]
        weights = (offsets <= (length - 1) // 2).to(x.dtype)[None, None]
        lines = x.movedim(dimension, -1)
        sums = functional.conv1d(lines.reshape(-1, 1, length), weights, padding=near).reshape(lines.shape)
        counts = functional.conv1d(torch.ones(1, 1, length, dtype=x.dtype, device=x.device), weights, padding=near)
        x = (sums / counts.reshape(-1)).movedim(-1, dimension)
    return x


def _dropout(spec: settings.RCAN) -> nn.Module:
    return nn.Dropout3d(spec.dropout) if spec.dims == 3 else nn.Dropout2d(spec.dropout)


class Block(nn.Module):
    """Two convolutions and channel attention in a residual branch."""

    def __init__(self, spec: settings.RCAN) -> None:
        super().__init__()
        self.body = nn.Sequential(
            convolution(spec.dims, spec.width, spec.width),
            ACTIVATIONS[spec.activation](),
            convolution(spec.dims, spec.width, spec.width),
            Attention(spec),
            _dropout(spec),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return features of the same size."""
        result: Tensor = self.body(x)
        return x + SHARE * result


class Group(nn.Module):
    """Blocks and a convolution in a residual branch."""

    def __init__(self, spec: settings.RCAN) -> None:
        super().__init__()
        self.body = nn.Sequential(*(Block(spec) for _ in range(spec.blocks)), convolution(spec.dims, spec.width, spec.width))

    def forward(self, x: Tensor) -> Tensor:
        """Return features of the same size."""
        result: Tensor = self.body(x)
        return x + result


class RCAN(nn.Module):
    """Residual in residual, added to the input (Zhang et al. 2018, doi:10.1007/978-3-030-01234-2_18).

    Features are enlarged by interpolation and a convolution, which works for any integer factor and avoids checkerboard artefacts.

    Parameters
    ----------
    spec : settings.RCAN
    in_bands, out_channels : int
    enlarges : int
        Number of output pixels along each side of an input pixel.
    """

    def __init__(self, spec: settings.RCAN, in_bands: int, out_channels: int, *, enlarges: int = 1) -> None:
        super().__init__()
        if in_bands != out_channels:
            raise ValueError(f"a residual of {out_channels} bands cannot be added to {in_bands} bands; choose another network")
        if enlarges > 1 and spec.dims == 1:
            raise ValueError("a network along the spectrum cannot enlarge an image; set network.dims=2")
        self.dims, self.enlarges = spec.dims, enlarges
        self.adds = enlarges == 1  # wrappers (subspace, enlargement) add the input themselves
        self.dropout: nn.Module = _dropout(spec) if spec.dims == 2 else nn.Identity()  # with a single channel, it would drop everything
        self.head = convolution(spec.dims, channels_in(in_bands, 1, spec.dims), spec.width)
        self.body = nn.Sequential(*(Group(spec) for _ in range(spec.groups)), convolution(spec.dims, spec.width, spec.width))
        self.after: nn.Module = nn.Identity()
        if enlarges > 1:
            self.after = nn.Sequential(convolution(spec.dims, spec.width, spec.width), ACTIVATIONS[spec.activation]())
        self.last = convolution(spec.dims, spec.width, out_channels if spec.dims == 2 else 1)
        for parameter in self.last.parameters():
            nn.init.zeros_(parameter)

    def forward(self, batch: Tensor, times: int | None = None) -> Tensor:
        """Map ``(N, y, x, bands)`` to the same number of pixels, or to `times` (default: `enlarges`) as many per side."""
        x = self.head(self.dropout(to_channels((batch,), self.dims)))
        x = x + self.body(x)
        times = times or self.enlarges
        if times > 1:
            mode = "trilinear" if self.dims == 3 else "bilinear"
            scales = [float(scale) for scale in (times, times, 1)[: self.dims]]
            x = functional.interpolate(x, scale_factor=scales, mode=mode, align_corners=False)
        shape = (batch.shape[0], batch.shape[1] * times, batch.shape[2] * times, batch.shape[3])
        residual = from_channels(self.last(self.after(x)), shape, self.dims)
        return batch + residual if self.adds else residual
