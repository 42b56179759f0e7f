"""Scores of cubes against a truth, computed block by block, so that neither has to fit in memory."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_spectrai.conversion import as_cube
from napari_spectrai.cube import Cube, SpectralAxis
from napari_spectrai.experiment.obstacles import different_cubes
from napari_spectrai.experiment.tasks import TaskSpec
from napari_spectrai.learn.scoring import metrics
from napari_spectrai.learn.scoring.peaks import peak_differences
from napari_spectrai.plan.truths import share_axis
from napari_spectrai.preparation.normalise import Normalise
from napari_spectrai.valid import DataMask, Mask, finite, holds_data, said

BLOCK = 2**22
"""Approximate number of values of a block: at least 64 × 64 pixels, as files are chunked."""
BANDS = 32
"""Number of bands whose structure is compared at a time."""
REACH = metrics.WINDOW // 2
"""Rows that a window of SSIM covers to each side."""

Places = tuple[slice, ...]
Array = npt.NDArray[np.float32]


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
    """

    figures: dict[str, float]
    error: Array
    angle: Array
    alive: npt.NDArray[np.bool_]
    brightness: float


def paired(result: Any, truth: Any) -> tuple[Cube, Cube]:
    """Return two cubes of the same pixels and bands.

    Raises
    ------
    ValueError
        If their shapes or axes differ.
    """
    first, second = as_cube(result), as_cube(truth)
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


def scoring(
    result: Cube, truth: Cube, names: Sequence[str], scaled: Scaling | None = None, mask: Mask | None = None
) -> Generator[tuple[int, int], None, CubeScores]:
    """Yield (done, total) after each block, and return the figures of a pair of cubes; `mask` (..., y, x): which pixels are scored."""
    mask = scored_pixels(truth, [result]).mask if mask is None else mask
    places = list(blocks(truth.shape))
    scaled = scaled or Scaling(None, truth.spatial_shape)
    sums = _Sums(truth.axis, peaks="peak_position" in names)
    error, angle = (np.empty(truth.spatial_shape, np.float32) for _ in range(2))
    alive = np.empty(truth.spatial_shape, bool)
    for number, place in enumerate(places):
        known = mask[place]
        one, other = (_block(cube, place, known) for cube in (result, truth))
        alive[place] = other.any(-1) & known
        one, other = scaled.seen(0, one, place), scaled.seen(1, other, place)
        for target, values in zip((error, angle), sums.add(_flat(one[known]), _flat(other[known])), strict=True):
            own = np.full(known.shape, np.nan, np.float32)
            own[known] = values.numpy()
            target[place] = own
        yield number + 1, len(places)
    figures = sums.figures()
    if "ssim" in names:
        for part, of, value in _ssim(result, truth, sums.limits, scaled, mask):
            figures["ssim"] = value
            yield part, of
    return CubeScores({name: figures[name] for name in names if name in figures}, error, angle, alive, sums.brightness)


def _block(cube: Cube, place: Places, known: Mask | None = None) -> Array:
    """Return the values of a block, zero where a pixel is not scored, or (without `known`) where they are missing."""
    values = cube[place].numpy()
    known = finite(values) if known is None else known
    return values if known.all() else np.where(known[..., None], values, np.float32(0))


def _flat(values: Array) -> Tensor:
    return torch.from_numpy(np.require(values.reshape(-1, values.shape[-1]), requirements=["C", "W"]))


class Scaling:
    """Scales spectra individually before they are scored: the truth's by its own, a result's by those of its source.

    That is what a network learns where its preparation normalises. Without a source, a result is scaled by its own spectra. What was
    taken from each pixel is kept, for when bands are scored separately.

    Parameters
    ----------
    step : Normalise or None
        None: intensities stay as they are.
    spatial : shape of the pixels scored
    source : Cube, optional
        Of as many pixels per side, or of fewer by an integer factor.
    """

    def __init__(self, step: Normalise | None, spatial: tuple[int, ...], source: Cube | None = None) -> None:
        self.step = step
        self._removed = [tuple(np.empty((*spatial, 1), np.float32) for _ in range(2)) for _ in range(0 if step is None else 2)]
        self.by_source = step is not None and source is not None and under(spatial, source) is not None
        if self.by_source:
            assert source is not None  # noqa: S101
            self._keep_factors(source, spatial)

    def _keep_factors(self, source: Cube, spatial: tuple[int, ...]) -> None:
        assert self.step is not None  # noqa: S101
        maps = [np.empty((*source.spatial_shape, 1), np.float32) for _ in range(2)]
        for place in blocks(source.shape):
            for one, part in zip(maps, self.step.factors(_block(source, place)), strict=True):
                one[place] = part
        index = np.ix_(*under(spatial, source))  # type: ignore[misc]
        self._removed[0] = tuple(one[index] for one in maps)

    def seen(self, side: int, spectra: Array, place: Places) -> Array:
        """Return spectra of the result (side 0) or of the truth (1), whose factors are found and kept where they are not known yet."""
        if self.step is not None and not (side == 0 and self.by_source):
            for kept, part in zip(self._removed[side], self.step.factors(spectra), strict=True):
                kept[place] = part
        return self.again(side, spectra, place)

    def again(self, side: int, spectra: Array, place: Any) -> Array:
        """Return spectra, or some of their bands, scaled by the factors that are kept."""
        if self.step is None:
            return spectra
        offset, scale = (kept[place] for kept in self._removed[side])
        scaled: Array = (spectra - offset) / (scale + (scale == 0))
        return scaled


