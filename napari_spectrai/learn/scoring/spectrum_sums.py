"""Sums over the spectra of units (squares of an image, runs of spectra), from which scores of cubes and their intervals follow."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_spectrai.learn.scoring import intervals, metrics
from napari_spectrai.learn.scoring.peaks import peak_differences

MOST = 1_000
"""Approximate largest number of units; fewer where there are thousands of bands, whose sums would not fit into memory."""

Doubles = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]

_SINGLE = ("count", "angled", "placed", "absolute", "angles", "place", "width", "across", "own")
"""Columns that are single numbers; they are followed by a squared error and by the truth of each band."""
_VALUES = 2_000_000
"""Approximate largest number of values of the sums of all units."""


def most_units(bands: int) -> int:
    """Return the largest number of units whose sums are kept for a number of bands."""
    return min(MOST, max(100, _VALUES // bands))


class SpectrumSums:
    """Sums over spectra, from which their scores follow; sums of several sets of spectra add up to those of all of them.

    Parameters
    ----------
    axis : array of shape (L,)
        Positions of the bands.
    peaks : bool
        Whether positions and widths of peaks are compared.
    units : int
        Number of the units of this set of spectra.
    """

    def __init__(self, axis: npt.ArrayLike, *, peaks: bool, units: int = 1) -> None:
        self._axis, self._peaks = np.asarray(axis, np.float64), peaks
        bands = len(self._axis)
        self._own = torch.zeros(units, len(_SINGLE) + 2 * bands, dtype=torch.float64)
        self._others: list[Doubles] = []
        self._low = np.full(bands, math.inf)
        self._high = -self._low

    def add(self, result: Tensor, truth: Tensor, unit: Places | None = None) -> tuple[Tensor, Tensor]:
        """Add spectra (n, λ) of units (n,), by default of the first one; return the error and the angle of each."""
        if not len(truth):  # no pixel of this block is scored
            return torch.zeros(0), torch.zeros(0)
        one, other = result.double(), truth.double()
        difference = one - other
        squares = difference.square()
        product = (one * other).sum(-1)
        own = one.square().sum(-1)
        lengths = own.sqrt() * other.norm(dim=-1)
        angle = torch.rad2deg(torch.acos((product / lengths).clamp(-1, 1)))
        angled = lengths > 0
        place = width = torch.full_like(product, math.nan)
        if self._peaks:
            place, width = peak_differences(one, other, self._axis)
        placed = ~place.isnan()
        columns = (
            torch.ones_like(product), angled, placed, difference.abs().sum(-1), angle.where(angled, 0), place.where(placed, 0),
            width.where(placed, 0), product, own,
        )  # fmt: skip
        rows = torch.zeros(len(other), dtype=torch.int64) if unit is None else torch.from_numpy(np.ascontiguousarray(unit, np.int64))
        singles, bands = len(_SINGLE), len(self._axis)
        for start, values in ((0, torch.stack([column.double() for column in columns], -1)), (singles, squares), (singles + bands, other)):
            self._own[:, start : start + values.shape[1]].index_add_(0, rows, values)
        self._low, self._high = np.minimum(self._low, other.amin(0).numpy()), np.maximum(self._high, other.amax(0).numpy())
        return squares.mean(-1).sqrt().float(), angle.masked_fill(~angled, math.nan).float()

    @staticmethod
    def size(bands: int, units: int) -> int:
        """Return the length of `vector`."""
        return units * (len(_SINGLE) + 2 * bands) + 2 * bands

    @property
    def vector(self) -> Doubles:
        """All sums of the spectra that were added, and the limits of each band."""
        return np.concatenate([self._own.numpy().ravel(), self._low, self._high])

    def merge(self, vector: Doubles) -> None:
        """Add the units of what `vector` returned for other spectra; where there are too many, neighbours become one."""
        bands = len(self._axis)
        low, high = vector[-2 * bands :].reshape(2, bands)
        self._low, self._high = np.minimum(self._low, low), np.maximum(self._high, high)
        table = vector[: -2 * bands].reshape(-1, self._own.shape[1])
        self._others.append(table[table[:, 0] > 0])
        if sum(map(len, self._others)) > 2 * most_units(bands):
            rows = np.concatenate(self._others)
            self._others = [np.add.reduceat(rows, np.arange(0, len(rows), 2))]

    @property
    def _units(self) -> Doubles:
        own = self._own.numpy()
        return np.concatenate([own[own[:, 0] > 0], *self._others])

    @property
    def limits(self) -> tuple[float, float]:
        """Smallest and largest value of the truth."""
        return float(self._low.min()), float(self._high.max())

    @property
    def brightness(self) -> float:
        """The factor by which the result has to be multiplied to fit the truth best."""
        across, own = self._units[:, _SINGLE.index("across") : _SINGLE.index("own") + 1].sum(0).tolist()
        return across / own if own else 1.0

    def figures(self) -> dict[str, float]:
        """Return what `metrics` defines, and the errors of the peaks; NaN where one is not defined."""
        found = self._of(self._units.sum(0, keepdims=True))
        return {name: float(values[0]) for name, values in found.items()}

    def intervals(self) -> intervals.Intervals:
        """Return the 90 % intervals of `figures`: a bootstrap over the units, for the same range of the truth."""
        units = self._units
        found = units[:, : len(_SINGLE)] > 0
        evidence = {"sam": int(found[:, 1].sum())} | dict.fromkeys(("peak_position", "peak_width"), int(found[:, 2].sum()))
        anywhere = (-math.inf, math.inf)
        return intervals.bootstrap(
            len(units), lambda weights: self._of(weights @ units), {"psnr": anywhere, "mpsnr": anywhere}, (0.0, math.inf), evidence
        )

    def _of(self, sums: Doubles) -> dict[str, Doubles]:
        """Return the scores (n,) of n sums of units."""
        single, (squares, total) = sums[:, : len(_SINGLE)].T, np.split(sums[:, len(_SINGLE) :], 2, axis=1)
        count, angled, placed, absolute, angles, place, width, _, _ = single
        with np.errstate(divide="ignore", invalid="ignore"):
            errors, mean = squares / count[:, None], total / count[:, None]
            mse = errors.mean(1)
            ergas = 100 * np.sqrt((errors / mean**2).mean(1))
            return {
                "mse": mse,
                "mae": absolute / (count * len(self._axis)),
                "psnr": metrics.decibels(np.array([self.limits[1] - self.limits[0]]), mse[:, None]),
                "mpsnr": metrics.decibels(self._high - self._low, errors),
                "sam": angles / angled,
                "ergas": np.where((mean != 0).all(1), ergas, math.nan),
                "peak_position": place / placed,
                "peak_width": width / placed,
            }


def of_spectra(result: Tensor, truth: Tensor, units: Places, names: Sequence[str], axis: npt.ArrayLike) -> intervals.Intervals:
    """Return the 90 % intervals of scores of samples: spectra (n, λ), or patches (n, y, x, λ).

    Parameters
    ----------
    result, truth : Tensor
        Spectra whose truth is NaN are not scored.
    units : int array of shape (n,)
        What is held out together; where there are more than `most_units`, neighbours become one.
    names : sequence of str
        The scores.
    axis : array of shape (λ,)
    """
    _, numbers = np.unique(units, return_inverse=True)
    count, most = int(numbers.max(initial=-1)) + 1, most_units(truth.shape[-1])
    if count > most:
        numbers = numbers * most // count
    each = truth[0, ..., 0].numel() if len(truth) else 0
    flat, other = result.reshape(-1, result.shape[-1]), truth.reshape(-1, truth.shape[-1])
    known, unit = ~other.isnan().any(-1), np.repeat(numbers, each)
    sums = SpectrumSums(axis, peaks="peak_position" in names, units=int(numbers.max(initial=0)) + 1)
    sums.add(flat[known], other[known], unit[known.numpy()])
    found = sums.intervals()
    if "ssim" in names and truth.ndim == 4 and min(truth.shape[1:3]) >= metrics.WINDOW and bool(known.all()):
        values = metrics.similarities_of_images(result, truth).numpy()
        sums_of_units, counts = (np.bincount(numbers, of).astype(np.float64) for of in (values, np.ones_like(values)))
        found |= intervals.of_ratios("ssim", sums_of_units, counts)
    return {name: found[name] for name in names if name in found}
