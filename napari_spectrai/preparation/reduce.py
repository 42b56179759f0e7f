"""Projection onto a few components and back: PCA and minimum noise fraction."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field

from napari_spectrai.cube import FloatArray, SpectralAxis
from napari_spectrai.noise.fractions import components
from napari_spectrai.preparation.step import LEARNT, Step

Matrix = tuple[tuple[float, ...], ...]
Doubles = npt.NDArray[np.float64]


class _Reduction(Step):
    components: int = Field(10, ge=1, le=1000, title="Number of components", description="number of components to keep")
    back: bool = Field(
        True,
        title="Return spectra",
        description="return spectra reconstructed from the components (denoised) instead of component scores",
    )
    mean: tuple[float, ...] | None = Field(
        None, description="mean spectrum; fitted on the data if empty", json_schema_extra={"learnt": True}
    )
    forward: Matrix | None = Field(None, description="bands × components; fitted on the data if empty", json_schema_extra=LEARNT)
    backward: Matrix | None = Field(None, description="components × bands; fitted on the data if empty", json_schema_extra={"learnt": True})

    @property
    def returns_spectra(self) -> bool:
        """Whether it returns spectra: `back`."""
        return self.back

    @property
    def is_fitted(self) -> bool:
        """Whether the components are known."""
        return self.forward is not None

    def fitted(self, spectra: FloatArray, axis: SpectralAxis) -> Self:
        """Fit the components to spectra without NaN."""
        if self.is_fitted:
            return self
        bands = spectra.shape[-1]
        if self.components > bands:
            raise ValueError(f"{self.components} components exceed the {bands} bands; choose {bands} or fewer")
        flat = spectra.reshape(-1, bands)
        good = flat[np.isfinite(flat).all(-1)].astype(np.float64)
        if len(good) < 2:
            raise ValueError(f"{self.title} needs at least two spectra without NaN, not {len(good)}; omit it")
        mean = good.mean(0)
        forward, backward = self._directions(good - mean, spectra)
        as_rows = [tuple(tuple(row) for row in matrix.tolist()) for matrix in (forward, backward)]
        return self.model_copy(update={"mean": tuple(mean.tolist()), "forward": as_rows[0], "backward": as_rows[1]})

    @abstractmethod
    def _directions(self, centred: Doubles, spectra: FloatArray) -> tuple[Doubles, Doubles]: ...

    def apply(self, spectra: FloatArray, axis: SpectralAxis) -> tuple[FloatArray, SpectralAxis]:
        """Return reconstructed spectra, or scores on an axis of component numbers."""
        if self.forward is None or self.mean is None:
            raise ValueError(f"{self.title} has no components yet; fit them by preprocess or training")
        if len(self.mean) != len(axis):
            raise ValueError(f"{self.title}: its components have {len(self.mean)} bands, but the cube {len(axis)}; fit it again")
        scores = (spectra - np.asarray(self.mean)) @ np.asarray(self.forward)
        if self.back:
            return self.inverse(scores).astype(spectra.dtype), axis
        return scores.astype(spectra.dtype), SpectralAxis.bands(scores.shape[-1])

    def inverse(self, scores: FloatArray) -> FloatArray:
        """Return the spectra, of shape (..., L), of scores of shape (..., components)."""
        if self.backward is None or self.mean is None:
            raise ValueError(f"{self.title} has no components yet; fit them by preprocess or training")
        spectra: FloatArray = scores @ np.asarray(self.backward) + np.asarray(self.mean)
        return spectra


class PCA(_Reduction):
    """Principal components (Pearson 1901, doi:10.1080/14786440109462720)."""

    title: ClassVar = "Principal components"
    group: ClassVar = "Reduce"
    kind: Literal["pca"] = "pca"

    def _directions(self, centred: Doubles, spectra: FloatArray) -> tuple[Doubles, Doubles]:
        from scipy.linalg import eigh

        bands = centred.shape[1]
        _, vectors = eigh(centred.T @ centred, subset_by_index=(bands - self.components, bands - 1))
        directions = vectors[:, ::-1]
        return directions, directions.T


class MNF(_Reduction):
    """Minimum noise fraction (Green et al. 1988, doi:10.1109/36.3001): components ordered by signal-to-noise ratio.

    The noise is estimated from differences of neighbouring pixels.
    """

    title: ClassVar = "Minimum noise fraction"
    group: ClassVar = "Reduce"
    kind: Literal["mnf"] = "mnf"

    def _directions(self, centred: Doubles, spectra: FloatArray) -> tuple[Doubles, Doubles]:
        bands = centred.shape[1]
        steps = np.diff(spectra.astype(np.float64), axis=-2).reshape(-1, bands)
        steps = steps[np.isfinite(steps).all(-1)]
        if len(steps) < bands:
            raise ValueError(
                f"{self.title} needs at least {bands} pairs of neighbours (one per band) for the noise, not {len(steps)}; crop or use PCA"
            )
        noise = steps.T @ steps / (2 * len(steps))
        noise += np.eye(bands) * (1e-9 * np.trace(noise) / bands + np.finfo(np.float64).tiny)
        _, forward = components(centred.T @ centred / len(centred), noise, self.components)
        return forward, forward.T @ noise
