"""A network that denoises the eigenimages of a scene one at a time, and so can be applied to any sensor."""

from __future__ import annotations

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor, nn
from torch.nn import functional

from napari_spectrai.experiment import backbones as settings
from napari_spectrai.noise import eigenimages

DILATIONS = (1, 2, 3, 4, 3, 2)


class EigenimageCNN(nn.Module):
    """Convolutions on each eigenimage, scaled to unit noise; the result is transformed back to the bands.

    The weights are independent of the number of bands and their noise. The decomposition is that of `noise.eigenimages`, computed for
    each image, without gradients.

    Parameters
    ----------
    spec : settings.EigenimageCNN
    in_bands, out_channels : int
        Accepted as by any network; they must be equal.
    """

    def __init__(self, spec: settings.EigenimageCNN, in_bands: int, out_channels: int) -> None:
        super().__init__()
        if in_bands != out_channels:
            raise ValueError(f"denoising keeps the bands: {in_bands} input bands cannot give {out_channels}; choose another network")
        self.components = spec.components or None
        layers: list[nn.Module] = [_Padded(1, spec.width, 1), nn.GELU()]
        for number in range(spec.depth):
            layers += [_Padded(spec.width, spec.width, DILATIONS[number % len(DILATIONS)]), nn.GELU()]
        self.body = nn.Sequential(*layers)
        self.last = _Padded(spec.width, 1, 1)
        for parameter in self.last.parameters():
            nn.init.zeros_(parameter)

    def forward(self, batch: Tensor) -> Tensor:
        """Map images ``(N, y, x, λ)``."""
        return torch.stack([self._image(image) for image in batch])

    def _image(self, image: Tensor) -> Tensor:
        with threadpool_limits(1):  # matrices this small are slower on many threads, which wait for each other
            seen, back, mean = eigenimages(image.detach().float().cpu().numpy(), self.components)
        parts = (torch.from_numpy(np.ascontiguousarray(part, dtype=np.float32)).to(image.device) for part in (seen, back, mean))
        scores, back_to_bands, middle = parts
        alone = scores.movedim(-1, 0)[:, None]  # every eigenimage is a separate image
        noise = self.last(self.body(alone))[:, 0].movedim(0, -1)
        result: Tensor = (scores - noise.float()) @ back_to_bands + middle
        return result


class _Padded(nn.Module):
    """A convolution that preserves the size; edges are reflected if the image is large enough, else repeated."""

    def __init__(self, inward: int, outward: int, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.convolution = nn.Conv2d(inward, outward, 3, dilation=dilation)

    def forward(self, x: Tensor) -> Tensor:
        """Return features of the same size."""
        mode = "reflect" if min(x.shape[-2:]) > self.dilation else "replicate"
        result: Tensor = self.convolution(functional.pad(x, (self.dilation,) * 4, mode=mode))
        return result
