"""Penalised least squares for many spectra at once: the solver, and baselines by iterative reweighting."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Reweight = Callable[[Doubles, npt.NDArray[np.intp], Doubles], tuple[Doubles, Doubles | None, Mask]]
"""(residual, iteration, sum of |y|) -> new weights, the quantity compared with the tolerance (None: the relative change of the weights),
and which spectra must stop with their current result."""

TINY = float(np.finfo(np.float64).tiny)
COLUMNS = 1024
"""Number of spectra solved together: enough that the work on one band outweighs the overhead of a call."""


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
    """Solve (W + P) z = W y for each column, by an LDL' factorisation of a pentadiagonal matrix, band by band for all columns.

    Parameters
    ----------
    weights, y : ndarray of shape (L, N)
    banded : ndarray of shape (3, L), the result of `penalty` times lambda

    Returns
    -------
    ndarray of shape (L, N)
    """
    bands, smoothness = len(y), banded[2, 0]
    # after division by lambda the second off-diagonal is one, which saves a quarter of the work
    diagonal, first = banded[0] / smoothness, (banded[1] / smoothness).tolist()
    scaled = weights / smoothness
    solution: Doubles = scaled * y
    scaled += diagonal[:, None]
    pivots, below, z = list(scaled), list(np.empty_like(y)), list(solution)  # rows, as views
    work, scaled_off = np.empty(y.shape[1]), np.full(y.shape[1], first[0])  # pivot times the row's first off-diagonal of L
    multiply, subtract = np.multiply, np.subtract
    for i in range(bands):
        if i > 1:
            subtract(pivots[i], pivots[i - 2], out=pivots[i])  # the previous ones are already inverted
            subtract(z[i], multiply(pivots[i - 2], z[i - 2], out=work), out=z[i])
        if i > 0:
            subtract(pivots[i], multiply(scaled_off, below[i - 1], out=work), out=pivots[i])
            subtract(z[i], multiply(below[i - 1], z[i - 1], out=work), out=z[i])
            subtract(first[i], below[i - 1], out=scaled_off)
        np.reciprocal(pivots[i], out=pivots[i])
        multiply(scaled_off, pivots[i], out=below[i])
    solution *= scaled
    for i in range(bands - 2, -1, -1):
        subtract(z[i], multiply(below[i], z[i + 1], out=work), out=z[i])
        if i < bands - 2:
            subtract(z[i], multiply(pivots[i], z[i + 2], out=work), out=z[i])
    return solution


def asymmetric(p: float) -> Reweight:
    """Return the weighting of asymmetric least squares."""

    def reweight(residual: Doubles, iteration: npt.NDArray[np.intp], total: Doubles) -> tuple[Doubles, Doubles | None, Mask]:
        return np.where(residual > 0, p, 1 - p), None, np.zeros(residual.shape[1], bool)

    return reweight


def logistic(residual: Doubles, iteration: npt.NDArray[np.intp], total: Doubles) -> tuple[Doubles, Doubles | None, Mask]:
    """Return the weighting of arPLS."""
    below = np.minimum(residual, 0)
    count = np.count_nonzero(below, axis=0)
    mean = below.sum(0) / np.maximum(count, 1)
    variance = np.maximum(_squares(below) - count * mean**2, 0) / np.maximum(count - 1, 1)
    deviation = np.maximum(np.sqrt(variance), TINY)
    new = np.multiply(residual, 2 / deviation, out=below)
    new -= (2 / deviation) * (2 * deviation - mean)
    with np.errstate(over="ignore"):  # far above the baseline the weight is 0
        np.exp(new, out=new)
    new += 1
    return np.reciprocal(new, out=new), None, count < 2


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
    place = np.arange(min(COLUMNS, len(spectra)))
    waiting = place.size
    y = np.ascontiguousarray(spectra[place].T, dtype=np.float64)
    weights, total, length = np.ones_like(y), np.abs(y).sum(0), np.full(place.size, float(len(y)))
    iteration = np.zeros(place.size, np.intp)
    while place.size:
        fitted = solve(weights, y, banded)
        new, measure, stop = reweight(np.subtract(y, fitted), iteration, total)
        if measure is None:
            np.subtract(new, weights, out=weights)
            measure, length = np.sqrt(_squares(weights) / np.maximum(length, TINY)), _squares(new)
        done = np.flatnonzero(stop | (measure < tolerance) | (iteration >= rounds))
        weights, iteration = new, iteration + 1
        baselines[place[done]] = fitted[:, done].T
        following = np.arange(waiting, min(waiting + done.size, len(spectra)))
        waiting += following.size
        reused, left = done[: following.size], done[following.size :]
        if following.size:
            fresh = spectra[following].T
            y[:, reused], weights[:, reused], place[reused], iteration[reused] = fresh, 1, following, 0
            total[reused], length[reused] = np.abs(fresh).sum(0), len(y)
        if left.size:  # no spectrum is waiting: continue with the remaining columns
            going = np.delete(np.arange(place.size), left)
            place, iteration, total, length = place[going], iteration[going], total[going], length[going]
            y, weights = y[:, going], weights[:, going]
    return baselines
