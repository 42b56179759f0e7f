"""What every kind of map is, what it returns, and the registry of kinds."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict

from napari_spectrai.cube import Cube
from napari_spectrai.spec import Named, Registry
from napari_spectrai.spectral_axis import SpectralAxis

Doubles: TypeAlias = npt.NDArray[np.float64]
Row: TypeAlias = dict[str, str | int | float | bool | None]
Progress: TypeAlias = Callable[[int, int], None]
"""Called with the number of spectra done and their total; an exception raised in it ends the computation."""
_LEAST_SIDE = 3.0
"""Least number of bands on either side of a peak that belong to its range."""


def silent(done: int, total: int) -> None:
    """Report no progress."""


@dataclass(frozen=True, slots=True, eq=False)
class Maps:
    """Maps computed from the spectra of a cube.

    Attributes
    ----------
    maps : mapping of str to float64 ndarray of shape (..., y, x) or (n,)
        One map for each name, in a fixed order; NaN where there is no value: the pixel holds no data, or the fit failed.
    curves : Cube of shape (components, L) or None
        The spectrum of each component, in the order of the maps; its ``metadata["names"]`` are those of the components.
    table : list of dict
        Rows of plain values: one per component, peak, reference or particle.
    notes : tuple of str
        Remarks on the result, in sentences.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_spectrai as spectrai
    >>> cube = spectrai.Cube(np.ones((4, 5, 20), np.float32))
    >>> result = spectrai.maps(cube, "band", low=3, high=7, how="sum")
    >>> [(name, float(values[0, 0])) for name, values in result.maps.items()]
    [('sum 3–7', 5.0)]
    """

    maps: Mapping[str, Doubles]
    curves: Cube | None = None
    table: list[Row] = field(default_factory=list)
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        shape = " × ".join(map(str, next(iter(self.maps.values())).shape)) if self.maps else "none"
        return f"Maps({shape}: {', '.join(self.maps)})"


class MapKind(Named):
    """Settings of one way to turn spectra into maps. Subclasses give `compute`.

    Class attributes
    ----------------
    first : names of the settings that a form shows first; the others are in a collapsed section
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)
    first: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def compute(self, cube: Cube, progress: Progress = silent) -> Maps:
        """Return the maps of a cube; a lazy cube is read block by block."""

    @classmethod
    def start(cls, axis: SpectralAxis) -> dict[str, Any]:
        """Return settings to start with on data of this axis, where the defaults do not give them."""
        return {}


def middle(axis: SpectralAxis) -> dict[str, Any]:
    """Return ``low`` and ``high`` of the middle third of an axis, to start with."""
    low, high = float(axis.values.min()), float(axis.values.max())
    third = (high - low) / 3
    return {"low": round(low + third, 3), "high": round(high - third, 3)}


def around_peak(axis: SpectralAxis, spectrum: Doubles) -> dict[str, Any]:
    """Return ``low`` and ``high`` around the most prominent peak of a spectrum, without its missing values; empty if there is none."""
    from scipy.signal import find_peaks, peak_widths

    order = np.argsort(axis.values, kind="stable")
    order = order[np.isfinite(spectrum[order])]
    positions, values = axis.values[order], spectrum[order]
    found, about = find_peaks(values, prominence=1e-300)
    if not found.size:
        return {}
    chosen = found[[about["prominences"].argmax()]]
    (_,), _, (left,), (right,) = peak_widths(values, chosen)
    side = max(right - left, _LEAST_SIDE)  # of the peak and what lies next to it, in bands
    ends = np.clip([left - side, right + side], 0, len(values) - 1)
    low, high = np.interp(ends, np.arange(len(values)), positions)
    return {"low": round(float(low), 3), "high": round(float(high), 3)}


kinds: Registry[MapKind] = Registry("map")
