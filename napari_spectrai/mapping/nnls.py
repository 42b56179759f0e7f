"""Non-negative least squares for many spectra at once, exact, by exchanging active sets."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.mapping.kind import Doubles

FULL_EXCHANGES = 15
"""Exchanges of all infeasible coefficients before only the last of them is exchanged, which always ends (Murty 1974)."""
STEPS = 500
"""Exchanges at most, for each coefficient; far more than any cube has needed."""
AT_ONCE = 2**20
"""Values at a time: what is done once for a block then hardly counts."""
_CACHED = 2**16
"""Values that are converted and projected at a time: they stay in the processor's cache."""
_WELL_CONDITIONED = 1e4
"""Condition number of the references below which normal equations are exact enough."""
_SUM_WEIGHT = 1e4
"""Weight of the equation that coefficients add to one, relative to the largest reference."""
_FEASIBLE = -1e-12
_CANCELLED = 1e-9
"""Share of the squares of a spectrum below which its residual is computed band by band: a difference of squares would be rounding."""
_TABLE = 8
"""References up to which the matrices of all sets of positive coefficients are computed at once."""


def nnls(references: Doubles, spectra: Doubles, *, sum_to_one: bool = False) -> Doubles:
    """Return the coefficients (n, k), at least zero, with which references (k, m) fit spectra (n, m) best.

    See `NonNegative`, which solves for many blocks of spectra.
    """
    return NonNegative(references, sum_to_one=sum_to_one).solve(spectra)


