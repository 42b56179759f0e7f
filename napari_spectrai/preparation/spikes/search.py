"""Search for spikes: peaks that neither other spectra, nor surrounding bands, nor neighbouring pixels explain."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from napari_spectrai.cube import FloatArray
from napari_spectrai.preparation.spikes.context import Doubles, Explanation, FoundSpikes, Integers, Mask, quantiles
from napari_spectrai.preparation.spikes.widths import SAMPLED, SINGLE, line_widths

_FLANK = 4
"""Number of bands to either side, one band apart, from which the spectrum below the spike is predicted."""
_PASSES = 12
"""Largest number of spikes searched in one spectrum, largest first."""
_ROUGH = 5.0
"""Minimum height of a spike, relative to the roughness of the residual around it."""
_CERTAIN = 0.6
"""Minimum height of a spike's highest band above the noise, as a fraction of the threshold that applies to the whole spike."""
_END = 2.0
"""Factor of the noise for spikes in the first or last band."""
_FREEDOM = 12.0
"""Squared standard deviations that an additional band must explain to be part of a spike."""
_FOOT = 0.2
"""Height next to a spike, relative to the spike, above which it is the top of something wider."""
_FEET = 0.3
"""Equivalent width, in bands, of the feet around a peak as wide as lines, above which it is one."""
_SHARPER = 0.6
"""Largest width of a spike, relative to the narrowest line of the data."""
_SHARPER_ALONE = 0.48
"""The same, if only the other lines of the same spectrum are known."""
_ALONE = 2.0
"""Factor of the threshold if only the surrounding bands are known."""
_SHARED = 0.25
"""Height in a neighbouring pixel, relative to the spike, above which that pixel shares it."""
_SURE = 4.0
"""Standard deviations above which a neighbouring pixel shares a spike."""
_FLOOR = 1e-3
"""Minimum height of a spike as a fraction of the range of its spectrum: in data without noise, everything exceeds the noise."""
_SCREENED = 2**16
"""Number of values screened at a time: they stay in the processor's cache."""
_ROUNDING = 0.9
"""Fraction of the threshold at which a spectrum passes the screening, which computes in float32."""


