"""Scatter corrections relative to a reference spectrum, by default the mean of the data they are fitted on."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field

from napari_spectrai.cube import FloatArray, SpectralAxis
from napari_spectrai.preparation.step import Step

Reference = tuple[float, ...] | None


class _AgainstReference(Step):
    reference: Reference = Field(
        None, title="Reference spectrum", description="intensities of the reference spectrum; the mean of the data if empty"
    )

    @property
    def is_fitted(self) -> bool:
        """Whether there is a reference."""
        return self.reference is not None

    def fitted(self, spectra: FloatArray, axis: SpectralAxis) -> Self:
        """Use the mean of the spectra without NaN as the reference."""
        if self.reference is not None:
            return self
        flat = spectra.reshape(-1, spectra.shape[-1])
        good = np.isfinite(flat).all(-1)
        if not good.any():
            raise ValueError(f"{self.title}: every spectrum contains NaN, so there is no mean; fill or crop first")
        return self.model_copy(update={"reference": tuple(flat[good].mean(0, dtype=np.float64).tolist())})

    def _model(self, axis: SpectralAxis, order: int) -> npt.NDArray[np.float64]:
        """Return the columns fitted to each spectrum: the reference, then a polynomial."""
        if self.reference is None:
            raise ValueError(f"{self.title} has no reference yet; fit it by preprocess or training, or pass reference=…")
        if len(self.reference) != len(axis):
            raise ValueError(f"{self.title}: its reference has {len(self.reference)} bands, but the cube {len(axis)}; fit it again")
        span = np.ptp(axis.values) or 1.0
        powers = np.polynomial.legendre.legvander(2 * (axis.values - axis.values.min()) / span - 1, order)
        return np.column_stack([np.asarray(self.reference), powers])

    def _coefficients(self, spectra: FloatArray, columns: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return spectra.astype(np.float64) @ np.linalg.pinv(columns).T


class MSC(_AgainstReference):
    """Multiplicative scatter correction: x = a + b · reference, solved for a = 0, b = 1.

    Geladi, MacDougall & Martens 1985, doi:10.1366/0003702854248656.
    """

    title: ClassVar = "Scatter correction (MSC)"
    group: ClassVar = "Scale"
    kind: Literal["msc"] = "msc"

    def apply(self, spectra: FloatArray, axis: SpectralAxis) -> tuple[FloatArray, SpectralAxis]:
        """Return corrected spectra; if a spectrum is unrelated to the reference (b = 0), only its offset is removed."""
        self._model(axis, 0)
        return super().apply(spectra, axis)

    def factors(self, spectra: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return a and b of each spectrum."""
        fitted = self._coefficients(spectra, self._model(SpectralAxis.bands(spectra.shape[-1]), 0))
        return fitted[..., 1:2].astype(spectra.dtype), fitted[..., :1].astype(spectra.dtype)


class EMSC(_AgainstReference):
    """Extended multiplicative signal correction: MSC with a polynomial baseline.

    Martens & Stark 1991, doi:10.1016/0731-7085(91)80188-F.
    """

    title: ClassVar = "Scatter correction (EMSC)"
    group: ClassVar = "Scale"
    kind: Literal["emsc"] = "emsc"
    order: int = Field(2, ge=0, le=8, title="Polynomial order", description="order of the polynomial baseline")

    def apply(self, spectra: FloatArray, axis: SpectralAxis) -> tuple[FloatArray, SpectralAxis]:
        """Return corrected spectra."""
        columns = self._model(axis, self.order)
        fitted = self._coefficients(spectra, columns)
        scale = fitted[..., :1]
        corrected = (spectra - fitted[..., 1:] @ columns[:, 1:].T) / (scale + (scale == 0))
        return corrected.astype(spectra.dtype), axis
