"""Leaving out of spectra what differs between instruments or conditions of measurement."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from napari_spectrai.cube import Cube, FloatArray, SpectralAxis
from napari_spectrai.preparation.reference import as_mean, read_cube
from napari_spectrai.preparation.step import LEARNT, Step


class EPO(Step):
    """External parameter orthogonalisation (Roger, Chauchard & Bellon-Maurel 2003, doi:10.1016/S0169-7439(03)00051-0).

    The mean spectra of the same samples under each condition (instrument, temperature, moisture) differ in a few directions, which are
    projected out of every spectrum. It needs no pairs: a model that learns from such spectra on one instrument fits the others too.
    """

    title: ClassVar = "Remove what differs between conditions (EPO)"
    kind: Literal["epo"] = "epo"
    conditions: tuple[tuple[float, ...], ...] = Field(
        min_length=2, description="spectra of the same samples under each condition: a file for each (its mean is taken), or intensities"
    )
    components: int = Field(1, ge=1, le=64, description="directions that are removed; at most one less than conditions")
    mean: tuple[float, ...] | None = Field(
        None, description="the spectrum about which they are removed; the mean of the data when empty", json_schema_extra=LEARNT
    )
    positions: tuple[float, ...] | None = Field(None, description="where the bands lie, if the files tell", json_schema_extra=LEARNT)
    unit: str = Field("", description="unit of these positions", json_schema_extra=LEARNT)

    @model_validator(mode="before")
    @classmethod
    def _from_cubes(cls, settings: Any) -> Any:
        """Take files and cubes as their mean spectrum, and keep where their bands lie."""
        if not isinstance(settings, dict) or not isinstance(settings.get("conditions"), list | tuple):
            return settings
        read = [read_cube(value) for value in settings["conditions"]]
        axes = [one.axis for one in read if isinstance(one, Cube)]
        for axis in axes[1:]:
            if axis.mismatch(axes[0]):
                raise ValueError(f"the conditions lie on different axes: {axes[0].describe()} and {axis.describe()}; resample them")
        settings = settings | {"conditions": tuple(as_mean(one) if isinstance(one, Cube) else one for one in read)}
        if axes and axes[0].unit:
            settings |= {"positions": tuple(axes[0].values.tolist()), "unit": axes[0].unit}
        return settings

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        lengths = {len(one) for one in self.conditions}
        if len(lengths) > 1:
            raise ValueError(f"the conditions have {' and '.join(map(str, sorted(lengths)))} bands; measure or resample them alike")
        if not np.isfinite(self.conditions).all():
            raise ValueError("the conditions hold NaN or infinite values; fill or crop them first")
        if self.components >= len(self.conditions):
            raise ValueError(
                f"{len(self.conditions)} conditions differ in {len(self.conditions) - 1} directions at most, not {self.components}; "
                "lower components, or give more conditions"
            )
        return self

    @property
    def is_fitted(self) -> bool:
        """Whether the spectrum is known about which the directions are removed."""
        return self.mean is not None

    def fitted(self, spectra: FloatArray, axis: SpectralAxis) -> Self:
        """Take the mean of the spectra without NaN."""
        if self.mean is not None:
            return self
        flat = spectra.reshape(-1, spectra.shape[-1])
        good = np.isfinite(flat).all(-1)
        if not good.any():
            raise ValueError(f"{self.title}: every spectrum holds NaN, so there is no mean; fill or crop first")
        return self.model_copy(update={"mean": tuple(flat[good].mean(0, dtype=np.float64).tolist())})

    def apply(self, spectra: FloatArray, axis: SpectralAxis) -> tuple[FloatArray, SpectralAxis]:
        """Return spectra that no longer tell the conditions apart."""
        if self.mean is None:
            raise ValueError(f"{self.title} has no mean yet; it is found in preprocess or training")
        for name, values in (("the conditions have", self.conditions[0]), ("the mean has", self.mean)):
            if len(values) != len(axis):
                raise ValueError(f"{name} {len(values)} bands, the spectra {len(axis)}; measure, crop or resample them alike")
        if self.positions is not None and axis.unit:
            own = SpectralAxis(np.asarray(self.positions), self.unit)
            if (difference := axis.mismatch(own)) is not None:
                raise ValueError(f"the conditions have {difference} (the spectra: {axis.describe()}); resample them onto one axis")
        directions, mean = self.directions(), np.asarray(self.mean)
        return (spectra - ((spectra - mean) @ directions) @ directions.T).astype(spectra.dtype), axis

    def directions(self) -> npt.NDArray[np.float64]:
        """Return the orthonormal directions (L, components) that are removed."""
        from chemotools.projection import ExternalParameterOrthogonalization

        means = np.asarray(self.conditions)
        found = ExternalParameterOrthogonalization(n_components=self.components).fit(means, X_external=means)
        directions: npt.NDArray[np.float64] = found.V_epo_
        # conditions that do not differ leave nothing to remove
        differ: npt.NDArray[np.bool_] = np.linalg.norm((means - means.mean(0)) @ directions, axis=0) > 1e-12 * np.abs(means).max()
        return directions * differ