class Windows:
    """All positions of a window of `width` bands, and the prediction of its values from the bands outside."""

    def __init__(self, basis: Doubles, bands: int, width: int) -> None:
        self.width, self.bands = width, bands
        self.starts = np.arange(bands - width + 1)
        self.inside = self.starts[:, None] + np.arange(width)
        self.adjacent = np.stack([self.starts - 1, self.starts + width], -1)
        away = np.concatenate([np.arange(-_FLANK - 1, -1), np.arange(width + 1, width + 1 + _FLANK)])
        self.around = self.starts[:, None] + away
        self.known = (self.around >= 0) & (self.around < bands)
        adjacent_known = (self.adjacent >= 0) & (self.adjacent < bands)
        self.adjacent_known = adjacent_known
        self.around, self.adjacent = self.around.clip(0, bands - 1), self.adjacent.clip(0, bands - 1)
        # z' = z - e on the window makes its residual 0 where (1 - H) e = r: the deletion residual of regression
        inside = basis.T[self.inside]
        own = np.eye(width) - inside @ inside.swapaxes(-1, -2)
        self.deleted = np.linalg.inv(own + 1e-6 * np.eye(width))
        self.leak_around = basis.T[self.around] @ inside.swapaxes(-1, -2)
        self.leak_adjacent = basis.T[self.adjacent] @ inside.swapaxes(-1, -2)
        self._lines(away, 1 if len(basis) else 2)
        variance = np.diagonal(self.deleted, axis1=-2, axis2=-1) + (self.line**2).sum(-1)
        self.deviation = np.sqrt(np.maximum(variance, 0))
        # no eigenvalue of a matrix exceeds its largest sum over a row
        self.largest = np.where(self.enough, np.abs(self.deleted).sum(-1).max(-1), 0).astype(np.float32)

    def _lines(self, away: Integers, order: int) -> None:
        """Prepare the polynomial through the surrounding bands, evaluated in the window and next to it."""
        middle = (self.width - 1) / 2
        reach = middle + 1 + _FLANK
        powers = np.arange(order + 1)
        sided = (self.known[:, :_FLANK].sum(-1) >= 2) & (self.known[:, _FLANK:].sum(-1) >= 2)
        design = ((away - middle) / reach)[None, :, None] ** powers * self.known[..., None]
        # no extrapolation where bands are known on one side only
        design[~sided, :, 1:] = 0
        fitted = np.linalg.pinv(design)
        at = (np.arange(self.width) - middle)[:, None] / reach
        self.line = (at**powers) @ fitted
        self.line_adjacent = (np.array([[-1.0], [self.width]]) - middle) / reach
        self.line_adjacent = (self.line_adjacent**powers) @ fitted
        self.line_around = (((away - middle) / reach)[:, None] ** powers) @ fitted
        self.freedom = np.maximum(self.known.sum(-1) - np.where(sided, order + 1, 1), 1)
        self.enough = self.known.sum(-1) >= 3

    def gain(self, residual: Doubles) -> Doubles:
        """Return the decrease of the squared residual by a free window at each start, (n, starts)."""
        count = len(self.starts)
        gain = np.zeros((len(residual), count))
        for one in range(self.width):
            for other in range(one + 1):
                weight = self.deleted[:, one, other] * (1 if one == other else 2)
                gain += weight * residual[:, one : one + count] * residual[:, other : other + count]
        return gain

    def excess(self, residual: Doubles, starts: Integers) -> tuple[Doubles, Doubles, Doubles]:
        """Return the height of windows (c, width) above the prediction, that of the adjacent bands (c, 2), and the roughness around (c,).

        Parameters
        ----------
        residual : ndarray of shape (c, L)
            Residual of the spectrum of each window.
        """
        rows = np.arange(len(starts))[:, None]
        deleted = np.einsum("cij,cj->ci", self.deleted[starts], residual[rows, self.inside[starts]])
        around = residual[rows, self.around[starts]] + np.einsum("cij,cj->ci", self.leak_around[starts], deleted)
        around = around * self.known[starts]
        adjacent = residual[rows, self.adjacent[starts]] + np.einsum("cij,cj->ci", self.leak_adjacent[starts], deleted)
        height = deleted - np.einsum("cij,cj->ci", self.line[starts], around)
        adjacent = adjacent - np.einsum("cij,cj->ci", self.line_adjacent[starts], around)
        adjacent *= self.adjacent_known[starts]
        off = (around - np.einsum("cij,cj->ci", self.line_around[starts], around)) * self.known[starts]
        return height, adjacent, np.sqrt((off**2).sum(-1) / self.freedom[starts])


