"""Correlation of the noise of an image between neighbouring bands, as interpolation onto another axis leaves it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

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
    rest = (flat - flat.mean(0)) @ left
    measured = rest.T @ rest / len(rest)
    deviation = np.sqrt(np.maximum(np.diagonal(measured), 1e-30))
    for _ in range(ROUNDS):  # what was removed with the signal differs from band to band, and is made up for
        covariance, explained = _banded(measured, left * deviation[:, None])
        deviation *= np.sqrt(np.maximum(np.diagonal(measured), 1e-30) / np.maximum(np.diagonal(explained), 1e-30))
    if covariance[0] <= 0 or covariance[1] < CERTAIN * covariance[0]:
        return None
    return symmetric_kernel(covariance), float(np.sqrt(covariance[0] * np.square(deviation).mean()))


def _banded(measured: Doubles, left: Doubles) -> tuple[Doubles, Doubles]:
    """Return the covariance at each distance in bands of noise whose product with `left` (L, L) has a measured covariance, and its own."""
    bands = len(measured)
    reach = min(REACH, bands // 4)
    shifts = [_at_distance(bands, distance) for distance in range(reach + 1)]
    seen = [left.T @ shift @ left for shift in shifts]
    gram = np.array([[float((one * shift).sum()) for one in seen] for shift in shifts])
    found = np.linalg.lstsq(gram, np.array([float((measured * shift).sum()) for shift in shifts]), rcond=None)[0]
    return np.asarray(found), np.asarray(np.tensordot(found, np.array(seen), 1))


def _at_distance(bands: int, distance: int) -> npt.NDArray[np.float64]:
    one = np.eye(bands, k=distance)
    return one if distance == 0 else one + one.T


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
