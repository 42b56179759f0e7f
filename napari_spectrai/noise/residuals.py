"""Squared residuals by intensity: the difference between values and their prediction from other bands or pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_spectrai.cube import FloatArray
from napari_spectrai.noise.anscombe import Doubles
from napari_spectrai.noise.components import leading, noise_of_bands

LEAST_FREE = 0.2
"""Minimum fraction of the noise outside the signal components for these to be subtracted."""
NOISY = 4.0
"""Noise of a band relative to that of most, above which it is far noisier."""
CEILING = 1e-3
"""Minimum fraction of values equal to the largest one for it to count as a detector's limit."""
FOLDS = 10
"""Number of contiguous folds; the spread over them gives the standard error of a decision."""
STRETCHES = 8
"""Number of runs of neighbouring rows in a fold."""
GROUPS = 16
"""Number of groups of similar brightness."""
CUT = 36.0
"""Squared residuals are clipped to this multiple of the variance, since cosmic rays and edges are not noise."""
WILD = 100.0
"""Squared residuals above this multiple of the variance are not noise of any kind."""


@dataclass(frozen=True, slots=True)
class Residuals:
    """Means over values of similar brightness, of shape (folds, groups, λ).

    Attributes
    ----------
    squared : mean squared residual, scaled so that it is the variance of the noise
    level : mean intensity
    count : number of values
    """

    squared: Doubles
    level: Doubles
    count: Doubles

    def without(self, fold: int) -> Residuals:
        """Return all folds except one."""
        return Residuals(*(np.delete(values, fold, 0) for values in (self.squared, self.level, self.count)))

    def only(self, fold: int) -> Residuals:
        """Return one fold."""
        return Residuals(self.squared[[fold]], self.level[[fold]], self.count[[fold]])


def without_rays(flat: Doubles) -> Doubles:
    """Return spectra (n, λ) with single bands that rise far above their neighbours replaced by the median of five bands.

    Otherwise components would fit cosmic rays. What is rare but real may be replaced, too: it is no noise, either.
    """
    if flat.shape[1] < 5:
        return flat
    from scipy.ndimage import median_filter

    smooth = median_filter(flat, (1, 5), mode="mirror")
    above = np.square(np.maximum(flat - smooth, 0))
    usual = np.partition(above, int(0.99 * (len(above) - 1)), axis=0)[: int(0.99 * (len(above) - 1)) + 1].mean(0)
    return np.where(above > WILD * np.maximum(usual, usual.mean()), smooth, flat)


def of_components(flat: Doubles, variance: Doubles | None = None) -> tuple[Residuals, Doubles] | None:
    """Return the residuals of spectra (n, λ) from the components above the noise; None if they are almost zero.

    `variance` (n,) of the spectra's noise, as far as it is known, weights them: otherwise components fit the noise of bright spectra.
    The spectra are also returned, with outliers (cosmic rays) replaced by the fit of the components, so that the next round is not
    affected by them.
    """
    count, bands = flat.shape
    rows = np.ones((count, 1)) if variance is None else np.sqrt(variance)[:, None]
    weighed = flat / rows
    noise = np.maximum(noise_of_bands(weighed), 1e-9 * max(float(np.abs(weighed).max()), 1e-30))
    white = weighed / noise
    _, vectors, _, above = leading(white)
    kept = max(1, above)
    if kept >= (1 - LEAST_FREE) * min(bands, count):
        return None
    basis = vectors[:, :kept]
    # the residual of a band contains the rest of its own noise, and a part of that of the other bands
    left = np.eye(bands) - (basis / noise[:, None]) @ (basis * noise[:, None]).T
    share = np.square(left)
    # of a band that is far noisier than most (at the end of a detector, in absorption lines of the air), the others' part is negligible
    free = np.where(noise > NOISY * np.median(noise), np.square(noise) @ share / np.square(noise), share.sum(0))
    rest = flat @ left
    squared = np.square(rest) / free * (count / (count - kept))
    brightness = np.abs(white @ vectors[:, 0]) * rows[:, 0]
    # from all bands together, so that brightness is independent of the noise of a single band
    groups = np.broadcast_to(_groups(brightness)[:, None], flat.shape)
    wild = squared > WILD * _typical(squared, groups)[groups, np.arange(bands)]
    counts = _below_ceiling(flat, squared) & ~wild.any(1, keepdims=True)
    return _gathered(squared, flat, groups, counts, share / free, flat - rest), np.where(wild, flat - rest, flat)


