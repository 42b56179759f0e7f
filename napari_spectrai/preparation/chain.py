"""Chains of steps: applied to a cube, or fitted and saved with a model that repeats and undoes them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from typing import Any, Self

import numpy as np

from napari_spectrai.arguments import of_type
from napari_spectrai.conversion import as_cube
from napari_spectrai.cube import Cube, FloatArray, SpectralAxis, as_float32
from napari_spectrai.generators import drain, mapped
from napari_spectrai.layer_axes import SpectralWarning
from napari_spectrai.noise import Stabiliser
from napari_spectrai.preparation.step import NeighbourStep, SpatialStep, Step
from napari_spectrai.preparation.step import steps as registry
from napari_spectrai.valid import Mask, held_by, holds_data, ignored

Factors = tuple[FloatArray, FloatArray]
Removed = Factors | Stabiliser
"""State of a step for `restore`: offset and scale of each spectrum, or a transform of every value."""

SEEN = 2**22
"""Largest number of values of a cube that a step is fitted on: whole rows of pixels, evenly spread."""
BLOCK = 2**23
"""Number of values prepared at a time."""


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


def preparing(
    cube: Any, steps: Iterable[Step | dict[str, Any] | str], *, empty: Callable[[Cube], Mask | None] | None = None
) -> Generator[tuple[int, int], None, Cube]:
    """Do the same as `preprocess`, and yield (done, total) after each block of pixels; closing the generator stops it.

    Parameters
    ----------
    empty : callable, optional
        Returns which spectra of a lazy cube are empty, None if there are none, for steps that do not keep zeros; default: it is read.
    """
    source = as_cube(cube)
    if not isinstance(source.data, np.ndarray) and not hasattr(source.data, "map_blocks"):
        import dask.array as da

        source = replace(source, data=da.from_array(source.data))
    spatial_kinds = (SpatialStep, NeighbourStep) if source.is_image else SpatialStep
    groups = [(spatial, tuple(group)) for spatial, group in groupby(map(registry.parse, steps), lambda s: isinstance(s, spatial_kinds))]
    for number, (spatial, group) in enumerate(groups):
        if spatial:
            for step in group:
                source = _across(source, step if step.is_fitted else step.fitted(seen(source), source.axis))
            yield (number + 1) * 1000, len(groups) * 1000
            continue
        chain = Preparation(group)
        for note in (note for step in group for note in step.notes(source)):
            warnings.warn(note, SpectralWarning, stacklevel=3)
        if any(not step.is_fitted for step in group):
            chain = chain.fitted(_learnable(seen(source)), source.axis)
        if not isinstance(source.data, np.ndarray) and hasattr(source.data, "map_blocks"):
            source = _lazily(source, chain, empty or empty_spectra)
        else:
            source = yield from mapped(_in_blocks(source, chain), partial(_progress, number, len(groups)))
    return source if source.data.dtype == np.float32 else source.with_data(source.data.astype(np.float32))


def seen(source: Cube, values: int = SEEN) -> FloatArray:
    """Return the data for fits: rows of pixels spread evenly over the cube, with a limited number of values, of shape (rows, x, L)."""
    *front, length, bands = source.shape
    rows = source.data.reshape(-1, length, bands) if len(front) != 1 else source.data
    if not front:
        rows, most = source.data.reshape(1, length, bands), max(1, values // bands)
        return _known(source, rows[:, :: max(1, -(-length // most))])
    most = max(1, values // (length * bands))
    return _known(source, rows[:: max(1, -(-rows.shape[0] // most))])


def _known(source: Cube, values: Any) -> FloatArray:
    """Return some values of a cube as float32, with ignored ones as NaN."""
    ignore, converted = ignored(source), as_float32(values)
    return converted if ignore is None else np.where(np.asarray(values) == ignore, np.float32(np.nan), converted)


def _learnable(rows: FloatArray) -> FloatArray:
    """Return rows of pixels (rows, x, L) in which spectra without data are NaN, so that fits exclude them."""
    held = held_by(rows, partly=True)
    return rows if held.complete or not held.count else np.where(held.mask[..., None], rows, np.float32(np.nan))


def _axis_after(source: Cube, chain: Preparation) -> SpectralAxis:
    """Return the axis of the output, from one spectrum of the cube: some algorithms fail on artificial spectra."""
    first = as_float32(source.data[(0,) * len(source.spatial_shape)], source.name)[None]
    if not np.isfinite(first).all():
        first = np.linspace(1, 2, len(source.axis), dtype=np.float32)[None]
    return chain.apply(first, source.axis)[1]


def _in_blocks(source: Cube, chain: Preparation) -> Generator[float, None, Cube]:
    """Prepare block by block into the result, so that only one block is held in addition."""
    axis, apply = _axis_after(source, chain), _keeping_empty(source, chain)
    result = np.empty((*source.spatial_shape, len(axis)), np.float32)
    rows, done = source.data.shape[0], 0
    at_once = max(1, BLOCK // max(1, source.data[0].size))
    inner = source.data[0].size > BLOCK and len(source.shape) > 2
    for start in range(0, rows, at_once):
        if inner:  # a single row of planes is large: proceed along its next dimension
            length = source.data.shape[1]
            step = max(1, BLOCK // max(1, source.data[0, 0].size))
            for second in range(0, length, step):
                part = as_float32(source.data[start, second : second + step], source.name)
                result[start, second : second + step] = apply(part, (start, slice(second, second + step)))
                yield (start + min(second + step, length) / length) / rows
        else:
            part = as_float32(source.data[start : start + at_once], source.name)
            result[start : start + at_once] = apply(part, (slice(start, start + at_once),))
        done = min(start + at_once, rows)
        yield done / rows
    return source.with_data(result, axis=axis)


def _keeping_empty(source: Cube, chain: Preparation) -> Callable[[FloatArray, tuple[Any, ...]], FloatArray]:
    """Return a function that prepares a part of a cube in memory, given its position; empty spectra stay zero."""
    empty = empty_spectra(source)

    def apply(part: FloatArray, place: tuple[Any, ...]) -> FloatArray:
        done = chain.apply(part, source.axis)[0]
        return done if empty is None else np.where(empty[place][..., None], np.float32(0), done)

    return apply


def _keeps_zero(source: Cube, chain: Preparation) -> bool:
    """Whether spectra that are all zero stay zero, tested on one spectrum; lazy cubes are then not read to find them."""
    with np.errstate(divide="ignore", invalid="ignore"):
        try:
            done = chain.apply(np.zeros((1, len(source.axis)), np.float32), source.axis)[0]
        except (ValueError, ArithmeticError, np.linalg.LinAlgError):
            return True  # an error on zeros would also occur on zeros in the data, with a message
    return not bool(done.any())


def empty_spectra(source: Cube) -> Mask | None:
    """Return which spectra of a cube are empty; None if there are none."""
    held = holds_data(source, partly=True)
    return ~held.mask & ~held.unknown if held.empty else None


def _lazily(source: Cube, chain: Preparation, find_empty: Callable[[Cube], Mask | None]) -> Cube:
    axis = _axis_after(source, chain)
    empty = None if _keeps_zero(source, chain) else find_empty(source)
    # whole spectra, in chunks small enough for several threads at once
    pieces = dict.fromkeys(range(source.data.ndim - 1), "auto") | {source.data.ndim - 1: -1}
    whole = source.data.rechunk(pieces, block_size_limit=BLOCK // 2 * source.data.dtype.itemsize).astype(np.float32)
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


def _across(source: Cube, step: Step) -> Cube:
    """Apply a step in the image plane; for lazy data, with the neighbouring pixels that it needs around each chunk."""
    assert isinstance(step, SpatialStep | NeighbourStep)  # noqa: S101
    if not source.is_image:
        step.apply(np.zeros((1, 1), np.float32), source.axis)  # raises the error
    if isinstance(source.data, np.ndarray) or not hasattr(source.data, "map_overlap"):
        return step.across(source)
    probe = source
    if isinstance(step, SpatialStep):
        one_band = np.zeros((1,) * (len(source.shape) - 3) + source.shape[-3:-1] + (1,), np.float32)
        probe = step.across(replace(source, data=one_band, axis=source.axis.take([0])))

    def call(block: Any) -> FloatArray:
        whole = block.shape[-1] == len(source.axis)
        return step.across(Cube(block, source.axis) if whole else Cube(block)).numpy()

    whole = source.data.astype(np.float32).rechunk({-1: -1})
    if probe.shape[-3:-1] != source.shape[-3:-1] or step.margin < 0:
        plane = source.shape[-3] * source.shape[-2]
        whole = source.data.astype(np.float32).rechunk({-3: -1, -2: -1, -1: max(1, BLOCK // plane)})  # these steps work band by band
        data = whole.map_blocks(call, dtype=np.float32, chunks=(*whole.chunks[:-3], *((n,) for n in probe.shape[-3:-1]), whole.chunks[-1]))
    else:
        depth = dict.fromkeys((whole.ndim - 3, whole.ndim - 2), step.margin)
        data = whole.map_overlap(call, depth=depth, boundary="none", dtype=np.float32)
    return replace(probe, data=data, axis=source.axis) if probe is not source else source.with_data(data)
