"""Denoising of images in the subspace of their leading singular vectors; needs no truth."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from skimage.restoration import denoise_nl_means
from torch import Tensor

from napari_spectrai.cube import FloatArray
from napari_spectrai.learn.classical.stabilised import Denoiser
from napari_spectrai.learn.pool import Scene
from napari_spectrai.noise import eigenimages


def nl_bayes(noisy: Tensor, guide: Tensor | None, *, patch: int, reach: int, similar: int, step: int = 2) -> Tensor:
    """Return an estimate of scores (y, x, k) with unit noise: similar patches share a Gaussian, by which each is filtered.

    Parameters
    ----------
    noisy : Tensor of shape (y, x, k)
    guide : Tensor of the same shape, optional
        A former estimate, in which patches are compared and the Gaussians found; default: the noisy scores.
    """
    size, _, components = patch, *noisy.shape[1:]
    patches, seen = (_patches(image, size) for image in (noisy, noisy if guide is None else guide))
    rows, columns, values = patches.shape
    high, wide = min(2 * reach + 1, rows), min(2 * reach + 1, columns)
    total, weight = torch.zeros_like(noisy).view(-1, components), torch.zeros(noisy.shape[0] * noisy.shape[1], 1)
    corner = torch.arange(size)
    offsets = (corner[:, None] * noisy.shape[1] + corner).flatten()
    across = torch.unique(torch.cat([torch.arange(0, columns, step), torch.tensor([columns - 1])]))
    left = (across - reach).clamp(0, columns - wide)
    unit = torch.eye(values)
    for row in sorted({*range(0, rows, step), rows - 1}):
        top = min(max(row - reach, 0), rows - high)
        places = ((top + torch.arange(high))[:, None] * columns + torch.arange(wide)).flatten() + left[:, None]  # (n, window)
        candidates = seen.view(-1, values)[places]
        distance = (candidates - seen[row, across][:, None]).square().sum(-1)
        nearest = distance.topk(min(similar, distance.shape[1]), largest=False).indices
        chosen = places.gather(1, nearest)
        group, model = patches.view(-1, values)[chosen], seen.view(-1, values)[chosen]
        mean = model.mean(1, keepdim=True)
        centred = model - mean
        spread = centred.transpose(1, 2) @ centred / max(1, chosen.shape[1] - 1)
        if guide is None:
            variance, axes = torch.linalg.eigh(spread)
            gain = (1 - 1.2 / variance.clamp(min=1e-6)).clamp(min=0)
            filtered = ((group - mean) @ axes * gain[:, None]) @ axes.transpose(1, 2) + mean
        else:
            filtered = torch.linalg.solve(spread + unit, spread @ (group - mean).transpose(1, 2)).transpose(1, 2) + mean
        first = chosen // columns * noisy.shape[1] + chosen % columns
        pixels = (first[..., None] + offsets).flatten()
        total.index_add_(0, pixels, filtered.reshape(-1, components))
        weight.index_add_(0, pixels, torch.ones(len(pixels), 1))
    return (total / weight).view(noisy.shape)


def _patches(image: Tensor, size: int) -> Tensor:
    """Return all patches (y', x', size²·k) of (y, x, k)."""
    return image.unfold(0, size, 1).unfold(1, size, 1).permute(0, 1, 3, 4, 2).flatten(2).contiguous()


class Eigenimages(Denoiser, ABC):
    """Denoises the eigenimages of each image, then goes back to the bands."""

    def fit(self, scenes: Sequence[Scene]) -> None:
        """Look at the noise; all else is found in each image."""
        self.keep(self.noise_in(scenes))

    def denoise(self, x: Tensor) -> Tensor:
        """Map images ``(N, y, x, λ)``."""
        done = [self._image(image) for image in x.detach().cpu().numpy()]
        return torch.from_numpy(np.stack(done).astype(np.float32)).to(x.device)

    def _image(self, image: FloatArray) -> FloatArray:
        scores, back, mean = eigenimages(image, self.spec.components)
        return np.asarray(self.denoised(scores) @ back + mean)

    @abstractmethod
    def denoised(self, scores: FloatArray) -> FloatArray:
        """Return an estimate of scores (y, x, k) with unit noise."""


class SVDNLM(Eigenimages):
    """Non-local means on each eigenimage."""

    def denoised(self, scores: FloatArray) -> FloatArray:
        """Return an estimate of scores (y, x, k) with unit noise."""
        reach = min(self.spec.search, max(1, min(scores.shape[:2]) - 1))
        for number in range(scores.shape[-1]):
            scores[..., number] = denoise_nl_means(
                scores[..., number], patch_size=self.spec.patch, patch_distance=reach, h=self.spec.strength, sigma=1.0, fast_mode=True
            )
        return scores


class NLBayes(Eigenimages):
    """Non-local Bayes on all eigenimages together."""

    def denoised(self, scores: FloatArray) -> FloatArray:
        """Return an estimate of scores (y, x, k) with unit noise."""
        size = min(self.spec.patch, *scores.shape[:2])
        noisy = torch.from_numpy(scores.astype(np.float32))
        estimate: Tensor | None = None
        for _ in range(self.spec.passes):
            estimate = nl_bayes(noisy, estimate, patch=size, reach=self.spec.search, similar=self.spec.similar)
        assert estimate is not None  # noqa: S101
        return np.asarray(estimate.numpy(), np.float64)
