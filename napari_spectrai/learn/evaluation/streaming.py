"""Scores of cubes against a truth, computed block by block, so that neither has to fit in memory."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_spectrai.conversion import as_cube
from napari_spectrai.cube import Cube
from napari_spectrai.experiment.compatibility import with_bands_of
from napari_spectrai.experiment.obstacles import different_cubes
from napari_spectrai.experiment.tasks import TaskSpec
from napari_spectrai.learn.evaluation.scaling import Array, Places, Scaling, under, values_of
from napari_spectrai.learn.scoring import intervals, metrics
from napari_spectrai.learn.scoring.spectrum_sums import SpectrumSums, most_units
from napari_spectrai.plan.truths import share_axis
from napari_spectrai.valid import DataMask, Mask, holds_data, said

BLOCK = 2**22
"""Approximate number of values of a block: at least 64 × 64 pixels, as files are chunked."""
BANDS = 32
"""Number of bands whose structure is compared at a time."""
REACH = metrics.WINDOW // 2
"""Rows that a window of SSIM covers to each side."""


@dataclass(frozen=True, slots=True)
class CubeScores:
    """Figures of a result, and how each pixel contributes to them.

    Attributes
    ----------
    figures : dict
        By the name of the metric; NaN where it is undefined for these data.
    error, angle : ndarray of shape (..., y, x) or (n,), float32
        Root mean squared error over the bands; angle in degrees. NaN where a pixel is not scored, the angle where a spectrum is all zero.
    alive : bool ndarray of the same shape
        Where the truth is not all zero, and the pixel is scored.
    brightness : float
        The factor by which the whole result has to be multiplied to fit the truth best.
    intervals : dict
        90 % intervals of the figures that have one.
    """

    figures: dict[str, float]
    error: Array
    angle: Array
    alive: npt.NDArray[np.bool_]
    brightness: float
    intervals: intervals.Intervals


def paired(result: Any, truth: Any) -> tuple[Cube, Cube]:
    """Return two cubes of the same pixels and bands.

    Raises
    ------
    ValueError
        If their shapes or axes differ.
    """
    second = as_cube(truth)
    first = with_bands_of(second.axis, as_cube(result))
    if words := different_cubes(first, second):
        raise ValueError(words)
    return share_axis(first, second)


def wanted(spec: TaskSpec) -> list[str]:
    """Return the metrics that cubes of a task are scored by: its own, then others."""
    return [*spec.metrics, *(name for name in spec.extra_metrics if name not in spec.metrics)]


def figures_of(spec: TaskSpec, figures: Mapping[str, float]) -> dict[str, float]:
    """Return the scores without those that are not defined for these data (structure of a set of spectra) and are not the task's own."""
    return {name: value for name, value in figures.items() if name in spec.metrics or not math.isnan(value)}


