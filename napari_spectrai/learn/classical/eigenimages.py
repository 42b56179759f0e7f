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
    (the edge of Marčenko & Pastur 1967; Gavish & Donoho 2014, doi:10.1109/TIT.2014.2323359).
    """
    spectra = image.reshape(-1, image.shape[-1]).astype(np.float64)
    count, bands = spectra.shape
    noise = np.maximum(noise_of_bands(spectra), 1e-9 * max(float(np.abs(spectra).max()), 1e-30))
    mean = spectra.mean(0)
    white = (spectra - mean) / noise
    values, vectors = np.linalg.eigh(white.T @ white)
    order = np.argsort(values)[::-1]
    values, vectors = values[order], vectors[:, order]
    # the level of the noise once more, from the middle of the spectrum of singular values
    level = math.sqrt(max(float(np.median(values)) / count, 1e-30)) if count > 2 * bands else 1.0
    kept = components or int((np.sqrt(np.maximum(values, 0)) > level * (math.sqrt(count) + math.sqrt(bands))).sum())
    kept = max(1, min(kept, bands, count))
    basis = vectors[:, :kept]
    return (white @ basis / level).reshape(*image.shape[:-1], kept), (basis * noise[:, None] * level).T, mean


class SVDNLM(Method):
    """Non-local means on each eigenimage."""

    def forward(self, x: Tensor) -> Tensor:
        """Map images ``(N, y, x, λ)``."""
        done = [self._image(image) for image in x.detach().cpu().numpy()]
        return torch.from_numpy(np.stack(done).astype(np.float32)).to(x.device)

    def _image(self, image: FloatArray) -> FloatArray:
        scores, back, mean = eigenimages(image, self.spec.components)
        reach = min(self.spec.search, max(1, min(image.shape[:2]) - 1))
        for number in range(scores.shape[-1]):
            scores[..., number] = denoise_nl_means(
                scores[..., number], patch_size=self.spec.patch, patch_distance=reach, h=self.spec.strength, sigma=1.0, fast_mode=True
            )
        return np.asarray(scores @ back + mean)
