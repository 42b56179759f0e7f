"""Steps in the image plane."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from napari_spectrai.cube import Cube
from napari_spectrai.placement import KEY as PLACEMENT
from napari_spectrai.preparation.step import SpatialStep


class Bin(SpatialStep):
    """Average blocks of pixels; incomplete blocks at the lower and right edges are dropped. NaN pixels are ignored."""

    title: ClassVar = "Bin pixels"
    group: ClassVar = "Reduce"
    kind: Literal["bin"] = "bin"
    margin: ClassVar = -1
    resamples: ClassVar = True
    y: int = Field(2, ge=1, le=1024, title="Rows per bin", description="number of rows averaged")
    x: int = Field(2, ge=1, le=1024, title="Columns per bin", description="number of columns averaged")

    def across(self, cube: Cube) -> Cube:
        """Return the smaller image with larger pixels."""
        image = cube.numpy()
        *front, height, width, bands = image.shape
        rows, columns = height // self.y, width // self.x
        if not rows or not columns:
            raise ValueError(f"blocks of {self.y} × {self.x} pixels exceed the image of {height} × {width}; choose smaller ones")
        blocks = image[..., : rows * self.y, : columns * self.x, :].reshape(*front, rows, self.y, columns, self.x, bands)
        if np.isnan(blocks).any():
            counted = np.isfinite(blocks).sum((-4, -2))
            mean = np.nansum(blocks, (-4, -2)) / np.where(counted, counted, np.nan)
        else:
            mean = blocks.mean((-4, -2))
        size = cube.pixel_size and (cube.pixel_size[0] * self.y, cube.pixel_size[1] * self.x)
        origin = cube.metadata.get("origin")
        metadata = dict(cube.metadata)
        metadata.pop("prediction", None)
        metadata.pop(PLACEMENT, None)
        if (lies := cube.placement) is not None:
            whole = lies.cut([*[slice(None)] * len(front), slice(rows * self.y), slice(columns * self.x)])
            metadata[PLACEMENT] = whole.divided([*[1] * len(front), 1 / self.y, 1 / self.x]).to_json()
        if origin is not None and cube.pixel_size is not None:  # the centre of the first block
            metadata["origin"] = [o + s * (n - 1) / 2 for o, s, n in zip(origin, cube.pixel_size, (self.y, self.x), strict=True)]
        return replace(cube, data=mean.astype(np.float32), pixel_size=size, metadata=metadata, source=None)


class Shift(SpatialStep):
    """Move the image by fractions of pixels to register it with another (linear interpolation); pixels from outside become NaN."""

    title: ClassVar = "Shift pixels (registration)"
    group: ClassVar = "Clean"
    kind: Literal["shift"] = "shift"
    margin: ClassVar = -1
    resamples: ClassVar = True
    y: float = Field(0.0, title="Shift down", description="shift down, in pixels")
    x: float = Field(0.0, title="Shift right", description="shift to the right, in pixels")

    def across(self, cube: Cube) -> Cube:
        """Return the moved image."""
        from scipy.ndimage import shift

        image = cube.numpy()
        height, width = image.shape[-3:-1]
        if abs(self.y) >= height or abs(self.x) >= width:
            raise ValueError(
                f"a shift by ({self.y:g}, {self.x:g}) moves the image of {height} × {width} pixels out of its frame; choose a smaller shift"
            )
        by = (0.0,) * (image.ndim - 3) + (self.y, self.x, 0.0)
        good = np.isfinite(image)
        moved = shift(np.where(good, image, 0), by, order=1, mode="constant", cval=0, prefilter=False)
        # pixels interpolated from outside or from an unknown pixel are unknown
        known = shift(good.astype(np.float32), by, order=1, mode="constant", cval=0, prefilter=False)
        return cube.with_data(np.where(known > 1 - 1e-4, moved, np.nan).astype(np.float32))
