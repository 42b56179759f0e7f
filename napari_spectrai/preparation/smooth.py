"""Smoothing along the spectrum."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator
from scipy.signal import savgol_filter

from napari_spectrai.cube import FloatArray, SpectralAxis
from napari_spectrai.preparation.step import Step


class SavitzkyGolay(Step):
    """Local polynomial smoothing (Savitzky & Golay 1964, doi:10.1021/ac60214a047)."""

    title: ClassVar = "Smooth (Savitzky–Golay)"
    kind: Literal["savitzky_golay"] = "savitzky_golay"
    window: int = Field(9, ge=3, le=999, description="bands in the window, odd")
    order: int = Field(2, ge=0, le=9, description="order of the polynomial, below the window")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.window % 2 == 0:
            raise ValueError(f"window of {self.window} bands is even; choose {self.window - 1} or {self.window + 1}")
        if self.order >= self.window:
            raise ValueError(f"order {self.order} needs a window of more than {self.order} bands, not {self.window}")
        return self

    def apply(self, spectra: FloatArray, axis: SpectralAxis) -> tuple[FloatArray, SpectralAxis]:
        """Return smoothed spectra of the same shape."""
        bands = spectra.shape[-1]
        if self.window > bands:
            odd = bands if bands % 2 else bands - 1
            raise ValueError(f"window of {self.window} bands exceeds the {bands} of this cube; choose an odd number up to {odd}")
        return savgol_filter(spectra, self.window, self.order, axis=-1).astype(spectra.dtype), axis
