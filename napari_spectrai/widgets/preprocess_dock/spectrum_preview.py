"""Preview of the preparation of one spectrum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from napari_spectrai.cube import Cube, FloatArray, SpectralAxis
from napari_spectrai.float_range import as_float32
from napari_spectrai.preparation import NeighbourStep, Preparation, SpatialStep, Step
from napari_spectrai.preparation.chain import Removed
from napari_spectrai.preparation.optical import ContinuumRemoval
from napari_spectrai.preparation.sample_rows import seen


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a step estimates and removes, at the level of the spectrum before all steps: a baseline, or a continuum."""

    words: str
    axis: SpectralAxis
    values: FloatArray


@dataclass(frozen=True, slots=True)
class Effect:
    """The effect of steps on one spectrum.

    Attributes
    ----------
    before : ndarray of shape (L,)
    axis, after : axis and spectrum after the steps
    estimates : of the steps that can be drawn over the spectrum before
    """

    before: FloatArray
    axis: SpectralAxis
    after: FloatArray
    estimates: tuple[Estimate, ...] = ()


class SpectrumPreview:
    """Applies steps to the spectrum of one pixel; steps are fitted once per cube and chain."""

    def __init__(self, cube: Cube, wanted: Sequence[Step]) -> None:
        self.cube = cube
        # steps that move pixels have no spectrum before and after at one pixel
        self.steps = tuple(step for step in wanted if not isinstance(step, SpatialStep) or step.margin == 1)
        self.left_out = [step.title for step in wanted if step not in self.steps]
        self._fitted: tuple[Step, ...] | None = None

    def at(self, place: tuple[int, ...]) -> Effect:
        """Return the effect at a pixel."""
        if self._fitted is None:
            learning = any(not step.is_fitted for step in self.steps)
            pointwise = Preparation(tuple(step for step in self.steps if not isinstance(step, SpatialStep)))
            fitted = iter(pointwise.fitted(seen(self.cube), self.cube.axis).steps if learning else pointwise.steps)
            self._fitted = tuple(step if isinstance(step, SpatialStep) else next(fitted) for step in self.steps)
        around = [slice(c, c + 1) for c in place]
        if self.cube.is_image:
            around[-2:] = [slice(max(c - 1, 0), c + 2) for c in place[-2:]]
        patch = as_float32(self.cube.data[tuple(around)], self.cube.name)
        middle = tuple(min(c, 1) if self.cube.is_image and number >= len(place) - 2 else 0 for number, c in enumerate(place))
        after, axis = patch, self.cube.axis
        level = _Level()
        for step in self._fitted:
            before = after[middle][None]
            level = level.estimated(step, before, axis)
            if isinstance(step, NeighbourStep) and self.cube.is_image:
                after = step.across(Cube(after, axis)).numpy()
            else:
                after, following = step.apply(after, axis)
                level, axis = level.after(step, before, axis, following), following
        return Effect(patch[middle], axis, after[middle], level.estimates)


@dataclass(frozen=True, slots=True)
class _Level:
    """How to get from the intensities after some steps back to those before all, where that is possible.

    Attributes
    ----------
    removed : what the steps so far removed; None where intensities cannot be converted back
    """

    removed: tuple[Removed, ...] | None = ()
    estimates: tuple[Estimate, ...] = ()

    def estimated(self, step: Step, spectrum: FloatArray, axis: SpectralAxis) -> _Level:
        """Return the level with the estimate of the next step, from its input (1, L)."""
        if self.removed is None or (curve := step.estimate(spectrum, axis)) is None:
            return self
        words = "continuum" if isinstance(step, ContinuumRemoval) else "baseline"
        return replace(self, estimates=(*self.estimates, Estimate(words, axis, Preparation.restore(curve, self.removed)[0])))

    def after(self, step: Step, spectrum: FloatArray, axis: SpectralAxis, following: SpectralAxis) -> _Level:
        """Return the level after a step, from its input (1, L)."""
        if self.removed is None:
            return self
        kept = np.isin(axis.values, following.values)
        if step.keeps_intensities and kept.sum() == len(following):
            curve = step.estimate(spectrum, axis)
            removed = [*self.removed, *([] if curve is None else [(curve, np.ones_like(curve))])]
            return replace(self, removed=tuple(_taken(one, kept) for one in removed))
        undone = step.given_back(spectrum) or step.transform() if len(following) == len(axis) else None
        return replace(self, removed=None if undone is None else (*self.removed, undone))


def _taken(removed: Removed, kept: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Removed:
    """Return what was removed at the bands that a step keeps."""
    if not isinstance(removed, tuple):
        return removed
    offset, scale = (part[..., kept] if part.shape[-1] == len(kept) else part for part in removed)
    return offset, scale
