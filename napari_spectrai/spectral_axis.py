"""The positions of the bands of a spectral image."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

QUANTITIES = {
    "nm": "wavelength",
    "um": "wavelength",
    "1/cm": "wavenumber",
    "eV": "energy",
    "m/z": "mass",
    "": "band",
}
"""The quantity on the axis, by its unit."""

_ALIASES = {
    "nanometer": "nm", "nanometers": "nm", "nanometre": "nm", "nanometres": "nm",
    "µm": "um", "μm": "um", "micron": "um", "microns": "um", "micrometer": "um",
    "micrometers": "um", "micrometre": "um", "micrometres": "um",
    "cm-1": "1/cm", "cm^-1": "1/cm", "cm⁻¹": "1/cm", "/cm": "1/cm", "wavenumber": "1/cm",
    "ev": "eV", "mz": "m/z", "band": "", "bands": "", "none": "", "unknown": "", "index": "",
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class SpectralAxis:
    """The position of each band, with its unit.

    Parameters
    ----------
    values : array_like of shape (L,)
        Positions, kept exactly as given: they may descend, repeat or be unevenly spaced.
    unit : str, default ""
        ``"nm"``, ``"um"``, ``"1/cm"``, ``"eV"``, ``"m/z"`` or ``""`` for band numbers. Usual
        spellings (``"cm-1"``, ``"µm"``, ``"nanometers"``) are understood.

    Raises
    ------
    ValueError
        If there is no band, a position is not finite, or the unit is unknown.

    Examples
    --------
    >>> from napari_spectrai import SpectralAxis
    >>> axis = SpectralAxis([600, 700, 800], "cm-1")
    >>> axis
    SpectralAxis(3 bands, 600–800 1/cm)
    >>> axis.index(690), axis.window(650, 800).tolist()
    (1, [1, 2])
    """

    values: npt.NDArray[np.float64]
    unit: str = ""

    def __post_init__(self) -> None:
        try:
            values = np.array(self.values, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(f"the positions of a spectral axis are numbers, one per band: {error}") from error
        if values.ndim != 1 or not values.size:
            raise ValueError(f"a spectral axis is a list of one or more positions, not an array of shape {values.shape}")
        if not np.isfinite(values).all():
            band = int(np.flatnonzero(~np.isfinite(values))[0])
            raise ValueError(f"the position of band {band} is {values[band]}; every band needs a finite position")
        given = "" if self.unit is None else str(self.unit).strip()
        unit = _ALIASES.get(given.lower(), given)
        if unit not in QUANTITIES:
            known = ", ".join(repr(known) for known in QUANTITIES)
            raise ValueError(f"unknown unit {self.unit!r} of a spectral axis; known: {known} (the last: band number)")
        values.setflags(write=False)
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "unit", unit)

    @classmethod
    def bands(cls, count: int) -> SpectralAxis:
        """Return band numbers 0 … count-1, for data whose file gives no positions.

        Parameters
        ----------
        count : int

        Returns
        -------
        SpectralAxis
            Without a unit.
        """
        return cls(np.arange(count, dtype=np.float64), "")

    def __len__(self) -> int:
        return int(self.values.size)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SpectralAxis):
            return NotImplemented
        return self.unit == other.unit and np.array_equal(self.values, other.values)

    def __hash__(self) -> int:
        return hash((self.unit, self.values.tobytes()))

    def __repr__(self) -> str:
        return f"SpectralAxis({self.describe()})"

    @property
    def quantity(self) -> str:
        """``"wavelength"``, ``"wavenumber"``, ``"energy"``, ``"mass"`` or ``"band"``."""
        return QUANTITIES[self.unit]

    @property
    def label(self) -> str:
        """Axis title for a plot, such as ``"Wavenumber (1/cm)"``."""
        if not self.unit:
            return "Band number"
        return f"{self.quantity.capitalize()} ({self.unit.replace('um', 'µm')})"

    @property
    def step(self) -> float | None:
        """The spacing if it is uniform (to a thousandth of itself) and not zero, else None."""
        if len(self) < 2:
            return None
        steps = np.diff(self.values)
        mean = float(steps.mean())
        return mean if mean and np.allclose(steps, mean, rtol=1e-3, atol=0) else None

    @property
    def is_numbered(self) -> bool:
        """Whether no positions are given: the bands are numbered from 0."""
        return not self.unit and np.array_equal(self.values, np.arange(len(self)))

    def describe(self) -> str:
        """Return one line for people: ``"394 bands, 924.2–1902.1 1/cm"``."""
        count = f"{len(self)} band{'s' if len(self) > 1 else ''}"
        if self.is_numbered:
            return f"{count}, no spectral axis given"
        if not self.unit:
            return f"{count}, {self.values[0]:g}–{self.values[-1]:g} without a unit"
        return f"{count}, {self.values[0]:g}–{self.values[-1]:g} {self.unit}"

    def index(self, position: float) -> int:
        """Return the band nearest to `position` (the first of equals).

        Parameters
        ----------
        position : float
            In the unit of the axis; outside it, the nearest end is returned.

        Returns
        -------
        int
        """
        if not math.isfinite(position):
            raise ValueError(f"position {position} is not finite; give one in {self.unit or 'band numbers'}")
        return int(np.abs(self.values - position).argmin())

    def window(self, low: float, high: float) -> npt.NDArray[np.intp]:
        """Return the indices of the bands from `low` to `high`, both included, in file order.

        Parameters
        ----------
        low, high : float
            In the unit of the axis.

        Returns
        -------
        ndarray of int
            Empty if no band lies between them.
        """
        low, high = min(low, high), max(low, high)
        return np.flatnonzero((self.values >= low) & (self.values <= high))

    def take(self, bands: npt.ArrayLike | slice) -> SpectralAxis:
        """Return the axis of some bands, by index.

        Parameters
        ----------
        bands : slice, or array of int or bool

        Returns
        -------
        SpectralAxis
        """
        return SpectralAxis(self.values[bands if isinstance(bands, slice) else np.asarray(bands)], self.unit)

    def mismatch(self, other: SpectralAxis) -> str | None:
        """Say in words how `other` differs, or return None if it is the same axis.

        Positions may differ by a hundredth of the median band spacing, which absorbs a round trip through
        float32 and nothing a spectroscopist would see.

        Parameters
        ----------
        other : SpectralAxis

        Returns
        -------
        str or None
        """
        if len(self) != len(other):
            return f"{len(other)} bands where {len(self)} are expected"
        if self.unit != other.unit:
            return f"unit {other.unit or 'band number'!r} where {self.unit or 'band number'!r} is expected"
        difference = float(np.abs(self.values - other.values).max())
        spacing = float(np.median(np.abs(np.diff(self.values)))) if len(self) > 1 else 1.0
        if difference > 0.01 * spacing:
            return f"positions that differ by up to {difference:.4g} {self.unit}"
        return None

    def to_json(self) -> dict[str, Any]:
        """Return plain lists and text; `from_json` undoes it."""
        return {"values": self.values.tolist(), "unit": self.unit}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> SpectralAxis:
        """Read what `to_json` wrote.

        Parameters
        ----------
        value : mapping

        Returns
        -------
        SpectralAxis
        """
        return cls(np.asarray(value["values"], dtype=np.float64), str(value.get("unit", "")))


def as_axis(given: Any, count: int) -> SpectralAxis:
    """Return what was given for an axis as one: itself, positions without a unit, ``(positions, unit)``, or band numbers for None.

    Raises
    ------
    ValueError
        If the positions are not finite numbers, or the unit is unknown.
    """
    if given is None:
        return SpectralAxis.bands(count)
    if isinstance(given, SpectralAxis):
        return given
    if isinstance(given, tuple) and len(given) == 2 and isinstance(given[1], str):
        return SpectralAxis(np.asarray(given[0]), given[1])
    return SpectralAxis(np.asarray(given))


def unit_in(words: Any) -> str:
    """Return the unit that some words name, such as ``"Raman shift (cm-1)"``; nothing if they name none."""
    text = "" if words is None else str(words).strip()
    parts = [text, *text.replace("(", " ").replace(")", " ").replace("[", " ").replace("]", " ").replace(",", " ").split()]
    for part in parts:
        unit = _ALIASES.get(part.lower(), part)
        if unit in QUANTITIES and unit:
            return unit
    return ""
