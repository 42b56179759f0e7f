"""Removal of stripes along the columns or rows of an image, as of push-broom cameras."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from napari_spectrai.cube import Cube
from napari_spectrai.preparation.step import SpatialStep


class Destripe(SpatialStep):
    """Subtract the offset of each column (or row) in each band: the median of its differences from its neighbours' running median.

    Structures wider than half of the window are kept. NaN pixels are ignored and stay NaN.
    """

    title: ClassVar = "Remove stripes"
    group: ClassVar = "Clean"
    kind: Literal["destripe"] = "destripe"
    margin: ClassVar = -1
    along: Literal["columns", "rows"] = Field("columns", title="Stripes are", description="direction of the stripes")
    window: int = Field(7, ge=3, le=501, title="Window (pixels)", description="number of neighbouring columns whose median is the level")

    def across(self, cube: Cube) -> Cube:
        """Return the image without stripes."""
        from scipy.ndimage import median_filter

        image = np.array(cube.numpy(), np.float32)
        length = image.shape[-2 if self.along == "columns" else -3]
        if length < 3:
            raise ValueError(f"{length} {self.along} are too few to distinguish stripes from structure; at least 3 are needed")
        window = min(self.window, length if length % 2 else length - 1)
        size = [1] * image.ndim
        size[-2 if self.along == "columns" else -3] = window + 1 - window % 2
        finite = np.isfinite(image)
        # a missing pixel takes the median of its band, which hardly moves a median over neighbours
        known = np.where(finite, image, _median(np.where(finite, image, np.nan), (-3, -2)))
        smooth = median_filter(known, size=tuple(size), mode="nearest")
        offset = _median(np.where(finite, image - smooth, np.nan), (-3 if self.along == "columns" else -2,))
        return cube.with_data((image - offset).astype(np.float32))


def _median(
    values: np.ndarray[tuple[int, ...], np.dtype[np.float32]], axes: tuple[int, ...]
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Return medians without NaN, zero where there is nothing else."""
    none = ~np.isfinite(values).any(axes, keepdims=True)
    return np.asarray(np.nanmedian(np.where(none, np.float32(0), values), axis=axes, keepdims=True), np.float32)