def under(spatial: Sequence[int], source: Cube) -> list[npt.NDArray[np.intp]] | None:
    """Return which pixels of a source lie under those of some shape, by dimension; None where no whole number of pixels fits on one."""
    coarse = source.spatial_shape
    if len(coarse) != len(spatial) or any(f % c for f, c in zip(spatial, coarse, strict=True)):
        return None
    return [np.arange(f) * c // f for f, c in zip(spatial, coarse, strict=True)]


class _Sums:
    """Sums over spectra."""

    def __init__(self, axis: SpectralAxis, *, peaks: bool) -> None:
        self._axis, self._peaks = axis.values, peaks
        self._count = self._angled = self._placed = 0
        self._squares, self._total = (torch.zeros(len(axis), dtype=torch.float64) for _ in range(2))
        self._low = torch.full((len(axis),), math.inf, dtype=torch.float64)
        self._high = -self._low
        self._absolute = self._angles = self._place = self._width = self._across = self._own = 0.0

    def add(self, result: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
        """Add spectra (n, λ); return the error and the angle of each."""
        if not len(truth):  # no pixel of this block is scored
            return torch.zeros(0), torch.zeros(0)
        one, other = result.double(), truth.double()
        squares = (one - other).square()
        self._count += len(other)
        self._squares += squares.sum(0)
        self._absolute += float((one - other).abs().sum())
        self._total += other.sum(0)
        self._low, self._high = torch.minimum(self._low, other.amin(0)), torch.maximum(self._high, other.amax(0))
        product = (one * other).sum(-1)
        self._across, self._own = self._across + float(product.sum()), self._own + float(one.square().sum())
        lengths = one.norm(dim=-1) * other.norm(dim=-1)
        angle = torch.rad2deg(torch.acos((product / lengths).clamp(-1, 1)))
        self._angles += float(angle[lengths > 0].sum())
        self._angled += int((lengths > 0).sum())
        if self._peaks:
            places, widths = peak_differences(one, other, self._axis)
            self._placed += len(places)
            self._place, self._width = self._place + float(places.sum()), self._width + float(widths.sum())
        return squares.mean(-1).sqrt().float(), angle.masked_fill(lengths == 0, math.nan).float()

    @property
    def limits(self) -> tuple[float, float]:
        return float(self._low.min()), float(self._high.max())

    @property
    def brightness(self) -> float:
        return self._across / self._own if self._own else 1.0

    def figures(self) -> dict[str, float]:
        """Return what `metrics` defines, and the errors of the peaks."""
        errors, mean = self._squares / self._count, self._total / self._count
        mse = float(errors.mean())
        spans = self._high - self._low
        return {
            "mse": mse,
            "mae": self._absolute / (self._count * len(errors)),
            "psnr": metrics.decibel(self.limits[1] - self.limits[0], mse),
            "mpsnr": metrics.mean_decibel(spans, errors),
            "sam": self._angles / self._angled if self._angled else math.nan,
            "ergas": 100 * float((errors / mean.square()).mean().sqrt()) if bool((mean != 0).all()) else math.nan,
            "peak_position": self._place / self._placed if self._placed else math.nan,
            "peak_width": self._width / self._placed if self._placed else math.nan,
        }


def _ssim(result: Cube, truth: Cube, limits: tuple[float, float], scaled: Scaling, mask: Mask) -> Iterator[tuple[int, int, float]]:
    """Yield (done, total) and what `metrics.ssim` is so far, of a few bands and rows at a time.

    Where pixels are not scored, only windows without such pixels count; NaN if there is none. A window covers `REACH` rows to each
    side: a block is read with as many more, which are not scored.
    """
    low, high = limits
    if not truth.is_image or min(truth.spatial_shape[-2:]) < metrics.WINDOW or low == high:
        yield 1, 1, math.nan
        return
    *front, height, width, bands = truth.shape
    step = max(64, BLOCK // (width * BANDS))
    parts = [
        (plane, y, min(y + step, height - REACH), slice(band, min(band + BANDS, bands)))
        for plane in np.ndindex(*front)
        for y in range(REACH, height - REACH, step)
        for band in range(0, bands, BANDS)
    ]
    complete, total, count = bool(mask.all()), 0.0, 0
    for number, (plane, begin, end, some) in enumerate(parts):
        place = (*plane, slice(begin - REACH, end + REACH))
        where = (*place, slice(None), some)
        given = [scaled.again(side, np.asarray(c.data[where], np.float32), place) for side, c in enumerate((result, truth))]
        if not complete:
            given = [np.where(mask[place][..., None], part, np.float32(0)) for part in given]
        one, other = (torch.from_numpy(np.require(part, np.float32, ["C", "W"])).permute(2, 0, 1)[None].double() for part in given)
        own = metrics.similarities(one, other, low, high)[:, :, REACH:-REACH, REACH:-REACH]
        if not complete:
            own = own[..., torch.from_numpy(_inner(mask[place])[REACH:-REACH, REACH:-REACH])]
        total, count = total + float(own.sum()), count + own.numel()
        yield number + 1, len(parts), total / count if count else math.nan


def _inner(mask: Mask) -> Mask:
    """Return the pixels (y, x) whose whole window is scored."""
    from scipy.ndimage import binary_erosion

    inner: Mask = binary_erosion(mask, np.ones((2 * REACH + 1,) * 2, bool), border_value=1)
    return inner
