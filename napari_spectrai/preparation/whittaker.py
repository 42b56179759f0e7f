"""Penalised least squares for many spectra at once: the solver, and baselines by reweighting."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.special import expit

Doubles = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Reweight = Callable[[Doubles, Doubles, Doubles, int, Doubles], tuple[Doubles, Mask, Mask]]
"""(residual, weights, y, iteration, …) -> new weights, which have converged, which must stop with what they have."""

TINY = float(np.finfo(np.float64).tiny)
BLOCK = 1024
"""Spectra solved together: a row of one band each fills a few cache lines and stays in the second-level cache."""


def penalty(bands: int, order: int) -> Doubles:
    """Return the bands of D'D, D the differences of `order` 1 or 2: rows diagonal, first and second off-diagonal."""
    differences = np.diff(np.eye(bands), order, axis=0) if bands <= 8 else None
    if differences is not None:
        whole = differences.T @ differences
        return np.array([np.pad(np.diagonal(whole, -k), (0, min(k, bands))) for k in range(3)])
    ends = {1: ([1.0], [2.0], [], [-1.0], 0.0), 2: ([1.0, 5.0], [6.0], [-2.0], [-4.0], 1.0)}[order]
    first, middle, off_end, off, second = ends
    diagonal = np.concatenate([first, np.full(bands - 2 * len(first), middle[0]), first[::-1]])
    one = np.concatenate([off_end, np.full(bands - 1 - 2 * len(off_end), off[0]), off_end[::-1], [0.0]])
    two = np.concatenate([np.full(bands - 2, second), [0.0, 0.0]])
    return np.array([diagonal, one, two])


def solve(weights: Doubles, y: Doubles, banded: Doubles) -> Doubles:
    """Solve (W + P) z = W y for each column: an LDL' factorisation of a five-band matrix, one band after the other, all columns at once.

    Parameters
    ----------
    weights, y : ndarray of shape (L, N)
    banded : ndarray of shape (3, L), what `penalty` returns times lambda

    Returns
    -------
    ndarray of shape (L, N)
    """
    bands, count = y.shape
    z = weights * y
    inverse, below, work = np.empty_like(z), np.empty_like(z), np.empty(count)
    diagonal, first, second = banded
    pivot = np.empty(count)  # D times the first lower off-diagonal of L
    for i in range(bands):
        d = inverse[i]
        np.add(weights[i], diagonal[i], out=d)
        if i > 0:
            np.multiply(pivot, below[i - 1], out=work)
            d -= work
            np.multiply(below[i - 1], z[i - 1], out=work)
            z[i] -= work
        if i > 1 and second[i - 2]:
            np.multiply(inverse[i - 2], second[i - 2] ** 2, out=work)
            d -= work
            np.multiply(inverse[i - 2], second[i - 2], out=work)
            work *= z[i - 2]
            z[i] -= work
        if i > 0 and second[i - 1]:
            # of the row before: its first off-diagonal with what the second of the one before that takes from it
            np.multiply(below[i - 1], second[i - 1], out=pivot)
            np.subtract(first[i], pivot, out=pivot)
        else:
            pivot.fill(first[i])
        np.reciprocal(d, out=d)
        np.multiply(pivot, d, out=below[i])
    z *= inverse
    for i in range(bands - 2, -1, -1):
        np.multiply(below[i], z[i + 1], out=work)
        z[i] -= work
        if i < bands - 2 and second[i]:
            np.multiply(inverse[i], second[i], out=work)
            work *= z[i + 2]
            z[i] -= work
    return z


def _norm(values: Doubles) -> Doubles:
    return np.sqrt(np.einsum("ij,ij->j", values, values))


def asymmetric(p: float, tolerance: float) -> Reweight:
    """Return the weighting of asymmetric least squares."""

    def reweight(residual: Doubles, weights: Doubles, y: Doubles, iteration: int, total: Doubles) -> tuple[Doubles, Mask, Mask]:
        new = np.where(residual > 0, p, 1 - p)
        return new, _norm(new - weights) / np.maximum(_norm(weights), TINY) < tolerance, np.zeros(y.shape[1], bool)

    return reweight


def logistic(tolerance: float) -> Reweight:
    """Return the weighting of arPLS."""

    def reweight(residual: Doubles, weights: Doubles, y: Doubles, iteration: int, total: Doubles) -> tuple[Doubles, Mask, Mask]:
        below = residual < 0
        count = below.sum(0)
        negative = np.where(below, residual, 0)
        mean = negative.sum(0) / np.maximum(count, 1)
        negative -= np.where(below, mean, 0)
        deviation = np.sqrt(np.einsum("ij,ij->j", negative, negative) / np.maximum(count - 1, 1))
        deviation = np.where(deviation == 0, TINY, deviation)
        scale = -2 / deviation
        new = expit(residual * scale - scale * (2 * deviation - mean))
        return new, _norm(new - weights) / np.maximum(_norm(weights), TINY) < tolerance, count < 2

    return reweight


def exponential(tolerance: float) -> Reweight:
    """Return the weighting of airPLS."""

    def reweight(residual: Doubles, weights: Doubles, y: Doubles, iteration: int, total: Doubles) -> tuple[Doubles, Mask, Mask]:
        below = residual < 0
        norm = np.where(below, residual, 0).sum(0)
        largest = np.log(np.finfo(np.float64).max)
        inner = np.clip(min(iteration + 1, 50) / np.where(norm == 0, -TINY, norm) * residual, 0, largest - np.spacing(largest))
        return np.where(below, np.exp(inner), 0), np.abs(norm) / np.maximum(total, TINY) < tolerance, below.sum(0) < 2

    return reweight


def baseline(spectra: npt.NDArray[np.floating], smoothness: float, order: int, reweight: Reweight, rounds: int) -> Doubles:
    """Return the baseline of each spectrum, by weighting anew until the weights hold still.

    Each spectrum stops on its own, so a batch is each alone. One with NaN stops at once.

    Parameters
    ----------
    spectra : ndarray of shape (N, L)
    smoothness : lambda
    """
    banded = smoothness * penalty(spectra.shape[-1], order)
    found = np.empty(spectra.shape)
    for start in range(0, len(spectra), BLOCK):
        y = np.ascontiguousarray(spectra[start : start + BLOCK].T, dtype=np.float64)
        found[start : start + BLOCK] = _block(y, banded, reweight, rounds).T
    return found


def _block(y: Doubles, banded: Doubles, reweight: Reweight, rounds: int) -> Doubles:
    result = np.full_like(y, np.nan)
    active = np.flatnonzero(np.isfinite(y).all(0))
    y = y[:, active]
    weights, total = np.ones_like(y), np.abs(y).sum(0)
    for iteration in range(rounds + 1):
        if not active.size:
            break
        fitted = solve(weights, y, banded)
        new, settled, stuck = reweight(y - fitted, weights, y, iteration, total)
        going = ~(settled | stuck)
        if iteration == rounds:
            going[:] = False
        done = ~going
        result[:, active[done]] = fitted[:, done]
        if done.any():
            active, y, weights, total = active[going], y[:, going], new[:, going], total[going]
        else:
            weights = new
    return result
