"""Edge-preserving smoothing of class probabilities."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

COMPONENTS = 3
"""Principal components of the image that guide the filter."""
EDGE = 1e-2
"""Variance within a window, as a fraction of the variance of the guide, below which it is smoothed as a flat region."""


def guided_filter(probabilities: Tensor, guide: Tensor, radius: int, held: Tensor | None = None) -> Tensor:
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
    held : bool Tensor of shape (N, y, x), optional
        Pixels with data; others do not influence their neighbours. Default: all.

    Returns
    -------
    Tensor of shape (N, y, x, C)
        Probabilities that sum to 1.
    """
    image = guide.permute(0, 3, 1, 2)
    wanted = probabilities.permute(0, 3, 1, 2)
    count, channels = image.shape[1], wanted.shape[1]
    mean_of = _Box(radius, held)
    mean_image, mean_wanted = mean_of(image), mean_of(wanted)
    spread = mean_of((image[:, :, None] * image[:, None]).flatten(1, 2)).unflatten(1, (count, count))
    spread = spread - mean_image[:, :, None] * mean_image[:, None]
    cross = mean_of((image[:, :, None] * wanted[:, None]).flatten(1, 2)).unflatten(1, (count, channels))
    cross = cross - mean_image[:, :, None] * mean_wanted[:, None]
    spread = spread.permute(0, 3, 4, 1, 2) + EDGE * torch.eye(count, device=guide.device)
    slope = torch.linalg.solve(spread, cross.permute(0, 3, 4, 1, 2))  # (N, y, x, k, C)
    offset = mean_wanted.permute(0, 2, 3, 1) - (slope * mean_image.permute(0, 2, 3, 1)[..., None]).sum(-2)
    slope = mean_of(slope.flatten(3).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).unflatten(3, (count, channels))
    offset = mean_of(offset.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
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


class _Box:
    """Mean of values (N, channels, y, x) over the pixels of a window that lie inside the image and hold data."""

    def __init__(self, radius: int, held: Tensor | None) -> None:
        self.radius = radius
        self.held = None if held is None or bool(held.all()) else held[:, None].float()
        self.share = None if self.held is None else self._mean(self.held).clamp(min=1e-12)

    def _mean(self, values: Tensor) -> Tensor:
        return functional.avg_pool2d(values, 2 * self.radius + 1, stride=1, padding=self.radius, count_include_pad=False)

    def __call__(self, values: Tensor) -> Tensor:
        """Return the means."""
        if self.held is None or self.share is None:
            return self._mean(values)
        return self._mean(values * self.held) / self.share
