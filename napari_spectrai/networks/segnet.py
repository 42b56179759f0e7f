"""SegNet with 1, 2 and 3 dimensions."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from napari_spectrai.experiment import backbones as settings
from napari_spectrai.networks.blocks import ACTIVATIONS, Unit, convolution, cropped, kernel, padded
from napari_spectrai.networks.views import channels_in, to_channels


class SegNet(nn.Module):
    """Encoder-decoder without skip connections: unpooling puts each maximum back at its position.

    Parameters
    ----------
    spec : settings.SegNet
    in_bands, out_channels : int
        Number of input bands, and of output classes: ``(N, y, x, λ) -> (N, y, x, classes)``.
    """

    def __init__(self, spec: settings.SegNet, in_bands: int, out_channels: int, *, classes: bool = True) -> None:
        super().__init__()
        self.dims, self.depth = spec.dims, spec.depth
        widths = [spec.width * 2 ** min(level, 3) for level in range(spec.depth)]
        inward = channels_in(in_bands, 1, spec.dims)

        def level(first: int, inside: int, last: int) -> nn.Sequential:
            sizes = [first, *[inside] * (spec.convolutions - 1), last]
            return nn.Sequential(*(Unit(spec.dims, one, other, spec.norm, ACTIVATIONS[spec.activation]) for one, other in pairwise(sizes)))

        self.down = nn.ModuleList(level(one, other, other) for one, other in zip([inward, *widths], widths, strict=False))
        self.up = nn.ModuleList(level(widths[n], widths[n], widths[max(0, n - 1)]) for n in reversed(range(spec.depth)))
        self.last = convolution(spec.dims, widths[0], out_channels, size=1)

    def forward(self, batch: Tensor) -> Tensor:
        """Return logits; along the spectrum, their mean."""
        x, lengths = padded(to_channels((batch,), self.dims), self.dims, 2**self.depth)
        window = kernel(self.dims, 2)
        pool = functional.max_pool3d if self.dims == 3 else functional.max_pool2d
        places = []
        for level in self.down:
            x = level(x)
            shape = x.shape
            x, where = pool(x, window, return_indices=True)
            places.append((shape, where))
        unpool = functional.max_unpool3d if self.dims == 3 else functional.max_unpool2d
        for level, (shape, where) in zip(self.up, reversed(places), strict=True):
            x = level(unpool(x, where, window, output_size=list(shape[2:])))
        logits: Tensor = cropped(self.last(x), lengths)
        if self.dims == 2:
            return logits.permute(0, 2, 3, 1)
        logits = logits.mean(-1)
        return logits.reshape(*batch.shape[:3], -1) if self.dims == 1 else logits.movedim(1, -1)
