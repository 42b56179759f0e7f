"""Scaling of intensities, undone after prediction so that results keep the unit of the source."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from napari_spectrai.cube import FloatArray, SpectralAxis
from napari_spectrai.preparation.step import LEARNT, Step, only_with

LEAST, MOST = 1e-38, 3e38
"""Divisors of intensities: numbers that float32 holds."""


class Normalise(Step):
    """Scale each spectrum individually.

    ``"snv"`` is the standard normal variate (Barnes, Dhanoa & Lister 1989, doi:10.1366/0003702894202201), ``"rnv"`` the
    robust one (Guo, Wu & Massart 1999, doi:10.1016/S0003-2670(98)00737-5).
    A spectrum without extent (all zero; constant for ``"minmax"``, ``"snv"`` and ``"rnv"``) is not scaled, only shifted.
    """

    title: ClassVar = "Normalise each spectrum"
    group: ClassVar = "Scale"
    kind: Literal["normalise"] = "normalise"
    any_axis: ClassVar = True
    by: Literal["maximum", "area", "vector", "minmax", "snv", "rnv"] = Field(
        "maximum",
        title="Normalise to",
        description="the quantity that is scaled to one: maximum, mean absolute value, length, range, or standard deviation",
    )
    percentile: float = Field(
        25.0,
        gt=0,
        lt=100,
        description="for rnv: the percentile used as the level; the deviation is that of the values below it",
        json_schema_extra=only_with("by", "rnv"),
    )

    def factors(self, spectra: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the offset and scale of each spectrum."""
        zero = np.zeros((*spectra.shape[:-1], 1), spectra.dtype)
        if self.by == "maximum":
            # by magnitude, so that a negative spectrum (an absorbance trough) is not inverted
            return zero, np.abs(spectra).max(-1, keepdims=True)
        if self.by == "area":
            return zero, np.abs(spectra).mean(-1, keepdims=True)
        if self.by == "vector":
            return zero, np.sqrt(np.square(spectra).sum(-1, keepdims=True))
        if self.by == "minmax":
            low = spectra.min(-1, keepdims=True)
            return low, spectra.max(-1, keepdims=True) - low
        if self.by == "rnv":
            level = np.percentile(spectra, self.percentile, -1, keepdims=True).astype(spectra.dtype)
            below = spectra <= level
            count = np.maximum(below.sum(-1, keepdims=True), 1)
            rest = np.where(below, spectra - np.where(below, spectra, 0).sum(-1, keepdims=True) / count, 0)
            return level, np.sqrt(np.square(rest).sum(-1, keepdims=True) / count).astype(spectra.dtype)
        mean = spectra.mean(-1, keepdims=True, dtype=np.float64)
        centred = spectra - mean
        deviation = np.sqrt(np.einsum("...l,...l->...", centred, centred)[..., None] / spectra.shape[-1])
        # rounding errors of a constant spectrum are not a deviation
        deviation[deviation <= 8 * np.finfo(spectra.dtype).eps * np.abs(mean)] = 0
        return mean.astype(spectra.dtype), deviation.astype(spectra.dtype)


class Scale(Step):
    """Divide all intensities by one factor, fitted on the training spectra; intensities stay comparable between pixels."""

    title: ClassVar = "Scale by one factor"
    group: ClassVar = "Scale"
    kind: Literal["scale"] = "scale"
    any_axis: ClassVar = True
    percentile: float = Field(99.9, gt=50, le=100, description="percentile of the training intensities that is scaled to one")
    factor: float | None = Field(None, ge=LEAST, le=MOST, description="the divisor; fitted on the training spectra if empty")
    target: float | None = Field(
        None,
        ge=LEAST,
        le=MOST,
        description="the divisor of a truth from another instrument, by which results are multiplied; empty: the same divisor",
        json_schema_extra=LEARNT,
    )

    @property
    def is_fitted(self) -> bool:
        """Whether the divisor is known."""
        return self.factor is not None

    @property
    def has_unit_of_truth(self) -> bool:
        """Whether the divisor of the truth is known."""
        return self.target is not None

    def fitted(self, spectra: FloatArray, axis: SpectralAxis) -> Self:
        """Fit the divisor; NaN is ignored."""
        return self if self.factor is not None else self.model_copy(update={"factor": self._divisor(spectra)})

    def fitted_to_target(self, spectra: FloatArray, axis: SpectralAxis) -> Self:
        """Fit the divisor of the truth; NaN is ignored."""
        return self if self.target is not None else self.model_copy(update={"target": self._divisor(spectra)})

    def for_target(self) -> Step:
        """Return the step with the divisor of the truth."""
        return self if self.target is None else self.model_copy(update={"factor": self.target, "target": None})

    def given_back(self, spectra: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the scale of the truth for every spectrum."""
        return self.factors(spectra) if self.target is None else self.model_copy(update={"factor": self.target}).factors(spectra)

    def _divisor(self, spectra: FloatArray) -> float:
        if not np.isfinite(spectra).any():
            raise ValueError(f"{self.title}: every value is NaN, so there is no value to scale by; fill or crop first")
        divisor = float(np.nanpercentile(np.abs(spectra), self.percentile))
        return min(max(divisor, LEAST), MOST) if divisor else 1.0

    def factors(self, spectra: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the same scale for every spectrum."""
        if self.factor is None:
            raise ValueError("the scale has no factor yet; fit it by training, or pass factor=…")
        shape = (*spectra.shape[:-1], 1)
        return np.zeros(shape, spectra.dtype), np.full(shape, self.factor, spectra.dtype)
