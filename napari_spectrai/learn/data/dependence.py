"""Whether inputs and truths belong together: spectra in another order than their truths have nothing in common with them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_spectrai.cube import FloatArray

FEWEST = 20
"""Smallest number of pairs that are tested: of fewer, chance orders are as good as the right one too often."""
MOST = 500
"""Largest number of pairs that are tested, spread evenly."""
ORDERS = 199
"""Number of random orders that the given one is compared with."""
CERTAIN = 0.05
"""Fraction of random orders that may be as good as the given one."""

NOT_PAIRED = (
    "Inputs and truths seem to be in different orders: spectra that are alike do not have truths that are more alike than others. Check "
    "that both list the same samples in the same order."
)


def are_paired(inputs: FloatArray, truths: FloatArray, rows: npt.NDArray[np.intp]) -> bool:
    """Return whether spectra (n, L) that are alike have truths (n, L') that are alike, more than in random order; True for too few pairs.

    Of the spectra, those at `rows` are compared.

    The measure is the Hilbert-Schmidt independence criterion with linear kernels, tested by permutation (Gretton et al. 2005,
    doi:10.1007/11564089_7).
    """
    rows = rows[:: max(1, -(-len(rows) // MOST))]
    rows = rows[np.isfinite(inputs[rows]).all(-1) & np.isfinite(truths[rows]).all(-1)]
    if len(rows) < FEWEST:
        return True
    one, other = _alike(inputs[rows]), _alike(truths[rows])
    if not one.any() or not other.any():
        return True
    given, rng = float((one * other).sum()), np.random.default_rng(0)
    orders = [rng.permutation(len(rows)) for _ in range(ORDERS)]
    as_good = sum(float((one * other[np.ix_(order, order)]).sum()) >= given for order in orders)
    return (1 + as_good) / (1 + ORDERS) <= CERTAIN


def _alike(spectra: FloatArray) -> npt.NDArray[np.float64]:
    """Return products of centred spectra of every two pixels, (n, n); equal spectra give zeros."""
    centred = spectra.astype(np.float64) - spectra.mean(0, dtype=np.float64)
    size = float(np.abs(centred).max())
    if size <= 1e-6 * float(np.abs(spectra).max()):
        return np.zeros((len(spectra), len(spectra)))
    return np.asarray((centred / size) @ (centred / size).T)
