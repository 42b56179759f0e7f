"""Baselines, estimated for each spectrum and subtracted."""

from __future__ import annotations

import inspect
from abc import abstractmethod
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, field_validator

from napari_spectrai.cube import FloatArray, SpectralAxis
from napari_spectrai.parsing import brief
from napari_spectrai.preparation import whittaker
from napari_spectrai.preparation.step import Step, on_finite
from napari_spectrai.spec import listed

Doubles = npt.NDArray[np.float64]


class Baseline(Step):
    """Base class of baseline steps, which estimate a baseline along the spectrum and subtract it. A spectrum with NaN becomes NaN."""

    group: ClassVar = "Baseline"

    @abstractmethod
    def baseline(self, spectra: FloatArray, axis: SpectralAxis) -> Doubles:
        """Return the baseline of each spectrum, of shape (n, L)."""

    def estimate(self, spectra: FloatArray, axis: SpectralAxis) -> FloatArray:
        """Return the baseline of each spectrum."""
        return on_finite(spectra, lambda finite: self.baseline(finite, axis))

    @property
    def keeps_intensities(self) -> bool:
        """Whether intensities keep their unit."""
        return True

    def apply(self, spectra: FloatArray, axis: SpectralAxis) -> tuple[FloatArray, SpectralAxis]:
        """Return the spectra minus their baselines."""

        def without(finite: FloatArray) -> Doubles:
            baseline = self.baseline(finite, axis)
            return np.subtract(finite, baseline, out=baseline if baseline.flags.writeable else None)

        return on_finite(spectra, without), axis


class _Penalised(Baseline):
    smoothness: float = Field(
        1e5, gt=0, description="lambda: larger values give a stiffer baseline; scales with the fourth power of the number of bands"
    )
    rounds: int = Field(50, ge=1, le=1000, title="Maximum iterations", description="largest number of reweightings")
    tolerance: float = Field(1e-3, gt=0, lt=1, description="relative change of the weights at which the iteration stops")

    @abstractmethod
    def _weighting(self) -> whittaker.Reweight: ...

    def baseline(self, spectra: FloatArray, axis: SpectralAxis) -> Doubles:
        """Return the baseline of each spectrum."""
        if spectra.shape[-1] < 3:
            raise ValueError(f"a baseline by penalised least squares needs at least 3 bands, not {spectra.shape[-1]}; omit it")
        return whittaker.baseline(spectra, self.smoothness, self._weighting(), rounds=self.rounds, tolerance=self.tolerance)


class ALS(_Penalised):
    """Asymmetric least squares (Eilers & Boelens 2005; Eilers 2004, doi:10.1021/ac034800e)."""

    title: ClassVar = "Baseline (asymmetric least squares)"
    kind: Literal["als"] = "als"
    asymmetry: float = Field(0.01, gt=0, lt=1, description="weight of points above the baseline; points below have one minus this weight")

    def _weighting(self) -> whittaker.Reweight:
        return whittaker.asymmetric(self.asymmetry)


class ArPLS(_Penalised):
    """Asymmetrically reweighted penalised least squares (Baek et al. 2015, doi:10.1039/C4AN01061B)."""

    title: ClassVar = "Baseline (arPLS)"
    kind: Literal["arpls"] = "arpls"

    def _weighting(self) -> whittaker.Reweight:
        return whittaker.logistic


class AirPLS(_Penalised):
    """Adaptive iteratively reweighted penalised least squares (Zhang, Chen & Liang 2010, doi:10.1039/B922045C)."""

    title: ClassVar = "Baseline (airPLS)"
    kind: Literal["airpls"] = "airpls"
    smoothness: float = Field(1e6, gt=0, description="lambda: larger values give a stiffer baseline")

    def _weighting(self) -> whittaker.Reweight:
        return whittaker.exponential


