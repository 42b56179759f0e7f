"""Line shapes with analytic derivatives, for many spectra at once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from napari_spectrai.mapping.kind import Doubles

Shape = Literal["gaussian", "lorentzian", "pseudo_voigt"]
Baseline = Literal["none", "constant", "linear", "quadratic"]

GAUSSIAN_AREA = math.sqrt(math.pi / (4 * math.log(2)))
"""Area of a Gaussian of height 1 and FWHM 1."""
LORENTZIAN_AREA = math.pi / 2
"""Area of a Lorentzian of height 1 and FWHM 1."""
DEGREES = {"none": -1, "constant": 0, "linear": 1, "quadratic": 2}
_FOUR_LN2 = 4 * math.log(2)


def profile(shape: Shape, positions: Doubles, centre: Doubles, fwhm: Doubles, fraction: float = 0.5) -> Doubles:
    """Return lines of height one, of shape (..., m).

    Parameters
    ----------
    positions : ndarray of shape (m,)
    centre, fwhm : ndarray of shape (...)
    fraction : Lorentzian fraction of a pseudo-Voigt line
    """
    squared = np.square((positions - centre[..., None]) / fwhm[..., None])
    if shape == "gaussian":
        return np.asarray(np.exp(-_FOUR_LN2 * squared))
    lorentzian = 1 / (1 + 4 * squared)
    if shape == "lorentzian":
        return np.asarray(lorentzian)
    return np.asarray(fraction * lorentzian + (1 - fraction) * np.exp(-_FOUR_LN2 * squared))


@dataclass(frozen=True)
class PeakModel:
    """A sum of peaks over a polynomial baseline.

    Parameters of each peak: height, position, FWHM and, of a pseudo-Voigt line, its Lorentzian fraction (Wertheim et al. 1974,
    doi:10.1063/1.1686503). The coefficients of the baseline follow, in powers of a position scaled to -1 … 1.

    Parameters
    ----------
    positions : ndarray of shape (m,)
        Of the bands, in the unit of the axis.
    shape : ``"gaussian"``, ``"lorentzian"`` or ``"pseudo_voigt"``
    count : number of peaks
    baseline : ``"none"``, ``"constant"``, ``"linear"`` or ``"quadratic"``
    """

    positions: Doubles
    shape: Shape
    count: int
    baseline: Baseline

    @property
    def each(self) -> int:
        """Parameters of a peak."""
        return 4 if self.shape == "pseudo_voigt" else 3

    @property
    def size(self) -> int:
        """Parameters of the model."""
        return self.count * self.each + DEGREES[self.baseline] + 1

    @cached_property
    def powers(self) -> Doubles:
        """The baseline's terms, of shape (terms, m)."""
        low, high = self.positions.min(), self.positions.max()
        scaled = (self.positions - (low + high) / 2) / max((high - low) / 2, 1e-300)
        return np.stack([scaled**degree for degree in range(DEGREES[self.baseline] + 1)] or [np.empty((0, len(scaled)))]).reshape(
            -1, len(scaled)
        )

    def values(self, parameters: Doubles) -> Doubles:
        """Return the model (n, m) of parameters (n, size)."""
        return -self.residuals(parameters, np.zeros((len(parameters), len(self.positions))))[0]

    def residuals(self, parameters: Doubles, spectra: Doubles) -> tuple[Doubles, Doubles]:
        """Return spectra (n, m) minus the model, and the model's derivatives (n, size, m), at parameters (n, size)."""
        jacobian = np.empty((len(parameters), self.size, len(self.positions)))
        found = spectra - parameters[:, self.count * self.each :] @ self.powers
        jacobian[:, self.count * self.each :] = self.powers
        for start in range(0, self.count * self.each, self.each):
            height, centre, fwhm = (parameters[:, start + number, None] for number in range(3))
            u = (self.positions - centre) / fwhm
            line, along = self._line(u, parameters[:, start + 3, None] if self.each == 4 else None, jacobian[:, start : start + self.each])
            scaled = height / fwhm
            along *= scaled  # height × -d(line)/du / fwhm: by position; times u: by fwhm
            jacobian[:, start] = line
            jacobian[:, start + 1] = along
            np.multiply(along, u, out=jacobian[:, start + 2])
            if self.each == 4:
                jacobian[:, start + 3] *= height
            found -= height * line
        return found, jacobian

    def _line(self, u: Doubles, fraction: Doubles | None, out: Doubles) -> tuple[Doubles, Doubles]:
        """Return a line of height one at u = (position - centre) / FWHM, and minus its derivative by u."""
        if self.shape == "lorentzian":
            line = 1 / (1 + 4 * np.square(u))
            return line, 8 * u * np.square(line)
        gaussian = np.exp(-_FOUR_LN2 * np.square(u))
        if fraction is None:
            return gaussian, (2 * _FOUR_LN2) * u * gaussian
        lorentzian = 1 / (1 + 4 * np.square(u))
        difference = lorentzian - gaussian
        out[:, 3] = difference
        steep = fraction * (8 * np.square(lorentzian)) + (1 - fraction) * ((2 * _FOUR_LN2) * gaussian)
        return gaussian + fraction * difference, steep * u

    def area(self, parameters: Doubles, peak: int) -> tuple[Doubles, Doubles]:
        """Return the area (n,) of one peak, and its derivatives (n, each) by the peak's parameters."""
        own = parameters[:, peak * self.each : (peak + 1) * self.each]
        height, fwhm = own[:, 0], own[:, 2]
        if self.shape == "pseudo_voigt":
            factor = own[:, 3] * LORENTZIAN_AREA + (1 - own[:, 3]) * GAUSSIAN_AREA
        else:
            factor = np.full(len(own), GAUSSIAN_AREA if self.shape == "gaussian" else LORENTZIAN_AREA)
        gradient = np.zeros_like(own)
        gradient[:, 0], gradient[:, 2] = fwhm * factor, height * factor
        if self.shape == "pseudo_voigt":
            gradient[:, 3] = height * fwhm * (LORENTZIAN_AREA - GAUSSIAN_AREA)
        return height * fwhm * factor, gradient
