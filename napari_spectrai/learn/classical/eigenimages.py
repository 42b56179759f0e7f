"""Denoising of images in the subspace of their leading singular vectors; needs no truth."""

from __future__ import annotations

import math

import numpy as np
import torch
from skimage.restoration import denoise_nl_means
from torch import Tensor

from napari_spectrai.cube import FloatArray
from napari_spectrai.learn.classical.method import Method


def noise_of_bands(spectra: FloatArray) -> FloatArray:
    """Return the noise standard deviation of each band of spectra (n, λ): what the other bands do not explain of it.

    The residual of regressing each band on all others (Roger & Arnold 1996, doi:10.1080/01431169608949106), by one inverse.
    """
    count, bands = spectra.shape
    double = spectra.astype(np.float64)
    gram = double.T @ double
    if count <= bands + 1:
        return np.asarray(np.median(np.abs(np.diff(double, axis=-1)), axis=0, keepdims=False).mean() / 0.9539 * np.ones(bands))
    gram += 1e-6 * np.trace(gram) / bands * np.eye(bands) + 1e-30 * np.eye(bands)
    return np.asarray(np.sqrt(1 / np.diagonal(np.linalg.inv(gram)) / (count - bands + 1)))


def eigenimages(image: FloatArray, components: int | None = None) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return scores (y, x, k) with noise of standard deviation 1, the map back (k, λ), and the mean (λ,).

    Bands are whitened by their noise; without `components`, as many singular values are kept as stand above those of pure noise
    (the edge of Marčenko & Pastur 1967, doi:10.1070/SM1967v001n04ABEH001994). The noise of each score includes what leaks in because
    the singular vectors are noisy themselves (the spiked model, Benaych-Georges & Nadakuditi 2012, doi:10.1016/j.jmva.2012.04.019).
    """
    spectra = image.reshape(-1, image.shape[-1]).astype(np.float64)
    count, bands = spectra.shape
    noise = np.maximum(noise_of_bands(spectra), 1e-9 * max(float(np.abs(spectra).max()), 1e-30))
    mean = spectra.mean(0)
    white = (spectra - mean) / noise
    values, vectors = np.linalg.eigh(white.T @ white)
    values, vectors = np.maximum(values[::-1], 0), vectors[:, ::-1]
    ratio = bands / count
    # the level of the noise once more, from the middle of the eigenvalues, most of which are noise
    level = math.sqrt(max(float(np.median(values)) / count / _middle(ratio), 1e-30)) if ratio < 0.5 else 1.0
    kept = components or int((np.sqrt(values) > level * (math.sqrt(count) + math.sqrt(bands))).sum())
    kept = max(1, min(kept, bands, count))
    leak = np.array([_leaked(value / count / level**2, ratio) for value in values[:kept]])
    basis = vectors[:, :kept]
    back = (basis * noise[:, None]).T * (level * leak)[:, None]
    return (white @ basis / (level * leak)).reshape(*image.shape[:-1], kept), back, mean


def _middle(ratio: float) -> float:
    """Return the median eigenvalue of pure noise of variance one, for bands / spectra = `ratio`."""
    low, high = (1 - math.sqrt(ratio)) ** 2, (1 + math.sqrt(ratio)) ** 2
    x = np.linspace(low, high, 4097)[1:-1]
    share = np.cumsum(np.sqrt((high - x) * (x - low)) / x)
    return float(x[np.searchsorted(share, share[-1] / 2)])


def _leaked(value: float, ratio: float) -> float:
    """Return the standard deviation of the noise in the score of an eigenvalue, in units of the noise of a band."""
    middle = value - 1 - ratio
    strength = (middle + math.sqrt(max(middle**2 - 4 * ratio, 0))) / 2
    if strength <= math.sqrt(ratio):
        return math.sqrt(max(value, 1e-3))
    cosine = max((1 - ratio / strength**2) / (1 + ratio / strength), 0)
    return math.sqrt(max(value - strength * cosine, 1e-3))


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


class Eigenimages(Method):
    """Denoises the eigenimages of each image, then goes back to the bands."""

    def forward(self, x: Tensor) -> Tensor:
        """Map images ``(N, y, x, λ)``."""
        done = [self._image(image) for image in x.detach().cpu().numpy()]
        return torch.from_numpy(np.stack(done).astype(np.float32)).to(x.device)

    def _image(self, image: FloatArray) -> FloatArray:
        scores, back, mean = eigenimages(image, self.spec.components)
        return np.asarray(self.denoised(scores) @ back + mean)

    def denoised(self, scores: FloatArray) -> FloatArray:
        """Return an estimate of scores (y, x, k) with unit noise."""
        raise NotImplementedError


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
