"""Penalised least squares for many spectra at once: the solver, and baselines by iterative reweighting."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Reweight = Callable[[Doubles, npt.NDArray[np.intp], Doubles], tuple[Doubles, Doubles | None, Mask]]
"""(residual, iteration, sum of |y|) -> new weights, the quantity compared with the tolerance (None: the relative change of the weights),
and which spectra must stop with their current result. The residual may be overwritten."""

TINY = float(np.finfo(np.float64).tiny)
COLUMNS = 2048
"""Largest number of spectra solved together: enough that the work on one band outweighs the overhead of a call."""
_VALUES = 2**20
"""Number of values above which fewer spectra are solved together, to save memory."""
_CACHED = 2**15
"""Number of values weighted at a time: they stay in the processor's cache."""


def penalty(bands: int) -> Doubles:
    """Return the bands of D'D, D the second differences: rows diagonal, first and second off-diagonal, each `bands` long."""
    second = np.zeros((3, bands))
    for offset, value in ((0, 1.0), (1, -2.0), (2, 1.0)):  # each difference adds the square of (1, -2, 1)
        second[0, offset : bands - 2 + offset] += value**2
    second[1, : bands - 2] -= 2
    second[1, 1 : bands - 1] -= 2
    second[2, : bands - 2] = 1
    return second


def solve(weights: Doubles, y: Doubles, banded: Doubles) -> Doubles:
    """Solve (W + P) z = W y for each column.

    Parameters
    ----------
    weights, y : ndarray of shape (L, N)
    banded : ndarray of shape (3, L), the result of `penalty` times lambda

    Returns
    -------
    ndarray of shape (L, N)
    """
    return Pentadiagonal(banded, y.shape[1]).solve(weights, y)


class Pentadiagonal:
    """Solver of N pentadiagonal systems by an LDL' factorisation, band by band for all systems.

    Parameters
    ----------
    banded : ndarray of shape (3, L), the result of `penalty` times lambda
    columns : N
    """

    def __init__(self, banded: Doubles, columns: int) -> None:
        # after division by lambda the second off-diagonal is one, which saves a quarter of the work
        self.smoothness = banded[2, 0]
        self.diagonal, self.first = banded[0] / self.smoothness, (banded[1] / self.smoothness).tolist()
        # of each band: inverse pivot, solution, first off-diagonal of L; what one operation needs lies together
        self.rows = rows = np.empty((banded.shape[1], 3, columns))
        self.views = [list(part) for part in (rows[:, :2], rows[:, 2:0:-1], rows[:, 2::-2], rows[:, 0], rows[:, 1], rows[:, 2])]
        self.ahead = [rows[band + 1 : band + 3, 1] for band in range(len(rows) - 2)]
        self.work, self.off = np.empty((2, columns)), np.empty(columns)

    def solve(self, weights: Doubles, y: Doubles) -> Doubles:
        """Return the solutions (L, N), which the next call overwrites, for weights and y (L, N)."""
        pairs, factors, both, pivots, z, below = self.views
        work, off, multiply, subtract, reciprocal = self.work, self.off, np.multiply, np.subtract, np.reciprocal
        diagonal, solution = self.rows[:, 0], self.rows[:, 1]
        multiply(weights, 1 / self.smoothness, out=diagonal)
        multiply(diagonal, y, out=solution)
        diagonal += self.diagonal[:, None]
        off.fill(self.first[0])  # pivot times the row's first off-diagonal of L
        for i, (pair, pivot, first) in enumerate(zip(pairs, pivots, self.first, strict=True)):
            if i > 1:
                subtract(pair, pairs[i - 2], out=pair)
            if i > 0:
                subtract(pair, multiply(factors[i - 1], off, out=work), out=pair)
                subtract(first, below[i - 1], out=off)
            reciprocal(pivot, out=pivot)
            multiply(z[i], pivot, out=z[i])
            multiply(off, pivot, out=below[i])
        one, two = work
        subtract(z[-2], multiply(below[-2], z[-1], out=one), out=z[-2])
        for i in range(len(z) - 3, -1, -1):
            multiply(both[i], self.ahead[i], out=work)
            subtract(z[i], one, out=z[i])
            subtract(z[i], two, out=z[i])
        return solution


def asymmetric(p: float) -> Reweight:
    """Return the weighting of asymmetric least squares."""

    def reweight(residual: Doubles, iteration: npt.NDArray[np.intp], total: Doubles) -> tuple[Doubles, Doubles | None, Mask]:
        return np.where(residual > 0, p, 1 - p), None, np.zeros(residual.shape[1], bool)

    return reweight


