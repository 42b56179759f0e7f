"""Preview of the preparation of one spectrum."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_spectrai.cube import Cube, FloatArray, SpectralAxis
from napari_spectrai.preparation import NeighbourStep, Preparation, SpatialStep, Step
from napari_spectrai.preparation.chain import seen


class SpectrumPreview:
    """Applies steps to the spectrum of one pixel; steps are fitted once per cube and chain."""

    def __init__(self, cube: Cube, wanted: Sequence[Step]) -> None:
        self.cube = cube
        # steps that move pixels have no spectrum before and after at one pixel
        self.steps = tuple(step for step in wanted if not isinstance(step, SpatialStep) or step.margin == 1)
        self.left_out = [step.title for step in wanted if step not in self.steps]
        self._fitted: tuple[Step, ...] | None = None

    def at(self, place: tuple[int, ...]) -> tuple[FloatArray, SpectralAxis, FloatArray]:
        """Return the spectrum before, and the axis and spectrum after the steps, at a pixel."""
        if self._fitted is None:
            learning = any(not step.is_fitted for step in self.steps)
            pointwise = Preparation(tuple(step for step in self.steps if not isinstance(step, SpatialStep)))
            fitted = iter(pointwise.fitted(seen(self.cube), self.cube.axis).steps if learning else pointwise.steps)
            self._fitted = tuple(step if isinstance(step, SpatialStep) else next(fitted) for step in self.steps)
        around = [slice(c, c + 1) for c in place]
        if self.cube.is_image:
            around[-2:] = [slice(max(c - 1, 0), c + 2) for c in place[-2:]]
        patch = np.asarray(self.cube.data[tuple(around)], np.float32)
        middle = tuple(min(c, 1) if self.cube.is_image and number >= len(place) - 2 else 0 for number, c in enumerate(place))
        after, axis = patch, self.cube.axis
        for step in self._fitted:
            if isinstance(step, NeighbourStep) and self.cube.is_image:
                after = step.across(Cube(after, axis)).numpy()
            else:
                after, axis = step.apply(after, axis)
        return patch[middle], axis, after[middle]
