"""Removal of differences between instruments or conditions of measurement from spectra."""

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
    projected out of every spectrum. No pairs are needed: a model trained on such spectra of one instrument can be applied to the others.
    """

    title: ClassVar = "Remove differences between conditions (EPO)"
    group: ClassVar = "Clean"
    kind: Literal["epo"] = "epo"
    conditions: tuple[tuple[float, ...], ...] = Field(
        min_length=2, description="spectra of the same samples under each condition: a file for each (its mean is used), or intensities"
    )
    components: int = Field(
        1,
        ge=1,
        le=64,
        title="Directions to remove",
        description="number of directions to remove; at most one less than the number of conditions",
    )
    mean: tuple[float, ...] | None = Field(
        None, description="the spectrum around which directions are removed; the mean of the data if empty", json_schema_extra=LEARNT
    )
    positions: tuple[float, ...] | None = Field(
        None, description="positions of the bands, if the files define them", json_schema_extra=LEARNT
    )
    unit: str = Field("", description="unit of these positions", json_schema_extra=LEARNT)

    @model_validator(mode="before")
    @classmethod
    def _from_cubes(cls, settings: Any) -> Any:
        """Convert files and cubes to their mean spectra, and keep the positions of their bands."""
        if not isinstance(settings, dict) or not isinstance(settings.get("conditions"), list | tuple):
            return settings
        read = [read_cube(value) for value in settings["conditions"]]
        axes = [one.axis for one in read if isinstance(one, Cube)]
        for axis in axes[1:]:
            if axis.mismatch(axes[0]):
                raise ValueError(f"the conditions have different axes: {axes[0].describe()} and {axis.describe()}; resample them")
        settings = settings | {"conditions": tuple(as_mean(one) if isinstance(one, Cube) else one for one in read)}
        if axes and axes[0].unit:
            settings |= {"positions": tuple(axes[0].values.tolist()), "unit": axes[0].unit}
        return settings

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        lengths = {len(one) for one in self.conditions}
        if len(lengths) > 1:
            raise ValueError(f"the conditions have {' and '.join(map(str, sorted(lengths)))} bands; resample them to the same bands")
        if not np.isfinite(self.conditions).all():
            raise ValueError("the conditions contain NaN or infinite values; fill or crop them first")
        if self.components >= len(self.conditions):
            raise ValueError(
                f"{len(self.conditions)} conditions differ in at most {len(self.conditions) - 1} directions, not {self.components}; "
                "lower components, or add conditions"
            )
        return self

    @property
    def is_fitted(self) -> bool:
        """Whether the spectrum around which directions are removed is known."""
        return self.mean is not None

    def fitted(self, spectra: FloatArray, axis: SpectralAxis) -> Self:
        """Compute the mean of the spectra without NaN."""
        if self.mean is not None:
            return self
        flat = spectra.reshape(-1, spectra.shape[-1])
        good = np.isfinite(flat).all(-1)
        if not good.any():
            raise ValueError(f"{self.title}: every spectrum contains NaN, so there is no mean; fill or crop first")
        return self.model_copy(update={"mean": tuple(flat[good].mean(0, dtype=np.float64).tolist())})

    def apply(self, spectra: FloatArray, axis: SpectralAxis) -> tuple[FloatArray, SpectralAxis]:
        """Return spectra without the differences between the conditions."""
        if self.mean is None:
            raise ValueError(f"{self.title} has no mean yet; fit it by preprocess or training")
        for name, values in (("the conditions have", self.conditions[0]), ("the mean has", self.mean)):
            if len(values) != len(axis):
                raise ValueError(f"{name} {len(values)} bands, but the spectra {len(axis)}; crop or resample them to the same bands")
        if self.positions is not None and axis.unit:
            own = SpectralAxis(np.asarray(self.positions), self.unit)
            if (difference := axis.mismatch(own)) is not None:
                raise ValueError(f"the conditions have {difference} (the spectra: {axis.describe()}); resample them onto one axis")
        directions, mean = self.directions(), np.asarray(self.mean)
        return (spectra - ((spectra - mean) @ directions) @ directions.T).astype(spectra.dtype), axis

    def directions(self) -> npt.NDArray[np.float64]:
        """Return the orthonormal directions (L, components) to remove."""
        from chemotools.projection import ExternalParameterOrthogonalization

        means = np.asarray(self.conditions)
        fitted = ExternalParameterOrthogonalization(n_components=self.components).fit(means, X_external=means)
        directions: npt.NDArray[np.float64] = fitted.V_epo_
        # identical conditions have no directions to remove
        differ: npt.NDArray[np.bool_] = np.linalg.norm((means - means.mean(0)) @ directions, axis=0) > 1e-12 * np.abs(means).max()
        return directions * differ
