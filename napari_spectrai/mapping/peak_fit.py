"""Fits of peaks to many spectra at once: bounds, ties, start values from the data, standard errors of derived quantities."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from napari_spectrai.mapping.kind import Doubles
from napari_spectrai.mapping.least_squares import Fit, levenberg_marquardt
from napari_spectrai.mapping.lineshapes import PeakModel
from napari_spectrai.mapping.peak_start import Grid, evenly, packed, start

AT_ONCE = 2**17
"""Derivatives computed at a time: as many as fit in the processor's cache."""

Range = tuple[float, float]


@dataclass(frozen=True)
class PeakFitter:
    """Fits a model of peaks to spectra.

    Parameters
    ----------
    model : PeakModel
    windows : ``(low, high)`` of the position of each peak
    widths : ``(low, high)`` of the FWHM
    negative : whether heights may be negative
    same_fwhm : whether all peaks have one width (and one Lorentzian fraction)
    spacings : distances of the peaks from the first, or None if each has a position of its own
    heights : heights relative to the first, or None if each has a height of its own
    """

    model: PeakModel
    windows: tuple[Range, ...]
    widths: Range
    negative: bool = False
    same_fwhm: bool = False
    spacings: tuple[float, ...] | None = None
    heights: tuple[float, ...] | None = None

    @cached_property
    def _ties(self) -> tuple[Doubles, Doubles, npt.NDArray[np.intp]]:
        """The matrix (size, free) and the offset (size,) from free parameters to all, and which of all are the free ones."""
        size, each = self.model.size, self.model.each
        matrix, offset = np.eye(size), np.zeros(size)
        tied = []
        for peak in range(1, self.model.count):
            first = peak * each
            links: list[tuple[int, float, float]] = []  # parameter within the peak, factor, offset
            if self.heights is not None:
                links.append((0, self.heights[peak], 0.0))
            if self.spacings is not None:
                links.append((1, 1.0, self.spacings[peak]))
            if self.same_fwhm:
                links += [(number, 1.0, 0.0) for number in range(2, each)]
            for number, factor, distance in links:
                matrix[first + number] = 0
                matrix[first + number, number], offset[first + number] = factor, distance
                tied.append(first + number)
        free = np.array([number for number in range(size) if number not in tied])
        return matrix[:, free], offset, free

    @cached_property
    def _bounds(self) -> tuple[Doubles, Doubles]:
        """Bounds of all parameters, each of shape (size,)."""
        low, high = np.full(self.model.size, -np.inf), np.full(self.model.size, np.inf)
        for peak, window in enumerate(self.windows):
            first = peak * self.model.each
            low[first] = -np.inf if self.negative else 0.0
            low[first + 1], high[first + 1] = window
            low[first + 2], high[first + 2] = self.widths
            low[first + 3 : first + self.model.each], high[first + 3 : first + self.model.each] = 0.0, 1.0
        return low, high

    def _starts(self, spectra: Doubles, mean: Doubles) -> Iterator[Doubles]:
        """Yield parameters to start with: from each spectrum, and for several peaks also from the mean spectrum."""
        spacing = float(np.median(np.abs(np.diff(self.model.positions))))
        known: dict[Range, Grid] = {}
        for window in self.windows:
            if window not in known:
                narrow, wide = max(self.widths[0], 1.5 * spacing), self.widths[1] / 2
                wide = max(wide, min(narrow, self.widths[1]))
                known[window] = Grid.of(self.model, evenly(*window, spacing, narrow), min(narrow, wide), wide)
        grids = [known[window] for window in self.windows]
        yield start(self.model, spectra, grids, both_signs=self.negative)
        if self.model.count == 1:
            return
        first = start(self.model, mean[None], grids, both_signs=self.negative)
        typical = self._fit(mean[None], first).parameters[0]
        places = np.arange(self.model.count) * self.model.each
        centre, fwhm = (np.repeat(typical[None, places + number], len(spectra), 0) for number in (1, 2))
        yield packed(self.model, centre, fwhm, spectra)

    def _fit(self, spectra: Doubles, begin: Doubles) -> Fit:
        """Return the fit from one start, in all parameters."""
        matrix, offset, free = self._ties
        low, high = self._bounds
        begin = begin.copy()
        if not self.negative:  # a peak of height zero has no gradient in its other parameters
            least = 1e-3 * np.maximum(np.ptp(spectra, axis=1), 1e-300)
            heights = begin[:, : self.model.count * self.model.each : self.model.each]
            heights[:] = np.maximum(heights, least[:, None])
        plain = len(free) == self.model.size

        def free_model(parameters: Doubles, spectra: Doubles) -> tuple[Doubles, Doubles]:
            residual, jacobian = self.model.residuals(parameters @ matrix.T + offset, spectra)
            return residual, matrix.T @ jacobian

        found = levenberg_marquardt(self.model.residuals if plain else free_model, spectra, begin[:, free], low[free], high[free])
        if plain:
            return found
        held = found.at_bound @ (np.abs(matrix.T) > 0)
        covariance = matrix @ np.nan_to_num(found.covariance) @ matrix.T
        covariance[held[:, :, None] | held[:, None, :]] = np.nan
        return Fit(found.parameters @ matrix.T + offset, covariance, found.squares, found.converged, held)

    def fit(self, spectra: Doubles, mean: Doubles | None = None) -> Fit:
        """Fit spectra (n, m), each from several starts of which the best result is kept.

        Parameters
        ----------
        mean : ndarray of shape (m,), optional
            A spectrum typical of the whole cube; default: the mean of these.
        """
        at_once = max(16, AT_ONCE // (self.model.size * spectra.shape[1]))
        mean = spectra.mean(0) if mean is None else mean
        blocks = [spectra[first : first + at_once] for first in range(0, len(spectra), at_once)]
        # numpy releases the interpreter's lock; each thread works on small matrices, which threads of BLAS would only slow down
        with threadpool_limits(1, "blas"), ThreadPoolExecutor(min(len(blocks), os.cpu_count() or 1)) as pool:
            parts = list(pool.map(lambda block: self._best(block, mean), blocks))
        names = ("parameters", "covariance", "squares", "converged", "at_bound")
        return self._sorted(Fit(*(np.concatenate([getattr(part, name) for part in parts]) for name in names)))

    def _best(self, spectra: Doubles, mean: Doubles) -> Fit:
        best: Fit | None = None
        for begin in self._starts(spectra, mean):
            found = self._fit(spectra, begin)
            if best is None:
                best = found
                continue
            better = (found.converged & ~best.converged) | ((found.converged == best.converged) & (found.squares < best.squares))
            for name in ("parameters", "covariance", "squares", "converged", "at_bound"):
                getattr(best, name)[better] = getattr(found, name)[better]
        assert best is not None  # noqa: S101
        return best

    def _sorted(self, found: Fit) -> Fit:
        """Return a fit with its peaks by ascending position, where these may trade places."""
        count, each = self.model.count, self.model.each
        if count == 1 or len(set(self.windows)) > 1 or self.spacings is not None or self.heights is not None:
            return found
        order = np.argsort(found.parameters[:, 1 : count * each : each], axis=1, kind="stable")
        places = np.tile(np.arange(self.model.size), (len(order), 1))
        places[:, : count * each] = (order[:, :, None] * each + np.arange(each)).reshape(len(order), -1)
        row = np.arange(len(order))[:, None]
        covariance = found.covariance[row[:, :, None], places[:, :, None], places[:, None, :]]
        return Fit(found.parameters[row, places], covariance, found.squares, found.converged, found.at_bound[row, places])
