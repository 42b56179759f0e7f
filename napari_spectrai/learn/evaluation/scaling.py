"""Spectra of results and truths read by blocks, and scaled individually before they are scored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.cube import Cube
from napari_spectrai.preparation.normalise import Normalise
from napari_spectrai.valid import Mask, finite

Places = tuple[slice, ...]
Array = npt.NDArray[np.float32]


def values_of(cube: Cube, place: Places, known: Mask | None = None) -> Array:
    """Return the values of a block, zero where a pixel is not scored, or (without `known`) where they are missing."""
    values = cube[place].numpy()
    known = finite(values) if known is None else known
    return values if known.all() else np.where(known[..., None], values, np.float32(0))


class Scaling:
    """Scales spectra individually before they are scored: the truth's by its own, a result's by those of its source.

    That is what a network learns where its preparation normalises. Without a source, a result is scaled by its own spectra. What was
    taken from each pixel is kept, for when bands are scored separately.

    Parameters
    ----------
    step : Normalise or None
        None: intensities stay as they are.
    spatial : shape of the pixels scored
    source : Cube, optional
        Of as many pixels per side, or of fewer by an integer factor.
    """

    def __init__(self, step: Normalise | None, spatial: tuple[int, ...], source: Cube | None = None) -> None:
        self.step = step
        self._removed = [tuple(np.empty((*spatial, 1), np.float32) for _ in range(2)) for _ in range(0 if step is None else 2)]
        self._found = [np.zeros(spatial, bool) for _ in self._removed]
        self._index = None if step is None or source is None else under(spatial, source)
        self._source = source
        self.by_source = self._index is not None

    def _keep(self, side: int, spectra: Array, place: Any) -> None:
        """Keep the factors of spectra, those of a result by its source."""
        assert self.step is not None  # noqa: S101
        if side == 0 and self._index is not None:
            assert self._source is not None  # noqa: S101
            below = [np.atleast_1d(along[one]) for along, one in zip(self._index, place, strict=True)]
            first = [int(along[0]) for along in below]
            inner = tuple(slice(start, int(along[-1]) + 1) for start, along in zip(first, below, strict=True))
            index = np.ix_(*(along - start for start, along in zip(first, below, strict=True)))
            factors = [one[index] for one in self.step.factors(values_of(self._source, inner))]
            factors = [one.reshape(*spectra.shape[:-1], 1) for one in factors]
        else:
            factors = list(self.step.factors(spectra))
        for kept, part in zip(self._removed[side], factors, strict=True):
            kept[place] = part
        self._found[side][place] = True

    def find(self, side: int, cube: Cube, place: Places, mask: Mask) -> None:
        """Find the factors of a result (side 0) or of the truth (1) in a block, where they are not known."""
        if self.step is not None and not self._found[side][place].all():
            self._keep(side, values_of(cube, place, mask[place]), place)

    def seen(self, side: int, spectra: Array, place: Any) -> Array:
        """Return spectra of the result (side 0) or of the truth (1), whose factors are kept."""
        if self.step is not None and not (side == 0 and self.by_source and self._found[0][place].all()):
            self._keep(side, spectra, place)
        return self.again(side, spectra, place)

    def again(self, side: int, spectra: Array, place: Any) -> Array:
        """Return spectra, or some of their bands, scaled by the factors that are kept."""
        if self.step is None:
            return spectra
        offset, scale = (kept[place] for kept in self._removed[side])
        scaled: Array = (spectra - offset) / (scale + (scale == 0))
        return scaled


def under(spatial: Sequence[int], source: Cube) -> list[npt.NDArray[np.intp]] | None:
    """Return which pixels of a source lie under those of some shape, by dimension; None where no whole number of pixels fits on one."""
    coarse = source.spatial_shape
    if len(coarse) != len(spatial) or any(f % c for f, c in zip(spatial, coarse, strict=True)):
        return None
    return [np.arange(f) * c // f for f, c in zip(spatial, coarse, strict=True)]
