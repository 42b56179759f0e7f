"""Steps one after another: for a cube, and for a model that must repeat and undo them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Self

import numpy as np

from napari_spectrai.cube import Cube, FloatArray, SpectralAxis, as_cube
from napari_spectrai.noise import Stabiliser
from napari_spectrai.preparation.step import SpatialStep, Step
from napari_spectrai.preparation.step import steps as registry

Factors = tuple[FloatArray, FloatArray]
Removed = Factors | Stabiliser
"""What `restore` needs of a step: offset and scale of each spectrum, or a transform of every value."""

SEEN = 2**22
"""Values that a step sees, at most, to learn from a cube: whole rows of pixels, evenly spread."""
BLOCK = 2**23
"""Values prepared at a time."""


@dataclass(frozen=True, slots=True)
class Preparation:
    """The steps before a network, with what they learnt; `restore` undoes the scalings afterwards."""

    steps: tuple[Step, ...] = ()

    def fitted(self, spectra: FloatArray, axis: SpectralAxis) -> Self:
        """Return the preparation with every step fitted on training spectra of shape (..., L), in turn."""
        done: list[Step] = []
        for number, step in enumerate(self.steps):
            done.append(step.fitted(spectra, axis))
            if any(not later.is_fitted for later in self.steps[number + 1 :]):
                spectra, axis = done[-1].apply(spectra, axis)
        return type(self)(tuple(done))

    def apply(self, spectra: FloatArray, axis: SpectralAxis) -> tuple[FloatArray, SpectralAxis, list[Removed]]:
        """Return the prepared spectra, their axis, and what `restore` needs.

        Parameters
        ----------
        spectra : ndarray of shape (..., L)
        """
        removed: list[Removed] = []
        for step in self.steps:
            undone = step.factors(spectra) or step.transform()
            if undone is not None:
                removed.append(undone)
            spectra, axis = step.apply(spectra, axis)
        return spectra, axis, removed

    @staticmethod
    def restore(spectra: FloatArray, removed: Sequence[Removed]) -> FloatArray:
        """Bring prepared intensities back: undo the transforms, multiply and shift by what `apply` removed, last first."""
        for undone in reversed(removed):
            spectra = undone.inverse(spectra) if isinstance(undone, Stabiliser) else spectra * undone[1] + undone[0]
        return spectra


def preprocess(cube: Any, steps: Iterable[Step | dict[str, Any] | str] | Step | dict[str, Any] | str) -> Cube:
    """Apply steps to a cube, an array or a napari layer, in order.

    What a step learns (a mean spectrum, principal components) it learns from rows of pixels spread evenly over the cube, the
    same whether the cube lies in memory or not.

    Parameters
    ----------
    cube : Cube, array or layer
        Lazy (dask) data stay lazy, except that steps which learn read the rows they learn from.
    steps : iterable of Step, mapping or str, or one of them
        ``[Crop(low=600, high=1800), {"kind": "savitzky_golay", "window": 9}, "normalise"]``

    Returns
    -------
    Cube of float32

    Raises
    ------
    ValueError
        If a step does not fit the cube; the message says which value, which limit and what to do.
    """
    work = preparing(cube, [steps] if isinstance(steps, Step | dict | str) else steps)
    while True:
        try:
            next(work)
        except StopIteration as end:
            prepared: Cube = end.value
            return prepared


def preparing(cube: Any, steps: Iterable[Step | dict[str, Any] | str]) -> Generator[tuple[int, int], None, Cube]:
    """Do what `preprocess` does, and yield (done, total) after each block of pixels; closing the generator stops it."""
    source = as_cube(cube)
    if not isinstance(source.data, np.ndarray) and not hasattr(source.data, "map_blocks"):
        import dask.array as da

        source = replace(source, data=da.from_array(source.data))
    groups = [(spatial, tuple(group)) for spatial, group in groupby(map(registry.parse, steps), lambda s: isinstance(s, SpatialStep))]
    for number, (spatial, group) in enumerate(groups):
        if spatial:
            for step in group:
                source = _across(source, step)
            yield (number + 1) * 1000, len(groups) * 1000
            continue
        chain = Preparation(group)
        if any(not step.is_fitted for step in group):
            chain = chain.fitted(seen(source), source.axis)
        if not isinstance(source.data, np.ndarray) and hasattr(source.data, "map_blocks"):
            source = _lazily(source, chain)
        else:
            work = _in_blocks(source, chain)
            while True:
                try:
                    part = next(work)
                except StopIteration as end:
                    source = end.value
                    break
                yield int((number + part) * 1000), len(groups) * 1000
    return source if source.data.dtype == np.float32 else source.with_data(source.data.astype(np.float32))


def seen(source: Cube, values: int = SEEN) -> FloatArray:
    """Return what is learnt from: rows of pixels spread evenly over the cube, so many values at most, in memory, of shape (rows, x, L)."""
    *front, length, bands = source.shape
    rows = source.data.reshape(-1, length, bands) if len(front) != 1 else source.data
    if not front:
        rows, most = source.data.reshape(1, length, bands), max(1, values // bands)
        return np.asarray(rows[:, :: max(1, -(-length // most))], np.float32)
    most = max(1, values // (length * bands))
    return np.asarray(rows[:: max(1, -(-rows.shape[0] // most))], np.float32)


def _axis_after(source: Cube, chain: Preparation) -> SpectralAxis:
    """Return the axis that comes out, tried on one spectrum of the cube: some algorithms fail on an artificial one."""
    first = np.asarray(source.data[(0,) * len(source.spatial_shape)], np.float32)[None]
    if not np.isfinite(first).all():
        first = np.linspace(1, 2, len(source.axis), dtype=np.float32)[None]
    return chain.apply(first, source.axis)[1]


def _in_blocks(source: Cube, chain: Preparation) -> Generator[float, None, Cube]:
    """Prepare block by block into the result, so that no more than one block stands beside it."""
    axis = _axis_after(source, chain)
    result = np.empty((*source.spatial_shape, len(axis)), np.float32)
    rows, done = source.data.shape[0], 0
    at_once = max(1, BLOCK // max(1, source.data[0].size))
    inner = source.data[0].size > BLOCK and len(source.shape) > 2
    for start in range(0, rows, at_once):
        if inner:  # one row of planes is itself large: go along its next dimension
            length = source.data.shape[1]
            step = max(1, BLOCK // max(1, source.data[0, 0].size))
            for second in range(0, length, step):
                part = np.asarray(source.data[start, second : second + step], np.float32)
                result[start, second : second + step] = chain.apply(part, source.axis)[0]
                yield (start + min(second + step, length) / length) / rows
        else:
            part = np.asarray(source.data[start : start + at_once], np.float32)
            result[start : start + at_once] = chain.apply(part, source.axis)[0]
        done = min(start + at_once, rows)
        yield done / rows
    return source.with_data(result, axis=axis)


def _lazily(source: Cube, chain: Preparation) -> Cube:
    axis = _axis_after(source, chain)
    # spectra whole, and few enough of them that several threads at work stay small
    pieces = dict.fromkeys(range(source.data.ndim - 1), "auto") | {source.data.ndim - 1: -1}
    whole = source.data.rechunk(pieces, block_size_limit=BLOCK // 2 * source.data.dtype.itemsize).astype(np.float32)
    prepared = whole.map_blocks(
        lambda block: chain.apply(block, source.axis)[0],
        dtype=np.float32,
        chunks=(*whole.chunks[:-1], (len(axis),)),
        meta=np.empty((0,) * whole.ndim, np.float32),
    )
    return source.with_data(prepared, axis=axis)


def _across(source: Cube, step: Step) -> Cube:
    """Apply a step in the plane of the image; lazily, with the pixels around each chunk that it looks at."""
    assert isinstance(step, SpatialStep)  # noqa: S101
    if not source.is_image:
        step.apply(np.zeros((1, 1), np.float32), source.axis)  # says why not
    if isinstance(source.data, np.ndarray) or not hasattr(source.data, "map_overlap"):
        return step.across(source)
    probe = step.across(
        replace(source, data=np.zeros((1,) * (len(source.shape) - 3) + source.shape[-3:-1] + (1,), np.float32), axis=source.axis.take([0]))
    )
    call: Callable[[Any], Any] = lambda block: step.across(Cube(block)).numpy()  # noqa: E731
    whole = source.data.astype(np.float32).rechunk({-1: -1})
    if probe.shape[-3:-1] != source.shape[-3:-1] or step.margin < 0:
        plane = source.shape[-3] * source.shape[-2]
        whole = source.data.astype(np.float32).rechunk({-3: -1, -2: -1, -1: max(1, BLOCK // plane)})  # these go band by band
        data = whole.map_blocks(call, dtype=np.float32, chunks=(*whole.chunks[:-3], *((n,) for n in probe.shape[-3:-1]), whole.chunks[-1]))
    else:
        depth = dict.fromkeys((whole.ndim - 3, whole.ndim - 2), step.margin)
        data = whole.map_overlap(call, depth=depth, boundary="none", dtype=np.float32)
    return replace(probe, data=data, axis=source.axis)