def logistic(residual: Doubles, iteration: npt.NDArray[np.intp], total: Doubles) -> tuple[Doubles, Doubles | None, Mask]:
    """Return the weighting of arPLS."""
    parts = _parts(residual)
    count, below, squares = (np.zeros(residual.shape[1]) for _ in range(3))
    for part in parts:
        low = np.minimum(residual[part], 0)
        count += (low < 0).view(np.uint8).sum(0, dtype=np.uint8)
        below += low.sum(0)
        squares += _squares(low)
    mean = below / np.maximum(count, 1)
    variance = np.maximum(squares - count * mean**2, 0) / np.maximum(count - 1, 1)
    deviation = np.maximum(np.sqrt(variance), TINY)
    factor = 2 / deviation
    middle = factor * (2 * deviation - mean)
    with np.errstate(over="ignore"):  # far above the baseline the weight is 0
        for part in parts:
            some = residual[part]
            some *= factor
            some -= middle
            np.exp(some, out=some)
            some += 1
            np.reciprocal(some, out=some)
    return residual, None, count < 2


def _parts(values: Doubles) -> list[slice]:
    """Return the rows of an array, few enough at a time for the cache and for a count in one byte."""
    rows = min(255, max(1, _CACHED // max(1, values.shape[1])))
    return [slice(first, first + rows) for first in range(0, len(values), rows)]


def _change(new: Doubles, old: Doubles) -> tuple[Doubles, Doubles]:
    """Return the sums of squares of (new - old) and of new over the first axis; `old` is overwritten."""
    change, length = np.zeros(new.shape[1]), np.zeros(new.shape[1])
    for part in _parts(new):
        change += _squares(np.subtract(new[part], old[part], out=old[part]))
        length += _squares(new[part])
    return change, length


def exponential(residual: Doubles, iteration: npt.NDArray[np.intp], total: Doubles) -> tuple[Doubles, Doubles | None, Mask]:
    """Return the weighting of airPLS."""
    below = np.minimum(residual, 0)
    norm, count = below.sum(0), np.count_nonzero(below, axis=0)
    largest = np.log(np.finfo(np.float64).max)
    inner = np.minimum(np.minimum(iteration + 1, 50) / np.minimum(norm, -1e-300) * below, largest - np.spacing(largest))
    return np.where(below < 0, np.exp(inner), 0), np.abs(norm) / np.maximum(total, TINY), count < 2


def _squares(values: Doubles) -> Doubles:
    return np.asarray(np.einsum("ij,ij->j", values, values))


def baseline(spectra: npt.NDArray[np.floating], smoothness: float, reweight: Reweight, *, rounds: int, tolerance: float) -> Doubles:
    """Return the baseline of each spectrum, by iterative reweighting until convergence.

    Each spectrum converges individually, so results do not depend on the batch; a finished column is reused for the next spectrum.

    Parameters
    ----------
    spectra : ndarray of shape (N, L), without NaN
    smoothness : lambda
    """
    banded = smoothness * penalty(spectra.shape[-1])
    baselines = np.empty(spectra.shape)
    place = np.arange(min(COLUMNS, max(256, _VALUES // spectra.shape[-1]), len(spectra)))
    waiting = place.size
    y = np.ascontiguousarray(spectra[place].T, dtype=np.float64)
    weights, total, length = np.ones_like(y), np.abs(y).sum(0), np.full(place.size, float(len(y)))
    iteration = np.zeros(place.size, np.intp)
    system, spare = Pentadiagonal(banded, place.size), np.empty_like(y)
    while place.size:
        fitted = system.solve(weights, y)
        new, measure, stop = reweight(np.subtract(y, fitted, out=spare), iteration, total)
        if measure is None:
            change, squares = _change(new, weights)
            measure, length = np.sqrt(change / np.maximum(length, TINY)), squares
        done = np.flatnonzero(stop | (measure < tolerance) | (iteration >= rounds))
        spare, weights, iteration = weights, new, iteration + 1
        baselines[place[done]] = np.take(fitted, done, axis=1).T
        following = np.arange(waiting, min(waiting + done.size, len(spectra)))
        waiting += following.size
        reused, left = done[: following.size], done[following.size :]
        if following.size:
            fresh = np.ascontiguousarray(spectra[following].T)
            places = (np.arange(len(y))[:, None] * place.size + reused).ravel()  # band by band, as they lie in memory
            y.reshape(-1)[places], weights.reshape(-1)[places] = fresh.ravel(), 1
            place[reused], iteration[reused], total[reused], length[reused] = following, 0, np.abs(fresh).sum(0), len(y)
        if left.size:  # no spectrum is waiting: continue with the remaining columns
            going = np.delete(np.arange(place.size), left)
            place, iteration, total, length = place[going], iteration[going], total[going], length[going]
            y, weights = np.take(y, going, axis=1), np.take(weights, going, axis=1)
            system, spare = Pentadiagonal(banded, going.size), np.empty_like(y)
    return baselines
