"""Cosmic rays and other spikes, against the spectrum itself and against neighbouring pixels."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from napari_spectrai.cube import Cube, FloatArray, SpectralAxis
from napari_spectrai.preparation.step import SpatialStep, Step

_BANDS = 32
"""Bands whose neighbours are sorted at a time."""


def _spread(values: FloatArray) -> FloatArray:
    """Return a robust standard deviation along the last axis, kept as a dimension.

    Of quantised data, whose median deviation may be 0, the mean deviation.
    """
    deviation = np.abs(values - np.median(values, -1, keepdims=True))
    robust = np.median(deviation, -1, keepdims=True) * 1.4826
    return np.where(robust > 0, robust, deviation.mean(-1, keepdims=True) * 1.2533)


def _around(image: FloatArray) -> FloatArray:
    """Return the median of the eight pixels around each; those outside and those that are NaN do not count."""
    height, width = image.shape[-3:-1]
    wide = np.pad(image, [(0, 0)] * (image.ndim - 3) + [(1, 1), (1, 1), (0, 0)], constant_values=np.nan)
    beside = np.stack([wide[..., y : y + height, x : x + width, :] for y in range(3) for x in range(3) if (y, x) != (1, 1)])
    beside.sort(axis=0)  # NaN last
    count = np.isfinite(beside).sum(0, keepdims=True)
    low, high = (np.take_along_axis(beside, np.clip(place, 0, 7), 0)[0] for place in ((count - 1) // 2, count // 2))
    middle: FloatArray = (low + high) / 2
    return middle


def _bridged(spectra: FloatArray, spikes: npt.NDArray[np.bool_]) -> FloatArray:
    """Return spectra whose spikes are replaced by straight lines between what stands beside them."""
    from napari_spectrai.preparation.axis import fill

    return fill(np.where(spikes, np.nan, spectra).astype(spectra.dtype))


class Despike(Step):
    """Spikes a few bands wide, told by the modified z-score of the differences (Whitaker & Hayes 2018, doi:10.1016/j.chemolab.2018.06.009).

    A spike is replaced by a straight line between its neighbours. What is steep over more bands than `width` is taken for a
    Raman peak and stays, however high: the score alone would cut sharp peaks. A spectrum with NaN is left as it is.
    """

    title: ClassVar = "Despike (Whitaker–Hayes)"
    kind: Literal["despike"] = "despike"
    threshold: float = Field(8.0, gt=0, description="modified z-score of a difference that makes a spike; lower finds more")
    width: int = Field(2, ge=1, le=20, description="bands that a spike may cover; below the width of the sharpest real peak")

    def apply(self, spectra: FloatArray, axis: SpectralAxis) -> tuple[FloatArray, SpectralAxis]:
        """Return despiked spectra."""
        from scipy.ndimage import binary_opening

        if spectra.shape[-1] < 4:
            return spectra.copy(), axis
        steps = np.diff(spectra, axis=-1)
        centre, spread = np.median(steps, -1, keepdims=True), _spread(steps)
        with np.errstate(invalid="ignore"):
            up, down = steps - centre > self.threshold * spread, centre - steps > self.threshold * spread
        touched = np.zeros(spectra.shape, bool)
        touched[..., 1:] = up | down
        touched[..., :-1] |= up | down
        # a spike of that width touches one band more on either side; runs that are longer are peaks
        longer = np.ones((1,) * (spectra.ndim - 1) + (self.width + 3,), bool)
        touched &= ~binary_opening(touched, longer) & self._there_and_back(up, down)
        rows = touched.any(-1)
        result = spectra.copy()
        if not rows.any():
            return result, axis
        bridged = _bridged(spectra[rows], touched[rows])
        # the good neighbours of a spike stand on the line too: they keep their own values
        with np.errstate(invalid="ignore"):
            spikes = touched[rows] & (np.abs(spectra[rows] - bridged) > self.threshold * spread[rows] / 2)
        result[rows] = np.where(spikes, _bridged(spectra[rows], spikes), spectra[rows])
        return result, axis

    def _there_and_back(self, up: npt.NDArray[np.bool_], down: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Return which bands lie between a steep step and its opposite, no more than `width` bands apart: an edge alone is no spike."""
        inside = np.zeros((*up.shape[:-1], up.shape[-1] + 1), bool)
        for apart in range(1, min(self.width, up.shape[-1] - 1) + 1):
            both = (up[..., :-apart] & down[..., apart:]) | (down[..., :-apart] & up[..., apart:])
            for band in range(apart):
                inside[..., 1 + band : 1 + band + both.shape[-1]] |= both
        return inside


class DespikeNeighbours(SpatialStep):
    """Spikes that the neighbouring pixels do not share (after Behrend, Tarnowski & Morris 2002, Appl. Spectrosc. 56, 1458).

    Each spectrum is held against the median of the eight pixels around it, brought to its level; what rises above by
    `threshold` standard deviations of that difference is replaced by the neighbours' value. Wide and flat spikes are found too.
    """

    title: ClassVar = "Despike (neighbouring pixels)"
    kind: Literal["despike_neighbours"] = "despike_neighbours"
    threshold: float = Field(8.0, gt=0, description="standard deviations above the neighbours that make a spike")
    margin: ClassVar = 1

    def across(self, cube: Cube) -> Cube:
        """Return the despiked image."""
        image = cube.numpy()
        neighbours = np.empty_like(image)
        for bands in range(0, image.shape[-1], _BANDS):
            neighbours[..., bands : bands + _BANDS] = _around(image[..., bands : bands + _BANDS])
        difference = image - neighbours
        level = np.median(difference, -1, keepdims=True)
        with np.errstate(invalid="ignore"):
            spikes = difference - level > self.threshold * _spread(difference)
        return cube.with_data(np.where(spikes, neighbours + level, image).astype(np.float32))
