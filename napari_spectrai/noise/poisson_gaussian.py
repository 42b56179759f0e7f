"""Estimation of an instrument's noise model from one cube: photon noise, and noise independent of intensity."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from napari_spectrai.cube import FloatArray
from napari_spectrai.noise.anscombe import Doubles, Stabiliser
from napari_spectrai.noise.residuals import Residuals, of_components, of_neighbours, without_rays

SEEN = 2**20
"""Largest number of values used for the estimate: spectra evenly spread."""
BANDS = 256
"""Largest number of bands used for the estimate; of more, evenly spread ones are used and the results interpolated."""
LEAST = 0.02
"""Lower limit of the variance as a fraction of its mean: darker values would outweigh all others."""
MATTERS = 0.1
"""Minimum fraction of the variance of the brightest spectra that is due to photons; below, noise counts as independent of intensity."""

STEEPER = 2e-4
"""Minimum gain in mean log-likelihood per value of proportional over photon noise: above a large offset, the square of the intensity is
nearly linear, and the two fit almost equally well."""

Kind = Literal["counting", "constant", "proportional", "none"]


@dataclass(frozen=True, slots=True)
class NoiseModel:
    """Noise of variance ``gain * (intensity - offset) + read**2``.

    Attributes
    ----------
    gain : ndarray of shape (1,) or (L,)
        Intensity units per photon; 0 if the noise does not depend on intensity. One per band if the data distinguish them.
    offset : ndarray of the same shape
        Intensity without light.
    read : ndarray of the same shape
        Standard deviation of the noise without light, in intensity units.
    kind : ``"counting"``, ``"constant"``, ``"proportional"`` or ``"none"``
        Whether the variance increases with intensity as photon noise does, is constant, increases faster (with the square of intensity:
        not a photon model, `read` is the mean level), or there is no significant noise.
    of_all_bands : NoiseModel, optional
        Where the gain differs from band to band: the best model with one gain.
    """

    gain: Doubles
    offset: Doubles
    read: Doubles
    kind: Kind
    of_all_bands: NoiseModel | None = None

    @classmethod
    def of(cls, gain: float, offset: float = 0.0, read: float = 0.0) -> NoiseModel:
        """Return the model of an instrument with known parameters."""
        kind: Kind = "counting" if gain > 0 else "constant" if read > 0 else "none"
        return cls(np.array([gain]), np.array([offset]), np.array([read]), kind)

    @property
    def counting(self) -> bool:
        """Whether the noise contains photon noise."""
        return self.kind == "counting"

    @property
    def common(self) -> NoiseModel:
        """The model that treats all bands alike, for methods that mix bands: stabilised band by band, a spectrum is no longer smooth."""
        if len(self.gain) == 1:
            return self
        return self.of_all_bands or NoiseModel.of(0.0, read=float(np.sqrt(np.square(self.read).mean())))

    def variance(self, intensity: FloatArray) -> Doubles:
        """Return the variance of the noise at intensities (..., L); at least that of the read noise."""
        light = np.maximum(np.asarray(intensity, np.float64) - self.offset, 0)
        return np.asarray(self.gain * light + np.square(self.read))

    def stabiliser(self) -> Stabiliser:
        """Return the transform that scales this noise to standard deviation one."""
        return Stabiliser(self.gain, self.offset, np.where(self.gain > 0, self.read, np.maximum(self.read, 1e-30)))

    def scaled(self, scale: float, offset: float) -> NoiseModel:
        """Return the noise of ``scale * intensity + offset``."""
        common = None if self.of_all_bands is None else self.of_all_bands.scaled(scale, offset)
        return NoiseModel(scale * self.gain, scale * self.offset + offset * (self.gain > 0), scale * self.read, self.kind, common)

    def __str__(self) -> str:
        if self.kind == "none":
            return "No noise is detected."
        if self.kind == "proportional":
            return f"Noise increases faster with intensity than photon noise; {_number(self.read)} on average."
        if self.kind == "constant":
            return f"Noise independent of intensity, {_number(self.read)}."
        read = "" if not np.any(self.read > 0) else f", read noise {_number(self.read)}"
        offset = "" if not np.any(self.offset) else f", offset {_number(self.offset)}"
        return f"Photon noise, gain {_number(self.gain)} counts per photon{offset}{read}."


def _number(values: Doubles) -> str:
    if len(values) == 1:
        return f"{float(values[0]):.3g}"
    low, middle, high = np.percentile(values, (5, 50, 95))
    return f"{middle:.3g} ({low:.3g} to {high:.3g} over the bands)"


def noise_model(values: FloatArray, *, counting: bool = False) -> NoiseModel:
    """Estimate the noise model from spectra.

    Squared residuals (from the signal components or, with few bands or spectra, from neighbours) are related to the
    intensity, following Foi et al. 2008 (doi:10.1109/TIP.2008.2001399). Constant noise, photon noise with a common gain or with one
    per band, and noise proportional to intensity are fitted to parts of the data and compared by their likelihood in the other
    parts: photon noise is chosen if its likelihood is higher by twice the standard error over the parts, and proportional noise
    if its likelihood is clearly higher than that, by three standard errors.

    Parameters
    ----------
    values : ndarray of shape (..., n, L)
        Neighbours along n are neighbouring pixels. Spectra with NaN, and those that are all zero, are ignored.
    counting : bool
        Assume photon noise, and estimate only its gain; default: only if the data show it.

    Returns
    -------
    NoiseModel
    """
    given = np.asarray(values)
    if given.ndim < 2 or not given.size:
        return NoiseModel.of(0.0)
    bands = given.shape[-1]
    if bands > BANDS:
        chosen = np.linspace(0, bands - 1, BANDS).round().astype(int)
        return _on_bands(noise_model(given[..., chosen], counting=counting), chosen, bands)
    found = _of_spectra(given) or _of_lines(given)
    if found is None or not found.count.any():
        return NoiseModel.of(0.0)
    if float(_mean(found)) <= (8 * np.finfo(np.float32).eps * _largest(given)) ** 2:  # rounding errors
        return NoiseModel.of(0.0)
    if counting:
        slope, intercept = (np.atleast_1d(part) for part in _line(found))
        lowest = _lowest(found)
        return _photons(slope, intercept, lowest) if slope[0] > 0 else NoiseModel.of(0.0, read=float(intercept[0]) ** 0.5)
    return _decided(found)


def _on_bands(model: NoiseModel, chosen: npt.NDArray[np.intp], bands: int) -> NoiseModel:
    """Return the model of all bands, interpolated from those of selected bands."""
    if len(model.gain) == 1:
        return model
    gain, offset, read = (np.interp(np.arange(bands), chosen, part) for part in (model.gain, model.offset, model.read))
    return NoiseModel(gain, offset, read, model.kind, model.of_all_bands)


def _largest(values: FloatArray) -> float:
    return float(np.abs(values, where=np.isfinite(values), out=np.zeros(values.shape)).max())


def _of_spectra(values: FloatArray) -> Residuals | None:
    """Return residuals from the signal components, computed again with spectra weighted by the first noise estimate."""
    flat = values.reshape(-1, values.shape[-1])
    most = max(8 * flat.shape[1], SEEN // flat.shape[1])
    flat = flat[np.linspace(0, len(flat) - 1, most).astype(int)] if len(flat) > most else flat
    flat = flat[np.isfinite(flat).all(-1)].astype(np.float64)
    flat = flat[flat.any(-1)]
    if min(flat.shape) < 5:
        return None
    flat = without_rays(np.asarray(flat, np.float64))
    outcome = of_components(flat)
    for _ in range(2):
        if outcome is None:
            return None
        found, flat = outcome
        slope, intercept = _line(found)
        brightness = slope * flat.mean(1) + intercept
        outcome = of_components(flat, np.maximum(brightness, LEAST * float(_mean(found)))) or outcome
    return None if outcome is None else outcome[0]


def _of_lines(values: FloatArray) -> Residuals | None:
    """Return residuals from neighbours."""
    lines = values.reshape(-1, *values.shape[-2:])
    lines = lines[np.isfinite(lines).all((1, 2))]
    return of_neighbours(lines[:: max(1, -(-lines.size // SEEN))].astype(np.float64)) if len(lines) else None


# ---------------------------------------------------------------- candidates: (slope, intercept[, power]), common or by band


def _decided(found: Residuals) -> NoiseModel:
    candidates: dict[str, Callable[[Residuals], tuple[Any, ...]]] = {
        "constant": lambda part: (0.0, _mean(part)),
        "bands": lambda part: (0.0, _mean(part, (0, 1))),
        "counting": _line,
        "counting bands": lambda part: _line(part, (0, 1)),
        "proportional": lambda part: (*_line(_squares(part), photons=False), 2),
        "proportional bands": lambda part: (*_line(_squares(part), (0, 1), photons=False), 2),
    }
    folds = range(len(found.count))
    likelihood = {
        name: np.array([_likelihood(found.only(fold), fitted(found.without(fold))) for fold in folds]) if len(folds) > 1 else np.zeros(1)
        for name, fitted in candidates.items()
    }

    def best(*names: str) -> str:
        """Return the first, unless a later one has a significantly higher likelihood."""
        chosen = names[0]
        for name in names[1:]:
            chosen = name if _surely(likelihood[name] - likelihood[chosen]) else chosen
        return chosen

    def common() -> NoiseModel:
        """Return the model with one gain."""
        slope, intercept = (np.atleast_1d(part) for part in _line(found))
        if _surely(likelihood["counting"] - likelihood["constant"]) and _matters(found, slope, intercept):
            return _photons(slope, intercept, _lowest(found))
        return NoiseModel.of(0.0, read=float(_mean(found)) ** 0.5)

    plain, counted, steeper = best("constant", "bands"), best("counting", "counting bands"), best("proportional", "proportional bands")
    if _surely(likelihood[counted] - max((likelihood["constant"], likelihood["bands"]), key=np.mean)):
        gain = likelihood[steeper] - likelihood[counted]
        if _surely(gain, 3) and gain.mean() > STEEPER:
            return NoiseModel(np.zeros(1), np.zeros(1), np.sqrt(np.atleast_1d(_mean(found))), "proportional")
        slope, intercept = (np.atleast_1d(part) for part in candidates[counted](found)[:2])
        if _matters(found, slope, intercept):
            model = _photons(slope, intercept, _lowest(found))
            return replace(model, of_all_bands=common()) if len(slope) > 1 else model
    read = np.sqrt(np.atleast_1d(candidates[plain](found)[1]))
    return NoiseModel(np.zeros_like(read), np.zeros_like(read), read, "constant")


def _matters(found: Residuals, slope: Doubles, intercept: Doubles) -> bool:
    """Whether the noise of the brightest intensities exceeds that of the darkest by a relevant fraction."""
    variance = np.maximum(slope * found.level + intercept, 0)[found.count > 0]
    low, high = np.percentile(variance, (5, 95))
    return bool(high - low > MATTERS * high)


def _lowest(found: Residuals) -> float:
    """Return the lowest mean intensity of a group if it is significantly below zero; else 0."""
    count = found.count.sum(0)
    known = np.maximum(count, 1)
    level, variance = ((part * found.count).sum(0) / known for part in (found.level, found.squared))
    below = (level + 3 * np.sqrt(variance / known))[count > 0]
    return min(float(below.min()), 0.0) if below.size else 0.0


def _photons(slope: Doubles, intercept: Doubles, lowest: float) -> NoiseModel:
    # only gain and intercept are known: if the variance vanishes above zero, there is an offset; otherwise the value at zero is read noise;
    # with intensities below zero, read noise is the value at the lowest intensity
    vanishes = np.where(slope > 0, -intercept / np.where(slope > 0, slope, 1), 0)
    offset = np.where(slope > 0, np.maximum(vanishes, lowest), 0)
    return NoiseModel(slope, offset, np.sqrt(np.maximum(intercept + slope * offset, 0)), "counting")


def _surely(gain: Doubles, errors: float = 2) -> bool:
    """Whether a difference in likelihood over the folds exceeds zero by so many standard errors."""
    return len(gain) > 2 and bool(gain.mean() > errors * gain.std(ddof=1) / np.sqrt(len(gain)))


def _squares(part: Residuals) -> Residuals:
    return Residuals(part.squared, np.square(part.level), part.count)


def _mean(part: Residuals, axis: tuple[int, int] | None = None) -> Doubles:
    """Return the mean variance, common or by band."""
    mean = (part.squared * part.count).sum(axis) / np.maximum(part.count.sum(axis), 1)
    return np.asarray(np.maximum(mean, 1e-300))


def _line(part: Residuals, axis: tuple[int, int] | None = None, *, photons: bool = True) -> tuple[Doubles, Doubles]:
    """Return slope and intercept of the variance as a function of intensity, common or by band.

    Least squares, repeated with weights by the estimated variances: squared residuals of variance ``v`` spread by ``2 v²``, and if the
    slope is that of `photons`, the gain, by ``gain² v`` more, which of few photons is the larger part.
    """
    mean = _mean(part, axis)
    variance = np.broadcast_to(mean, part.squared.shape)
    slope, intercept = np.zeros_like(mean), mean
    for _ in range(8):
        few = np.square(slope) / variance / 2 if photons else 0.0
        weight = part.count * np.square(mean / variance) / (1 + few)
        total = np.maximum(weight.sum(axis), 1e-300)
        x, y = (weight * part.level).sum(axis) / total, (weight * part.squared).sum(axis) / total
        spread = (weight * np.square(part.level - x)).sum(axis)
        slope = (weight * (part.level - x) * (part.squared - y)).sum(axis) / np.where(spread > 0, spread, np.inf)
        slope = np.maximum(slope, 0)
        intercept = y - slope * x
        variance = np.maximum(slope * part.level + intercept, LEAST * mean)
    return np.asarray(slope), np.asarray(intercept)


def _likelihood(part: Residuals, line: tuple[Any, ...]) -> float:
    """Return the mean Gaussian log-likelihood of residuals."""
    slope, intercept, *power = line
    level = part.level ** (power[0] if power else 1)
    variance = np.maximum(slope * level + intercept, LEAST * _mean(part))
    each = -0.5 * (np.log(variance) + part.squared / variance)
    return float((each * part.count).sum() / max(float(part.count.sum()), 1))
