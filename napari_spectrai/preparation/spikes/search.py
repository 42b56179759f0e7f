"""Spikes in spectra: what neither the other spectra, nor the bands around, nor the pixels around explain."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from napari_spectrai.preparation.spikes.context import Doubles, Explanation, Found, Integers, Mask
from napari_spectrai.preparation.spikes.widths import SAMPLED, SINGLE, line_widths

_FLANK = 4
"""Bands on either side, one band away, that say where the spectrum would run without the spike."""
_PASSES = 12
"""Spikes looked for in one spectrum, one after the other, largest first."""
_ROUGH = 5.0
"""A spike is this many times as high as the residual is rough around it."""
_CERTAIN = 0.6
"""A spike's highest band is this share of the threshold above the noise; the whole spike is above it."""
_END = 2.0
"""Factor on the noise for spikes in the first or last band."""
_FREEDOM = 12.0
"""Squared standard deviations that a further band has to explain to be part of a spike."""
_FOOT = 0.2
"""Height beside a spike, relative to its own, above which it is the top of something wider."""
_SHARPER = 0.6
"""A spike is narrower than the narrowest line of the data times this."""
_SHARPER_ALONE = 0.48
"""The same, where the other lines of one spectrum are all that is known."""
_ALONE = 2.0
"""Factor on the threshold where the bands around are all that explains."""
_SHARED = 0.25
"""Height in a neighbouring pixel, relative to the spike's, with which that pixel shares it."""
_SURE = 4.0
"""Standard deviations above which a neighbouring pixel shares a spike."""
_FLOOR = 1e-3
"""Spikes lower than this share of the range of their spectrum are left: without noise, everything stands above it."""
_SEVERAL = 3
"""Spikes as wide as lines in one spectrum, above which they are lines of an unusual spectrum."""


class Windows:
    """All places of a window of `width` bands, and how its values are predicted from the bands outside."""

    def __init__(self, basis: Doubles, bands: int, width: int) -> None:
        self.width, self.bands = width, bands
        self.starts = np.arange(bands - width + 1)
        self.inside = self.starts[:, None] + np.arange(width)
        self.beside = np.stack([self.starts - 1, self.starts + width], -1)
        away = np.concatenate([np.arange(-_FLANK - 1, -1), np.arange(width + 1, width + 1 + _FLANK)])
        self.around = self.starts[:, None] + away
        self.known = (self.around >= 0) & (self.around < bands)
        beside_known = (self.beside >= 0) & (self.beside < bands)
        self.beside_known = beside_known
        self.around, self.beside = self.around.clip(0, bands - 1), self.beside.clip(0, bands - 1)
        # z' = z - e on the window makes its residual 0 where (1 - H) e = r: the deletion residual of regression
        inside = basis.T[self.inside]
        own = np.eye(width) - inside @ inside.swapaxes(-1, -2)
        self.deleted = np.linalg.inv(own + 1e-6 * np.eye(width))
        self.leak_around = basis.T[self.around] @ inside.swapaxes(-1, -2)
        self.leak_beside = basis.T[self.beside] @ inside.swapaxes(-1, -2)
        self._lines(away, 1 if len(basis) else 2)
        variance = np.diagonal(self.deleted, axis1=-2, axis2=-1) + (self.line**2).sum(-1)
        self.deviation = np.sqrt(np.maximum(variance, 0))

    def _lines(self, away: Integers, order: int) -> None:
        """Prepare the polynomial through the bands around, at the window and beside it."""
        middle = (self.width - 1) / 2
        reach = middle + 1 + _FLANK
        powers = np.arange(order + 1)
        sided = (self.known[:, :_FLANK].sum(-1) >= 2) & (self.known[:, _FLANK:].sum(-1) >= 2)
        design = ((away - middle) / reach)[None, :, None] ** powers * self.known[..., None]
        # where bands are known on one side only nothing is extrapolated
        design[~sided, :, 1:] = 0
        fitted = np.linalg.pinv(design)
        at = (np.arange(self.width) - middle)[:, None] / reach
        self.line = (at**powers) @ fitted
        self.line_beside = (np.array([[-1.0], [self.width]]) - middle) / reach
        self.line_beside = (self.line_beside**powers) @ fitted
        self.line_around = (((away - middle) / reach)[:, None] ** powers) @ fitted
        self.freedom = np.maximum(self.known.sum(-1) - np.where(sided, order + 1, 1), 1)
        self.enough = self.known.sum(-1) >= 3

    def gain(self, residual: Doubles) -> Doubles:
        """Return how much a free window at each start lowers the squared residual, (n, starts)."""
        count = len(self.starts)
        gain = np.zeros((len(residual), count))
        for one in range(self.width):
            for other in range(one + 1):
                weight = self.deleted[:, one, other] * (1 if one == other else 2)
                gain += weight * residual[:, one : one + count] * residual[:, other : other + count]
        return gain

    def excess(self, residual: Doubles, starts: Integers) -> tuple[Doubles, Doubles, Doubles]:
        """Return the height of windows (c, width) above what is predicted, of the bands beside (c, 2), and the roughness around (c,).

        Parameters
        ----------
        residual : ndarray of shape (c, L)
            Of the spectrum of each window.
        """
        rows = np.arange(len(starts))[:, None]
        deleted = np.einsum("cij,cj->ci", self.deleted[starts], residual[rows, self.inside[starts]])
        around = residual[rows, self.around[starts]] + np.einsum("cij,cj->ci", self.leak_around[starts], deleted)
        around = around * self.known[starts]
        beside = residual[rows, self.beside[starts]] + np.einsum("cij,cj->ci", self.leak_beside[starts], deleted)
        height = deleted - np.einsum("cij,cj->ci", self.line[starts], around)
        beside = beside - np.einsum("cij,cj->ci", self.line_beside[starts], around)
        beside *= self.beside_known[starts]
        off = (around - np.einsum("cij,cj->ci", self.line_around[starts], around)) * self.known[starts]
        return height, beside, np.sqrt((off**2).sum(-1) / self.freedom[starts])


