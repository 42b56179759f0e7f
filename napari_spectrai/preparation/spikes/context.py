"""Statistics of the spectra in which spikes are searched, and the spikes found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
Integers = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]


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
    """

    mean: Doubles
    scale: Doubles
    basis: Doubles
    levels: Doubles
    growth: Doubles
    line: float
    lines: Mask
    isolated: bool

    def residual(self, spectra: Doubles) -> tuple[Doubles, Doubles]:
        """Return the part of spectra (n, L) outside the basis, and its expected standard deviation, both divided by `scale`."""
        scaled = (spectra - self.mean) / self.scale
        residual = scaled - scaled @ self.basis.T @ self.basis
        noise = np.interp(spectra - residual * self.scale, self.levels, self.growth)
        # the noise of the others does not apply to a spectrum that they do not explain
        own = np.median(np.abs(np.diff(residual / noise, 2, axis=-1)), axis=-1, keepdims=True) / (0.6745 * 6**0.5)
        return residual, noise * np.maximum(own, 1)


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
    """

    spectrum: Integers
    start: Integers
    height: Doubles
    wide: Doubles

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
        return FoundSpikes(self.spectrum[keep], self.start[keep], self.height[keep], self.wide[keep])

    def removed_from(self, spectra: Doubles) -> Doubles:
        """Return spectra without the spikes."""
        result = spectra.copy()
        entry, offset = np.nonzero(self.height)
        np.subtract.at(result, (self.spectrum[entry], self.start[entry] + offset), self.height[entry, offset])
        return result
