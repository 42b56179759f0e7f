"""Correlation of the noise of an image between neighbouring bands, as interpolation onto another axis leaves it."""

from __future__ import annotations

import numpy as np

from napari_spectrai.cube import FloatArray
from napari_spectrai.noise.anscombe import Doubles
from napari_spectrai.noise.components import leading, noise_of_bands, shared

REACH = 6
"""Largest distance in bands over which noise is taken to be correlated."""
FEWEST = 64
"""Smallest number of pixels from which a correlation is estimated."""
CERTAIN = 0.1
"""Smallest correlation of neighbouring bands that is corrected for: below it, estimates of the noise are right within a percent."""
ROUNDS = 3
"""Number of rounds in which levels of the bands and their correlation are estimated in turn."""


def correlated_noise(image: FloatArray) -> tuple[Doubles, float] | None:
    """Return how the noise of an image is correlated along its bands, and its level; None if no correlation is found.

    Components of the image that neighbouring pixels share are signal; what is left is noise. A band is predicted from the others as far
    as their noise is correlated, so that levels of noise estimated from the residual of that prediction are too small.

    Parameters
    ----------
    image : ndarray of shape (y, x, L)
        Without NaN.

    Returns
    -------
    kernel : ndarray of shape (2 * k + 1,)
        White noise convolved with it along the bands is correlated like the image's noise; its sum of squares is 1.
    level : float
        Standard deviation of the noise (RMS over the bands).
    """
    height, width, bands = image.shape
    if height * width < max(FEWEST, 2 * bands) or bands < 4 or min(height, width) < 2:
        return None
    flat = image.reshape(-1, bands).astype(np.float64)
    scale = np.maximum(noise_of_bands(flat), 1e-9 * max(float(np.abs(flat).max()), 1e-30))
    scaled = (flat - flat.mean(0)) / scale
    _, vectors, _, above = leading(scaled)
    signal = vectors[:, :above]
    if above:
        signal = signal[:, shared((scaled @ signal).reshape(height, width, above))]
    if 2 * signal.shape[1] > bands:
        return None
    # the rest is in the unit of the data: levels that a prediction from correlated bands leaves differ from band to band by accident
    left = (np.eye(bands) - signal @ signal.T) / scale[:, None] * scale
    rest = ((flat - flat.mean(0)) @ left).reshape(image.shape)
    # weak signal that the components miss is correlated along the bands, too, but hardly differs between neighbouring pixels
    down, across = (np.diff(rest, axis=axis).reshape(-1, bands) for axis in (0, 1))
    measured = (down.T @ down / len(down) + across.T @ across / len(across)) / 4
    covariance, _, explained = _correlated(measured, left)
    if covariance[0] <= 0 or covariance[1] < CERTAIN * covariance[0]:
        return None
    if np.square(measured - explained).sum() >= np.square(measured - _independent(measured, left)).sum():
        return None  # with many components removed, that which is left of independent noise is correlated
    rest = rest.reshape(-1, bands)
    return symmetric_kernel(covariance), _correlated(rest.T @ rest / len(rest), left)[1]


def _correlated(measured: Doubles, left: Doubles) -> tuple[Doubles, float, Doubles]:
    """Return the covariance at each distance in bands, and the level, of noise whose product with `left` (L, L) has a measured covariance.

    The covariance of the product of that noise is returned, too.
    """
    deviation = np.sqrt(np.maximum(np.diagonal(measured), 1e-30))
    for _ in range(ROUNDS):  # what was removed with the signal differs from band to band, and is made up for
        covariance, explained = _banded(measured, left * deviation[:, None])
        level = float(np.sqrt(max(covariance[0], 0.0) * np.square(deviation).mean()))
        deviation *= np.sqrt(np.maximum(np.diagonal(measured), 1e-30) / np.maximum(np.diagonal(explained), 1e-30))
    return covariance, level, explained


def _independent(measured: Doubles, left: Doubles) -> Doubles:
    """Return the covariance nearest to the measured one of a product of `left` and noise that is independent from band to band."""
    gram = np.square(left @ left.T)
    gram += 1e-9 * np.trace(gram) / len(gram) * np.eye(len(gram))
    variance = np.maximum(np.linalg.solve(gram, ((left @ measured) * left).sum(1)), 0)
    return np.asarray(left.T @ (variance[:, None] * left))


def _banded(measured: Doubles, left: Doubles) -> tuple[Doubles, Doubles]:
    """Return the covariance at each distance in bands of noise whose product with `left` (L, L) has a measured covariance, and its own."""
    distances = range(min(REACH, len(measured) // 4) + 1)
    seen = [left.T @ _neighbours(left, distance) for distance in distances]
    gram = np.array([[_total(one, distance) for one in seen] for distance in distances])
    found = np.linalg.lstsq(gram, np.array([_total(measured, distance) for distance in distances]), rcond=None)[0]
    return np.asarray(found), np.asarray(np.tensordot(found, np.array(seen), 1))


def _neighbours(left: Doubles, distance: int) -> Doubles:
    """Return for each row (of a band) the sum of the two rows at a distance; at distance 0, the row."""
    if not distance:
        return left
    summed = np.zeros_like(left)
    summed[distance:] += left[:-distance]
    summed[:-distance] += left[distance:]
    return summed


def _total(covariance: Doubles, distance: int) -> float:
    """Return the sum of a covariance (L, L) over the pairs of bands at a distance."""
    return float(np.trace(covariance, distance) + (np.trace(covariance, -distance) if distance else 0))


def symmetric_kernel(covariance: Doubles) -> Doubles:
    """Return the kernel that makes white noise correlated: the square root of the spectrum of a covariance by distance, if positive."""
    size = 64
    circular = np.zeros(size)
    circular[: len(covariance)] = covariance
    circular[-len(covariance) + 1 :] = covariance[:0:-1]
    kernel = np.fft.fftshift(np.fft.ifft(np.sqrt(np.maximum(np.fft.fft(circular).real, 0))).real)
    reach = len(covariance) + 1
    kernel = kernel[size // 2 - reach : size // 2 + reach + 1]
    return np.asarray(kernel / np.sqrt(np.square(kernel).sum()))
