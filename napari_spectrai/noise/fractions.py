"""Minimum noise fraction: components ordered by the ratio of their variance to that of the noise."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]

MOST_BANDS = 400
"""Number of bands above which components are searched for among as many principal components."""
LEVEL = 0.7
"""Fraction of the pairs of neighbours that counts as noise: the largest differences are edges."""
LEAST_RATIO = 2.0
"""Ratio of variance to noise variance from which a component is used."""
COMPONENTS = (5, 30)
"""Smallest and largest number of components."""
LEAST_NOISE = 1e-6
"""Smallest noise variance in any direction, relative to the mean one, so that the covariance can be inverted."""


def components(total: Doubles, noise: Doubles, count: int) -> tuple[Doubles, Doubles]:
    """Return minimum noise fraction components (Green et al. 1988, doi:10.1109/36.3001).

    Parameters
    ----------
    total, noise : ndarray of shape (L, L)
        Covariances of the spectra and of their noise; that of the noise must be positive definite.
    count : int
        Number of components.

    Returns
    -------
    ratios : ndarray of shape (count,)
        Variance of each component in units of its noise variance, in descending order.
    weights : ndarray of shape (L, count)
        Weights of the bands in each component; its noise has unit variance.
    """
    from scipy.linalg import eigh

    bands = len(total)
    ratios, vectors = eigh(total, noise, subset_by_index=(bands - count, bands - 1))
    return ratios[::-1], vectors[:, ::-1]


def least_noisy(pixels: Doubles, differences: Doubles) -> Doubles:
    """Return the components of an image whose variance is above their noise, in units of the noise.

    Parameters
    ----------
    pixels : ndarray of shape (n, L)
        Spectra of the image.
    differences : ndarray of shape (m, L)
        Differences between the spectra of neighbouring pixels. Those below the quantile `LEVEL` of their size are taken for noise, whose
        covariance is shrunk (doi:10.1016/S0047-259X(03)00096-4); without any, the components are principal ones of standardised bands.

    Returns
    -------
    ndarray of shape (L, K)
        Weights of the bands in each component, in descending order of the ratio of variance to noise.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> pixels = np.outer(rng.normal(0, 9, 500), [1, 1, 0]) + rng.normal(0, [1, 1, 5], (500, 3))
    >>> weights = least_noisy(pixels, rng.normal(0, [1, 1, 5], (500, 3)) * 2**0.5)
    >>> bool(abs(weights[2, 0]) < 0.1 * abs(weights[0, 0]))  # the noisy band hardly counts
    True
    """
    centred = pixels - pixels.mean(0)
    scale = centred.std(0)
    scale = np.where(scale <= 1e-12 * (1e-300 + np.abs(pixels).max(0)), 1.0, scale)
    centred, differences = centred / scale, differences / scale
    reduced = _principal(centred) if centred.shape[1] > MOST_BANDS else None
    if reduced is not None:
        centred, differences = centred @ reduced, differences @ reduced
    total, noise = centred.T @ centred / len(centred), _noise(differences)
    level = np.trace(noise) / len(noise) or 1.0
    least, most = COMPONENTS
    ratios, weights = components(total, noise + LEAST_NOISE * level * np.eye(len(noise)), min(most, len(noise)))
    weights = weights[:, : max(least, int((ratios > LEAST_RATIO).sum()))]
    found: Doubles = (weights if reduced is None else reduced @ weights) / scale[:, None]
    return found


def _noise(differences: Doubles) -> Doubles:
    """Return the covariance of the noise from the smaller differences, shrunk as few of them need (Ledoit & Wolf 2004)."""
    from sklearn.covariance import ledoit_wolf

    if not len(differences):
        return np.eye(differences.shape[1])
    spread = differences.std(0)
    size = np.square(differences / np.where(spread > 0, spread, 1.0)).sum(1)
    kept = differences[size <= np.quantile(size, LEVEL)]
    covariance: Doubles = ledoit_wolf(kept, assume_centered=True)[0] / 2
    return covariance


def _principal(centred: Doubles) -> Doubles:
    """Return the directions of the largest variance (L, MOST_BANDS)."""
    from sklearn.utils.extmath import randomized_svd

    some = centred[:: max(1, len(centred) // 4_000)]
    directions: Doubles = randomized_svd(some, min(MOST_BANDS, len(some)), n_iter=2, random_state=0)[2].T
    return directions
