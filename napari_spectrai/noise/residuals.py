"""How large residuals are at which intensity: what other bands or pixels say of each value, and what they leave of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_spectrai.cube import FloatArray
from napari_spectrai.noise.anscombe import Doubles
from napari_spectrai.noise.components import leading, noise_of_bands

LEAST_FREE = 0.2
"""Share of the noise, at least, that has to be left outside the signal's components for them to be taken away."""
CEILING = 1e-3
"""Share of the values that has to be exactly the largest one for it to be taken for a detector's limit."""
FOLDS = 10
"""Parts of the data that lie together; the spread over them says how sure a decision is."""
STRETCHES = 8
"""Stretches of neighbouring rows that a fold is made of."""
GROUPS = 16
"""Groups of like brightness."""
CUT = 36.0
"""Squared residuals beyond so many variances count no more than this: cosmic rays and edges are no noise."""
WILD = 100.0
"""Squared residuals beyond so many variances are no noise of any kind."""


@dataclass(frozen=True, slots=True)
class Residuals:
    """Means over values of like brightness, of shape (folds, groups, λ).

    Attributes
    ----------
    squared : mean squared residual, scaled so that it is the variance of the noise
    level : mean intensity
    count : how many values
    """

    squared: Doubles
    level: Doubles
    count: Doubles

    def without(self, fold: int) -> Residuals:
        """Return all folds but one."""
        return Residuals(*(np.delete(values, fold, 0) for values in (self.squared, self.level, self.count)))

    def only(self, fold: int) -> Residuals:
        """Return one fold."""
        return Residuals(self.squared[[fold]], self.level[[fold]], self.count[[fold]])


def of_components(flat: Doubles, variance: Doubles | None = None) -> tuple[Residuals, Doubles] | None:
    """Return what the components that stand above the noise leave of spectra (n, λ); None where hardly anything is left beside them.

    `variance` (n,) of the spectra's noise, as far as it is known, weighs them: else components follow the noise of bright spectra.
    Returned, too, are the spectra with wild values (cosmic rays) replaced by what the components say, so that the next round is not led
    by them.
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
    # of a band is left what is left of its own noise, and what the others' brings in
    left = np.eye(bands) - (basis / noise[:, None]) @ (basis * noise[:, None]).T
    share = np.square(left)
    free = share.sum(0)
    rest = flat @ left
    squared = np.square(rest) / free * (count / (count - kept))
    brightness = np.abs(white @ vectors[:, 0]) * rows[:, 0]
    # by all bands together, so that brightness does not follow the noise of the one that is looked at
    groups = np.broadcast_to(_groups(brightness)[:, None], flat.shape)
    wild = squared > WILD * _typical(squared, groups)[groups, np.arange(bands)]
    counts = _below_ceiling(flat, squared) & ~wild.any(1, keepdims=True)
    return _gathered(squared, flat, groups, counts, share / free), np.where(wild, flat - rest, flat)


def _typical(squared: Doubles, groups: npt.NDArray[np.intp]) -> Doubles:
    """Return the mean of each group, (groups, λ)."""
    bands, number = squared.shape[1], int(groups.max()) + 1
    place = (groups * bands + np.arange(bands)).ravel()
    total, count = (np.bincount(place, weights, number * bands).reshape(number, bands) for weights in (squared.ravel(), None))
    return np.asarray(total / np.maximum(count, 1))


def of_neighbours(values: Doubles) -> Residuals | None:
    """Return what the neighbours in place leave of values (..., n, λ); of few places, the neighbours along the spectrum."""
    if values.shape[-2] >= 3:
        ahead = values.swapaxes(-1, -2).reshape(-1, values.shape[-1], values.shape[-2]).swapaxes(0, 1)  # (λ, lines, n)
    elif values.shape[-1] >= 3:
        ahead = values.reshape(1, -1, values.shape[-1])
    else:
        return None
    mean = (ahead[..., :-2] + ahead[..., 2:]) / 2
    squared = np.square(ahead[..., 1:-1] - mean) / 1.5
    level = (ahead[..., 1:-1] + 2 * mean) / 3
    # brightness is that of places whose noise plays no role in the residual
    padded = np.pad(ahead, ((0, 0), (0, 0), (2, 2)), mode="reflect") if ahead.shape[-1] > 2 else ahead
    far = (padded[..., 1:-5] + padded[..., 5:-1]) / 2 if ahead.shape[-1] > 4 else mean
    bands = len(ahead)
    flat, of, at = (part.reshape(bands, -1).T for part in (squared, level, far))
    groups = np.stack([_groups(column) for column in at.T], 1)
    # an edge is no noise: the middle of those as bright says what is too much
    typical = np.zeros((GROUPS, bands))
    for group, band in np.argwhere(np.stack([(groups == group).any(0) for group in range(GROUPS)])):
        typical[group, band] = np.median(flat[groups[:, band] == group, band])
    cut = CUT * typical[groups, np.arange(bands)] / 0.455
    return _gathered(np.where(cut > 0, np.minimum(flat, cut), flat), of, groups, _below_ceiling(of, flat), np.eye(bands))


def _groups(brightness: Doubles) -> npt.NDArray[np.intp]:
    order = np.argsort(np.argsort(brightness, kind="stable"), kind="stable")
    return np.asarray(order * min(GROUPS, len(order)) // len(order))


def _gathered(squared: Doubles, level: Doubles, groups: npt.NDArray[np.intp], counts: FloatArray, share: Doubles) -> Residuals:
    """Return means over folds of rows and groups of brightness, of values (n, λ) that count; `share` (λ, λ') mixes intensities."""
    rows, bands = squared.shape
    # several stretches each, far from one another, so that folds are alike
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
    return Residuals(total(np.minimum(squared, cut)) / known, (total(level) / known) @ share, number)


def _below_ceiling(level: Doubles, squared: Doubles) -> FloatArray:
    """Return where values are not near a detector's limit, which takes their noise away."""
    top = float(level.max())
    if float((level == top).mean()) < CEILING:
        return np.ones(level.shape, bool)
    return np.asarray(level < top - 3 * np.sqrt(max(float(np.median(squared)), 0.0)))
