"""Calibration of the axis by the lines of a standard, found in a spectrum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from napari_spectrai.cube import Cube, FloatArray, SpectralAxis
from napari_spectrai.preparation.reference import Calibrate, read_cube
from napari_spectrai.preparation.sample_rows import seen
from napari_spectrai.preparation.standards import Found, Standard, find_lines, positions
from napari_spectrai.preparation.step import LEARNT, Step, only_with

LEAST_FOUND = 0.5
"""Minimum fraction of the lines of a standard in range that its spectrum shows: other materials have some lines there by chance."""


class StandardLines(Step):
    """Calibrate the axis by lines of silicon, polystyrene, paracetamol or neon, found in a spectrum of the standard.

    A polynomial is fitted to the differences of published and measured positions (see `Calibrate`); intensities stay unchanged. The
    spectrum of the standard is a file, or the mean of the layer itself. Once fitted, the step carries the positions found, so that saved
    steps apply the same calibration to other measurements. Sources of the positions: ASTM E1840, NIST Atomic Spectra Database.
    """

    title: ClassVar = "Calibrate the axis by a standard"
    group: ClassVar = "Axis"
    kind: Literal["standard_lines"] = "standard_lines"
    standard: Standard = Field("silicon", description="the standard whose lines are searched for")
    reference: tuple[float, ...] | None = Field(
        None, title="Spectrum of the standard", description="a file, or intensities on the same axis; empty: the mean of the layer itself"
    )
    tolerance: float | None = Field(
        None, gt=0, description="largest distance of a line from its published position, in the unit of the axis; empty: 10 1/cm or 1 nm"
    )
    order: int = Field(1, ge=0, le=3, title="Polynomial order", description="0: shift; 1: shift and stretch; lower where lines are too few")
    laser: float | None = Field(
        None,
        gt=100,
        lt=5000,
        title="Laser (nm)",
        description="wavelength of the excitation in air, for neon on a Raman shift axis",
        json_schema_extra=only_with("standard", "neon"),
    )
    measured: tuple[float, ...] | None = Field(None, description="positions found", json_schema_extra=LEARNT)
    known: tuple[float, ...] | None = Field(None, description="published positions of the same lines", json_schema_extra=LEARNT)

    @model_validator(mode="before")
    @classmethod
    def _from_cube(cls, settings: Any) -> Any:
        """Find the lines of a file or cube on its own axis."""
        if not isinstance(settings, dict):
            return settings
        cube = read_cube(settings.get("reference"))
        if not isinstance(cube, Cube):
            return settings
        found = cls.model_validate({**settings, "reference": None}).fitted(cube.numpy(), cube.axis)
        return {**settings, "reference": None, "measured": found.measured, "known": found.known}

    @property
    def is_fitted(self) -> bool:
        """Whether the lines have been found."""
        return self.measured is not None

    def fitted(self, spectra: FloatArray, axis: SpectralAxis) -> Self:
        """Find the lines in the spectrum of the standard.

        Raises
        ------
        ValueError
            If no line or too few lines are found, or the spectrum of the standard has other bands.
        """
        if self.is_fitted:
            return self
        if self.reference is not None and len(self.reference) != len(axis):
            raise ValueError(
                f"the spectrum of the standard has {len(self.reference)} bands, but the cube {len(axis)}; give its file instead"
            )
        known = positions(self.standard, axis.unit, self.laser)
        flat = spectra.reshape(-1, len(axis))
        flat = flat[np.isfinite(flat).all(-1)]
        spectrum = np.asarray(self.reference) if self.reference is not None else flat.mean(0, dtype=np.float64)
        tolerance = self._tolerance(axis.unit)
        found = find_lines(spectrum, axis, known, tolerance) if len(flat) or self.reference is not None else []
        if not found:
            raise ValueError(
                f"no line of {self.standard} was found within {tolerance:g} {axis.unit} of its position in {axis.describe()}; "
                "raise the tolerance, or choose the standard that was measured"
            )
        self._refuse_another_material(found, spectrum, axis, known, tolerance)
        pairs = {"measured": tuple(one.measured for one in found), "known": tuple(one.known for one in found)}
        return self.model_copy(update=pairs)

    def _refuse_another_material(
        self, found: Sequence[Found], spectrum: FloatArray, axis: SpectralAxis, known: FloatArray, tolerance: float
    ) -> None:
        """Raise if too few of the lines in range are there for the spectrum to be one of the standard."""
        low, high = axis.values.min() + tolerance, axis.values.max() - tolerance
        within = int(((known >= low) & (known <= high)).sum())
        if within == 1:
            top = float(axis.values[int(np.nanargmax(spectrum))])
            if abs(top - found[0].measured) > tolerance:
                raise ValueError(
                    f"the only line of {self.standard} in {axis.describe()} is not the highest one of the spectrum, which is at {top:g}; "
                    f"give a spectrum of {self.standard}, or crop to its line"
                )
        elif len(found) < max(2, within * LEAST_FOUND):
            raise ValueError(
                f"{len(found)} of the {within} lines of {self.standard} in {axis.describe()} were found, too few for a spectrum of "
                f"{self.standard}; choose the standard that was measured, or raise the tolerance (now {tolerance:g} {axis.unit})"
            )

    def apply(self, spectra: FloatArray, axis: SpectralAxis) -> tuple[FloatArray, SpectralAxis]:
        """Return the same spectra on the calibrated axis."""
        step = self if self.is_fitted else self.fitted(spectra, axis)
        return step.calibration().apply(spectra, axis)

    def calibration(self) -> Calibrate:
        """Return the calibration by the lines found; its order is lower where they are too few.

        Raises
        ------
        ValueError
            If no lines have been searched for.
        """
        if self.measured is None or self.known is None:
            raise ValueError("the lines of the standard have not been searched for; call fitted with its spectra")
        return Calibrate(measured=self.measured, known=self.known, order=min(self.order, max(0, (len(self.known) - 1) // 2)))

    def _tolerance(self, unit: str) -> float:
        return self.tolerance or {"1/cm": 10.0, "um": 0.001}.get(unit, 1.0)

    def notes(self, cube: Cube) -> list[str]:
        """Return which lines were found, how far the axis moves, and how well the lines agree afterwards."""
        step = self.fitted(seen(cube), cube.axis)
        assert step.measured is not None  # noqa: S101
        assert step.known is not None  # noqa: S101
        measured, known = SpectralAxis(np.asarray(step.measured), cube.axis.unit), np.asarray(step.known)
        calibration = step.calibration()
        empty = np.zeros((1, len(cube.axis)), np.float32)
        moved = calibration.apply(empty, cube.axis)[1].values - cube.axis.values
        bent = np.interp(measured.values, *_ascending(cube.axis.values, moved))
        left = float(np.sqrt(np.mean(np.square(measured.values + bent - known))))
        moves = f"{moved.min():+.2f} to {moved.max():+.2f} {cube.axis.unit}"
        fit = f"afterwards they deviate by {left:.2g} {cube.axis.unit} (root mean square, order {calibration.order})"
        lines = "1 line" if len(known) == 1 else f"{len(known)} lines"
        return [f"{self.title}: {lines} of {self.standard}; the axis moves by {moves}; {fit}."]


def _ascending(x: Any, y: Any) -> tuple[Any, Any]:
    order = np.argsort(x, kind="stable")
    return x[order], y[order]
