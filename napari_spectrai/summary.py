"""Summaries of cubes: band images, ratios, colours, and the mean spectrum of a region."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.cube import Cube, FloatArray, SpectralAxis
from napari_spectrai.units import convert

MOST_PIXELS = 20_000
"""Largest number of pixels that a region's mean is computed from; more are evenly subsampled."""

_MEANT = 4096
"""Spectra from which the mean of a cube is computed, at most."""
_SAMPLED = 40
"""Pixels per side from which the band to show first is chosen."""
_WHITE = np.array([0.9505, 1, 1.089], np.float32)
_TO_RGB = np.array([[3.2406, -0.9689, 0.0557], [-1.5372, 1.8758, -0.2040], [-0.4986, 0.0415, 1.0570]], np.float32)


@dataclass(frozen=True, slots=True)
class RegionSpectrum:
    """Mean and standard deviation of a region's spectra; NaN is ignored."""

    mean: FloatArray
    deviation: FloatArray
    count: int
    thinned: bool


def band_image(cube: Cube, low: float, high: float, *, integrate: bool = False) -> Any:
    """Return the mean over the bands from `low` to `high`, or the area under them, as an array of shape (..., y, x).

    Lazy cubes return a lazy array. NaN is ignored in a mean.

    Parameters
    ----------
    integrate : bool
        Return the area along the axis (trapezoidal rule), in intensity × unit, instead of the mean.

    Raises
    ------
    ValueError
        If no band lies in the range.
    """
    bands = _bands(cube.axis, low, high)
    part = cube.data[..., bands] if bands[-1] - bands[0] + 1 != bands.size else cube.data[..., bands[0] : bands[-1] + 1]
    part = part.astype(np.float32)
    if integrate and bands.size > 1:
        positions = cube.axis.values[bands]
        order = np.argsort(positions)
        spacing = np.diff(positions[order]).astype(np.float32)
        part = part[..., order]
        return ((part[..., 1:] + part[..., :-1]) * (spacing / 2)).sum(-1)
    xp: Any = np
    if not isinstance(part, np.ndarray):
        import dask.array as da

        xp = da
    good = xp.isfinite(part)
    count = good.sum(-1)
    return xp.where(good, part, 0).sum(-1) / xp.where(count > 0, count, np.float32(np.nan)).astype(np.float32)


def band_ratio(cube: Cube, above: tuple[float, float], below: tuple[float, float]) -> Any:
    """Return the mean over one range divided by that over another; NaN where the denominator is zero."""
    bottom = band_image(cube, *below)
    if isinstance(bottom, np.ndarray):
        return band_image(cube, *above) / np.where(bottom == 0, np.float32(np.nan), bottom)
    import dask.array as da

    return band_image(cube, *above) / da.where(bottom == 0, np.float32(np.nan), bottom)


def telling_band(cube: Cube) -> int:
    """Return the band whose image shows the most structure: the largest covariance between neighbouring pixels.

    Noise and single spikes have none. Bad bands are left out; without any structure it is the middle band. Of large cubes a sample of
    pixels is used, of lazy ones their middle.
    """
    pairs = _neighbours(cube)
    count = cube.shape[-1]
    if pairs is None:
        return count // 2
    here, there = pairs
    good = np.isfinite(here) & np.isfinite(there)
    mean = np.where(good, here, 0).sum(1, keepdims=True) / np.maximum(good.sum(1, keepdims=True), 1)
    here, there = (np.where(good, part - mean, 0) for part in (here, there))
    order = np.sort(here, axis=1)
    few = len(order[0]) // 50
    low, high = order[:, few, None], order[:, -few - 1, None]  # one bright particle is no structure
    here, there = (np.clip(part, low, high) for part in (here, there))
    score = (here * there).mean(1) - here.mean(1) * there.mean(1)
    score[[band for band in cube.metadata.get("bad_bands", ()) if 0 <= band < count]] = 0
    return int(score.argmax()) if score.max() > 0 else count // 2


