"""Peak fits: position, height, width and area of peaks in each spectrum, with standard errors."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, field_validator, model_validator

from napari_spectrai.cube import Cube
from napari_spectrai.mapping.blocks import sample, window
from napari_spectrai.mapping.kind import Doubles, Maps, Row, middle
from napari_spectrai.mapping.least_squares import Fit, Mask
from napari_spectrai.mapping.lineshapes import Baseline, PeakModel, Shape
from napari_spectrai.mapping.peak_fit import PeakFitter
from napari_spectrai.mapping.planned import MapPlan, PlannedMaps
from napari_spectrai.spec import in_words
from napari_spectrai.spectral_axis import SpectralAxis

AT_ONCE = 2**13
"""Number of spectra between two reports of progress."""
_ROUNDING = 1e-9
"""Height relative to the largest value of a spectrum up to which a peak is a rounding error."""


class PeakMaps(PlannedMaps):
    """Peaks fitted to each spectrum by least squares, over a local baseline.

    Maps of position, height, FWHM, area (and the Lorentzian fraction of a pseudo-Voigt line), each with its standard error, the root
    mean square residual, and where the fit failed (1). The fit is that of `scipy.optimize.curve_fit`, for all spectra at once; errors
    are those of the linearised model, scaled by the residual variance. Peaks are numbered by ascending position.

    A fit has failed, and its maps are NaN, if it did not converge, if a position ended at the limit of its range, or if a width ended
    at its upper limit while none is set. A single peak is NaN where its height is less than `significance` standard errors. The error
    of a parameter that a bound holds is NaN.
    """

    title: ClassVar = "Peak fit"
    first: ClassVar = ("low", "high", "shape", "count", "baseline")
    kind: Literal["peaks"] = "peaks"
    low: float = Field(description="first position that is fitted, in the unit of the axis")
    high: float = Field(description="last position that is fitted, in the unit of the axis")
    count: int = Field(1, ge=1, le=6, title="Peaks", description="number of peaks")
    shape: Shape = Field(
        "gaussian",
        description="line shape; pseudo_voigt: a mixture of Gaussian and Lorentzian of the same width",
        json_schema_extra=in_words(gaussian="Gaussian", lorentzian="Lorentzian", pseudo_voigt="pseudo-Voigt"),
    )
    baseline: Baseline = Field("linear", description="polynomial fitted together with the peaks")
    positions: tuple[float, ...] = Field(
        (), title="Expected positions", description="expected position of each peak, in the unit of the axis; empty: searched for"
    )
    shift: float | None = Field(
        None, gt=0, title="Maximum shift", description="how far a peak may lie from its expected position; empty: anywhere in the range"
    )
    min_fwhm: float | None = Field(None, gt=0, title="Minimum FWHM", description="least FWHM, in the unit of the axis; empty: half a band")
    max_fwhm: float | None = Field(
        None, gt=0, title="Maximum FWHM", description="largest FWHM, in the unit of the axis; empty: twice the range"
    )
    negative: bool = Field(False, title="Allow dips", description="whether peaks may point downwards")
    same_fwhm: bool = Field(False, title="Same FWHM", description="tie: all peaks have the same width")
    spacings: tuple[float, ...] = Field(
        (), title="Fixed distances", description="tie: distance of the second and further peaks from the first; empty: free"
    )
    ratios: tuple[float, ...] = Field(
        (), title="Fixed height ratios", description="tie: height of the second and further peaks relative to the first; empty: free"
    )
    significance: float = Field(3.0, ge=0, description="least height of a peak, in standard errors; lower ones are left out as noise")

    @field_validator("positions", "spacings", "ratios", mode="before")
    @classmethod
    def _none(cls, value: Any) -> Any:
        return () if value is None else (value,) if isinstance(value, int | float) else value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.low < self.high:
            raise ValueError(f"low ({self.low:g}) must lie below high ({self.high:g})")
        if self.positions and len(self.positions) != self.count:
            raise ValueError(f"{len(self.positions)} positions for {self.count} peaks; give one for each, or none")
        outside = [position for position in self.positions if not self.low <= position <= self.high]
        if outside:
            raise ValueError(f"the position {outside[0]:g} lies outside {self.low:g}–{self.high:g}; widen the range, or move it")
        for name in ("spacings", "ratios"):
            given = getattr(self, name)
            if given and len(given) != self.count - 1:
                raise ValueError(f"{len(given)} {name} for {self.count} peaks; give {self.count - 1}, one for each after the first")
        if self.min_fwhm is not None and self.max_fwhm is not None and self.min_fwhm >= self.max_fwhm:
            raise ValueError(f"min_fwhm ({self.min_fwhm:g}) must lie below max_fwhm ({self.max_fwhm:g})")
        return self

    @classmethod
    def start(cls, axis: SpectralAxis) -> dict[str, Any]:
        """Start with the middle third of the axis."""
        return middle(axis)

    def fitter(self, positions: Doubles) -> PeakFitter:
        """Return an object that fits spectra at these positions, ascending, in the unit of the axis."""
        model = PeakModel(positions, self.shape, self.count, self.baseline)
        low, high = float(positions.min()), float(positions.max())
        expected = sorted(self.positions)
        windows = tuple(
            (max(low, place - self.shift), min(high, place + self.shift)) if self.shift is not None else (low, high) for place in expected
        )
        spacing = (high - low) / (len(positions) - 1)
        widths = (self.min_fwhm or spacing / 2, self.max_fwhm or 2 * (high - low))
        return PeakFitter(
            model, windows or ((low, high),) * self.count, widths, self.negative, self.same_fwhm,
            (0.0, *self.spacings) if self.spacings else None, (1.0, *self.ratios) if self.ratios else None,
        )  # fmt: skip

    def bands(self, axis: SpectralAxis) -> Any:
        """Return the numbers of the bands that are fitted, by ascending position.

        Raises
        ------
        ValueError
            If there are fewer than parameters.
        """
        size = PeakModel(np.arange(2.0), self.shape, self.count, self.baseline).size
        return window(axis, self.low, self.high, least=size + 1, what=f"a fit of {size} parameters")

    def curve(self, spectrum: Doubles, axis: SpectralAxis, points: int = 0) -> tuple[Doubles, Doubles, dict[str, float]]:
        """Fit a single spectrum (L,); return positions, the fitted curve there, and the values of the maps by name.

        Parameters
        ----------
        points : number of evenly spaced positions of the curve; 0: those of the bands
        """
        bands = self.bands(axis)
        positions, own = axis.values[bands], np.asarray(spectrum, np.float64)[bands]
        fitter = self.fitter(positions)
        found = fitter.fit(own[None])
        names, values = self._columns(fitter, found, own[None])
        model = fitter.model
        if points:  # both ends are kept, since the baseline is scaled to them
            model = replace(model, positions=np.linspace(positions.min(), positions.max(), points))
        return model.positions, model.values(found.parameters)[0], {name: float(one[0]) for name, one in zip(names, values, strict=True)}

    def plan(self, cube: Cube) -> MapPlan:
        """Return how the maps of all peaks are computed.

        Raises
        ------
        ValueError
            If fewer bands lie in the range than the model has parameters.
        """
        bands = self.bands(cube.axis)
        fitter, mean = self.fitter(cube.axis.values[bands]), sample(cube, bands, 2000).mean(0)

        def values(spectra: npt.NDArray[Any]) -> Doubles:
            own = np.ascontiguousarray(spectra, np.float64)
            return self._columns(fitter, fitter.fit(own, mean), own)[1]

        return MapPlan(bands, self.names(), values, partial(self._finished, cube, fitter), AT_ONCE)

    def _finished(self, cube: Cube, fitter: PeakFitter, maps: dict[str, Doubles]) -> Maps:
        """Return the maps with a row for each peak, and notes on fits that failed."""
        failed, done = int(np.nansum(maps["failed"])), int(np.isfinite(maps["failed"]).sum())
        notes: tuple[str, ...] = (f"{failed:,} of {done:,} fits failed.",) if failed else ()
        none = done - failed - max(int(np.isfinite(maps[f"{prefix}position"]).sum()) for prefix in self._prefixes())
        if none:
            notes += (f"{none:,} of {done:,} spectra have no peak {self.significance:g} standard errors high there: NaN in the maps.",)
        narrow = max(int((maps[f"{prefix}fwhm"] <= fitter.widths[0]).sum()) for prefix in self._prefixes())
        if narrow:
            notes += (f"{narrow:,} peaks are as narrow as the least width, {fitter.widths[0]:.3g} {cube.axis.unit}: try another shape.",)
        return Maps(maps, table=[self._row(maps, peak) for peak in range(self.count)], notes=notes)

    def names(self) -> list[str]:
        """Return the names of the maps."""
        quantities = ["position", "height", "fwhm", "area", *(["fraction"] if self.shape == "pseudo_voigt" else [])]
        each = [name for quantity in quantities for name in (quantity, f"{quantity}_error")]
        return [f"{prefix}{name}" for prefix in self._prefixes() for name in each] + ["residual", "failed"]

    def _prefixes(self) -> list[str]:
        return [""] if self.count == 1 else [f"peak_{peak + 1}_" for peak in range(self.count)]

    def _columns(self, fitter: PeakFitter, found: Fit, spectra: Doubles) -> tuple[list[str], Doubles]:
        """Return the names of the maps and their values (maps, n), of spectra (n, L)."""
        rounding = _ROUNDING * np.abs(spectra).max(1)
        failed = ~found.converged | self._at_limit(fitter, found)
        columns = []
        for peak in range(self.count):
            own = slice(peak * fitter.model.each, (peak + 1) * fitter.model.each)
            covariance = found.covariance[:, own, own]
            height, position, fwhm = found.parameters[:, own].T[:3]
            with np.errstate(invalid="ignore", divide="ignore"):
                errors = np.sqrt(np.einsum("nii->ni", covariance)).T
                area, gradient = fitter.model.area(found.parameters, peak)
                known = np.nan_to_num(covariance)  # a parameter at a bound is taken as exact
                area_error = np.sqrt(np.einsum("ni,nij,nj->n", gradient, known, gradient))
                weak = ~(np.abs(height) > self.significance * np.nan_to_num(errors[0])) | (np.abs(height) <= rounding)
            values = [position, errors[1], height, errors[0], fwhm, errors[2], area, area_error]
            values += [found.parameters[:, own.start + 3], errors[3]] if self.shape == "pseudo_voigt" else []
            columns += [np.where(failed | weak, np.nan, value) for value in values]
        residual = np.where(failed, np.nan, np.sqrt(found.squares / spectra.shape[1]))
        return self.names(), np.stack([*columns, residual, failed.astype(np.float64)])

    def _at_limit(self, fitter: PeakFitter, found: Fit) -> Mask:
        """Return the fits in which a position is at a limit, or a width at an upper limit that the user has not set."""
        each = fitter.model.each
        at_limit = np.zeros(len(found.squares), bool)
        for peak in range(self.count):
            first, standing = peak * each, found.parameters[:, peak * each] != 0
            at_limit |= found.at_bound[:, first + 1] & standing
            if self.max_fwhm is None:
                at_limit |= found.at_bound[:, first + 2] & standing & (found.parameters[:, first + 2] >= fitter.widths[1])
        return at_limit

    def _row(self, maps: dict[str, Doubles], peak: int) -> Row:
        prefix = self._prefixes()[peak]
        known = maps[f"{prefix}position"][np.isfinite(maps[f"{prefix}position"])]
        median = partial(_median, maps, prefix)
        return {
            "peak": peak + 1, "spectra": int(known.size), "position": median("position"), "position_error": median("position_error"),
            "height": median("height"), "fwhm": median("fwhm"), "area": median("area"),
        }  # fmt: skip


def _median(maps: dict[str, Doubles], prefix: str, name: str) -> float | None:
    values = maps[prefix + name]
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else None
