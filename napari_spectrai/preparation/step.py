"""Base classes of preprocessing steps, and the registry of steps."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Self

import numpy as np
from pydantic.config import JsonDict

from napari_spectrai.cube import Cube, FloatArray, SpectralAxis
from napari_spectrai.noise import Stabiliser
from napari_spectrai.spec import Named, Registry

LEARNT: JsonDict = {"learnt": True}
"""Marks a field that is fitted to data, not set by a person: forms omit it."""


GROUPS = ("Clean", "Baseline", "Scale", "Reduce", "Axis", "Other")
"""What steps are for, in the order in which lists show it."""


def only_with(name: str, *values: str) -> JsonDict:
    """Mark a field that applies only where another one has one of some values: forms hide it otherwise."""
    return {"only_with": {name: list(values)}}


class Step(Named):
    """Base class of preprocessing steps. Subclasses implement `apply`, or `factors` if the step can be undone.

    NaN: a step that works along the spectrum returns NaN for a spectrum that contains NaN, or for the affected bands;
    other spectra are not affected. `Fill` replaces NaN first.

    Class attributes
    ----------------
    group : what the step is for, one of `GROUPS`, under which lists show it
    """

    group: ClassVar[str] = "Other"
    any_axis: ClassVar[bool] = False
    """Whether a fitted step can be applied to spectra on another axis."""
    interpolates: ClassVar[bool] = False
    """Whether it computes values at positions that were not measured."""

    def apply(self, spectra: FloatArray, axis: SpectralAxis) -> tuple[FloatArray, SpectralAxis]:
        """Return the prepared spectra and their axis; the input stays unchanged.

        Parameters
        ----------
        spectra : ndarray of shape (..., L)
        axis : SpectralAxis of L bands
        """
        factors = self.factors(spectra)
        if factors is None:
            raise TypeError(f"{type(self).__name__} implements neither apply nor factors")
        offset, scale = factors
        with np.errstate(invalid="ignore"):  # infinite values hold no data, and become NaN
            # a spectrum without extent has scale 0: it stays unchanged, and `restore` returns zero
            return (spectra - offset) / (scale + (scale == 0)), axis

    def factors(self, spectra: FloatArray) -> tuple[FloatArray, FloatArray] | None:
        """Return the (offset, scale), of shape (..., 1), that `apply` removes; None if it removes none."""
        return None

    def transform(self) -> Stabiliser | None:
        """Return a transform that `apply` applies to every value and `restore` undoes, if it is not a scaling; otherwise None."""
        return None

    def fitted(self, spectra: FloatArray, axis: SpectralAxis) -> Self:
        """Return this step fitted to spectra of shape (..., n, L); neighbours along n are neighbouring pixels."""
        return self

    def fitted_to_target(self, spectra: FloatArray, axis: SpectralAxis) -> Self:
        """Return this step fitted to the truth, if that was measured in its own unit (calibration)."""
        return self

    def for_target(self) -> Step:
        """Return the step as applied to the truth."""
        return self

    def given_back(self, spectra: FloatArray) -> tuple[FloatArray, FloatArray] | None:
        """Return the (offset, scale), of shape (..., 1), restored in results: those removed by `apply`, in the unit of the truth."""
        return self.factors(spectra)

    @property
    def has_unit_of_truth(self) -> bool:
        """Whether results are given in the unit of a truth that was measured in another unit than the data."""
        return False

    @property
    def returns_spectra(self) -> bool:
        """Whether it returns spectra, and no scores that cannot be converted back to wavelengths."""
        return True

    def estimate(self, spectra: FloatArray, axis: SpectralAxis) -> FloatArray | None:
        """Return the curve that the step estimates for each spectrum (n, L) and removes, such as its baseline; None if it removes none."""
        return None

    @property
    def keeps_intensities(self) -> bool:
        """Whether intensities keep their unit and level, apart from an `estimate` that is subtracted: so for steps that clean or crop."""
        return self.group == "Clean"

    def findings(self, cube: Cube) -> Any:
        """Return what the step finds in a cube and would change, as an object with a readable text; None for steps that do not count."""
        return None

    def notes(self, cube: Cube) -> list[str]:
        """Return notes on applying this step to `cube`, in sentences."""
        return []

    @classmethod
    def start(cls, axis: SpectralAxis) -> dict[str, Any]:
        """Return initial settings for data on this axis that differ from the defaults."""
        return {}

    @property
    def is_fitted(self) -> bool:
        """Whether the step can be applied without being fitted."""
        return True


class NeighbourStep(Step):
    """A step that uses neighbouring pixels if there are any: `across` for images, `apply` in a model, which has single spectra.

    `margin` is the distance of the pixels it uses.
    """

    margin: ClassVar[int] = 1

    @abstractmethod
    def across(self, cube: Cube) -> Cube:
        """Return the prepared image, of the same shape (..., y, x, L)."""

    def across_own(self, cube: Cube) -> Cube:
        """Do the same as `across` with an image of float32 that nobody else holds, and may overwrite it."""
        return self.across(cube)


class SpatialStep(Step):
    """A step that uses neighbouring pixels and therefore needs an image: it is applied to cubes before training, not in a model.

    `margin` is the distance of the pixels it uses; -1: any distance. `resamples` says whether its pixels lie elsewhere than those of
    the image.
    """

    margin: ClassVar[int] = 0
    resamples: ClassVar[bool] = False

    @abstractmethod
    def across(self, cube: Cube) -> Cube:
        """Return the prepared image, of shape (..., y', x', L)."""

    def apply(self, spectra: FloatArray, axis: SpectralAxis) -> tuple[FloatArray, SpectralAxis]:
        """Refuse a set of spectra."""
        if spectra.ndim < 3:
            raise ValueError(f"{self.title!r} uses neighbouring pixels, but a set of spectra has none; pass an image (y, x, bands)")
        done = self.across(Cube(spectra, axis))
        return done.numpy().astype(spectra.dtype), done.axis


def on_finite(spectra: FloatArray, work: Callable[[FloatArray], Any], bands: int | None = None) -> FloatArray:
    """Apply `work` to the spectra without NaN, of shape (n, L), and return the results in place; the others become NaN.

    Parameters
    ----------
    bands : length of the output of `work`, if it is not L
    """
    flat = spectra.reshape(-1, spectra.shape[-1])
    good = np.isfinite(flat).all(-1)
    if good.all():
        return np.asarray(work(flat), spectra.dtype).reshape(*spectra.shape[:-1], -1)
    done = np.full((len(flat), spectra.shape[-1] if bands is None else bands), np.nan, spectra.dtype)
    if good.any():
        done[good] = work(flat[good])
    return done.reshape(*spectra.shape[:-1], -1)


steps: Registry[Step] = Registry("step", renamed={"despike_neighbours": "despike"})