class Polynomial(Baseline):
    """A polynomial fitted to each spectrum, plain or clipped to the points below it.

    ``"modified"`` clips to the fit until it converges (Lieber & Mahadevan-Jansen 2003, doi:10.1366/000370203322554518);
    ``"improved"`` also allows for noise (Zhao et al. 2007, doi:10.1366/000370207782597003).
    """

    title: ClassVar = "Baseline (polynomial)"
    kind: Literal["polynomial"] = "polynomial"
    order: int = Field(5, ge=0, le=15, title="Polynomial order", description="order of the polynomial")
    method: Literal["plain", "modified", "improved"] = Field("modified", description="how peaks are excluded from the fit")
    rounds: int = Field(250, ge=1, le=10000, title="Maximum iterations", description="largest number of clipping iterations")
    tolerance: float = Field(1e-3, gt=0, lt=1, description="relative change of the fit at which the iteration stops")

    def baseline(self, spectra: FloatArray, axis: SpectralAxis) -> Doubles:
        """Return the fitted polynomials."""
        bands = spectra.shape[-1]
        if self.order >= bands:
            raise ValueError(f"a polynomial of order {self.order} needs more than {self.order} bands, not {bands}")
        span = np.ptp(axis.values) or 1.0
        powers = np.polynomial.chebyshev.chebvander(2 * (axis.values - axis.values.min()) / span - 1, self.order)
        basis = np.linalg.qr(powers)[0]
        y = spectra.astype(np.float64)
        fit: Doubles = y @ basis @ basis.T
        if self.method == "plain":
            return fit
        if self.method == "improved":
            return self._improved(y, fit, basis)
        result, active = fit.copy(), np.arange(len(y))
        for number in range(self.rounds):
            y = np.minimum(y, fit)
            new = y @ basis @ basis.T
            going = np.linalg.norm(new - fit, axis=-1) >= self.tolerance * np.maximum(np.linalg.norm(fit, axis=-1), whittaker.TINY)
            result[active] = new
            active, y, fit = active[going], y[going], new[going]
            if not active.size or number == self.rounds - 1:
                break
        return result

    def _improved(self, y: Doubles, fit: Doubles, basis: Doubles) -> Doubles:
        """Exclude points above the first fit by more than its deviation, then clip to fit + deviation until convergence."""
        deviation = (y - fit).std(-1, keepdims=True)
        weights = (y <= fit + deviation).astype(np.float64)
        gram = np.einsum("nl,la,lb->nab", weights, basis, basis, optimize=True) + 1e-12 * np.eye(basis.shape[1])
        inverse = np.linalg.inv(gram)
        result, active = fit.copy(), np.arange(len(y))
        for _ in range(self.rounds):
            y = np.minimum(y, fit + deviation)
            fit = np.einsum("nab,nb->na", inverse, (weights * y) @ basis) @ basis.T
            new = (y - fit).std(-1, keepdims=True)
            result[active] = fit
            going = np.abs(new - deviation)[:, 0] >= self.tolerance * np.maximum(new[:, 0], whittaker.TINY)
            active, y, fit, deviation, weights, inverse = (part[going] for part in (active, y, fit, new, weights, inverse))
            if not active.size:
                break
        return result


