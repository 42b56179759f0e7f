"""Views of prepared spectra for members of an automatic model: unchanged, their shapes, or means over superpixels."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from napari_spectrai.learn.mixture.guided_filter import components

AREA = 25
"""Approximate number of pixels of a superpixel."""
COMPACTNESS = 0.1
"""Weight of spatial distance relative to spectral distance, in standard deviations of the first component."""


def seen(x: Tensor, sees: str) -> Tensor:
    """Return prepared spectra ``(N, y, x, λ)`` in the view of a member."""
    return {"spectra": lambda: x, "shapes": lambda: shapes(x), "superpixels": lambda: superpixel_means(x)}[sees]()


def shapes(x: Tensor) -> Tensor:
    """Return each spectrum (..., λ) centred and divided by its standard deviation; zeros where it is constant."""
    centred = x - x.mean(-1, keepdim=True)
    spread = centred.square().mean(-1, keepdim=True).sqrt()
    # rounding errors of a constant spectrum are not a shape
    varies = spread > 1e-6 * x.abs().amax(-1, keepdim=True)
    return torch.where(varies, centred / spread.clamp(min=1e-30), torch.zeros_like(x))


def superpixel_means(x: Tensor) -> Tensor:
    """Return images ``(N, y, x, λ)`` averaged over superpixels (SLIC, Achanta et al. 2012, doi:10.1109/TPAMI.2012.120).

    Pixels without data (all zero) belong to no superpixel.
    """
    if min(x.shape[1:3]) < 2:
        return x
    from skimage.segmentation import slic

    means = torch.empty_like(x)
    for image, out in zip(x, means, strict=True):
        spectra, held = image.flatten(0, 1), image.any(-1)
        pixels = int(held.sum())
        if pixels < 2:
            out.copy_(image)
            continue
        mean, basis = components(spectra[held.flatten()])
        scores = ((spectra - mean) @ basis).view(*image.shape[:2], -1).cpu().numpy().astype(np.float64)
        regions = slic(
            scores, n_segments=max(1, round(pixels / AREA)), compactness=COMPACTNESS, channel_axis=-1, start_label=1, convert2lab=False,
            mask=None if pixels == held.numel() else held.cpu().numpy(),
        )  # fmt: skip
        numbers = torch.from_numpy(regions.reshape(-1).astype(np.int64)).to(x.device)
        numbers = torch.where(held.flatten(), numbers, torch.zeros_like(numbers))
        sums = torch.zeros(int(numbers.max()) + 1, x.shape[-1], dtype=x.dtype, device=x.device).index_add_(0, numbers, spectra)
        sizes = torch.bincount(numbers)[:, None].clamp(min=1).to(x.dtype)
        means_of = torch.where((numbers > 0)[:, None], (sums / sizes)[numbers], spectra)  # 0: no superpixel
        out.copy_(means_of.view_as(image))
    return means
