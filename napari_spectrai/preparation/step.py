"""What every step is, and the registry of steps."""

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
"""Marks a field that data fill, not a person: forms leave it out."""


class Step(Named):
    """One preparation of spectra. Subclasses give `apply`; a step that can be undone gives `factors` too.

    NaN: a step that looks along the spectrum returns NaN for a spectrum that holds one, or for the bands it touches;
    other spectra are not disturbed. `Fill` replaces NaN before.
    """

    def apply(self, spectra: FloatArray, axis: SpectralAxis) -> tuple[FloatArray, SpectralAxis]:
        """Return the prepared spectra and their axis; the input is left as it is.

        Parameters
        ----------
        spectra : ndarray of shape (..., L)
        axis : SpectralAxis of L bands
        """
        factors = self.factors(spectra)
        if factors is None:
            raise TypeError(f"{type(self).__name__} gives neither apply nor factors")
        offset, scale = factors
        # a spectrum without extent has scale 0: it stays as it is, and comes back as zero from a restore
        return (spectra - offset) / (scale + (scale == 0)), axis

    def factors(self, spectra: FloatArray) -> tuple[FloatArray, FloatArray] | None:
        """Return the (offset, scale), of shape (..., 1), that `apply` removes; None if it removes none."""
        return None

    def transform(self) -> Stabiliser | None:
        """Return what `apply` does to every value alike and `restore` undoes, where it is no scaling; None if it is none."""
        return None

    def fitted(self, spectra: FloatArray, axis: SpectralAxis) -> Self:
        """Return this step with what it learns from spectra of shape (..., n, L) filled in; neighbours along n are neighbours in place."""
        return self

    def fitted_to_target(self, spectra: FloatArray, axis: SpectralAxis) -> Self:
        """Return this step with what it learns from the truth filled in, where that was measured in a unit of its own (calibration)."""
        return self

    def for_target(self) -> Step:
        """Return the step as it is applied to the truth."""
        return self

    def given_back(self, spectra: FloatArray) -> tuple[FloatArray, FloatArray] | None:
        """Return the (offset, scale), of shape (..., 1), that results get back: what was removed, in the unit of the truth."""
        return self.factors(spectra)

    def findings(self, cube: Cube) -> Any:
        """Return what the step finds in a cube and would change there, with a text for a person; None for a step that does not count."""
        return None

    def notes(self, cube: Cube) -> list[str]:
        """Return what to say of this step where it is applied to `cube`, in sentences."""
        return []

    @classmethod
    def start(cls, axis: SpectralAxis) -> dict[str, Any]:
        """Return settings to begin with on data of this axis, where the defaults do not say them."""
        return {}

    @property
    def is_fitted(self) -> bool:
        """Whether the step needs to see no spectra before it can be applied."""
        return True


class NeighbourStep(Step):
    """A step that looks at neighbouring pixels where there are any: `across` an image, and `apply` in a model, which sees spectra alone.

    `margin` is how many pixels away it looks.
    """

    margin: ClassVar[int] = 1

    @abstractmethod
    def across(self, cube: Cube) -> Cube:
        """Return the prepared image, of the same shape (..., y, x, L)."""


class SpatialStep(Step):
    """A step that looks at neighbouring pixels, and so at an image: it works on a cube, before training, not in a model.

    `margin` is how many pixels away it looks; -1: anywhere.
    """

    margin: ClassVar[int] = 0

    @abstractmethod
    def across(self, cube: Cube) -> Cube:
        """Return the prepared image, of shape (..., y', x', L)."""

    def apply(self, spectra: FloatArray, axis: SpectralAxis) -> tuple[FloatArray, SpectralAxis]:
        """Refuse a set of spectra."""
        if spectra.ndim < 3:
            raise ValueError(
                f"{self.title!r} looks at neighbouring pixels, which a set of spectra has none of; give an image (y, x, bands)"
            )
        done = self.across(Cube(spectra, axis))
        return done.numpy().astype(spectra.dtype), done.axis


def on_finite(spectra: FloatArray, work: Callable[[FloatArray], Any], bands: int | None = None) -> FloatArray:
    """Return `work` of the spectra without NaN, of shape (n, L), put back in place; the others become NaN.

    Parameters
    ----------
    bands : length of what `work` returns, if it is not L
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