class Search:
    """Search for spikes in spectra with the statistics of an `Explanation`.

    Parameters
    ----------
    threshold : standard deviations of the noise
    width : largest number of bands that a spike covers
    """

    def __init__(self, known: Explanation, threshold: float, width: int) -> None:
        # a single spectrum: the top of a line is not exactly a polynomial
        self.known, self.threshold = known, threshold * (_ALONE if np.isnan(known.line) else 1)
        bands = len(known.mean)
        self.width = max(1, min(width, bands // 3))
        self.windows = [Windows(known.basis, bands, each + 1) for each in range(self.width)]

    def find(self, spectra: Doubles | FloatArray, grid: tuple[int, ...] | None = None, *, classify: bool = True) -> FoundSpikes:
        """Return the spikes of spectra (n, L) without NaN.

        Parameters
        ----------
        grid : the shape (..., y, x) of an image whose pixels, in order, they are
        classify : whether to apply the criteria of width, isolation and lines of the set
        """
        width, rows = self.width, self._screened(spectra)
        some = spectra[rows].astype(np.float64)
        residual, noise = self.known.residual(some)
        parts = list(self._passes(some, residual, noise))
        if not parts:
            return FoundSpikes(np.zeros(0, np.intp), np.zeros(0, np.intp), np.zeros((0, width)), np.zeros(0), np.zeros(0))
        found = FoundSpikes.joined(parts)
        if grid is not None:
            found = found.only(self._alone(replace(found, spectrum=rows[found.spectrum]), spectra, grid))
        found = found.only(self._classified(found, some, noise)) if classify else found
        return replace(found, spectrum=rows[found.spectrum])

    def _screened(self, spectra: Doubles | FloatArray) -> Integers:
        """Return which spectra (n, L) may contain spikes, by an upper limit of what any window gains over a lower limit of the noise."""
        known = self.known
        mean, scale, basis = (part.astype(np.float32) for part in (known.mean, known.scale, known.basis))
        least = np.float32(_ROUNDING * (self.threshold * known.growth.min()) ** 2)
        passed = np.empty(len(spectra), bool)
        at_once = max(1, _SCREENED // spectra.shape[1])
        with np.errstate(over="ignore", invalid="ignore"):
            for first in range(0, len(spectra), at_once):
                residual = (spectra[first : first + at_once].astype(np.float32, copy=False) - mean) / scale
                if len(basis):
                    residual -= residual @ basis.T @ basis
                np.square(residual, out=residual)
                size, most = residual.copy(), np.zeros(len(residual), np.float32)
                for windows in self.windows:
                    size = size[:, : len(windows.starts)]
                    if windows.width > 1:
                        size += residual[:, windows.width - 1 :]
                    most = np.maximum(most, (size * windows.largest).max(-1))
                passed[first : first + at_once] = ~(most <= least)  # NaN passes, too
        return np.flatnonzero(passed)

    def _passes(self, spectra: Doubles, residual: Doubles, noise: Doubles) -> Iterator[FoundSpikes]:
        """Yield candidates, the largest of each spectrum first, each time without those found before."""
        known = self.known
        floor = _FLOOR * np.ptp(quantiles(spectra, 0.01, 0.99), axis=0) + 1e-6 * np.abs(spectra).max(-1)
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
                good, height, wide, feet = self._examined(windows, residual[some], noise[some], start[some], floor[rows[some]])
                change[some[:, None], windows.inside[start[some]]] = height
                full = np.zeros((len(some), self.width))
                full[:, : windows.width] = height * known.scale[windows.inside[start[some]]]
                yield FoundSpikes(rows[some][good], start[some][good], full[good], wide[good], feet[good])
            # spikes found are subtracted; rejected candidates are not examined again
            residual = residual - change + change @ known.basis.T @ known.basis
            done = change.any(-1)
            barred |= np.abs(np.arange(residual.shape[1]) - start[:, None]) < np.where(done, 1, self.width)[:, None]

    def _gains(self, residual: Doubles, noise: Doubles) -> Doubles:
        """Return the decrease of the squared residual by a window of each width at each band, in squared noise, (width, n, L)."""
        gains = np.zeros((self.width, *residual.shape))
        for windows in self.windows:
            starts = len(windows.starts)
            middle = noise[:, windows.width // 2 : windows.width // 2 + starts]
            gains[windows.width - 1, :, :starts] = np.where(windows.enough, windows.gain(residual) / middle**2, 0)
        return gains

    def _examined(
        self, windows: Windows, residual: Doubles, noise: Doubles, start: Integers, floor: Doubles
    ) -> tuple[Mask, Doubles, Doubles, Doubles]:
        """Return which windows are spikes by their shape, their heights (0 where not), their equivalent widths, and that of their feet."""
        each = np.arange(len(start))
        height, adjacent, rough = windows.excess(residual, start)
        inside = windows.inside[start]
        size = noise[each[:, None], inside] * windows.deviation[start]
        top = height.argmax(-1)
        high, deviation = height[each, top], size[each, top]
        # at either end only one side is known: it may be the foot of a peak
        deviation = deviation * np.where(windows.adjacent_known[start].all(-1), 1, _END)
        good = (high > _CERTAIN * self.threshold * deviation) & (high > _ROUGH * rough)
        good &= high * self.known.scale[inside[each, top]] > floor
        good &= (adjacent <= np.maximum(_FOOT * high, 3.5 * deviation)[:, None]).all(-1)
        part = (height > np.maximum(3 * size, 0)) | (np.arange(windows.width) == top[:, None])
        wide = (height.clip(0).sum(-1) + adjacent.clip(0).sum(-1)) / np.maximum(high, 1e-30)
        # noise of the two bands next to it, of which only what is positive counts
        feet = wide - (np.where(part, height, 0).sum(-1) + 0.8 * deviation) / np.maximum(high, 1e-30)
        return good, np.where(part & good[:, None], height, 0), wide, feet

    def _alone(self, found: FoundSpikes, spectra: Doubles | FloatArray, grid: tuple[int, ...]) -> Mask:
        """Return the spikes not shared by neighbouring pixels, or shared along one line and too narrow for light."""
        shares = self._sharing(found, spectra, grid)
        along_x, along_y = shares[:, [3, 4]].any(-1), shares[:, [1, 6]].any(-1)
        apart = shares[:, [0, 2, 5, 7]].any(-1)
        streak = ~apart & (along_x ^ along_y) & self.narrow(found)
        return ~shares.any(-1) | streak

    def _sharing(self, found: FoundSpikes, spectra: Doubles | FloatArray, grid: tuple[int, ...]) -> Mask:
        """Return which of the eight neighbouring pixels, row by row, rise at the bands of each spike, (c, 8)."""
        place = np.stack(np.unravel_index(found.spectrum, grid))
        step = np.array([(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)])
        around = np.repeat(place[..., None], 8, -1)
        around[-2] += step[:, 0]
        around[-1] += step[:, 1]
        there = ((around >= 0) & (around < np.array(grid)[:, None, None])).all(0)
        used, pixel = np.unique(np.ravel_multi_index(tuple(around), grid, mode="clip").ravel(), return_inverse=True)
        residual, noise = self.known.residual(spectra[used].astype(np.float64))
        windows = self.windows[-1]
        # the widest window that contains the spike, also at the last band
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

    def wide(self, found: FoundSpikes) -> Mask:
        """Return which spikes are as wide as the lines of the set, but have no feet as lines have."""
        return np.asarray(~self.narrow(found) & (found.feet < _FEET))

    def narrow(self, found: FoundSpikes) -> Mask:
        """Return which spikes are narrower than the lines of the set."""
        return np.asarray(found.wide < max(SINGLE, _SHARPER * self.known.line))

    def _classified(self, found: FoundSpikes, spectra: Doubles, noise: Doubles) -> Mask:
        """Return which candidates are spikes by the statistics of the set."""
        known = self.known
        if np.isnan(known.line):
            return self._narrow_alone(found, spectra, noise) & self._smoother(found, spectra)
        if not known.isolated:  # the data contain many unexplained lines
            return np.asarray((found.wide < SINGLE) & ~known.lines[found.peak])
        doubtful = np.bincount(found.spectrum[~self.narrow(found)], minlength=len(spectra))[found.spectrum]
        spikes = (self.narrow(found) | (self.wide(found) & (doubtful <= known.several))) & ~known.lines[found.peak]
        return np.asarray(spikes & ~self._shoulders(found, ~spikes))

    def _shoulders(self, found: FoundSpikes, lines: Mask) -> Mask:
        """Return which candidates are within a window of a line of the same spectrum: they are its shoulders."""
        peaks = np.full((int(found.spectrum.max(initial=0)) + 1, len(self.known.mean)), fill_value=False)
        peaks[found.spectrum[lines], found.peak[lines]] = True
        near = found.peak[:, None] + np.arange(-self.width, self.width + 1)
        return np.asarray(peaks[found.spectrum[:, None], near.clip(0, peaks.shape[1] - 1)].any(-1))

    def _smoother(self, found: FoundSpikes, spectra: Doubles) -> Mask:
        """Return whose removal leaves a smoother spectrum: removing the top of a line leaves a dent."""
        offset = np.arange(-2, self.width + 2)
        place = (found.start[:, None] + offset).clip(0, spectra.shape[-1] - 1)
        before = spectra[found.spectrum[:, None], place]
        after = before - np.pad(found.height, ((0, 0), (2, 2))) * (place == found.start[:, None] + offset)
        rough_before, rough_after = ((np.diff(part, 2, axis=-1) ** 2).sum(-1) for part in (before, after))
        return np.asarray(rough_after < rough_before / 2)

    def _narrow_alone(self, found: FoundSpikes, spectra: Doubles, noise: Doubles) -> Mask:
        """Return which spikes are narrower than all other lines of their own spectrum."""
        rows, back = np.unique(found.spectrum, return_inverse=True)
        wide = line_widths(spectra[rows], noise[rows] * self.known.scale)
        wide = np.where(wide < SINGLE, np.nan, wide)[back]
        near = np.abs(np.arange(spectra.shape[-1]) - found.peak[:, None]) <= self.width
        line = np.fmin.reduce(np.where(near, np.nan, wide), axis=-1)
        return np.asarray((found.wide < SINGLE) | (found.wide < _SHARPER_ALONE * np.nan_to_num(line, nan=SAMPLED)))
