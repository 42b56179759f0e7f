"""Steps that change bands or fill their values: crop, resample, fill, remove."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from napari_spectrai.cube import Cube, FloatArray, SpectralAxis
from napari_spectrai.preparation.step import Step, on_finite


class Crop(Step):
    """Keep the bands between two positions, or two band numbers."""

    title: ClassVar = "Crop the axis"
    group: ClassVar = "Axis"
    kind: Literal["crop"] = "crop"
    low: float = Field(description="first position kept, in the unit of the axis")
    high: float = Field(description="last position kept, in the unit of the axis")
    by: Literal["position", "number"] = Field(
        "position",
        title="Limits are",
        description="meaning of low and high; number: the numbers of the first and last band kept, from 0, for any axis",
    )

    @classmethod
    def start(cls, axis: SpectralAxis) -> dict[str, Any]:
        """Start with the whole axis."""
        return {"low": float(axis.values.min()), "high": float(axis.values.max())}

    @property
    def keeps_intensities(self) -> bool:
        """Whether intensities keep their unit."""
        return True

    def apply(self, spectra: FloatArray, axis: SpectralAxis) -> tuple[FloatArray, SpectralAxis]:
        """Return the bands inside the range; a view if they are contiguous."""
        numbered = self.by == "number"
        inside = (SpectralAxis.bands(len(axis)) if numbered else axis).window(self.low, self.high)
        if not inside.size:
            unit = "(band numbers)" if numbered else axis.unit
            raise ValueError(
                f"no band lies in {self.low:g}–{self.high:g} {unit}; the cube has {axis.describe()}; choose limits within these"
            )
        if inside.size == inside[-1] - inside[0] + 1:
            return spectra[..., inside[0] : inside[-1] + 1], axis.take(inside)
        return spectra[..., inside], axis.take(inside)


class Resample(Step):
    """Resample spectra to other positions by interpolation; extrapolate only within `beyond`.

    ``"pchip"`` preserves monotonicity (Fritsch & Carlson 1980, doi:10.1137/0717021).
    """

    title: ClassVar = "Resample onto another axis"
    group: ClassVar = "Axis"
    kind: Literal["resample"] = "resample"
    interpolates: ClassVar = True
    values: tuple[float, ...] = Field(min_length=1, title="Positions", description="positions to resample to")
    unit: str = Field("", description="unit of these positions: that of the cube; nm and um are converted")
    method: Literal["linear", "pchip"] = Field("linear", description="interpolation")
    beyond: float = Field(
        0.0,
        ge=0,
        title="Extrapolation (bands)",
        description="distance outside the measured range, in the unit of the positions, at which the nearest value is used",
    )

    @classmethod
    def start(cls, axis: SpectralAxis) -> dict[str, Any]:
        """Start with the same number of positions, evenly spaced."""
        return {"values": np.linspace(axis.values.min(), axis.values.max(), len(axis)).tolist(), "unit": axis.unit}

    @classmethod
    def onto(cls, axis: SpectralAxis) -> Self:
        """Return the step that resamples spectra to `axis`."""
        return cls(values=tuple(axis.values.tolist()), unit=axis.unit)

    def apply(self, spectra: FloatArray, axis: SpectralAxis) -> tuple[FloatArray, SpectralAxis]:
        """Return spectra of shape (..., len(values))."""
        target = SpectralAxis(np.asarray(self.values), self.unit)
        own = in_unit(axis, target.unit)
        if own is None:
            raise ValueError(f"positions in {target.unit or 'band numbers'!r} do not fit a cube in {axis.unit or 'band numbers'!r}")
        axis, low, high = own, own.values.min(), own.values.max()
        if target.values.min() < low - self.beyond or target.values.max() > high + self.beyond:
            raise ValueError(
                f"positions {target.values.min():g}–{target.values.max():g} {axis.unit} extend beyond the measured range "
                f"{low:g}–{high:g}; crop the target axis to this range"
            )
        wanted = np.clip(target.values, low, high)
        positions, first = np.unique(axis.values, return_index=True)
        known = np.take(spectra, first, axis=-1)
        if self.method == "pchip":
            from scipy.interpolate import PchipInterpolator

            return on_finite(known, lambda finite: PchipInterpolator(positions, finite, axis=-1)(wanted), len(target)), target
        right = np.clip(np.searchsorted(positions, wanted), 1, max(len(positions) - 1, 1))
        left = right - 1 if len(positions) > 1 else right * 0
        right = np.minimum(right, len(positions) - 1)
        span = positions[right] - positions[left]
        weight = np.where(span > 0, (wanted - positions[left]) / np.where(span > 0, span, 1), 0).astype(spectra.dtype)
        return known[..., left] * (1 - weight) + known[..., right] * weight, target


ENDS = 2.0
"""Number of bands by which the ends of two axes may differ if one is shifted against the other."""


def in_unit(axis: SpectralAxis, unit: str) -> SpectralAxis | None:
    """Return an axis in another unit if this is unambiguous (the same unit, or nm and um), else None."""
    factors = {("nm", "um"): 1e-3, ("um", "nm"): 1e3}
    if axis.unit == unit:
        return axis
    factor = factors.get((axis.unit, unit))
    return None if factor is None else SpectralAxis(axis.values * factor, unit)


def bringing(axis: SpectralAxis, onto: SpectralAxis) -> Crop | Resample:
    """Return the step that brings spectra on `axis` onto another: a crop if it contains the other's bands, else a resampling.

    If the axes are shifted against each other by up to two bands, the outermost positions take the nearest measured value.

    Raises
    ------
    ValueError
        If neither is possible: the units differ, or positions were not measured.
    """
    if axis.unit == onto.unit:
        low, high = float(onto.values.min()), float(onto.values.max())
        room = 0.01 * float(np.median(np.abs(np.diff(onto.values)))) if len(onto) > 1 else 0.0
        crop = Crop(low=low - room, high=high + room)
        inside = axis.window(crop.low, crop.high)
        if inside.size and onto.mismatch(axis.take(inside)) is None:
            return crop
    own, step = in_unit(axis, onto.unit), Resample.onto(onto)
    if own is not None and len(own) > 1:
        spacing = max(float(np.median(np.abs(np.diff(one.values)))) for one in (own, onto) if len(one) > 1)
        outside = max(float(own.values.min() - onto.values.min()), float(onto.values.max() - own.values.max()), 0.0)
        if 0 < outside <= ENDS * spacing:
            step = step.model_copy(update={"beyond": outside * (1 + 1e-9)})
    step.apply(np.zeros((1, len(axis)), np.float32), axis)
    return step


class Fill(Step):
    """Replace NaN and infinite values by linear interpolation along the spectrum; spectra without any finite value become zero."""

    title: ClassVar = "Fill missing values"
    group: ClassVar = "Clean"
    kind: Literal["fill"] = "fill"

    def apply(self, spectra: FloatArray, axis: SpectralAxis) -> tuple[FloatArray, SpectralAxis]:
        """Return spectra without missing values, in band order (the axis itself may be uneven)."""
        return fill(spectra), axis

    def notes(self, cube: Cube) -> list[str]:
        """Return how many values of how many spectra are filled; lazy cubes are read to count them."""
        values, spectra, whole = missing_values(cube)
        if not values:
            return []
        rest = f"; {whole:,} of them contain no finite value and become zero" if whole else ""
        return [f"{self.title}: {values:,} values of {spectra:,} of {cube.count:,} spectra are interpolated{rest}."]


class RemoveBands(Step):
    """Remove bad bands, by their numbers or by ranges such as those of water vapour."""

    title: ClassVar = "Remove bad bands"
    group: ClassVar = "Axis"
    kind: Literal["remove_bands"] = "remove_bands"
    bands: tuple[int, ...] = Field((), description="numbers of the bands, from 0")
    ranges: tuple[tuple[float, float], ...] = Field((), description="ranges in the unit of the axis, [[1350, 1420], [1800, 1950]]")

    @classmethod
    def flagged(cls, cube: Cube) -> Self:
        """Return the step that removes the bands marked as bad in the cube's file."""
        return cls(bands=tuple(cube.metadata.get("bad_bands", ())))

    @property
    def keeps_intensities(self) -> bool:
        """Whether intensities keep their unit."""
        return True

    def apply(self, spectra: FloatArray, axis: SpectralAxis) -> tuple[FloatArray, SpectralAxis]:
        """Return the remaining bands."""
        outside = [band for band in self.bands if not 0 <= band < len(axis)]
        if outside:
            raise ValueError(f"band {outside[0]} does not exist; the cube has bands 0 to {len(axis) - 1}")
        bad = {*self.bands, *(band for low, high in self.ranges for band in axis.window(low, high).tolist())}
        kept = np.array([band for band in range(len(axis)) if band not in bad], dtype=np.intp)
        if not kept.size:
            raise ValueError(f"all {len(axis)} bands would be removed; keep at least one")
        return spectra[..., kept], axis.take(kept)


