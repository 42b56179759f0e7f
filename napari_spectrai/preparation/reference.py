"""Corrections by reference measurements: of dark current, a white tile, and samples with known peaks."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from napari_spectrai.cube import Cube, FloatArray, SpectralAxis
from napari_spectrai.preparation.step import LEARNT, Step


def read_cube(value: Any) -> Any:
    """Read a file as a cube."""
    if isinstance(value, str | Path):
        from napari_spectrai.io import read

        return read(value)
    return value


def as_mean(cube: Cube) -> tuple[float, ...]:
    """Return the mean spectrum of a cube; NaN is ignored."""
    return tuple(np.asarray(np.nanmean(cube.numpy().reshape(-1, len(cube.axis)), axis=0, dtype=np.float64)).tolist())


class Reflectance(Step):
    """Reflectance from dark and white references: (x − dark) / (white − dark). Bands where white is not above dark become NaN."""

    title: ClassVar = "Dark and white reference"
    group: ClassVar = "Scale"
    kind: Literal["reflectance"] = "reflectance"
    white: tuple[float, ...] | None = Field(
        None, title="White reference", description="spectrum of the white tile: a file, or intensities; empty: one"
    )
    dark: tuple[float, ...] | None = Field(
        None, title="Dark reference", description="spectrum without light: a file, or intensities; empty: zero"
    )
    positions: tuple[float, ...] | None = Field(
        None, description="positions of the references' bands, if defined", json_schema_extra=LEARNT
    )
    unit: str = Field("", description="unit of these positions", json_schema_extra=LEARNT)

    @model_validator(mode="before")
    @classmethod
    def _from_cubes(cls, settings: Any) -> Any:
        """Convert files and cubes to their mean spectra, and keep the positions of their bands."""
        if not isinstance(settings, dict):
            return settings
        settings = {key: read_cube(value) if key in ("white", "dark") else value for key, value in settings.items()}
        axis: SpectralAxis | None = None
        for key in ("white", "dark"):
            cube = settings.get(key)
            if isinstance(cube, Cube):
                if axis is not None and axis.mismatch(cube.axis):
                    raise ValueError(f"white and dark have different axes: {axis.describe()} and {cube.axis.describe()}")
                axis, settings[key] = cube.axis, as_mean(cube)
        if axis is not None and axis.unit:
            settings |= {"positions": tuple(axis.values.tolist()), "unit": axis.unit}
        return settings

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.white is None and self.dark is None:
            raise ValueError("neither white nor dark is given; set a file or the intensities of at least one")
        return self

    def apply(self, spectra: FloatArray, axis: SpectralAxis) -> tuple[FloatArray, SpectralAxis]:
        """Return reflectance (or, without white, intensities minus the dark ones)."""
        for name, values in (("white", self.white), ("dark", self.dark)):
            if values is not None and len(values) not in (1, len(axis)):
                raise ValueError(
                    f"the {name} reference has {len(values)} bands, but the cube {len(axis)}; crop or resample it to the same bands"
                )
        if self.positions is not None and axis.unit:
            own = SpectralAxis(np.asarray(self.positions), self.unit)
            if (difference := axis.mismatch(own)) is not None:
                own_words, words = own.describe(), axis.describe()
                raise ValueError(f"the references have {difference} ({own_words}; the cube: {words}); resample them onto the cube's axis")
        dark = np.asarray(self.dark if self.dark is not None else 0.0)
        if self.white is None:
            return (spectra - dark).astype(spectra.dtype), axis
        span = self._span()
        return ((spectra - dark) / np.where(span > 0, span, np.nan)).astype(spectra.dtype), axis

    def _span(self) -> npt.NDArray[np.float64]:
        """Return the difference of white and dark in each band."""
        dark = np.asarray(self.dark if self.dark is not None else 0.0, np.float64)
        return np.asarray(self.white if self.white is not None else np.inf, np.float64) - dark

    def notes(self, cube: Cube) -> list[str]:
        """Return the bands in which the white reference is not above the dark one."""
        span = np.atleast_1d(self._span())
        bad = np.flatnonzero(~((span if span.size > 1 else span.repeat(len(cube.axis))) > 0))
        if not bad.size:
            return []
        some = ", ".join(map(str, bad[:8])) + (", …" if bad.size > 8 else "")
        where = f"{bad.size:,} of {len(cube.axis):,} bands ({some})"
        return [f"{self.title}: white is not above dark in {where}, which become NaN; remove them with 'remove_bands', or measure again."]


class Calibrate(Step):
    """Calibrate the axis so that measured peaks are at their reference positions; intensities stay unchanged.

    A polynomial of `order` is fitted to the offsets of the pairs, by least squares if there are more pairs.
    """

    title: ClassVar = "Calibrate the axis by peaks"
    group: ClassVar = "Axis"
    kind: Literal["calibrate"] = "calibrate"
    measured: tuple[float, ...] = Field(
        min_length=1, title="Measured positions", description="measured positions of the peaks, in the unit of the axis"
    )
    known: tuple[float, ...] = Field(
        min_length=1, title="Reference positions", description="true positions of the peaks, in the same order"
    )
    order: int = Field(1, ge=0, le=5, title="Polynomial order", description="0: shift; 1: shift and stretch; higher: nonlinear")

    @model_validator(mode="after")
    def _pairs(self) -> Self:
        if len(self.measured) != len(self.known):
            raise ValueError(
                f"{len(self.measured)} measured and {len(self.known)} known positions; give one known position for each measured one"
            )
        if len(set(self.measured)) <= self.order:
            raise ValueError(
                f"order {self.order} needs {self.order + 1} pairs or more at different positions, not {len(set(self.measured))}"
            )
        return self

    def apply(self, spectra: FloatArray, axis: SpectralAxis) -> tuple[FloatArray, SpectralAxis]:
        """Return the same spectra on the calibrated axis."""
        offsets = np.subtract(self.known, self.measured)
        bend = np.polynomial.Polynomial.fit(self.measured, offsets, self.order, domain=[axis.values.min(), axis.values.max() + 1e-9])
        values = axis.values + bend(axis.values)
        kept = np.sign(np.diff(axis.values))
        if (np.sign(np.diff(values)) != kept).any():
            raise ValueError(f"these pairs would change the order of bands; check them, or use an order below {self.order}")
        return spectra, SpectralAxis(values, axis.unit)


class ReferencePeak(Step):
    """Divide each spectrum by the height of a peak that should be constant: its mean over a window."""

    title: ClassVar = "Normalise to a reference peak"
    group: ClassVar = "Scale"
    kind: Literal["reference_peak"] = "reference_peak"
    position: float = Field(description="centre of the peak, in the unit of the axis")
    width: float = Field(10.0, ge=0, description="full width of the window, in the unit of the axis")

    @classmethod
    def start(cls, axis: SpectralAxis) -> dict[str, Any]:
        """Start in the middle, with five bands."""
        return {"position": float(np.median(axis.values)), "width": float(np.ptp(axis.values) / max(len(axis) - 1, 1) * 5)}

    def apply(self, spectra: FloatArray, axis: SpectralAxis) -> tuple[FloatArray, SpectralAxis]:
        """Return spectra whose peak is one; spectra without the peak stay unchanged."""
        inside = axis.window(self.position - self.width / 2, self.position + self.width / 2)
        if not inside.size:
            raise ValueError(f"no band lies within {self.width / 2:g} of {self.position:g} {axis.unit}; the cube has {axis.describe()}")
        height = spectra[..., inside].mean(-1, keepdims=True)
        return spectra / (height + (height == 0)), axis
