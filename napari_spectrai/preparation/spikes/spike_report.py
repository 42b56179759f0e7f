"""Spikes found in a cube, by pixel and by band."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from napari_spectrai.cube import FloatArray, SpectralAxis
from napari_spectrai.preparation.spikes.context import Doubles, FoundSpikes, Integers, Mask


@dataclass(frozen=True, slots=True, eq=False)
class Spikes:
    """Spikes of a cube, one entry per spike, ordered by pixel and band.

    Parameters
    ----------
    pixel : ndarray of shape (c, d)
        Position of each spike, in the d dimensions of the cube before the bands.
    band, first, last : ndarray of shape (c,)
        Its highest band, and the range of its bands.
    height : ndarray of shape (c,)
        Height of the highest band above the prediction, in the unit of the cube.
    intensity : ndarray of shape (c,)
        Intensity of the highest band, in the unit of the cube.
    shape : of the cube, bands last
    axis : SpectralAxis
    """

    pixel: Integers
    band: Integers
    first: Integers
    last: Integers
    height: Doubles
    intensity: Doubles
    shape: tuple[int, ...]
    axis: SpectralAxis

    @classmethod
    def of(cls, found: FoundSpikes | None, data: FloatArray, axis: SpectralAxis) -> Self:
        """Convert the result of a search in `data` (..., L); overlapping or adjacent detections in one spectrum are one spike."""
        shape = data.shape
        spectrum = band = np.zeros(0, np.intp)
        height: Doubles = np.zeros(0)
        if found is not None:
            entry, offset = np.nonzero(found.height)
            place, back = np.unique(found.spectrum[entry] * shape[-1] + found.start[entry] + offset, return_inverse=True)
            height = np.bincount(back, found.height[entry, offset], minlength=place.size).astype(np.float64)
            spectrum, band = place // shape[-1], place % shape[-1]
        starts = np.ones(spectrum.size, bool)
        starts[1:] = (np.diff(spectrum) != 0) | (np.diff(band) != 1)
        number = np.cumsum(starts) - 1
        order = np.lexsort((-height, number))
        top = order[np.unique(number[order], return_index=True)[1]]
        ends = np.roll(starts, -1) | (np.arange(starts.size) == starts.size - 1)
        pixel = np.stack(np.unravel_index(spectrum[top], shape[:-1]), -1)
        intensity = data[(*pixel.T, band[top])].astype(np.float64)
        return cls(pixel, band[top], band[starts], band[ends], height[top], intensity, shape, axis)

    def __len__(self) -> int:
        return len(self.band)

    def __str__(self) -> str:
        spectra = np.unique(self.pixel, axis=0).shape[0]
        if not len(self):
            return f"no spikes in {math.prod(self.shape[:-1]):,} spectra"
        return f"{len(self):,} spike{'s' * (len(self) > 1)} in {spectra:,} spectr{'um' if spectra == 1 else 'a'}"

    def only(self, chosen: Mask) -> Self:
        """Return a subset of the spikes."""
        parts = {name: getattr(self, name)[chosen] for name in ("pixel", "band", "first", "last", "height", "intensity")}
        return replace(self, **parts)

    @property
    def position(self) -> Doubles:
        """Position of the highest band of each spike, in the unit of the axis."""
        return np.asarray(self.axis.values[self.band])

    @property
    def by_band(self) -> Integers:
        """Number of spikes that cover each band, of shape (L,)."""
        edges = np.zeros(self.shape[-1] + 1, np.intp)
        np.add.at(edges, self.first, 1)
        np.add.at(edges, self.last + 1, -1)
        return edges[:-1].cumsum()

    @property
    def by_pixel(self) -> Integers:
        """Number of spikes in each spectrum, of the shape of the cube without its bands."""
        count = np.zeros(self.shape[:-1], np.intp)
        np.add.at(count, tuple(self.pixel.T), 1)
        return count