def _neighbours(cube: Cube) -> tuple[FloatArray, FloatArray] | None:
    """Return the values of some pixels and of their neighbours, each of shape (bands, n); None if the cube has no neighbours."""
    if not cube.is_image or cube.spatial_shape[-1] < 2:
        return None
    plane = cube.data[tuple(length // 2 for length in cube.spatial_shape[:-2])]
    height, width = plane.shape[:2]
    if isinstance(plane, np.ndarray):
        rows = np.unique(np.linspace(0, height - 1, _SAMPLED).astype(int))
        columns = np.unique(np.linspace(0, width - 2, _SAMPLED).astype(int))
        parts = [plane[np.ix_(rows, columns + step)] for step in (0, 1)]
    else:
        top, left = max(0, (height - _SAMPLED) // 2), max(0, (width - _SAMPLED) // 2)
        part = np.asarray(plane[top : top + _SAMPLED, left : left + _SAMPLED])
        parts = [part[:, :-1], part[:, 1:]]
    here, there = (np.ascontiguousarray(part.reshape(-1, part.shape[-1]).T, np.float32) for part in parts)
    return here, there


def contrast_limits(values: npt.NDArray[Any], percentiles: tuple[float, float] = (1.0, 98.0)) -> tuple[float, float]:
    """Return the limits between which values are shown; low is always below high.

    Parameters
    ----------
    values : ndarray of any shape
        NaN and infinity are ignored.
    percentiles : (float, float)
        Of the values; by default, one bright particle in a map does not leave everything else black.
    """
    finite = values[np.isfinite(values)].astype(np.float64)
    if not finite.size:
        return 0.0, 1.0
    low, high = (float(limit) for limit in np.percentile(finite, percentiles))
    if high <= low:  # a small object on an even background
        low, high = float(finite.min()), float(finite.max())
    return (low, high) if high > low else (low, low + max(1.0, 1e-6 * abs(low)))  # above 1e16, 1 changes nothing


def mean_spectrum(cube: Cube) -> FloatArray:
    """Return the mean of an even sample of the spectra, as float32 of shape (bands,); NaN is ignored, and bands without values are NaN.

    Of a lazy cube, the middle is read.
    """
    spatial = cube.spatial_shape
    side = max(1, int(_MEANT ** (1 / len(spatial))))
    if isinstance(cube.data, np.ndarray):
        part = cube.data[tuple(slice(None, None, -(-length // side)) for length in spatial)]
    else:
        begins = [max(0, (length - side) // 2) for length in spatial]
        part = np.asarray(cube.data[tuple(slice(begin, begin + side) for begin in begins)])
    flat = part.reshape(-1, part.shape[-1])
    good = np.isfinite(flat)
    count = good.sum(0)
    total = np.where(good, flat, 0).sum(0, dtype=np.float64)
    with np.errstate(over="ignore"):  # beyond float32, which whoever computes with it says
        return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)


def composite(cube: Cube, positions: tuple[float, float, float], *, percentile: float = 1.0) -> npt.NDArray[np.uint8]:
    """Return red, green and blue from the bands nearest to three positions, as uint8 of shape (..., y, x, 3).

    Each colour is stretched from the lower to the upper `percentile` of its band. Positions are in the unit of the axis.
    """
    bands = [cube.axis.index(position) for position in positions]
    picture = np.stack([np.asarray(cube.data[..., band], np.float32) for band in bands], -1)
    flat = picture.reshape(-1, 3)
    low, high = np.nanpercentile(flat, (percentile, 100 - percentile), axis=0)
    return _eight_bits((picture - low) / np.where(high > low, high - low, 1))


def covers_visible(axis: SpectralAxis) -> bool:
    """Whether true colours can be computed: bands from at most 430 nm to at least 670 nm, no more than 40 nm apart."""
    if axis.unit not in ("nm", "um"):
        return False
    values = np.sort(convert(axis, "nm"))
    seen = values[(values >= 380) & (values <= 720)]
    return bool(seen.size > 3 and seen[0] <= 430 and seen[-1] >= 670 and np.diff(seen).max() <= 40)


def true_colour(cube: Cube) -> npt.NDArray[np.uint8]:
    """Return the colours as seen by the eye, as sRGB uint8 of shape (..., y, x, 3), under equal-energy illumination.

    Colour matching functions are an analytic fit (Wyman, Sloan & Shirley 2013, JCGT 2(2)); the brightest percent is white.

    Raises
    ------
    ValueError
        If the axis does not cover the visible range, 430 to 670 nm.
    """
    if not covers_visible(cube.axis):
        raise ValueError(f"true colours need bands from 430 to 670 nm; the cube has {cube.axis.describe()}")
    wavelength = convert(cube.axis, "nm")
    weights = _observer(wavelength) * np.abs(np.gradient(wavelength))[:, None]
    weights /= weights.sum(0, keepdims=True)
    visible = np.flatnonzero((wavelength >= 380) & (wavelength <= 780))
    spectra = np.asarray(cube.data[..., visible], np.float32)
    xyz = np.nan_to_num(spectra) @ weights[visible].astype(np.float32) * _WHITE
    linear = xyz @ _TO_RGB
    white = np.percentile(linear.max(-1), 99)
    linear = np.clip(linear / (white if white > 0 else 1), 0, 1)
    return _eight_bits(np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055))


def _observer(nm: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    def bump(centre: float, below: float, above: float) -> npt.NDArray[np.float64]:
        return np.exp(-0.5 * ((nm - centre) * np.where(nm < centre, below, above)) ** 2)

    x = 1.056 * bump(599.8, 0.0264, 0.0323) + 0.362 * bump(442.0, 0.0624, 0.0374) - 0.065 * bump(501.1, 0.0490, 0.0382)
    y = 0.821 * bump(568.8, 0.0213, 0.0247) + 0.286 * bump(530.9, 0.0613, 0.0322)
    z = 1.217 * bump(437.0, 0.0845, 0.0278) + 0.681 * bump(459.0, 0.0385, 0.0725)
    return np.stack([x, y, z], -1)


def _eight_bits(picture: Any) -> npt.NDArray[np.uint8]:
    return np.asarray((np.nan_to_num(np.clip(picture, 0, 1)) * 255).round(), np.uint8)


def region_spectrum(cube: Cube, places: npt.NDArray[np.intp]) -> RegionSpectrum:
    """Return mean and standard deviation of the spectra at some pixels.

    Parameters
    ----------
    places : ndarray of shape (n, spatial dimensions)
        Pixel indices.

    Raises
    ------
    ValueError
        If there are no pixels.
    """
    if not len(places):
        raise ValueError("the region contains no pixel of the cube")
    step = -(-len(places) // MOST_PIXELS)
    taken = places[::step]
    if isinstance(cube.data, np.ndarray):
        spectra = cube.data[tuple(taken.T)].astype(np.float32)
    else:  # the bounding box of the region, read once
        low, high = taken.min(0), taken.max(0) + 1
        box = np.asarray(cube.data[tuple(slice(a, b) for a, b in zip(low, high, strict=True))], np.float32)
        spectra = box[tuple((taken - low).T)]
    good = np.isfinite(spectra)
    count = np.where(good.any(0), good.sum(0), np.nan)
    mean = np.where(good, spectra, 0).sum(0, dtype=np.float64) / count
    deviation = np.sqrt(np.where(good, np.square(spectra - mean), 0).sum(0, dtype=np.float64) / count)
    return RegionSpectrum(mean.astype(np.float32), deviation.astype(np.float32), len(taken), step > 1)


def _bands(axis: SpectralAxis, low: float, high: float) -> npt.NDArray[np.intp]:
    bands = axis.window(low, high)
    if not bands.size:
        raise ValueError(f"no band lies in {low:g}–{high:g} {axis.unit}; the cube has {axis.describe()}")
    return bands