def missing_values(cube: Cube) -> tuple[int, int, int]:
    """Return how many values of a cube are NaN or infinite, how many spectra contain any, and how many contain nothing else."""
    if cube.data.dtype.kind != "f":
        return 0, 0, 0
    counts = np.zeros(3, np.int64)
    rows = cube.data if cube.is_image else cube.data[None]
    step = max(1, 2**23 // max(1, rows[0].size))
    for start in range(0, rows.shape[0], step):
        gone = (~np.isfinite(np.asarray(rows[start : start + step]))).sum(-1)
        counts += [gone.sum(), (gone > 0).sum(), (gone == cube.shape[-1]).sum()]
    return int(counts[0]), int(counts[1]), int(counts[2])


def fill(spectra: FloatArray) -> FloatArray:
    """Return spectra of shape (..., L) with missing values interpolated along the last axis, in band order."""
    good = np.isfinite(spectra)
    if good.all():
        return spectra
    bands = np.arange(spectra.shape[-1])
    before = np.maximum.accumulate(np.where(good, bands, -1), -1)
    after = np.flip(np.minimum.accumulate(np.flip(np.where(good, bands, bands.size), -1), -1), -1)
    none = ~good.any(-1, keepdims=True)
    low = np.where(before < 0, np.minimum(after, bands.size - 1), before)
    high = np.where(after == bands.size, low, after)
    clean = np.where(good, spectra, 0)
    left, right = np.take_along_axis(clean, low, -1), np.take_along_axis(clean, high, -1)
    weight = (bands - low) / np.maximum(high - low, 1)
    filled = left + (right - left) * np.clip(weight, 0, 1)
    return np.where(none, 0, np.where(good, spectra, filled)).astype(spectra.dtype)
