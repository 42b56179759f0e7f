"""Edge-preserving smoothing of class probabilities."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

COMPONENTS = 3
"""Principal components of the image that guide the filter."""
EDGE = 1e-2
"""Variance within a window, as a fraction of the variance of the guide, below which it is smoothed as a flat region."""


def guided_filter(probabilities: Tensor, guide: Tensor, radius: int) -> Tensor:
    """Smooth class probabilities within regions of an image, not across its edges.

    In each window, the probabilities are fitted as a linear function of a few components of the image, and the fits of overlapping windows
    are averaged: the guided filter (He, Sun & Tang 2013, doi:10.1109/TPAMI.2012.213), applied to class probabilities of hyperspectral
    images as by Kang, Li & Benediktsson (2014, doi:10.1109/TGRS.2013.2264508).

    Parameters
    ----------
    probabilities : Tensor of shape (N, y, x, C)
    guide : Tensor of shape (N, y, x, k)
        Components of the image, the first with a variance of about one; see `components`.
    radius : int
        Radius of the window, in pixels; its side is 2 · radius + 1.

    Returns
    -------
    Tensor of shape (N, y, x, C)
        Probabilities that sum to 1.
    """
    image = guide.permute(0, 3, 1, 2)
    wanted = probabilities.permute(0, 3, 1, 2)
    count, channels = image.shape[1], wanted.shape[1]
    mean_image, mean_wanted = _box(image, radius), _box(wanted, radius)
    spread = _box((image[:, :, None] * image[:, None]).flatten(1, 2), radius).unflatten(1, (count, count))
    spread = spread - mean_image[:, :, None] * mean_image[:, None]
    cross = _box((image[:, :, None] * wanted[:, None]).flatten(1, 2), radius).unflatten(1, (count, channels))
    cross = cross - mean_image[:, :, None] * mean_wanted[:, None]
    spread = spread.permute(0, 3, 4, 1, 2) + EDGE * torch.eye(count, device=guide.device)
    slope = torch.linalg.solve(spread, cross.permute(0, 3, 4, 1, 2))  # (N, y, x, k, C)
    offset = mean_wanted.permute(0, 2, 3, 1) - (slope * mean_image.permute(0, 2, 3, 1)[..., None]).sum(-2)
    slope = _box(slope.flatten(3).permute(0, 3, 1, 2), radius).permute(0, 2, 3, 1).unflatten(3, (count, channels))
    offset = _box(offset.permute(0, 3, 1, 2), radius).permute(0, 2, 3, 1)
    smooth = ((slope * guide[..., None]).sum(-2) + offset).clamp(min=0)
    whole: Tensor = smooth / smooth.sum(-1, keepdim=True).clamp(min=1e-12)
    return whole


def components(spectra: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean (λ,) and the leading principal components (λ, k) of spectra (n, λ), scaled so that the first has unit variance."""
    rows = spectra.double()
    mean = rows.mean(0)
    centred = rows - mean
    count = min(COMPONENTS, spectra.shape[-1])
    _, vectors = torch.linalg.eigh(centred.T @ centred)
    basis = vectors.flip(-1)[:, :count]
    # one scale for all, so that components guide according to their variance
    scale = (centred @ basis).std(0, unbiased=False).max().clamp(min=1e-30)
    return mean.to(spectra.dtype), (basis / scale).to(spectra.dtype)


def _box(values: Tensor, radius: int) -> Tensor:
    """Return the mean over the part of a window inside the image, (N, channels, y, x)."""
    return functional.avg_pool2d(values, 2 * radius + 1, stride=1, padding=radius, count_include_pad=False)
