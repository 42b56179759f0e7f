"""Smoothing along the spectrum."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from napari_spectrai.cube import FloatArray, SpectralAxis
from napari_spectrai.preparation.step import Step, on_finite
from napari_spectrai.preparation.whittaker import penalty


class SavitzkyGolay(Step):
    """Local polynomial smoothing (Savitzky & Golay 1964, doi:10.1021/ac60214a047)."""

    title: ClassVar = "Smooth (Savitzky–Golay)"
    group: ClassVar = "Clean"
    kind: Literal["savitzky_golay"] = "savitzky_golay"
    window: int = Field(9, ge=3, le=999, title="Window (bands)", description="bands in the window, odd")
    order: int = Field(2, ge=0, le=9, title="Polynomial order", description="order of the polynomial, below the window")
    derivative: int = Field(0, ge=0, le=3, description="0: smoothing; 1, 2, 3: derivative of this order along the axis")

    @property
    def keeps_intensities(self) -> bool:
        """Whether intensities keep their unit, as they do without a derivative."""
        return self.derivative == 0

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.window % 2 == 0:
            raise ValueError(f"window of {self.window} bands is even; choose {self.window - 1} or {self.window + 1}")
        if self.order >= self.window:
            raise ValueError(f"order {self.order} needs a window of more than {self.order} bands, not {self.window}")
        if self.derivative > self.order:
            raise ValueError(f"derivative {self.derivative} of a polynomial of order {self.order} is zero; raise the order")
        return self

    def _that_fits(self, bands: int) -> str:
        """Say which window fits spectra with so many bands."""
        least, most = max(3, self.order + 1 + self.order % 2), bands - 1 + bands % 2
        if least <= most:
            return f"choose an odd number {f'from {least} up to {most}' if least > 3 else f'up to {most}'}"
        if most < 3 or most <= self.derivative:
            return f"it needs {max(3, self.derivative + 1 + self.derivative % 2)} bands or more; omit the step 'savitzky_golay'"
        return f"choose window={most} and order={most - 1}, or omit the step 'savitzky_golay'"

    def apply(self, spectra: FloatArray, axis: SpectralAxis) -> tuple[FloatArray, SpectralAxis]:
        """Return smoothed spectra, or derivatives per unit of the axis, of the same shape.

        On an uneven axis the window counts bands, and the first derivative uses the local spacing of the bands.
        """
        bands = spectra.shape[-1]
        if self.window > bands:
            raise ValueError(f"window of {self.window} bands exceeds the {bands} of this cube; {self._that_fits(bands)}")
        if self.derivative > 1 and axis.step is None:
            raise ValueError(f"derivative {self.derivative} needs an evenly spaced axis; resample first")
        from napari_spectrai.preparation.savitzky_golay import savgol

        with np.errstate(over="ignore"):  # a polynomial may exceed the largest value of float32
            done = on_finite(spectra, lambda finite: savgol(finite, self.window, self.order, self.derivative))
        if self.derivative and bands > 1:
            spacing = axis.step if axis.step is not None else np.gradient(axis.values)
            if not np.all(spacing):
                raise ValueError("the axis repeats positions, where derivatives are undefined; resample or remove bands first")
            done = done / np.asarray(spacing) ** self.derivative
        return done.astype(spectra.dtype), axis


class Whittaker(Step):
    """Penalised least squares smoothing (Eilers 2003, doi:10.1021/ac034173t)."""

    title: ClassVar = "Smooth (Whittaker)"
    group: ClassVar = "Clean"
    kind: Literal["whittaker"] = "whittaker"
    smoothness: float = Field(10.0, gt=0, description="lambda: larger values give smoother spectra")

    def apply(self, spectra: FloatArray, axis: SpectralAxis) -> tuple[FloatArray, SpectralAxis]:
        """Return smoothed spectra of the same shape."""
        bands = spectra.shape[-1]
        if bands < 3:
            raise ValueError(f"Whittaker smoothing needs at least 3 bands, not {bands}; omit the step 'whittaker'")
        banded = self.smoothness * penalty(bands)
        banded[0] += 1
        from scipy.linalg import solveh_banded

        return on_finite(spectra, lambda finite: solveh_banded(banded, finite.T.astype(np.float64), lower=True).T), axis


class Gaussian(Step):
    """Convolution with a Gaussian along the bands."""

    title: ClassVar = "Smooth (Gaussian)"
    group: ClassVar = "Clean"
    kind: Literal["gaussian"] = "gaussian"
    sigma: float = Field(1.0, gt=0, le=1000, title="Standard deviation (bands)", description="standard deviation in bands")

    def apply(self, spectra: FloatArray, axis: SpectralAxis) -> tuple[FloatArray, SpectralAxis]:
        """Return smoothed spectra of the same shape."""
        from scipy.ndimage import gaussian_filter1d

        return gaussian_filter1d(spectra, self.sigma, axis=-1, mode="nearest"), axis
