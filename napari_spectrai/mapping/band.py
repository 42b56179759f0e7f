"""Band maps: sum, mean, maximum or area of the intensities in a range of the axis, and ratios of two ranges."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, field_validator

from napari_spectrai.cube import Cube
from napari_spectrai.mapping.blocks import Bands, window
from napari_spectrai.mapping.kind import Doubles, Maps, Row, middle
from napari_spectrai.mapping.planned import MapPlan, PlannedMaps
from napari_spectrai.spectral_axis import SpectralAxis

Range = tuple[float, float]
How = Literal["sum", "mean", "max", "area"]


class BandMaps(PlannedMaps):
    """Intensity in a range of the spectrum, one map for each range.

    ``"area"`` is the area by the trapezoidal rule, in intensity × unit of the axis, above a straight line through the first and the
    last band of the range (two-point baseline).
    """

    title: ClassVar = "Band"
    first: ClassVar = ("low", "high", "how")
    kind: Literal["band"] = "band"
    low: float = Field(description="first position of the range, in the unit of the axis")
    high: float = Field(description="last position of the range, in the unit of the axis")
    how: How = Field(
        "area", title="Value", description="what is computed of the bands; area: above a straight line through both ends of the range"
    )
    more: tuple[Range, ...] = Field((), title="Further ranges", description="further ranges, each with a map of its own: [[low, high], …]")
    over: Range | None = Field(
        None, title="Divide by range", description="range by which the others are divided: [low, high]; empty: no ratio"
    )

    @field_validator("more", mode="before")
    @classmethod
    def _no_more(cls, value: Any) -> Any:
        return () if value is None else value

    @classmethod
    def start(cls, axis: SpectralAxis) -> dict[str, Any]:
        """Start with the middle third of the axis; of wavelengths with the mean, since broad bands have no baseline at their sides."""
        return middle(axis) | ({"how": "mean"} if axis.quantity == "wavelength" else {})

    def plan(self, cube: Cube) -> MapPlan:
        """Return how one map per range is computed.

        Raises
        ------
        ValueError
            If a range holds no band, or fewer than two for an area.
        """
        ranges: list[Range] = [(self.low, self.high), *self.more]
        wanted = [*ranges, *([self.over] if self.over else [])]
        windows = [window(cube.axis, *one, least=2 if self.how == "area" else 1, what=f"the {self.how} of a range") for one in wanted]
        bands = np.unique(np.concatenate(windows))
        columns = [np.searchsorted(bands, one) for one in windows]
        positions = [cube.axis.values[one] for one in windows]

        def values(spectra: npt.NDArray[Any]) -> Doubles:
            exact = np.ascontiguousarray(spectra, np.float64)
            return np.stack([band_values(exact[:, column], at, self.how) for column, at in zip(columns, positions, strict=True)])

        return MapPlan(bands, [str(number) for number in range(len(wanted))], values, partial(self._finished, cube, ranges, windows))

    def _finished(self, cube: Cube, ranges: list[Range], windows: list[Bands], values: dict[str, Doubles]) -> Maps:
        """Return the maps by their names, divided where a ratio is wanted."""
        found = list(values.values())
        unit = f" {cube.axis.unit}" if cube.axis.unit else ""
        below = f" / {_words(self.over)}" if self.over else ""
        names = [f"{self.how} {_words(one)}{below}{unit}" for one in ranges]
        if self.over:
            divisor = np.where(found[-1] == 0, np.nan, found[-1])
            found = [one / divisor for one in found[:-1]]
        table: list[Row] = [
            {"map": name, "low": low, "high": high, "bands": int(at.size), "median": float(np.nanmedian(one))}
            for name, (low, high), at, one in zip(names, ranges, windows, found, strict=False)
        ]
        return Maps(dict(zip(names, found, strict=True)), table=table)


def band_values(spectra: Doubles, positions: Doubles, how: How) -> Doubles:
    """Return what is computed of spectra (n, bands) at ascending positions, of shape (n,)."""
    if how == "sum":
        return np.asarray(spectra.sum(1))
    if how == "mean":
        return np.asarray(spectra.mean(1))
    if how == "max":
        return np.asarray(spectra.max(1))
    weights = np.zeros(len(positions))
    steps = np.diff(positions) / 2
    weights[:-1] += steps
    weights[1:] += steps
    baseline = (positions[-1] - positions[0]) / 2
    weights[0] -= baseline
    weights[-1] -= baseline
    return np.asarray(spectra @ weights)


def _words(one: Range) -> str:
    return f"{one[0]:g}–{one[1]:g}"