def _typical(squared: Doubles, groups: npt.NDArray[np.intp]) -> Doubles:
    """Return the mean of each group, (groups, λ)."""
    bands, number = squared.shape[1], int(groups.max()) + 1
    place = (groups * bands + np.arange(bands)).ravel()
    total, count = (np.bincount(place, weights, number * bands).reshape(number, bands) for weights in (squared.ravel(), None))
    return np.asarray(total / np.maximum(count, 1))


def of_neighbours(values: Doubles) -> Residuals | None:
    """Return the residuals of values (..., n, λ) from their neighbouring pixels; with few pixels, from neighbours along the spectrum."""
    if values.shape[-2] >= 3:
        ahead = values.swapaxes(-1, -2).reshape(-1, values.shape[-1], values.shape[-2]).swapaxes(0, 1)  # (λ, lines, n)
    elif values.shape[-1] >= 3:
        ahead = values.reshape(1, -1, values.shape[-1])
    else:
        return None
    mean = (ahead[..., :-2] + ahead[..., 2:]) / 2
    squared = np.square(ahead[..., 1:-1] - mean) / 1.5
    level = (ahead[..., 1:-1] + 2 * mean) / 3
    # brightness is measured at positions whose noise is not part of the residual
    padded = np.pad(ahead, ((0, 0), (0, 0), (2, 2)), mode="reflect") if ahead.shape[-1] > 2 else ahead
    far = (padded[..., 1:-5] + padded[..., 5:-1]) / 2 if ahead.shape[-1] > 4 else mean
    bands = len(ahead)
    flat, of, at = (part.reshape(bands, -1).T for part in (squared, level, far))
    groups = np.stack([_groups(column) for column in at.T], 1)
    # an edge is not noise: the median at the same brightness determines the limit
    typical = np.zeros((GROUPS, bands))
    for group, band in np.argwhere(np.stack([(groups == group).any(0) for group in range(GROUPS)])):
        typical[group, band] = np.median(flat[groups[:, band] == group, band])
    cut = CUT * typical[groups, np.arange(bands)] / 0.455
    return _gathered(np.where(cut > 0, np.minimum(flat, cut), flat), of, groups, _below_ceiling(of, flat), np.eye(bands))


def _groups(brightness: Doubles) -> npt.NDArray[np.intp]:
    order = np.argsort(np.argsort(brightness, kind="stable"), kind="stable")
    return np.asarray(order * min(GROUPS, len(order)) // len(order))


def _gathered(
    squared: Doubles, level: Doubles, groups: npt.NDArray[np.intp], counts: FloatArray, share: Doubles, fit: Doubles | None = None
) -> Residuals:
    """Return means over folds of rows and groups of brightness, of valid values (n, λ); `share` (λ, λ') mixes intensities.

    With a `fit` of the values, mean intensities of a group differ between folds only as it does: the noise in the mean of a few values is
    that of their residuals, and the brighter of a few photons deviate more.
    """
    rows, bands = squared.shape
    # several runs for each fold, far apart, so that folds are similar
    folds = np.arange(rows) * min(FOLDS * STRETCHES, rows) // rows % min(FOLDS, rows)
    shape = (min(FOLDS, rows), min(GROUPS, rows), bands)
    place = (folds[:, None] * shape[1] + groups) * bands + np.arange(bands)

    def total(values: Doubles) -> Doubles:
        return np.bincount(place.ravel(), (values * counts).ravel(), minlength=int(np.prod(shape))).reshape(shape)

    number = total(np.ones_like(squared))
    typical = total(squared).sum(0) / np.maximum(number.sum(0), 1)
    for _ in range(3):
        cut = (CUT * typical)[groups, np.arange(bands)]
        typical = total(np.minimum(squared, cut)).sum(0) / np.maximum(number.sum(0), 1)
    known = np.maximum(number, 1)
    mean = total(level) / known
    if fit is not None:
        mean = total(fit) / known + total(level - fit).sum(0) / np.maximum(number.sum(0), 1)
    return Residuals(total(np.minimum(squared, cut)) / known, mean @ share, number)


def _below_ceiling(level: Doubles, squared: Doubles) -> FloatArray:
    """Return which values are not near a detector's limit, which suppresses their noise."""
    top = float(level.max())
    if float((level == top).mean()) < CEILING:
        return np.ones(level.shape, bool)
    return np.asarray(level < top - 3 * np.sqrt(max(float(np.median(squared)), 0.0)))
