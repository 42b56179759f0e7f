"""Fill the pool of a data set: spectra are read, hashed and prepared region by region, so that one copy of the data is held."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.cube import Cube, FloatArray, SpectralAxis
from napari_spectrai.learn.data.fingerprints import Hashes, hashed
from napari_spectrai.memory_map import mapped_file
from napari_spectrai.noise import Stabiliser
from napari_spectrai.plan.partition import Division
from napari_spectrai.plan.patches import fill_margins
from napari_spectrai.plan.storage import Mask, Region, Source
from napari_spectrai.plan.subsets import UNUSED
from napari_spectrai.preparation import Preparation
from napari_spectrai.preparation.chain import Removed
from napari_spectrai.valid import continue_into, finite, ignored, without

Pool = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Filled:
    """Prepared spectra of all cubes in a pool.

    Attributes
    ----------
    spectra : float32 ndarray of shape (pixels, λ)
    axis : SpectralAxis
    factors : float32 ndarray of shape (pixels, 2), or None
        Scale and offset that undo the preparation of each spectrum; None if they were not asked for, or are not sufficient.
    hashes : list of (hashes, valid), one for each cube
        Hash of each raw spectrum that is in a part, and where there is one; arrays (z, y, x).
    """

    spectra: Pool
    axis: SpectralAxis
    factors: Pool | None
    hashes: list[tuple[Hashes, Mask]]


@dataclass(frozen=True, slots=True)
class Prepared:
    """The spectra of a region (y, x, λ), raw and after the preparation.

    Attributes
    ----------
    spectra : float32 ndarray of shape (y, x, λ)
        Zero where a value is missing.
    empty, gone : bool arrays of shape (y, x)
        Where pixels hold no data (missing values, or all zero), and where pixels with data become NaN or infinite.
    removed : list
        State for `Preparation.restore` of the spectra, flattened.
    """

    raw: FloatArray
    spectra: Pool
    empty: Mask
    gone: Mask
    removed: list[Removed]

    def factors(self) -> Pool | None:
        """Return scale and offset (y, x, 2) that undo the preparation; None if these are not sufficient."""
        if any(isinstance(one, Stabiliser) for one in self.removed):
            return None
        count = self.empty.size
        offset = Preparation.restore(np.zeros((count, 1)), self.removed)
        scale = Preparation.restore(np.ones((count, 1)), self.removed) - offset
        return np.concatenate([scale, offset], -1).astype(np.float32).reshape(*self.empty.shape, 2)


def prepared(source: Source, region: Region, held: Mask, preparation: Preparation) -> Prepared:
    """Read and prepare a region, of which the pixels `held` (y, x) hold data; the others are zero before the preparation."""
    raw = source.read(region)
    flat, known = raw.reshape(-1, source.bands), held.ravel()
    result, _, removed = preparation.apply(without(flat, known), source.cube.axis)
    usable = finite(result)
    spectra = np.asarray(without(result, usable & known), np.float32).reshape(*held.shape, -1)
    return Prepared(raw, spectra, ~held, (known & ~usable).reshape(held.shape), removed)


def fill(cubes: Sequence[Cube], preparation: Preparation, division: Division, *, times: int = 1, keeps_factors: bool = False) -> Filled:
    """Return the prepared spectra of all cubes; of truths with `times` as many pixels per side.

    Spectra without data are replaced by zeros, or in patches by the nearest ones with data. Pixels that become NaN or infinite are removed
    from `division`, with a note. A cube in memory that needs no preparation is not copied.

    Raises
    ------
    ValueError
        If all pixels of a cube become NaN or infinite.
    """
    sources = [Source(cube) for cube in cubes]
    count = sum(place.size for place in division.places) * times**2
    axis = _axis_after(sources, division, preparation, times)
    pool = None if keeps_factors else _unchanged(cubes, preparation, division, times)
    if pool is not None:
        return Filled(pool, axis, None, [_hashed(source, division, number, times) for number, source in enumerate(sources)])
    pool = np.zeros((count, len(axis)), np.float32)  # takes up memory only where something is written
    factors = np.zeros((count, 2), np.float32) if keeps_factors else None
    hashes, lost = [], 0
    for number, source in enumerate(sources):
        filling = _Filling(source, division, number, times, preparation)
        factors = filling.into(pool, factors)
        lost += filling.remove_gone()
        hashes.append((filling.hashes, filling.valid))
    if lost:
        division.notes.append(note_on_lost(lost))
    return Filled(pool, axis, factors, hashes)


def note_on_lost(count: int) -> str:
    """Return a sentence on spectra that cannot be used after the preparation."""
    return f"{count:,} spectra become NaN or infinite in the preparation and are left out."


class _Filling:
    """The filling of the pool with one cube."""

    def __init__(self, source: Source, division: Division, number: int, times: int, preparation: Preparation) -> None:
        self.source, self.division, self.number, self.times, self.preparation = source, division, number, times, preparation
        self.hashes, self.valid = np.zeros(source.shape, np.uint64), np.zeros(source.shape, bool)
        self.empty, self.gone = np.zeros(source.shape, bool), np.zeros(source.shape, bool)

    def into(self, pool: Pool, factors: Pool | None) -> Pool | None:
        """Fill the pool, and the factors if wanted; return these, or None if they are not sufficient."""
        place, patch = self.division.places[self.number], self.division.layout.patch
        image = place.of(pool, self.times)
        for region in self.source.regions():
            held = fine(self.division.data[self.number], region, self.times)
            if patch == 1 and not held.any():
                continue
            done = prepared(self.source, region, held, self.preparation)
            if done.spectra.any():
                image[region.key] = done.spectra
            self.empty[region.key], self.gone[region.key] = done.empty, done.gone
            wanted = fine(self.division.maps[self.number], region, self.times) > UNUSED
            self.hashes[region.key][wanted], self.valid[region.key][wanted] = hashed(done.raw[wanted])
            if factors is not None:
                found = done.factors()
                factors = None if found is None else factors
                if factors is not None:
                    place.of(factors, self.times)[region.key] = found
        if patch > 1:  # patches next to a pixel without data must not contain a hole
            continue_into(image, self.empty | self.gone)
        fill_margins(pool, place, self.times)
        if factors is not None:
            fill_margins(factors, place, self.times)
        return factors

    def remove_gone(self) -> int:
        """Remove pixels that become NaN or infinite from all parts and classes; return their number."""
        if not self.gone.any():
            return 0
        if self.gone.all():
            raise ValueError(_why_all(self.source, self.preparation))
        z, height, width = self.division.shapes[self.number]
        coarse = np.asarray(self.gone.reshape(z, height, self.times, width, self.times).any((2, 4)))
        self.division.maps[self.number][coarse] = UNUSED
        self.division.data[self.number][coarse] = False
        if self.division.marked:
            self.division.marked[self.number][coarse] = 0
        return int(self.gone.sum()) // self.times**2


def fine(values: npt.NDArray[Any], region: Region, times: int) -> npt.NDArray[Any]:
    """Return the values (y, x) that the pixels of a region have in an image (z, y, x) with one pixel for `times` per side."""
    if times == 1:
        return values[region.key]
    rows, columns = (np.arange(key.start, key.stop) // times for key in region.key[1:])
    found: npt.NDArray[Any] = values[region.z][np.ix_(rows, columns)]
    return found


def _axis_after(sources: Sequence[Source], division: Division, preparation: Preparation, times: int) -> SpectralAxis:
    """Return the axis of prepared spectra, from the first spectrum that holds data: some algorithms fail on artificial ones."""
    number = next(number for number, data in enumerate(division.data) if data.any())
    z, y, x = (int(place) for place in np.argwhere(division.data[number])[0])
    first = sources[number].read(Region(z, y, y + 1, x, x + 1).times(times))
    return preparation.apply(first[:1, 0], sources[number].cube.axis)[1]


def _unchanged(cubes: Sequence[Cube], preparation: Preparation, division: Division, times: int) -> Pool | None:
    """Return the spectra of a single cube in memory that needs no preparation, as a view; None for others."""
    values, place = cubes[0].data, division.places[0]
    if len(cubes) > 1 or preparation.steps or place.padded != place.shape or ignored(cubes[0]) is not None:
        return None
    if not isinstance(values, np.ndarray) or values.dtype != np.float32 or mapped_file(values) is not None:
        return None
    if not values.flags.c_contiguous or not values.flags.writeable or not division.data[0].all() or times > 1:
        return None
    return values.reshape(-1, values.shape[-1])


def _hashed(source: Source, division: Division, number: int, times: int) -> tuple[Hashes, Mask]:
    hashes, valid = np.zeros(source.shape, np.uint64), np.zeros(source.shape, bool)
    for region in source.regions():
        wanted = fine(division.maps[number], region, times) > UNUSED
        hashes[region.key][wanted], valid[region.key][wanted] = hashed(source.spectra(region, wanted))
    return hashes, valid


def _why_all(source: Source, preparation: Preparation) -> str:
    """Return why no spectrum of a cube is usable after the preparation, with the number and place of the values, and the remedy."""
    values = spectra = 0
    first = ""
    for region in source.regions():
        raw = source.read(region)
        bad = ~np.isfinite(raw)
        if not bad.any():
            bad = ~np.isfinite(preparation.apply(raw.reshape(-1, source.bands), source.cube.axis)[0]).reshape(*region.shape, -1)
        if bad.any() and not first:
            y, x, band = np.argwhere(bad)[0]
            pixel = np.unravel_index(np.ravel_multi_index((region.z, region.y + y, region.x + x), source.shape), source.cube.spatial_shape)
            first = f"the first at pixel ({', '.join(str(int(c)) for c in pixel)}), band {band}"
        values, spectra = values + int(bad.sum()), spectra + int(bad.any(-1).sum())
    return (
        f"prepared {source.cube.name or 'cube'!r} contains {values:,} NaN or infinite values in {spectra:,} spectra, {first}; "
        "remove the step that causes them, or remove those bands first"
    )