class NonNegative:
    """Non-negative least squares with the same references for all spectra.

    Exact block principal pivoting (Kim & Park 2011, doi:10.1137/110821172): the problem is reduced to k dimensions by a QR
    decomposition, and all spectra with the same set of positive coefficients are solved together (Van Benthem & Keenan 2004,
    doi:10.1002/cem.889). Equal to `scipy.optimize.nnls` spectrum by spectrum.

    Parameters
    ----------
    references : ndarray of shape (k, m)
    sum_to_one : bool
        Whether coefficients add to one, by a heavily weighted equation (fully constrained least squares, Heinz & Chang 2001,
        doi:10.1109/36.911111).
    """

    def __init__(self, references: Doubles, *, sum_to_one: bool = False) -> None:
        self.references = np.ascontiguousarray(references, np.float64)
        orthogonal, reduced = np.linalg.qr(self.references.T)
        offset = np.zeros(len(reduced))
        if sum_to_one:
            weight = _SUM_WEIGHT * max(float(np.abs(reduced).max()), 1e-300)
            turned, reduced = np.linalg.qr(np.vstack([reduced, np.full((1, reduced.shape[1]), weight)]))
            orthogonal, offset = orthogonal @ turned[:-1], weight * turned[-1]
        scale = np.linalg.norm(reduced, axis=0)
        self._scale = np.where(scale > 0, scale, 1)
        self._onto, self._offset, self._sum_to_one = np.ascontiguousarray(orthogonal.T), offset, sum_to_one
        self._pivots = _Pivots(reduced / self._scale)

    @property
    def at_once(self) -> int:
        """Number of spectra that are best solved together."""
        k, m = self.references.shape
        return int(np.clip(AT_ONCE // max(k * k if k > _TABLE else k, m), 256, 2**14))

    def solve(self, spectra: Doubles) -> Doubles:
        """Return the coefficients (n, k) of spectra (n, m)."""
        found = [self._solve(spectra[first : first + self.at_once]) for first in range(0, len(spectra), self.at_once)]
        return np.concatenate(found) if found else np.empty((0, len(self.references)))

    def residual(self, spectra: Doubles, coefficients: Doubles) -> Doubles:
        """Return the root mean square residuals (n,) of spectra (n, m) with coefficients (n, k)."""
        left = coefficients @ self.references
        left -= spectra
        return np.asarray(np.sqrt(np.einsum("nm,nm->n", left, left) / left.shape[1]))

    def fit(self, spectra: npt.NDArray[Any]) -> tuple[Doubles, Doubles]:
        """Return the coefficients (n, k) and root mean square residuals (n,) of at most `at_once` spectra (n, m) of any type."""
        if self._sum_to_one:
            spectra = np.asarray(spectra, np.float64)
            found = self._solve(spectra)
            return found, self.residual(spectra, found)
        target, whole = self._projected(spectra)
        scaled = self._pivots.solve(target)
        # outside the span of the references, what no coefficient can change, and inside: all in k dimensions
        within = self._pivots.misfit(scaled, target)
        squares = whole - np.einsum("kn,kn->n", target, target) + within
        scaled /= self._scale[:, None]
        found = scaled.T
        close = np.flatnonzero(squares < _CANCELLED * whole)
        residual = np.sqrt(np.maximum(squares, 0) / spectra.shape[1])
        if close.size:
            residual[close] = self.residual(np.asarray(spectra[close], np.float64), found[close])
        return found, residual

    def _projected(self, spectra: npt.NDArray[Any]) -> tuple[Doubles, Doubles]:
        """Return spectra (n, m) in the span of the references, (k', n), and their sums of squares (n,)."""
        target, whole = np.empty((len(self._onto), len(spectra))), np.empty(len(spectra))
        rows = max(1, _CACHED // spectra.shape[1])
        for part in (slice(first, first + rows) for first in range(0, len(spectra), rows)):
            some = np.asarray(spectra[part], np.float64)
            target[:, part] = (some @ self._onto.T).T if some.flags.c_contiguous else self._onto @ some.T
            whole[part] = np.einsum("nm,nm->n", some, some)
        return target, whole

    def _solve(self, spectra: Doubles) -> Doubles:
        target = self._onto @ spectra.T
        target += self._offset[:, None]
        found = self._pivots.solve(target)
        found /= self._scale[:, None]
        if self._sum_to_one:
            total = found.sum(0)
            found /= np.where(total > 0, total, 1)
        return np.asarray(found.T)


def weighted_nnls(references: Doubles, spectra: Doubles, weights: Doubles, *, sum_to_one: bool = False) -> Doubles:
    """Return coefficients (n, k) as `nnls`, with weights (n, m) of the squared residuals: each spectrum has its own problem."""
    k = len(references)
    upper = np.triu_indices(k)
    products = references[upper[0]] * references[upper[1]]
    gram = np.empty((len(spectra), k, k))
    gram[:, upper[0], upper[1]] = gram[:, upper[1], upper[0]] = weights @ products.T
    target = (weights * spectra) @ references.T
    if sum_to_one:
        heavy = 1e6 * np.einsum("nii->ni", gram).max(1)
        gram += heavy[:, None, None]
        target += heavy[:, None]
    coefficients = _each(gram, target)
    if sum_to_one:
        total = coefficients.sum(1, keepdims=True)
        coefficients /= np.where(total > 0, total, 1)
    return coefficients


class _Pivots:
    """Problems ``min |R a - z|`` with one R (k, k), of columns of norm one, for all z.

    Which coefficients are positive is written as a number, one bit each. For every such number there is a matrix that maps z to the
    coefficients of these and the gradients of the others; what is negative in the product is infeasible.
    """

    def __init__(self, reduced: Doubles) -> None:
        self._reduced = reduced
        self._gram = reduced.T @ reduced
        singular = np.linalg.svd(reduced, compute_uv=False)
        self._well = bool(singular[0] < _WELL_CONDITIONED * singular[-1])
        self._bits = np.left_shift(np.int64(1), np.arange(reduced.shape[1]))
        few = reduced.shape[1] <= _TABLE
        self._dtype: type[Any] = np.uint8 if few else np.int64
        self._table = self._matrices(np.arange(2 ** reduced.shape[1])) if few else None

    def _matrices(self, patterns: npt.NDArray[np.integer[Any]]) -> Doubles:
        """Return the matrices (p, k, k') of some patterns, for z of length k'."""
        passive = (patterns[:, None] & self._bits) > 0
        both = passive[:, :, None] & passive[:, None, :]
        if self._well:
            number = np.arange(len(self._bits))
            gram = np.where(both, self._gram, 0.0)
            gram[:, number, number] = self._gram[number, number]
            solved = np.where(both, np.linalg.inv(gram), 0.0) @ self._reduced.T
        else:  # its error grows with the condition of R, not with its square
            solved = np.linalg.pinv(np.where(passive[:, None, :], self._reduced, 0.0))
        gradient = self._gram @ solved - self._reduced.T
        return np.asarray(np.where(passive[:, :, None], solved, gradient))

    def _product(self, target: Doubles, patterns: npt.NDArray[np.integer[Any]]) -> Doubles:
        """Return coefficients and gradients (k, n) for z (k', n), which are in the order of their patterns."""
        starts = np.flatnonzero(np.append(True, patterns[1:] != patterns[:-1]))
        known = patterns[starts]
        matrices = self._matrices(known) if self._table is None else self._table[known]
        if len(known) * 8 > len(patterns) and len(patterns) > 1:  # hardly any two have the same pattern
            number = np.repeat(np.arange(len(known)), np.diff(starts, append=len(patterns)))
            return np.asarray((matrices[number] @ target.T[..., None])[..., 0].T)
        found = np.empty((len(self._bits), len(patterns)))
        for matrix, start, end in zip(matrices, starts.tolist(), [*starts[1:].tolist(), len(patterns)], strict=True):
            np.matmul(matrix, target[:, start:end], out=found[:, start:end])
        return found

    def misfit(self, coefficients: Doubles, target: Doubles) -> Doubles:
        """Return ``|R a - z|²`` (n,) for coefficients (k, n) and z (k', n)."""
        left = self._reduced @ coefficients - target
        return np.asarray(np.einsum("kn,kn->n", left, left))

    def solve(self, target: Doubles) -> Doubles:
        """Return the coefficients (k, n) for z (k', n)."""
        k, n = len(self._bits), target.shape[1]
        result, moving = np.zeros((k, n)), np.arange(n)
        length = np.sqrt(np.einsum("kn,kn->n", target, target))
        target = target / np.where(length > 0, length, 1)
        passive = np.full(n, self._bits.sum(), self._dtype)
        for step in range(STEPS * k):
            found = self._product(target, passive)
            infeasible = self._infeasible(found)
            last = step == STEPS * k - 1  # linearly dependent references: the solution is not unique, any will do
            self._store(result, moving, found, passive, np.flatnonzero((infeasible == 0) | last))
            kept = np.flatnonzero(infeasible)
            if not kept.size:
                break
            infeasible = infeasible[kept]
            if step >= FULL_EXCHANGES:
                infeasible = self._dtype(1) << np.log2(infeasible.astype(np.float64)).astype(self._dtype)
            passive = passive[kept] ^ infeasible
            order = np.argsort(passive, kind="stable")
            kept = kept[order]
            passive, moving, target = passive[order], moving[kept], np.take(target, kept, axis=1)
        return np.asarray(result * length)

    def _infeasible(self, found: Doubles) -> npt.NDArray[Any]:
        """Return which of coefficients and gradients (k, n) are below zero, one bit each, of shape (n,)."""
        below = (found < _FEASIBLE).view(np.uint8)
        bits = below[0].astype(self._dtype)
        for number in range(1, len(below)):
            row = below[number] if self._dtype is np.uint8 else below[number].astype(self._dtype)
            bits |= np.left_shift(row, self._dtype(number), out=row)
        return np.asarray(bits)

    def _store(
        self, result: Doubles, places: npt.NDArray[np.intp], found: Doubles, passive: npt.NDArray[Any], done: npt.NDArray[np.intp]
    ) -> None:  # fmt: skip
        if not done.size:
            return
        places, passive = places[done], passive[done]
        if bool((passive == passive[0]).all()):
            for coefficient in np.flatnonzero(self._bits & int(passive[0])):
                result[coefficient, places] = np.maximum(found[coefficient][done], 0)
            return
        values = np.maximum(np.take(found, done, axis=1), 0)
        for number, row in enumerate(values):
            np.multiply(row, (passive >> self._dtype(number)) & self._dtype(1), out=row)
        result[:, places] = values


def _each(gram: Doubles, target: Doubles) -> Doubles:
    """Return the minimisers (n, k) of ``a G a / 2 - a·t`` for Gram matrices (n, k, k) and t (n, k)."""
    n, k = target.shape
    number = np.arange(k)
    diagonal = np.sqrt(np.maximum(gram[:, number, number], 1e-300))
    gram, target = gram / (diagonal[:, :, None] * diagonal[:, None, :]), target / diagonal
    result, moving = np.zeros((n, k)), np.arange(n)
    passive = np.ones((n, k), bool)
    for step in range(STEPS * k):
        matrix = np.where(passive[:, :, None] & passive[:, None, :], gram, 0.0)
        matrix[:, number, number] += np.where(passive, 1e-14, 1.0)
        found = np.linalg.solve(matrix, np.where(passive, target, 0)[..., None])[..., 0]
        outward = np.where(passive, found, (gram @ found[..., None])[..., 0] - target)
        infeasible = outward < _FEASIBLE * np.abs(target).max(1, keepdims=True)
        kept = infeasible.any(1)
        result[moving[~kept]] = np.maximum(found[~kept], 0)
        moving, passive, infeasible, gram, target = moving[kept], passive[kept], infeasible[kept], gram[kept], target[kept]
        if not moving.size:
            break
        if step >= FULL_EXCHANGES:
            last = k - 1 - infeasible[:, ::-1].argmax(1)
            infeasible = number == last[:, None]
        passive = passive ^ infeasible
    return result / diagonal
