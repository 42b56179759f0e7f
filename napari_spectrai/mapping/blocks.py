"""Spectra of a cube, block by block: only those that hold data, in double precision."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.cube import Cube
from napari_spectrai.mapping.kind import Doubles, Progress, silent
from napari_spectrai.preparation.missing import missing_bands
from napari_spectrai.preparation.sample_rows import seen
from napari_spectrai.spectral_axis import SpectralAxis
from napari_spectrai.valid import DataMask, held_by, holds_data

BLOCK = 2**22
"""Values read at a time, at most, where the chunks of a lazy cube allow it."""

Bands = npt.NDArray[np.intp]


def window(axis: SpectralAxis, low: float | None, high: float | None, *, least: int = 1, what: str = "this") -> Bands:
    """Return the numbers of the bands from `low` to `high`, in ascending order of their positions.

    Parameters
    ----------
    low, high : float or None
        In the unit of the axis; None: its end.
    least : how many bands are needed
    what : what they are needed for, in words

    Raises
    ------
    ValueError
        If `low` is not below `high`, or too few bands lie between them.
    """
    first, last = float(axis.values.min()), float(axis.values.max())
    low, high = first if low is None else low, last if high is None else high
    unit = f" {axis.unit}" if axis.unit else " (band numbers)"
    if len(axis) < least:
        raise ValueError(f"the cube has {len(axis)} band{'' if len(axis) == 1 else 's'}, and {what} needs {least}; choose another cube")
    if low > high or (low == high and least > 1):
        raise ValueError(f"low ({low:g}) must lie below high ({high:g}){unit}")
    bands = axis.window(low, high)
    if bands.size < least:
        raise ValueError(
            f"{bands.size} band{'' if bands.size == 1 else 's'} in {low:g}–{high:g}{unit}, and {what} needs {least}; "
            f"widen the range: the cube has {axis.describe()}"
        )
    return np.asarray(bands[np.argsort(axis.values[bands], kind="stable")])


@dataclass(frozen=True, slots=True)
class Pixels:
    """Reads the spectra of a cube in some bands.

    Parameters
    ----------
    cube : Cube
    bands : numbers of the bands, in the order in which they are returned
    held : DataMask
        Which spectra hold data; others are not returned.
    """

    cube: Cube
    bands: Bands
    held: DataMask

    @classmethod
    def of(cls, cube: Cube, bands: Bands) -> Pixels:
        """Return the spectra that hold data in these bands (`napari_spectrai.valid`).

        Raises
        ------
        ValueError
            If none does.
        """
        held = holds_data(cube, bands=bands)
        if not held.count:
            gone = sorted(set(missing_bands(cube)) & set(bands.tolist()))
            remedy = (
                f"bands {_some(gone)} are missing everywhere: remove them first (Preprocess: remove_bands)" if gone else "choose others"
            )
            raise ValueError(f"none of the {cube.count:,} spectra holds data in the chosen bands ({held.reasons}); {remedy}")
        return cls(cube, bands, held)

    @property
    def mask(self) -> npt.NDArray[np.bool_]:
        """Which spectra hold data, of shape (number of spectra,)."""
        return self.held.mask.reshape(-1)

    @property
    def positions(self) -> Doubles:
        """Positions of the bands, float64."""
        return self.cube.axis.values[self.bands]

    def blocks(self, progress: Progress = silent) -> Iterator[tuple[Bands, Doubles]]:
        """Yield the flat numbers of pixels (n,) and their spectra (n, bands) as float64, block by block."""
        for places, spectra in self.raw_blocks(progress):
            yield places, np.ascontiguousarray(spectra, np.float64)

    def raw_blocks(self, progress: Progress = silent) -> Iterator[tuple[Bands, npt.NDArray[Any]]]:
        """Yield what `blocks` does, in the type of the cube."""
        data, inner = self.cube.data, int(np.prod(self.cube.spatial_shape[1:], dtype=int))
        step = max(1, BLOCK // max(1, inner * len(self.cube.axis)))
        chunks = getattr(data, "chunks", None)
        if chunks:  # whole chunks, so that none is read twice
            first = chunks[0]
            longest = int(max(first)) if isinstance(first, tuple) else int(first)
            step = -(-step // longest) * longest
        for start in range(0, len(data), step):
            held = self.mask[start * inner : (start + step) * inner]
            places = np.flatnonzero(held) + start * inner
            if places.size:
                part = np.asarray(self._part(data[start : start + step]))
                if part.strides[-1] > part.strides[0]:  # bands lead in memory, as in a layer: spectra are columns, which need no copy
                    columns = np.moveaxis(part, -1, 0).reshape(self.bands.size, -1)
                    yield places, columns.T if held.all() else np.compress(held, columns, axis=1).T
                else:
                    part = part.reshape(-1, self.bands.size)
                    yield places, part if held.all() else np.compress(held, part, axis=0)
            progress(min(self.cube.count, (start + step) * inner), self.cube.count)

    def _part(self, rows: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        first, last = self.bands[0], self.bands[-1]
        if np.array_equal(self.bands, np.arange(first, last + 1)):
            return rows[..., first : last + 1]
        if np.array_equal(self.bands, np.arange(first, last - 1, -1)):
            return rows[..., last : first + 1][..., ::-1]
        return rows[..., self.bands]

    def sample(self, most: int) -> Doubles:
        """Return a limited number of spectra (n, bands) that hold data, from rows spread evenly over the cube."""
        return sample(self.cube, self.bands, most)

    def filled(self, places: Bands, values: Doubles) -> Doubles:
        """Return a map in which pixels at flat `places` have `values`, and the others NaN."""
        done = np.full(self.cube.count, np.nan)
        done[places] = values
        return done.reshape(self.cube.spatial_shape)

    def empty(self, count: int) -> Doubles:
        """Return NaN of shape (count, number of spectra), to be filled block by block."""
        return np.full((count, self.cube.count), np.nan)

    def shaped(self, flat: Doubles) -> Doubles:
        """Return a flat map in the shape of the image."""
        return flat.reshape(self.cube.spatial_shape)


def _some(numbers: list[int], most: int = 8) -> str:
    return ", ".join(map(str, numbers[:most])) + (", …" if len(numbers) > most else "")


def sample(cube: Cube, bands: Bands, most: int) -> Doubles:
    """Return a limited number of spectra (n, bands) that hold data, from rows spread evenly over a cube.

    Raises
    ------
    ValueError
        If none holds data in these bands.
    """
    rows = seen(cube, most * len(cube.axis)).reshape(-1, len(cube.axis))[:, bands]
    held = held_by(rows)
    found = np.asarray(rows[held.mask], np.float64)
    if not len(found):  # the rows that were read hold no data
        found = next(Pixels.of(cube, bands).blocks())[1]
    return found[:: -(-len(found) // most)]