class Snip(Baseline):
    """Peak clipping with a decreasing window.

    Ryan et al. 1988, doi:10.1016/0168-583X(88)90063-8; Morháč & Matoušek 2008, doi:10.1366/000370208783412762.
    """

    title: ClassVar = "Baseline (SNIP)"
    kind: Literal["snip"] = "snip"
    half_window: int = Field(
        40, ge=1, le=5000, title="Half window (bands)", description="bands to each side, half the width of the widest peak"
    )

    def baseline(self, spectra: FloatArray, axis: SpectralAxis) -> Doubles:
        """Return the clipped spectra."""
        bands = spectra.shape[-1]
        clipped: Doubles = spectra.astype(np.float64)
        for half in range(min(self.half_window, (bands - 1) // 2), 0, -1):
            middle = (clipped[:, : -2 * half] + clipped[:, 2 * half :]) / 2
            clipped[:, half:-half] = np.minimum(clipped[:, half:-half], middle)
        return clipped


class Rubberband(Baseline):
    """The lower convex hull of each spectrum, as a rubber band stretched below it."""

    title: ClassVar = "Baseline (rubber band)"
    kind: Literal["rubberband"] = "rubberband"

    def baseline(self, spectra: FloatArray, axis: SpectralAxis) -> Doubles:
        """Return the hulls, for all spectra at once: each goes from hull point to hull point, to the band with the least slope."""
        order = np.argsort(axis.values, kind="stable")
        x, y = axis.values[order], spectra[:, order].astype(np.float64)
        hull, at = np.empty_like(y), np.zeros(len(y), np.intp)
        bands, last = np.arange(y.shape[1]), y.shape[1] - 1
        hull[:, 0] = y[:, 0]
        active = np.arange(len(y)) if last else np.arange(0)
        while active.size:
            here, height = at[active], y[active, at[active]]
            with np.errstate(divide="ignore", invalid="ignore"):
                slopes = (y[active] - height[:, None]) / (x - x[here][:, None])
            slopes[bands <= here[:, None]] = np.inf
            slopes[np.isnan(slopes)] = np.inf  # a repeated position at the same height
            low = slopes.min(-1, keepdims=True)
            following = last - np.argmin(slopes[:, ::-1], -1)
            following = np.where(np.isinf(low[:, 0]), np.minimum(here + 1, last), following)
            slope = np.where(np.isinf(low[:, 0]), 0.0, low[:, 0])
            line = height[:, None] + slope[:, None] * (x - x[here][:, None])
            inside = (bands > here[:, None]) & (bands <= following[:, None])
            rows, columns = np.nonzero(inside)
            hull[active[rows], columns] = line[rows, columns]
            at[active] = following
            active = active[following < last]
        result = np.empty_like(hull)
        result[:, order] = np.minimum(hull, y)
        return result


class Minimum(Baseline):
    """The minimum of each spectrum."""

    title: ClassVar = "Baseline (minimum)"
    kind: Literal["minimum"] = "minimum"

    def baseline(self, spectra: FloatArray, axis: SpectralAxis) -> Doubles:
        """Return the minima."""
        return np.broadcast_to(spectra.min(-1, keepdims=True).astype(np.float64), spectra.shape)


_MOST_OF_AN_OPTION = 100_000


class PyBaselines(Baseline):
    """Any algorithm of pybaselines (Erb 2022, doi:10.5281/zenodo.5608581), by name, spectrum by spectrum."""

    title: ClassVar = "Baseline (pybaselines)"
    kind: Literal["pybaselines"] = "pybaselines"
    method: str = Field("mor", description="name of the algorithm, such as mor, iasls, fabc or loess")
    options: dict[str, Any] = Field(default_factory=dict, description="its arguments, such as {lam: 1e5}")

    @field_validator("method")
    @classmethod
    def _known(cls, method: str) -> str:
        from pybaselines import Baseline as Algorithms

        names = [
            n for n, f in inspect.getmembers(Algorithms, callable) if not n.startswith("_") and "data" in inspect.signature(f).parameters
        ]
        if method not in names:
            raise ValueError(f"pybaselines has no {method!r}; {listed(names, method)}")
        return method

    @field_validator("options")
    @classmethod
    def _bounded(cls, options: dict[str, Any]) -> dict[str, Any]:
        """Refuse what an algorithm would count to, or make windows of, for hours."""
        for name, value in options.items():
            if isinstance(value, int) and abs(value) > _MOST_OF_AN_OPTION:
                raise ValueError(f"option {name}={brief(value)} exceeds {_MOST_OF_AN_OPTION:,}; write a smoothness as a float, such as 1e7")
        return options

    def baseline(self, spectra: FloatArray, axis: SpectralAxis) -> Doubles:
        """Return the baselines computed by pybaselines."""
        from pybaselines import Baseline as Algorithms

        algorithm = getattr(Algorithms(axis.values), self.method)
        try:
            return np.stack([algorithm(spectrum, **self.options)[0] for spectrum in spectra.astype(np.float64)])
        except TypeError as error:
            known = [name for name in inspect.signature(algorithm).parameters if name != "data"]
            raise ValueError(f"pybaselines {self.method}: {error}; its options are {', '.join(known)}") from error
