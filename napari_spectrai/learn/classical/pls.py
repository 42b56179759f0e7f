"""Partial least squares onto indicators of classes, of which fits with fewer components are part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LEAST_SCORE = 1e-6
"""Size of the scores of a component relative to those of the first, below which they are rounding errors."""


@dataclass(frozen=True, slots=True)
class Components:
    """Partial least squares components of spectra (n, λ) and indicators (n, C); the first ones are those of a fit with fewer.

    Attributes
    ----------
    mean : float array of shape (λ,)
    share : float array of shape (C,)
        Mean of the indicators.
    rotations, loadings : float arrays of shapes (λ, k) and (C, k)
    extent : int
        How many of them the spectra have: further ones would only fit rounding errors.
    """

    mean: npt.NDArray[np.float64]
    share: npt.NDArray[np.float64]
    rotations: npt.NDArray[np.float64]
    loadings: npt.NDArray[np.float64]
    extent: int

    @classmethod
    def of(cls, x: npt.NDArray[np.float64], indicator: npt.NDArray[np.float64], count: int) -> Components:
        """Fit `count` components; many spectra are rotated into as many rows as bands first, which changes no inner product."""
        from sklearn.cross_decomposition import PLSRegression

        mean, share = x.mean(0), indicator.mean(0)
        centred, targets = x - mean, indicator - share
        if len(x) > 2 * x.shape[1]:
            basis, rotated = np.linalg.qr(centred)
            # each row with its opposite: scikit-learn subtracts a mean, which is zero then
            centred, half = np.concatenate([rotated, -rotated]) / np.sqrt(2), basis.T @ targets
            targets = np.concatenate([half, -half]) / np.sqrt(2)
        model = PLSRegression(count, scale=False).fit(centred, targets)
        size = np.sqrt(np.square(model.x_scores_).sum(0))
        none = np.flatnonzero(~(size > LEAST_SCORE * size[0]))
        return cls(mean, share, model.x_rotations_, model.y_loadings_, int(none[0]) if len(none) else count)

    def regression(self, count: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return weights (C, λ) and intercepts (C,) of the regression on the first `count` components."""
        weight: npt.NDArray[np.float64] = self.loadings[:, :count] @ self.rotations[:, :count].T
        return weight, self.share - weight @ self.mean
