"""Scaling of intensities, each undone after prediction so that results keep the unit of the source."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from napari_spectrai.cube import FloatArray, SpectralAxis
from napari_spectrai.preparation.step import LEARNT, Step


class Normalise(Step):
    """Scale each spectrum by itself.

    ``"snv"`` is the standard normal variate (Barnes, Dhanoa & Lister 1989, doi:10.1366/0003702894202201), ``"rnv"`` the
    robust one (Guo, Wu & Massart 1999, doi:10.1016/S0003-2670(98)00737-5).
    A spectrum without extent (all zero; constant for ``"minmax"``, ``"snv"`` and ``"rnv"``) has nothing to scale by and is only shifted.
    """

    title: ClassVar = "Normalise each spectrum"
    kind: Literal["normalise"] = "normalise"
    by: Literal["maximum", "area", "vector", "minmax", "snv", "rnv"] = Field(
        "maximum", description="what becomes one: the maximum, mean absolute value, length, range, or standard deviation"
    )
    percentile: float = Field(25.0, gt=0, lt=100, description="of rnv: the percentile taken as the level, and below it the deviation")

    def factors(self, spectra: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the offset and scale of each spectrum."""
        zero = np.zeros((*spectra.shape[:-1], 1), spectra.dtype)
        if self.by == "maximum":
            # by magnitude, so that a spectrum below zero (an absorbance trough) is not turned over
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
        deviation = np.sqrt(np.square(spectra - mean).mean(-1, keepdims=True))
        # what rounding leaves of a constant spectrum is no deviation
        deviation[deviation <= 8 * np.finfo(spectra.dtype).eps * np.abs(mean)] = 0
        return mean.astype(spectra.dtype), deviation.astype(spectra.dtype)


class Scale(Step):
    """Divide everything by one number, found on the training spectra: intensities stay comparable across pixels."""

    title: ClassVar = "Scale by one factor"
    kind: Literal["scale"] = "scale"
    percentile: float = Field(99.9, gt=50, le=100, description="percentile of the training intensities that becomes one")
    factor: float | None = Field(None, gt=0, description="the divisor; found on the training spectra when empty")
    target: float | None = Field(
        None,
        gt=0,
        description="the divisor of the truth, which results are multiplied by, where another instrument measured it; empty: the same",
        json_schema_extra=LEARNT,
    )

    @property
    def is_fitted(self) -> bool:
        """Whether the divisor is known."""
        return self.factor is not None

    def fitted(self, spectra: FloatArray, axis: SpectralAxis) -> Self:
        """Fill in the divisor; NaN does not count."""
        return self if self.factor is not None else self.model_copy(update={"factor": self._divisor(spectra)})

    def fitted_to_target(self, spectra: FloatArray, axis: SpectralAxis) -> Self:
        """Fill in the divisor of the truth; NaN does not count."""
        return self if self.target is not None else self.model_copy(update={"target": self._divisor(spectra)})

    def for_target(self) -> Step:
        """Return the step with the divisor of the truth."""
        return self if self.target is None else self.model_copy(update={"factor": self.target, "target": None})

    def given_back(self, spectra: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the scale of the truth for every spectrum."""
        return self.factors(spectra) if self.target is None else self.model_copy(update={"factor": self.target}).factors(spectra)

    def _divisor(self, spectra: FloatArray) -> float:
        if not np.isfinite(spectra).any():
            raise ValueError(f"{self.title}: every value is NaN, so there is nothing to scale by; fill or crop first")
        return float(np.nanpercentile(np.abs(spectra), self.percentile)) or 1.0

    def factors(self, spectra: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the same scale for every spectrum."""
        if self.factor is None:
            raise ValueError("the scale has no factor yet; it is found in training, or give factor=…")
        shape = (*spectra.shape[:-1], 1)
        return np.zeros(shape, spectra.dtype), np.full(shape, self.factor, spectra.dtype)
