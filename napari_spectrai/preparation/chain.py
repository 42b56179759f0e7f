"""Chains of steps: applied to a cube, or fitted and saved with a model that repeats and undoes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from napari_spectrai.cube import FloatArray, SpectralAxis
from napari_spectrai.noise import NoiseModel, Stabiliser
from napari_spectrai.preparation.step import Step

Factors = tuple[FloatArray, FloatArray]
Removed = Factors | Stabiliser
"""State of a step for `restore`: offset and scale of each spectrum, or a transform of every value."""


@dataclass(frozen=True, slots=True)
class Preparation:
    """The preprocessing steps of a model, fitted to its training data.

    Parameters
    ----------
    steps : tuple of Step
        Applied in order.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_spectrai import Preparation, SpectralAxis
    >>> from napari_spectrai.preparation.normalise import Normalise
    >>> chain = Preparation((Normalise(by="maximum"),))
    >>> spectra, axis, removed = chain.apply(np.array([[1, 2, 4]], "float32"), SpectralAxis.bands(3))
    >>> spectra.tolist(), chain.restore(spectra, removed).tolist()
    ([[0.25, 0.5, 1.0]], [[1.0, 2.0, 4.0]])
    """

    steps: tuple[Step, ...] = ()

    def fitted(self, spectra: FloatArray, axis: SpectralAxis) -> Self:
        """Return the preparation with every step fitted on training spectra of shape (..., L), in turn.

        Parameters
        ----------
        spectra : ndarray of shape (..., L)
            Only the training spectra: nothing may leak from others.
        axis : SpectralAxis of length L

        Returns
        -------
        Preparation
        """
        done: list[Step] = []
        spectra = _without_infinite(spectra)
        for number, step in enumerate(self.steps):
            done.append(step.fitted(spectra, axis))
            if any(not later.is_fitted for later in self.steps[number + 1 :]):
                spectra, axis = done[-1].apply(spectra, axis)
        return type(self)(tuple(done))

    def fitted_to_target(self, spectra: FloatArray, axis: SpectralAxis) -> Self:
        """Return the preparation with its steps fitted on truths (..., L') measured in their own unit.

        Parameters
        ----------
        spectra : ndarray of shape (..., L')
        axis : SpectralAxis of length L'

        Returns
        -------
        Preparation
        """
        done: list[Step] = []
        for step in self.steps:
            done.append(step.fitted_to_target(spectra, axis))
            spectra, axis = done[-1].for_target().apply(spectra, axis)
        return type(self)(tuple(done))

    def for_target(self) -> Self:
        """Return the preparation as applied to truths."""
        return type(self)(tuple(step.for_target() for step in self.steps))

    @property
    def by_spectrum(self) -> list[Step]:
        """The steps that scale each spectrum individually, so that results are scaled back by the factors of their source."""
        return [step for step in self.steps if type(step).factors is not Step.factors and type(step).given_back is Step.given_back]

    @property
    def gain(self) -> float:
        """Factor from prepared inputs to the scale on which they differ from prepared truths as the original data do."""
        one, gain = np.ones((1, 1)), 1.0
        for step in self.steps:
            if type(step).given_back is not Step.given_back and (removed := step.factors(one)) and (back := step.given_back(one)):
                gain *= float(removed[1].item() / back[1].item())
        return gain

    @property
    def unit(self) -> tuple[float, float] | None:
        """Scale and offset from prepared intensities to those of a result, where they are the same for all spectra; otherwise None."""
        if self.by_spectrum or any(step.transform() is not None for step in self.steps):
            return None
        removed: list[Removed] = [undone for step in self.steps if (undone := step.given_back(np.ones((1, 1)))) is not None]
        offset, one = (float(self.restore(np.full((1, 1), value), removed).item()) for value in (0.0, 1.0))
        return one - offset, offset

    def noise_in_words(self, noise: NoiseModel) -> str:
        """Return a sentence on the noise of prepared spectra, in the intensities of a result if one scale leads to these.

        Parameters
        ----------
        noise : NoiseModel
            Of spectra after this preparation.

        Returns
        -------
        str
        """
        unit = self.unit
        if unit is not None:
            return str(noise.scaled(*unit))
        return str(noise) if noise.kind == "none" else f"{str(noise).removesuffix('.')}, in prepared intensities."

    def axis_after(self, axis: SpectralAxis) -> SpectralAxis:
        """Return the axis that the preparation gives of an axis.

        Parameters
        ----------
        axis : SpectralAxis

        Returns
        -------
        SpectralAxis
        """
        return self.apply(np.ones((1, len(axis)), np.float32), axis)[1]

    def apply(self, spectra: FloatArray, axis: SpectralAxis) -> tuple[FloatArray, SpectralAxis, list[Removed]]:
        """Return the prepared spectra, their axis, and the state for `restore`.

        Parameters
        ----------
        spectra : ndarray of shape (..., L)
        axis : SpectralAxis of length L

        Returns
        -------
        spectra : ndarray of shape (..., L'), float32
        axis : SpectralAxis of length L'
        removed : list
            What was removed by each step, for `restore`.
        """
        removed: list[Removed] = []
        spectra = _without_infinite(spectra) if self.steps else spectra
        for step in self.steps:
            undone = step.given_back(spectra) or step.transform()
            if undone is not None:
                removed.append(undone)
            spectra, axis = step.apply(spectra, axis)
        return spectra, axis, removed

    @staticmethod
    def restore(spectra: FloatArray, removed: Sequence[Removed]) -> FloatArray:
        """Undo the preparation: invert the transforms, and restore scale and offset removed by `apply`, in reverse order.

        Parameters
        ----------
        spectra : ndarray of shape (..., L')
        removed : list
            As `apply` returned it for the same spectra.

        Returns
        -------
        ndarray of shape (..., L')
        """
        for undone in reversed(removed):
            spectra = undone.inverse(spectra) if isinstance(undone, Stabiliser) else spectra * undone[1] + undone[0]
        return spectra


def _without_infinite(spectra: FloatArray) -> FloatArray:
    """Return spectra in which infinite values are NaN: both are missing, and no step can compute with them."""
    with np.errstate(invalid="ignore", over="ignore"):
        if np.isfinite(spectra.sum(dtype=np.float64)):
            return spectra
    infinite = np.isinf(spectra)
    return np.where(infinite, np.float32(np.nan), spectra) if infinite.any() else spectra
