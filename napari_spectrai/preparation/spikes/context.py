"""What is known of the spectra in which spikes are sought, and what is found."""

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
    """What is known of a set of spectra: how they vary together, how large their noise is, how narrow their lines are.

    Parameters
    ----------
    mean : ndarray of shape (L,)
    scale : ndarray of shape (L,)
        Noise of each band.
    basis : ndarray of shape (k, L)
        Orthonormal directions in which spectra vary, of spectra divided by `scale`.
    levels, growth : ndarray of shape (m,)
        Factor on `scale` at these predicted intensities.
    line : float
        Equivalent width of the narrowest lines, in bands; infinite where there are none, NaN to find it in each spectrum.
    lines : ndarray of shape (L,), bool
        Bands at which several spectra rise so that they are lines of rare substances.
    isolated : bool
        Whether features as narrow as lines that no other spectrum explains are rare enough to be spikes.
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
        """Return what the basis does not explain of spectra (n, L), and its expected standard deviation, both divided by `scale`."""
        scaled = (spectra - self.mean) / self.scale
        residual = scaled - scaled @ self.basis.T @ self.basis
        noise = np.interp(spectra - residual * self.scale, self.levels, self.growth)
        # a spectrum that the others do not explain is not to be judged by their noise
        own = np.median(np.abs(np.diff(residual / noise, 2, axis=-1)), axis=-1, keepdims=True) / (0.6745 * 6**0.5)
        return residual, noise * np.maximum(own, 1)


def alone(bands: int) -> Explanation:
    """Return what can be said of spectra of which nothing is known: each has to speak for itself."""
    return Explanation(
        mean=np.zeros(bands), scale=np.ones(bands), basis=np.zeros((0, bands)), levels=np.zeros(1), growth=np.full(1, 1e-30),
        line=np.nan, lines=np.zeros(bands, bool), isolated=False,
    )  # fmt: skip


@dataclass(frozen=True)
class Found:
    """Spikes of spectra of shape (n, L): one entry a spike.

    Parameters
    ----------
    spectrum, start : ndarray of shape (c,)
    height : ndarray of shape (c, width)
        In the units of the spectra; 0 where a band of the window is not part of the spike.
    wide : ndarray of shape (c,)
        Equivalent width, in bands.
    """

    spectrum: Integers
    start: Integers
    height: Doubles
    wide: Doubles

    @classmethod
    def joined(cls, parts: Sequence[Found]) -> Found:
        """Return the spikes of several."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))

    @property
    def peak(self) -> Integers:
        """The highest band of each."""
        return np.asarray(self.start + self.height.argmax(-1))

    def only(self, keep: Mask) -> Found:
        """Return some of them."""
        return Found(self.spectrum[keep], self.start[keep], self.height[keep], self.wide[keep])

    def removed_from(self, spectra: Doubles) -> Doubles:
        """Return spectra without the spikes."""
        result = spectra.copy()
        entry, offset = np.nonzero(self.height)
        np.subtract.at(result, (self.spectrum[entry], self.start[entry] + offset), self.height[entry, offset])
        return result
