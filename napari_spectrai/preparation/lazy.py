"""Steps applied to dask arrays, chunk by chunk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from napari_spectrai.cube import Cube, FloatArray
from napari_spectrai.float_range import in_float32
from napari_spectrai.preparation.blocks import BLOCK, axis_after
from napari_spectrai.preparation.chain import Preparation
from napari_spectrai.preparation.step import NeighbourStep, SpatialStep, Step
from napari_spectrai.valid import Mask


def _keeps_zero(source: Cube, chain: Preparation) -> bool:
    """Whether spectra that are all zero stay zero, tested on one spectrum; lazy cubes are then not read to find them."""
    with np.errstate(divide="ignore", invalid="ignore"):
        try:
            done = chain.apply(np.zeros((1, len(source.axis)), np.float32), source.axis)[0]
        except (ValueError, ArithmeticError, np.linalg.LinAlgError):
            return True  # an error on zeros would also occur on zeros in the data, with a message
    return not bool(done.any())


def lazily(source: Cube, chain: Preparation, find_empty: Callable[[Cube], Mask | None]) -> Cube:
    """Return the cube that a chain makes of a lazy one; it is computed when it is read."""
    axis = axis_after(source, chain)
    empty = None if _keeps_zero(source, chain) else find_empty(source)
    # whole spectra, in chunks small enough for several threads at once
    pieces = dict.fromkeys(range(source.data.ndim - 1), "auto") | {source.data.ndim - 1: -1}
    whole = in_float32(source.data.rechunk(pieces, block_size_limit=BLOCK // 2 * source.data.dtype.itemsize), source.name)
    import dask.array as da

    masks = [] if empty is None else [da.from_array(empty[..., None], chunks=(*whole.chunks[:-1], (1,)))]

    def apply(block: FloatArray, *mask: Mask) -> FloatArray:
        done = chain.apply(block, source.axis)[0]
        return np.where(mask[0], np.float32(0), done) if mask else done

    prepared = da.map_blocks(
        apply,
        whole,
        *masks,
        dtype=np.float32,
        chunks=(*whole.chunks[:-1], (len(axis),)),
        meta=np.empty((0,) * whole.ndim, np.float32),
    )
    return source.with_data(prepared, axis=axis)


def across(source: Cube, step: Step, *, own: bool = False) -> Cube:
    """Apply a step in the image plane; for lazy data, with the neighbouring pixels that it needs around each chunk.

    Parameters
    ----------
    own : whether data in memory may be overwritten
    """
    assert isinstance(step, SpatialStep | NeighbourStep)  # noqa: S101
    if not source.is_image:
        step.apply(np.zeros((1, 1), np.float32), source.axis)  # raises the error
    if isinstance(source.data, np.ndarray) or not hasattr(source.data, "map_overlap"):
        return step.across_own(source) if own and isinstance(step, NeighbourStep) else step.across(source)
    probe = source
    if isinstance(step, SpatialStep):
        one_band = np.zeros((1,) * (len(source.shape) - 3) + source.shape[-3:-1] + (1,), np.float32)
        probe = step.across(replace(source, data=one_band, axis=source.axis.take([0])))

    def call(block: Any) -> FloatArray:
        whole = block.shape[-1] == len(source.axis)
        return step.across(Cube(block, source.axis) if whole else Cube(block)).numpy()

    converted = in_float32(source.data, source.name)
    whole = converted.rechunk({-1: -1})
    if probe.shape[-3:-1] != source.shape[-3:-1] or step.margin < 0:
        plane = source.shape[-3] * source.shape[-2]
        whole = converted.rechunk({-3: -1, -2: -1, -1: max(1, BLOCK // plane)})  # these steps work band by band
        data = whole.map_blocks(call, dtype=np.float32, chunks=(*whole.chunks[:-3], *((n,) for n in probe.shape[-3:-1]), whole.chunks[-1]))
    else:
        depth = dict.fromkeys((whole.ndim - 3, whole.ndim - 2), step.margin)
        data = whole.map_overlap(call, depth=depth, boundary="none", dtype=np.float32)
    return replace(probe, data=data, axis=source.axis) if probe is not source else source.with_data(data)
