"""`preprocess`: steps applied to a cube, in memory or lazily."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Iterable
from dataclasses import replace
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np

from napari_spectrai.arguments import of_type
from napari_spectrai.conversion import as_cube
from napari_spectrai.cube import Cube
from napari_spectrai.float_range import in_float32
from napari_spectrai.generators import drain, mapped
from napari_spectrai.layer_axes import SpectralWarning
from napari_spectrai.preparation.blocks import empty_spectra, in_blocks
from napari_spectrai.preparation.chain import Preparation
from napari_spectrai.preparation.lazy import across, lazily
from napari_spectrai.preparation.sample_rows import seen, with_data_only
from napari_spectrai.preparation.step import NeighbourStep, SpatialStep, Step
from napari_spectrai.preparation.step import steps as registry
from napari_spectrai.valid import Mask, with_ignored_missing


def preprocess(cube: Any, steps: Iterable[Step | dict[str, Any] | str] | Step | dict[str, Any] | str) -> Cube:
    """Apply steps to a cube, an array or a napari layer, in order.

    Steps that are fitted (a mean spectrum, principal components) use rows of pixels spread evenly over the cube, the
    same for data in memory and lazy data.

    Parameters
    ----------
    cube : Cube, array or layer
        Lazy (dask) data stay lazy, except that fitted steps read the rows they are fitted on.
    steps : iterable of Step, mapping or str, or one of them
        ``[Crop(low=600, high=1800), {"kind": "savitzky_golay", "window": 9}, "normalise"]``

    Returns
    -------
    Cube of float32

    Raises
    ------
    ValueError
        If a step does not fit the cube; the message contains the value, the limit and the remedy.

    Warns
    -----
    SpectralWarning
        Notes of steps: how many values were filled, or bands in which white is not above dark.

    Examples
    --------
    >>> import napari_spectrai as spectrai
    >>> cube = spectrai.sample("cartilage").cube
    >>> spectrai.preprocess(cube, [{"kind": "crop", "low": 800, "high": 1200}, "normalise"]).shape
    (25, 35, 100)

    Notes
    -----
    Spectra without data (`napari_spectrai.valid`) are excluded from fits; spectra that are all zero stay zero.
    """
    chain = [steps] if isinstance(steps, Step | dict | str) else steps
    of_type(chain, Iterable, "the second argument of preprocess", 'give steps, such as [Crop(low=600, high=1800), "normalise"]')
    return drain(preparing(cube, chain))


def _progress(number: int, count: int, part: float) -> tuple[int, int]:
    """Return (done, total) of all groups of steps, where a part of one is done."""
    return int((number + part) * 1000), count * 1000


def _is_own(data: Any, given: Any) -> bool:
    """Return whether an array was made by earlier steps, so that it may be overwritten."""
    if not (isinstance(data, np.ndarray) and isinstance(given, np.ndarray)):
        return False
    return data.dtype == np.float32 and data.flags.writeable and not np.may_share_memory(data, given)


def _in_plane(source: Cube, step: Step, find_empty: Callable[[Cube], Mask | None], *, own: bool) -> Cube:
    """Apply a step in the image plane, which takes empty spectra for missing ones; they stay zero."""
    empty = find_empty(source) if isinstance(step, SpatialStep) and source.is_image else None
    if empty is None:
        return across(source, step, own=own)
    zero = empty
    if isinstance(step, SpatialStep) and step.resamples:  # a pixel of which all sources are empty is empty
        marks = replace(source, data=np.where(empty, np.float32(0), np.float32(1))[..., None], axis=source.axis.take([0]))
        zero = across(marks, step).numpy()[..., 0] == 0
    return _replaced(across(_replaced(source, empty, np.nan), step), zero, 0)


def _replaced(cube: Cube, where: Mask, value: float) -> Cube:
    """Return a cube with another value in some of its spectra."""
    if isinstance(cube.data, np.ndarray):
        return cube.with_data(np.where(where[..., None], np.float32(value), in_float32(cube.data, cube.name)))
    import dask.array as da

    mask = da.from_array(where[..., None], chunks=(*cube.data.chunks[:-1], (1,)))
    return cube.with_data(da.where(mask, np.float32(value), in_float32(cube.data, cube.name)))


def preparing(
    cube: Any, steps: Iterable[Step | dict[str, Any] | str], *, empty: Callable[[Cube], Mask | None] | None = None
) -> Generator[tuple[int, int], None, Cube]:
    """Do the same as `preprocess`, and yield (done, total) after each block of pixels; closing the generator stops it.

    Parameters
    ----------
    empty : callable, optional
        Returns which spectra of a lazy cube are empty, None if there are none, for steps that do not keep zeros; default: it is read.
    """
    source = with_ignored_missing(as_cube(cube))
    if not isinstance(source.data, np.ndarray) and not hasattr(source.data, "map_blocks"):
        import dask.array as da

        source = replace(source, data=da.from_array(source.data))
    spatial_kinds = (SpatialStep, NeighbourStep) if source.is_image else SpatialStep
    groups = [(spatial, tuple(group)) for spatial, group in groupby(map(registry.parse, steps), lambda s: isinstance(s, spatial_kinds))]
    given = source.data
    for number, (spatial, group) in enumerate(groups):
        if spatial:
            for step in group:
                known = step if step.is_fitted else step.fitted(with_data_only(seen(source)), source.axis)
                source = _in_plane(source, known, empty or empty_spectra, own=_is_own(source.data, given))
            yield (number + 1) * 1000, len(groups) * 1000
            continue
        chain = Preparation(group)
        for note in (note for step in group for note in step.notes(source)):
            warnings.warn(note, SpectralWarning, stacklevel=3)
        if any(not step.is_fitted for step in group):
            chain = chain.fitted(with_data_only(seen(source)), source.axis)
        if not isinstance(source.data, np.ndarray) and hasattr(source.data, "map_blocks"):
            source = lazily(source, chain, empty or empty_spectra)
        else:
            source = yield from mapped(in_blocks(source, chain, own=_is_own(source.data, given)), partial(_progress, number, len(groups)))
    return source if source.data.dtype == np.float32 else source.with_data(in_float32(source.data, source.name))