def blocks(shape: Sequence[int]) -> Iterator[Places]:
    """Yield the spatial slices of blocks that together make up a cube of some shape (..., y, x, λ) or (n, λ)."""
    *spatial, bands = shape
    most = max(64 * 64, BLOCK // bands)
    if len(spatial) == 1:
        yield from ((slice(start, start + most),) for start in range(0, spatial[0], most))
        return
    height, width = spatial[-2:]
    across = width if 64 * width <= most else most // 64 // 64 * 64
    down = max(64, most // across // 64 * 64)
    for plane in np.ndindex(*spatial[:-2]):
        front = tuple(slice(index, index + 1) for index in plane)
        for y in range(0, height, down):
            yield from ((*front, slice(y, min(y + down, height)), slice(x, min(x + across, width))) for x in range(0, width, across))


def scored_pixels(truth: Cube, results: Sequence[Cube], source: Cube | None = None) -> DataMask:
    """Return the pixels by which all results are scored: those that hold data in the truth, in every result and in the source.

    A truth that is all zero counts as data, unless all results are zero there, too; where nothing else is left, those zeros are scored.

    Raises
    ------
    ValueError
        If there is none.
    """
    known, predicted = holds_data(truth), [holds_data(result) for result in results]
    missing = np.logical_or.reduce([known.unknown | np.zeros_like(known.mask), *(one.unknown for one in predicted)])
    empty = ~known.mask & np.logical_and.reduce([~one.mask for one in predicted])
    index = None if source is None else under(truth.spatial_shape, source)
    if source is not None and index is not None:
        seen = holds_data(source)
        missing, empty = missing | seen.unknown[np.ix_(*index)], empty | (~seen.mask & ~seen.unknown)[np.ix_(*index)]
    empty &= ~missing & bool((~missing & ~empty).any())
    held = DataMask(~(missing | empty), int(missing.sum()), int(empty.sum()), missing)
    if not held.count:
        raise ValueError(f"there is nothing to score: {said([held])[:-1]}; choose other data, or fill them with the step 'fill'")
    return held


class KeptBlocks(Protocol):
    """What other processes have computed of the scores of a pair of cubes."""

    def block(self, number: int, place: Places) -> BlockScores:
        """Return the scores of a block."""

    def structure(self, number: int) -> Similarities:
        """Return the similarities of a part, by its number in `structure_parts`."""


@dataclass(frozen=True, slots=True)
class BlockScores:
    """Scores of the pixels of a block: their sums (of each unit of `block_units`), and of each pixel what `CubeScores` has."""

    sums: npt.NDArray[np.float64]
    error: Array
    angle: Array
    alive: npt.NDArray[np.bool_]


def block_units(shape: Sequence[int]) -> npt.NDArray[np.int64]:
    """Return the unit of each pixel of the first block of a cube (..., y, x, λ); smaller blocks have the first rows and columns of it.

    Neighbouring pixels resemble one another: the pixels of a square of a block are one unit, or those of a run of a set of spectra.
    """
    places = list(blocks(shape))
    sides = tuple(min(side.stop, length) - side.start for side, length in zip(places[0], shape, strict=False))
    return intervals.squares(sides, max(1, most_units(shape[-1]) // len(places)))


def sums_of(truth: Cube, names: Sequence[str], units: npt.NDArray[np.int64] | None = None) -> SpectrumSums:
    """Return empty sums for the units of a block of a cube, or for those of other blocks."""
    count = 0 if units is None else int(units.max()) + 1
    return SpectrumSums(truth.axis.values, peaks="peak_position" in names, units=count)


def scored_block(
    result: Cube, truth: Cube, names: Sequence[str], scaled: Scaling, mask: Mask, place: Places, units: npt.NDArray[np.int64]
) -> BlockScores:  # fmt: skip
    """Return the scores of a block of a pair of cubes; `units` are `block_units`."""
    known = mask[place]
    sums = sums_of(truth, names, units)
    one, other = (values_of(cube, place, known) for cube in (result, truth))
    alive = other.any(-1) & known
    one, other = scaled.seen(0, one, place), scaled.seen(1, other, place)
    error, angle = (np.full(known.shape, np.nan, np.float32) for _ in range(2))
    unit = units[tuple(slice(length) for length in known.shape)][known]
    errors, angles = sums.add(_flat(one[known]), _flat(other[known]), unit)
    error[known], angle[known] = errors.numpy(), angles.numpy()
    return BlockScores(sums.vector, error, angle, alive)


def scoring(
    result: Cube, truth: Cube, names: Sequence[str], scaled: Scaling | None = None, mask: Mask | None = None,
    kept: KeptBlocks | None = None,
) -> Generator[tuple[int, int], None, CubeScores]:  # fmt: skip
    """Yield (done, total) after each block, and return the figures of a pair of cubes.

    Parameters
    ----------
    mask : bool ndarray of shape (..., y, x), optional
        Which pixels are scored; default: those that hold data.
    kept : KeptBlocks, optional
        What has been computed before.
    """
    mask = scored_pixels(truth, [result]).mask if mask is None else mask
    places = list(blocks(truth.shape))
    scaled = scaled or Scaling(None, truth.spatial_shape)
    sums, units = sums_of(truth, names), block_units(truth.shape)
    error, angle = (np.empty(truth.spatial_shape, np.float32) for _ in range(2))
    alive = np.empty(truth.spatial_shape, bool)
    for number, place in enumerate(places):
        own = scored_block(result, truth, names, scaled, mask, place, units) if kept is None else kept.block(number, place)
        error[place], angle[place], alive[place] = own.error, own.angle, own.alive
        sums.merge(own.sums)
        yield number + 1, len(places)
    figures, ends = sums.figures(), sums.intervals()
    if "ssim" in names:
        parts, found = structure_parts(truth, sums.limits), dict[tuple[tuple[int, ...], int], Similarities]()
        for number, part in enumerate(parts):
            more = structure(result, truth, part, sums.limits, scaled, mask) if kept is None else kept.structure(number)
            before = found.get(part[:2])  # of other bands of the same pixels
            found[part[:2]] = more if before is None else before + more
            yield number + 1, len(parts)
        total, count = np.concatenate(list(found.values()), 1) if found else np.zeros((2, 1))
        figures["ssim"] = total.sum() / count.sum() if count.any() else math.nan
        ends |= intervals.of_ratios("ssim", total, count)
    given = [name for name in names if name in figures]
    figures, ends = {name: float(figures[name]) for name in given}, {name: ends[name] for name in given if name in ends}
    return CubeScores(figures, error, angle, alive, sums.brightness, ends)


def _flat(values: Array) -> Tensor:
    return torch.from_numpy(np.require(values.reshape(-1, values.shape[-1]), requirements=["C", "W"]))


StructurePart: TypeAlias = tuple[tuple[int, ...], int, int, slice]
Similarities: TypeAlias = npt.NDArray[np.float64]
"""Sum and number of the similarities of each unit of a part, (2, units)."""


def structure_parts(truth: Cube, limits: tuple[float, float]) -> list[StructurePart]:
    """Return planes, rows and bands of which the structural similarity is computed at a time; none where it is not defined."""
    if not truth.is_image or min(truth.spatial_shape[-2:]) < metrics.WINDOW or limits[0] == limits[1]:
        return []
    *front, height, width, bands = truth.shape
    step = max(64, BLOCK // (width * BANDS))
    return [
        (plane, y, min(y + step, height - REACH), slice(band, min(band + BANDS, bands)))
        for plane in np.ndindex(*front)
        for y in range(REACH, height - REACH, step)
        for band in range(0, bands, BANDS)
    ]


def structure_units(truth: Cube, parts: Sequence[StructurePart]) -> npt.NDArray[np.int64]:
    """Return the unit of each pixel around which a similarity is computed in the first part; later parts have its first rows."""
    _, begin, end, _ = parts[0]
    return intervals.squares((end - begin, truth.shape[-2] - 2 * REACH), max(1, most_units(1) // len({part[:2] for part in parts})))


def structure(result: Cube, truth: Cube, part: StructurePart, limits: tuple[float, float], scaled: Scaling, mask: Mask) -> Similarities:
    """Return the sum and the number of similarities (`metrics.ssim`) of a few bands and rows, of each unit of `structure_units`.

    Where pixels are not scored, only windows without such pixels count. A window covers `REACH` rows to each side: a block is read
    with as many more, which are not scored.
    """
    (plane, begin, end, some), (low, high) = part, limits
    place = (*(slice(index, index + 1) for index in plane), slice(begin - REACH, end + REACH), slice(0, truth.shape[-2]))
    for side, cube in enumerate((result, truth)):
        scaled.find(side, cube, place, mask)
    known, complete = mask[place], bool(mask[place].all())
    given = [scaled.again(side, np.asarray(c.data[(*place, some)], np.float32), place) for side, c in enumerate((result, truth))]
    if not complete:
        given = [np.where(known[..., None], values, np.float32(0)) for values in given]
    shape = given[0].shape[-3:]
    one, other = (
        torch.from_numpy(np.require(values.reshape(shape), np.float32, ["C", "W"])).permute(2, 0, 1)[None].double() for values in given
    )
    own = metrics.similarities(one, other, low, high)[0, :, REACH:-REACH, REACH:-REACH].numpy()
    units = structure_units(truth, structure_parts(truth, limits))
    unit, count = units[: own.shape[1]], int(units.max()) + 1
    whole = np.ones(unit.shape, bool) if complete else _inner(known.reshape(shape[:2]))[REACH:-REACH, REACH:-REACH]
    return np.stack([np.bincount(unit[whole], values, count) for values in (own.sum(0)[whole], np.full(whole.sum(), len(own)))])


def _inner(mask: Mask) -> Mask:
    """Return the pixels (y, x) whose whole window is scored."""
    from scipy.ndimage import binary_erosion

    inner: Mask = binary_erosion(mask, np.ones((2 * REACH + 1,) * 2, bool), border_value=1)
    return inner
