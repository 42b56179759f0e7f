"""Statistics of the spectra in which spikes are searched, and the spikes found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
Integers = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]

SEVERAL = 3
"""Largest number of spikes as wide as lines in one spectrum."""
_AT_ONCE = 2**16
"""Number of values whose noise is computed at a time: they stay in the processor's cache."""


@dataclass(frozen=True)
class Explanation:
    """Statistics of a set of spectra: their variation, their noise, and the width of their lines.

    Parameters
    ----------
    mean : ndarray of shape (L,)
    scale : ndarray of shape (L,)
        Noise of each band.
    basis : ndarray of shape (k, L)
        Orthonormal directions in which spectra, divided by `scale`, vary.
    levels, growth : ndarray of shape (m,)
        Factors of `scale` at these predicted intensities.
    line : float
        Equivalent width of the narrowest lines, in bands; infinite if there are none, NaN to measure it in each spectrum.
    lines : ndarray of shape (L,), bool
        Bands at which several spectra rise, so that they are lines of rare substances.
    isolated : bool
        Whether unexplained features as narrow as lines are rare enough to be spikes.
    several : int
        Number of spikes as wide as lines in one spectrum above which they are lines of an unusual spectrum.
    """

    mean: Doubles
    scale: Doubles
    basis: Doubles
    levels: Doubles
    growth: Doubles
    line: float
    lines: Mask
    isolated: bool
    several: int = SEVERAL

    def residual(self, spectra: Doubles) -> tuple[Doubles, Doubles]:
        """Return the part of spectra (n, L) outside the basis, and its expected standard deviation, both divided by `scale`."""
        residual = self.outside(spectra)
        return residual, self.noise(spectra, residual)

    def outside(self, spectra: Doubles) -> Doubles:
        """Return the part of spectra (n, L) outside the basis, divided by `scale`."""
        scaled = (spectra - self.mean) / self.scale
        if len(self.basis):
            scaled -= scaled @ self.basis.T @ self.basis
        return np.asarray(scaled)

    def noise(self, spectra: Doubles, residual: Doubles) -> Doubles:
        """Return the expected standard deviation of the part of spectra outside the basis, divided by `scale`."""
        noise = np.empty_like(residual)
        rows = max(1, _AT_ONCE // residual.shape[-1])
        for part in (slice(first, first + rows) for first in range(0, len(residual), rows)):
            some = np.interp(spectra[part] - residual[part] * self.scale, self.levels, self.growth)
            # the noise of the others does not apply to a spectrum that they do not explain
            own = median(np.abs(np.diff(residual[part] / some, 2, axis=-1)))[:, None] / (0.6745 * 6**0.5)
            np.multiply(some, np.maximum(own, 1), out=noise[part])
        return noise


def median(values: Doubles) -> Doubles:
    """Return the median over the last axis: sorting is several times as fast as `numpy.median`."""
    return np.asarray(quantiles(values, 0.5)[0])


def quantiles(values: Doubles, *shares: float) -> Doubles:
    """Return quantiles over the last axis, of shape (q, ...), linear between values."""
    ordered = np.sort(values, axis=-1)
    place = np.array(shares) * (values.shape[-1] - 1)
    low = np.floor(place).astype(np.intp)
    high = np.minimum(low + 1, values.shape[-1] - 1)
    first = ordered[..., low]
    return np.asarray(np.moveaxis(first + (ordered[..., high] - first) * (place - low), -1, 0))


def alone(bands: int) -> Explanation:
    """Return the statistics for spectra without context, each of which is examined on its own."""
    return Explanation(
        mean=np.zeros(bands), scale=np.ones(bands), basis=np.zeros((0, bands)), levels=np.zeros(1), growth=np.full(1, 1e-30),
        line=np.nan, lines=np.zeros(bands, bool), isolated=False,
    )  # fmt: skip


@dataclass(frozen=True)
class FoundSpikes:
    """Spikes of spectra of shape (n, L), one entry per spike.

    Parameters
    ----------
    spectrum, start : ndarray of shape (c,)
    height : ndarray of shape (c, width)
        In the unit of the spectra; 0 at bands of the window that are not part of the spike.
    wide : ndarray of shape (c,)
        Equivalent width, in bands.
    feet : ndarray of shape (c,)
        Part of the equivalent width in the bands around those of the spike: the feet of a line.
    """

    spectrum: Integers
    start: Integers
    height: Doubles
    wide: Doubles
    feet: Doubles

    @classmethod
    def joined(cls, parts: Sequence[FoundSpikes]) -> FoundSpikes:
        """Concatenate several sets of spikes."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))

    @property
    def peak(self) -> Integers:
        """The highest band of each spike."""
        return np.asarray(self.start + self.height.argmax(-1))

    def only(self, keep: Mask) -> FoundSpikes:
        """Return a subset of the spikes."""
        return FoundSpikes(*(getattr(self, field.name)[keep] for field in fields(self)))

    def removed_from(self, spectra: Doubles) -> Doubles:
        """Return spectra without the spikes."""
        result = spectra.copy()
        entry, offset = np.nonzero(self.height)
        np.subtract.at(result, (self.spectrum[entry], self.start[entry] + offset), self.height[entry, offset])
        return result
