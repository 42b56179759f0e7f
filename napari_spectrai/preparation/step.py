"""What every step is, and the registry of steps."""

from __future__ import annotations

from typing import Self

from napari_spectrai.cube import FloatArray, SpectralAxis
from napari_spectrai.spec import Named, Registry


class Step(Named):
    """One preparation of spectra. Subclasses give `apply`; a step that can be undone gives `factors` too."""

    def apply(self, spectra: FloatArray, axis: SpectralAxis) -> tuple[FloatArray, SpectralAxis]:
        """Return the prepared spectra and their axis; the input is left as it is.

        Parameters
        ----------
        spectra : ndarray of shape (..., L)
        axis : SpectralAxis of L bands
        """
        factors = self.factors(spectra)
        if factors is None:
            raise TypeError(f"{type(self).__name__} gives neither apply nor factors")
        offset, scale = factors
        # a spectrum without extent has scale 0: it stays as it is, and comes back as zero from a restore
        return (spectra - offset) / (scale + (scale == 0)), axis

    def factors(self, spectra: FloatArray) -> tuple[FloatArray, FloatArray] | None:
        """Return the (offset, scale), of shape (..., 1), that `apply` removes; None if it removes none."""
        return None

    def fitted(self, spectra: FloatArray) -> Self:
        """Return this step with what it learns from the training spectra, of shape (n, L), filled in."""
        return self


steps: Registry[Step] = Registry("step")
