"""Noise level of each band of a spectral image, and number of components above the noise."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from napari_spectrai.cube import FloatArray

FEW = 3
"""Minimum number of spatially random components that are not yet considered noise shared by bands."""
OUT = 10.0
"""Multiple of the median variance of spatially random components above which a component is significant."""


def noise_of_bands(spectra: FloatArray) -> FloatArray:
    """Return the noise standard deviation of each band of spectra (n, λ): the part not explained by the other bands.

    It is the residual of regressing each band on all others (Roger & Arnold 1996, doi:10.1080/01431169608949106), by one inversion.
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

    Bands are whitened by their noise; without `components`, singular values above those of pure noise are kept
    (the edge of Marčenko & Pastur 1967, doi:10.1070/SM1967v001n04ABEH001994); of an image, only those shared by neighbouring pixels:
    components above the edge that are spatially random are noise shared by neighbouring bands, and measure its level.
    The noise of each score includes the contribution of noisy singular vectors (the spiked model, Benaych-Georges &
    Nadakuditi 2012, doi:10.1016/j.jmva.2012.04.019).
    """
    spectra = image.reshape(-1, image.shape[-1]).astype(np.float64)
    count, bands = spectra.shape
    noise = np.maximum(noise_of_bands(spectra), 1e-9 * max(float(np.abs(spectra).max()), 1e-30))
    mean = spectra.mean(0)
    white = (spectra - mean) / noise
    values, vectors, level, above = leading(white)
    kept = np.arange(max(1, min(components or above, bands, count)))
    leak = level * np.array([_leaked(value / count / level**2, bands / count) for value in values[kept]])
    scores = (white @ vectors[:, kept]).reshape(*image.shape[:-1], len(kept))
    if components is None and image.ndim == 3 and len(kept) > 1:
        stays = _standing(values[kept], shared(scores))
        if not stays.all():
            leak = np.maximum(leak, math.sqrt(float(values[kept][~stays].mean()) / count))[stays]
            kept, scores = kept[stays], scores[..., stays]
    back = (vectors[:, kept] * noise[:, None]).T * leak[:, None]
    return scores / leak, back, mean


def _standing(values: FloatArray, shared: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return which components are signal: those shared by neighbouring pixels, and outliers among the others (such as rare grains).

    If pixels share none, they are too far apart for this test; if the others are few, they are harmless: all are kept.
    """
    alone = ~shared
    if not shared.any() or alone.sum() < FEW:
        return np.ones(len(values), bool)
    return np.asarray(shared | (values > OUT * np.median(values[alone])))


def shared(scores: FloatArray) -> npt.NDArray[np.bool_]:
    """Return which images of (y, x, k) neighbouring pixels share: their correlation exceeds that of noise by three standard deviations."""
    total, pairs = np.zeros(scores.shape[-1]), 0
    centred = scores - scores.mean((0, 1))
    for first, second in ((centred[1:], centred[:-1]), (centred[:, 1:], centred[:, :-1])):
        total += (first * second).sum((0, 1))
        pairs += first[..., 0].size
    variance = np.maximum(np.square(centred).mean((0, 1)), 1e-300)
    return np.asarray(total / max(1, pairs) / variance > 3 / math.sqrt(max(1, pairs)))


def leading(white: FloatArray, independent: float | None = None) -> tuple[FloatArray, FloatArray, float, int]:
    """Return the eigenvalues and eigenvectors of whitened spectra (n, λ), largest first, the noise level, and the number of signals.

    The noise level is refined by the median eigenvalue, since most are noise; eigenvalues above the edge of pure noise are signal.
    If the noise of spectra is correlated, `independent` is the number of independent ones that would spread eigenvalues as much.
    """
    count, bands = white.shape
    ratio = bands / (independent or count)
    values, vectors = np.linalg.eigh(white.T @ white)
    values, vectors = np.maximum(values[::-1], 0), vectors[:, ::-1]
    level = math.sqrt(max(float(np.median(values)) / count / _middle(ratio), 1e-30)) if ratio < 0.5 else 1.0
    return values, vectors, level, int((np.sqrt(values) > level * math.sqrt(count) * (1 + math.sqrt(ratio))).sum())


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
