"""Conversions of intensities and axes: continuum removal, reflectance, absorbance, Kubelka–Munk, wavelength to energy."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from napari_spectrai.cube import Cube, FloatArray, SpectralAxis
from napari_spectrai.preparation.baseline import Rubberband
from napari_spectrai.preparation.sample_rows import seen
from napari_spectrai.preparation.step import Step, on_finite
from napari_spectrai.spec import in_words

EV_NM = 1239.841984332
"""Planck's constant times the speed of light, in eV nm (exact in the SI of 2019)."""

Quantity = Literal["reflectance", "absorbance", "kubelka_munk"]
_NAMES = in_words(kubelka_munk="Kubelka–Munk")


class ContinuumRemoval(Step):
    """Divide each spectrum by its upper convex hull, so that absorption bands are compared on one scale.

    Values lie between 0 and 1; NaN where the hull is not above zero. A spectrum that is all zero stays zero.
    Clark & Roush 1984, doi:10.1029/JB089iB07p06329.
    """

    title: ClassVar = "Continuum removal"
    group: ClassVar = "Baseline"
    kind: Literal["continuum_removal"] = "continuum_removal"

    def apply(self, spectra: FloatArray, axis: SpectralAxis) -> tuple[FloatArray, SpectralAxis]:
        """Return the spectra divided by their hulls."""

        def divided(finite: FloatArray) -> FloatArray:
            hull = self._hull(finite, axis)
            done = finite / np.where(hull > 0, hull, np.nan)
            return np.asarray(np.where(finite.any(-1, keepdims=True), done, 0), spectra.dtype)

        return on_finite(spectra, divided), axis

    def estimate(self, spectra: FloatArray, axis: SpectralAxis) -> FloatArray:
        """Return the upper hull of each spectrum, its continuum."""
        return on_finite(spectra, lambda finite: self._hull(finite, axis))

    @staticmethod
    def _hull(spectra: FloatArray, axis: SpectralAxis) -> FloatArray:
        return np.asarray(-Rubberband().baseline(-spectra, axis))


class Optical(Step):
    """Convert between reflectance R (1: all light), absorbance −log₁₀ R, and Kubelka–Munk (1 − R)² / 2R.

    NaN where a value has no counterpart: reflectance of zero or less, Kubelka–Munk below zero. Reflectance above one becomes negative
    absorbance, and NaN in Kubelka–Munk, which is not unique there. Kubelka & Munk 1931, Z. Techn. Phys. 12, 593.
    """

    title: ClassVar = "Reflectance ↔ absorbance ↔ Kubelka–Munk"
    group: ClassVar = "Scale"
    kind: Literal["optical"] = "optical"
    source: Quantity = Field("reflectance", title="From", description="what the intensities are", json_schema_extra=_NAMES)
    target: Quantity = Field("absorbance", title="To", description="what they become", json_schema_extra=_NAMES)

    @model_validator(mode="after")
    def _differ(self) -> Self:
        if self.source == self.target:
            raise ValueError(f"the intensities are {self.source} already; choose another quantity to convert to, or remove this step")
        return self

    def apply(self, spectra: FloatArray, axis: SpectralAxis) -> tuple[FloatArray, SpectralAxis]:
        """Return the converted spectra."""
        values = spectra.astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            if self.source == "absorbance":
                values = 10.0**-values
            elif self.source == "kubelka_munk":
                values = np.where(values >= 0, 1 / (1 + values + np.sqrt(values * (values + 2))), np.nan)
            if self.target == "absorbance":
                values = np.where(values > 0, -np.log10(values), np.nan)
            elif self.target == "kubelka_munk":
                values = np.where((values > 0) & (values <= 1), np.square(1 - values) / (2 * values), np.nan)
            return values.astype(spectra.dtype), axis

    def notes(self, cube: Cube) -> list[str]:
        """Warn of reflectance that seems to be in percent."""
        if self.source != "reflectance":
            return []
        rows = seen(cube, 2**20)
        known = rows[np.isfinite(rows)]
        median = float(np.median(known)) if known.size else 0.0
        if median <= 1.5:
            return []
        return [f"The median of the reflectance is {median:.3g}, above 1; if it is in percent, scale it by a factor of 100 first."]


class Energy(Step):
    """Convert a wavelength axis to photon energy, E = hc / λ, with the Jacobian λ² / hc that keeps areas under a spectrum the same.

    Bands keep their order. Mooney & Kambhampati 2013, doi:10.1021/jz401508t.
    """

    title: ClassVar = "Wavelength to energy (eV)"
    group: ClassVar = "Axis"
    kind: Literal["energy"] = "energy"
    jacobian: bool = Field(
        True, description="whether intensities per nm become intensities per eV; not for transmittance, reflectance or absorbance"
    )

    def apply(self, spectra: FloatArray, axis: SpectralAxis) -> tuple[FloatArray, SpectralAxis]:
        """Return the spectra on an axis in eV.

        Raises
        ------
        ValueError
            If the axis is no wavelength, or a position is not above zero.
        """
        factor = {"nm": 1.0, "um": 1000.0}.get(axis.unit)
        if factor is None:
            raise ValueError(f"an axis in {axis.unit or 'band numbers'} is no wavelength ({axis.describe()}); it has to be in nm or um")
        if axis.values.min() <= 0:
            raise ValueError(f"the wavelength {axis.values.min():g} {axis.unit} has no energy; crop the axis to positions above zero")
        wavelength = axis.values * factor
        done = spectra * (wavelength**2 / EV_NM).astype(spectra.dtype) if self.jacobian else spectra
        return done, SpectralAxis(EV_NM / wavelength, "eV")
