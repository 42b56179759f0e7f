"""The filter of Savitzky and Golay for many spectra; importing `scipy.signal` for it takes as long as a third of torch."""

from __future__ import annotations

import math

import numpy as np
from scipy.ndimage import correlate1d

from napari_spectrai.cube import FloatArray


def savgol(spectra: FloatArray, window: int, order: int, derivative: int = 0) -> FloatArray:
    """Return the value or a derivative, per band, of a polynomial fitted around each band.

    Equal to `scipy.signal.savgol_filter` within rounding, but also right for wide windows and high orders, where that is not. At either
    end, the polynomial of the first or last window is used.

    Parameters
    ----------
    spectra : ndarray of shape (..., L)
    window : odd number of bands, at most L
    order : of the polynomial, below `window`

    Returns
    -------
    ndarray of shape (..., L), of the type of `spectra`
    """
    half = window // 2
    place = np.arange(-half, half + 1) / max(half, 1)
    powers = np.arange(order + 1)
    orthogonal, triangular = np.linalg.qr(place[:, None] ** powers)
    fallen = np.array([math.perm(power, derivative) for power in powers])  # k! / (k - d)!, 0 where k < d
    slopes = fallen * place[:, None] ** np.maximum(powers - derivative, 0) / max(half, 1) ** derivative
    fitted = slopes @ np.linalg.solve(triangular, orthogonal.T)
    result = np.asarray(correlate1d(spectra, fitted[half], axis=-1, mode="constant"))
    result[..., :half] = spectra[..., :window] @ fitted[:half].T
    result[..., spectra.shape[-1] - half :] = spectra[..., spectra.shape[-1] - window :] @ fitted[half + 1 :].T
    return result