class Search:
    """The search for spikes in spectra that an `Explanation` explains.

    Parameters
    ----------
    threshold : standard deviations of the noise
    width : bands that a spike covers at most
    """

    def __init__(self, known: Explanation, threshold: float, width: int) -> None:
        # a spectrum alone: the top of a line is not quite a polynomial
        self.known, self.threshold = known, threshold * (_ALONE if np.isnan(known.line) else 1)
        bands = len(known.mean)
        self.width = max(1, min(width, bands // 3))
        self.windows = [Windows(known.basis, bands, each + 1) for each in range(self.width)]

    def find(self, spectra: Doubles, grid: tuple[int, ...] | None = None, *, judged: bool = True) -> Found:
        """Return the spikes of spectra (n, L) without NaN.

        Parameters
        ----------
        grid : the shape (..., y, x) of an image whose pixels, in order, they are
        judged : whether width, isolation and lines of the set are heeded
        """
        known, width = self.known, self.width
        residual, noise = known.residual(spectra)
        parts = list(self._passes(spectra, residual, noise))
        if not parts:
            return Found(np.zeros(0, np.intp), np.zeros(0, np.intp), np.zeros((0, width)), np.zeros(0))
        spectrum, start, height, wide = (np.concatenate(part) for part in zip(*parts, strict=True))
        found = Found(spectrum, start, height, wide)
        if grid is not None:
            found = found.only(self._alone(found, residual, noise, grid))
        return found.only(self._judged(found, spectra, noise)) if judged else found

    def _passes(self, spectra: Doubles, residual: Doubles, noise: Doubles) -> Iterator[tuple[Integers, Integers, Doubles, Doubles]]:
        """Yield what stands out, the largest of each spectrum first, each time without what was found before."""
        known = self.known
        floor = _FLOOR * np.ptp(np.percentile(spectra, [1, 99], axis=-1), axis=0) + 1e-6 * np.abs(spectra).max(-1)
        rows = np.flatnonzero((self._gains(residual, noise) > self.threshold**2).any((0, 2)))
        residual, noise = residual[rows], noise[rows]
        barred = np.zeros((len(rows), residual.shape[1]), bool)
        for _ in range(_PASSES if len(rows) else 0):
            gains = np.where(barred, 0, self._gains(residual, noise))
            free = gains - _FREEDOM * np.arange(self.width)[:, None, None]
            each = np.arange(len(rows))
            best = free.swapaxes(0, 1).reshape(len(rows), -1).argmax(-1)
            extra, start = best // residual.shape[1], best % residual.shape[1]
            open_ = gains[extra, each, start] > self.threshold**2
            if not open_.any():
                return
            rows, residual, noise, barred = rows[open_], residual[open_], noise[open_], barred[open_]
            start, extra = start[open_], extra[open_]
            change = np.zeros_like(residual)
            for windows in self.windows:
                some = np.flatnonzero(extra == windows.width - 1)
                good, height, wide = self._examined(windows, residual[some], noise[some], start[some], floor[rows[some]])
                change[some[:, None], windows.inside[start[some]]] = height
                full = np.zeros((len(some), self.width))
                full[:, : windows.width] = height * known.scale[windows.inside[start[some]]]
                yield rows[some][good], start[some][good], full[good], wide[good]
            # what is found is taken away; what is refused is not asked again
            residual = residual - change + change @ known.basis.T @ known.basis
            done = change.any(-1)
            barred |= np.abs(np.arange(residual.shape[1]) - start[:, None]) < np.where(done, 1, self.width)[:, None]

    def _gains(self, residual: Doubles, noise: Doubles) -> Doubles:
        """Return how much a window of each width at each band lowers the squared residual, in squared noise, (width, n, L)."""
        gains = np.zeros((self.width, *residual.shape))
        for windows in self.windows:
            starts = len(windows.starts)
            middle = noise[:, windows.width // 2 : windows.width // 2 + starts]
            gains[windows.width - 1, :, :starts] = np.where(windows.enough, windows.gain(residual) / middle**2, 0)
        return gains

    def _examined(
        self, windows: Windows, residual: Doubles, noise: Doubles, start: Integers, floor: Doubles
    ) -> tuple[Mask, Doubles, Doubles]:
        """Return which windows stand out as spikes do, their heights (0 where not), and their equivalent widths."""
        each = np.arange(len(start))
        height, beside, rough = windows.excess(residual, start)
        inside = windows.inside[start]
        size = noise[each[:, None], inside] * windows.deviation[start]
        top = height.argmax(-1)
        high, deviation = height[each, top], size[each, top]
        # at either end only one side is seen: it may be the foot of a peak
        deviation = deviation * np.where(windows.beside_known[start].all(-1), 1, _END)
        good = (high > _CERTAIN * self.threshold * deviation) & (high > _ROUGH * rough)
        good &= high * self.known.scale[inside[each, top]] > floor
        good &= (beside <= np.maximum(_FOOT * high, 3.5 * deviation)[:, None]).all(-1)
        part = (height > np.maximum(3 * size, 0)) | (np.arange(windows.width) == top[:, None])
        wide = (height.clip(0).sum(-1) + beside.clip(0).sum(-1)) / np.maximum(high, 1e-30)
        return good, np.where(part & good[:, None], height, 0), wide

    def _alone(self, found: Found, residual: Doubles, noise: Doubles, grid: tuple[int, ...]) -> Mask:
        """Return which spikes the pixels around do not share, or share along one line and are too narrow for light."""
        shares = self._sharing(found, residual, noise, grid)
        along_x, along_y = shares[:, [3, 4]].any(-1), shares[:, [1, 6]].any(-1)
        apart = shares[:, [0, 2, 5, 7]].any(-1)
        streak = ~apart & (along_x ^ along_y) & self.narrow(found)
        return ~shares.any(-1) | streak

    def _sharing(self, found: Found, residual: Doubles, noise: Doubles, grid: tuple[int, ...]) -> Mask:
        """Return which of the eight pixels around, row by row, rise at the bands of each spike, (c, 8)."""
        place = np.stack(np.unravel_index(found.spectrum, grid))
        step = np.array([(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)])
        around = np.repeat(place[..., None], 8, -1)
        around[-2] += step[:, 0]
        around[-1] += step[:, 1]
        there = ((around >= 0) & (around < np.array(grid)[:, None, None])).all(0)
        pixel = np.ravel_multi_index(tuple(around), grid, mode="clip").ravel()
        windows = self.windows[-1]
        # the widest window that holds the spike, also at the last band
        start = np.minimum(found.start, windows.starts[-1])
        shift = (found.start - start)[:, None] + np.arange(self.width)
        heights = np.zeros((len(start), 2 * self.width))
        np.put_along_axis(heights, shift, found.height, -1)
        profile = heights[:, : self.width] / self.known.scale[windows.inside[start]]
        start = np.repeat(start, 8)
        weight = np.repeat(profile / (profile**2).sum(-1, keepdims=True), 8, 0)
        height, _, _ = windows.excess(residual[pixel], start)
        share = (height * weight).sum(-1)
        weight = weight * noise[pixel[:, None], windows.inside[start]]
        deviation = np.sqrt(np.einsum("ci,cij,cj->c", weight, windows.deleted[start], weight) + (weight**2).sum(-1) / _FLANK)
        return np.asarray(((share > np.maximum(_SHARED, _SURE * deviation)).reshape(-1, 8)) & there)

    def narrow(self, found: Found) -> Mask:
        """Return which are narrower than the lines of the set."""
        return np.asarray(found.wide < max(SINGLE, _SHARPER * self.known.line))

    def _judged(self, found: Found, spectra: Doubles, noise: Doubles) -> Mask:
        """Return which are spikes by what is known of the set."""
        known = self.known
        if np.isnan(known.line):
            return self._narrow_alone(found, spectra, noise) & self._smoother(found, spectra)
        if not known.isolated:  # the data are full of lines that nothing explains
            return np.asarray((found.wide < SINGLE) & ~known.lines[found.peak])
        doubtful = np.bincount(found.spectrum[~self.narrow(found)], minlength=len(spectra))[found.spectrum]
        return np.asarray((self.narrow(found) | (doubtful <= _SEVERAL)) & ~known.lines[found.peak])

    def _smoother(self, found: Found, spectra: Doubles) -> Mask:
        """Return which leave a smoother spectrum: off the top of a line, what is taken away leaves a dent."""
        offset = np.arange(-2, self.width + 2)
        place = (found.start[:, None] + offset).clip(0, spectra.shape[-1] - 1)
        before = spectra[found.spectrum[:, None], place]
        after = before - np.pad(found.height, ((0, 0), (2, 2))) * (place == found.start[:, None] + offset)
        rough_before, rough_after = ((np.diff(part, 2, axis=-1) ** 2).sum(-1) for part in (before, after))
        return np.asarray(rough_after < rough_before / 2)

    def _narrow_alone(self, found: Found, spectra: Doubles, noise: Doubles) -> Mask:
        """Return which are narrower than all other lines of their own spectrum."""
        rows, back = np.unique(found.spectrum, return_inverse=True)
        wide = line_widths(spectra[rows], noise[rows] * self.known.scale)
        wide = np.where(wide < SINGLE, np.nan, wide)[back]
        near = np.abs(np.arange(spectra.shape[-1]) - found.peak[:, None]) <= self.width
        line = np.fmin.reduce(np.where(near, np.nan, wide), axis=-1)
        return np.asarray((found.wide < SINGLE) | (found.wide < _SHARPER_ALONE * np.nan_to_num(line, nan=SAMPLED)))
