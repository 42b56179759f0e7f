"""Band maps that follow a range while it is dragged: cumulative sums along the spectrum."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_spectrai.cube import Cube
from napari_spectrai.mapping.band import How
from napari_spectrai.mapping.blocks import window
from napari_spectrai.mapping.kind import Doubles
from napari_spectrai.spectral_axis import SpectralAxis
from napari_spectrai.valid import holds_data, values_of

MOST = 2**27
"""Values of a cube, at most, that are summed up in advance (1 GiB in double precision)."""


class CumulativeBands:
    """Band maps of a cube in memory, each in two subtractions, however wide the range.

    Sums and areas come from cumulative sums along the axis (L + 1, pixels); a maximum is taken over the bands themselves.

    Parameters
    ----------
    cube : Cube
        At most `MOST` values, in memory.

    Raises
    ------
    ValueError
        If the cube is larger.
    """

    def __init__(self, cube: Cube) -> None:
        if cube.count * len(cube.axis) > MOST:
            raise ValueError(f"{cube!r} holds more than the {MOST:,} values that are summed up in advance; use maps(cube, 'band', …)")
        order = np.argsort(cube.axis.values, kind="stable")
        self._shape = cube.spatial_shape
        self._positions = cube.axis.values[order]
        self._axis = SpectralAxis(self._positions, cube.axis.unit)
        values = values_of(cube).reshape(-1, len(cube.axis)).T
        # one contiguous plane for each band; a view where the cube is that of a layer, whose bands lead
        self._values = np.ascontiguousarray(values if np.array_equal(order, np.arange(len(order))) else values[order])
        self._empty = ~holds_data(cube, partly=True).mask.reshape(-1)
        missing = ~np.isfinite(self._values)
        self._missing: npt.NDArray[np.int32] | None = None
        if missing.any():
            self._missing = np.zeros((len(order) + 1, missing.shape[1]), np.int32)
            np.cumsum(missing, axis=0, out=self._missing[1:])
            self._values = np.where(missing, np.float32(0), self._values)
        self._sums: Doubles | None = None
        self._areas: Doubles | None = None

    def _cumulative_sums(self) -> Doubles:
        if self._sums is None:
            sums = np.zeros((len(self._values) + 1, self._values.shape[1]))
            np.cumsum(self._values, axis=0, dtype=np.float64, out=sums[1:])
            self._sums = sums
        return self._sums

    def _cumulative_areas(self) -> Doubles:
        if self._areas is None:
            areas = np.zeros(self._values.shape)
            for band, step in enumerate(np.diff(self._positions), 1):
                pair = np.add(self._values[band], self._values[band - 1], dtype=np.float64)
                areas[band] = areas[band - 1] + pair * (step / 2)
            self._areas = areas
        return self._areas

    def prepare(self, how: How) -> None:
        """Compute in advance the sums that maps of this kind need; otherwise the first map computes them."""
        if how == "area":
            self._cumulative_areas()
        elif how != "max":
            self._cumulative_sums()

    def map(self, low: float, high: float, how: How) -> Doubles:
        """Return the map of a range, equal to that of ``maps(cube, "band", …)``, of shape (..., y, x).

        Raises
        ------
        ValueError
            If the range holds too few bands.
        """
        bands = window(self._axis, low, high, least=2 if how == "area" else 1, what=f"the {how} of a range")
        first, last = int(bands[0]), int(bands[-1])
        if how == "max":
            found = self._values[first : last + 1].max(0).astype(np.float64)
        elif how == "area":
            areas, ends = self._cumulative_areas(), self._values[[first, last]].sum(0, dtype=np.float64)
            found = areas[last] - areas[first] - ends * ((self._positions[last] - self._positions[first]) / 2)
        else:
            sums = self._cumulative_sums()
            found = sums[last + 1] - sums[first]
            found = found / bands.size if how == "mean" else found
        gone = self._empty
        if self._missing is not None:
            gone = gone | (self._missing[last + 1] > self._missing[first])
        found[gone] = np.nan
        return np.asarray(found.reshape(self._shape))
