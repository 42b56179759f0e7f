"""Variance stabilisation of noise that depends on intensity, with an unbiased inverse."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_spectrai.cube import FloatArray

Doubles = npt.NDArray[np.float64]
_ROOT = np.sqrt(1.5)


@dataclass(frozen=True, slots=True)
class Stabiliser:
    """The generalised Anscombe transform of a variance ``gain * (intensity - offset) + read**2``, and its unbiased inverse.

    Stabilised intensities have noise of standard deviation one. Where the gain is 0, intensities are divided by the read noise.

    Parameters
    ----------
    gain : ndarray of shape (L,) or (1,)
        Intensity units per photon, at least 0.
    offset : ndarray of shape (L,) or (1,)
        Intensity without light.
    read : ndarray of shape (L,) or (1,)
        Standard deviation of the noise without light, in intensity units; above 0 where the gain is 0.
    unbiased : bool
        Whether the inverse applies to stabilised means (from denoising noisy data), or to single values (of clean truths).

    References
    ----------
    Starck, Murtagh & Bijaoui 1998, ISBN 0-521-59084-1 (the transform); Mäkitalo & Foi 2013, doi:10.1109/TIP.2012.2202675 (its inverse)
    """

    gain: Doubles
    offset: Doubles
    read: Doubles
    unbiased: bool = True

    def forward(self, intensity: FloatArray) -> FloatArray:
        """Return stabilised intensities, of the same shape (..., L)."""
        photons, read = self._photons(np.asarray(intensity, np.float64))
        root = 2 * np.sqrt(np.maximum(photons + 0.375 + np.square(read), 0))
        return self._chosen(root, intensity, np.asarray(intensity, np.float64) / self._unit)

    def inverse(self, stabilised: FloatArray) -> FloatArray:
        """Return the intensities with these stabilised means; this is not the algebraic inverse, which is too low.

        This is the closed form of the exact unbiased inverse; below zero light it continues linearly, so that noise around zero
        keeps its mean.
        """
        given = np.asarray(stabilised, np.float64)
        read = self._read_in_photons()
        least = 2 * np.sqrt(0.375 + np.square(read))
        inside = np.maximum(given, least)
        beyond = np.minimum(given - least, 0) * (_slope(least) if self.unbiased else least / 2)
        known = _unbiased(inside) if self.unbiased else np.square(inside) / 4 - 0.375
        photons = known - np.square(read) + beyond
        counted = photons * np.where(self.gain > 0, self.gain, 1) + self.offset
        return self._chosen(counted, stabilised, given * self._unit)

    @property
    def _unit(self) -> Doubles:
        return np.where(self.gain > 0, 1.0, self.read)

    def _read_in_photons(self) -> Doubles:
        return np.asarray(self.read / np.where(self.gain > 0, self.gain, 1))

    def _photons(self, intensity: Doubles) -> tuple[Doubles, Doubles]:
        return (intensity - self.offset) / np.where(self.gain > 0, self.gain, 1), self._read_in_photons()

    def _chosen(self, counted: Doubles, like: FloatArray, plain: Doubles) -> FloatArray:
        kind = np.asarray(like).dtype
        return np.where(self.gain > 0, counted, plain).astype(kind if np.issubdtype(kind, np.floating) else np.float32)


def _unbiased(value: Doubles) -> Doubles:
    inverse = 1 / value
    series = 0.25 * _ROOT * inverse - 1.375 * inverse**2 + 0.625 * _ROOT * inverse**3
    return np.asarray(0.25 * np.square(value) + series - 0.125)


def _slope(value: Doubles) -> Doubles:
    return np.asarray(0.5 * value - 0.25 * _ROOT / value**2 + 2.75 / value**3 - 1.875 * _ROOT / value**4)
