"""Levenberg–Marquardt for many spectra at once: batched normal equations, bounds, standard errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_spectrai.mapping.kind import Doubles

Mask = npt.NDArray[np.bool_]
Model = Callable[[Doubles, Doubles], tuple[Doubles, Doubles]]
"""From parameters (n, P) and spectra (n, m) to residuals (n, m) and derivatives of the model (n, P, m)."""

STEPS = 100
ACCURACY = 1e-2
"""A fit ends with a step that is smaller than this share of the standard error, along every direction; what is left after it is less."""
SLOW = 0.1
"""The same share for fits that take more than `STEPS` steps."""
SINGULAR = 1e12
"""Variance inflation of a parameter above which the data do not determine it."""
_START, _LEAST, _MOST = 1e-3, 1e-9, 1e9


@dataclass(frozen=True, slots=True)
class Fit:
    """Fitted parameters of n spectra.

    Attributes
    ----------
    parameters : ndarray of shape (n, P)
    covariance : ndarray of shape (n, P, P)
        By the residual variance; NaN for parameters at a bound, whose error the data do not determine.
    squares : ndarray of shape (n,)
        Sum of squared residuals.
    converged : bool ndarray of shape (n,)
    at_bound : bool ndarray of shape (n, P)
        Parameters that are held at a bound.
    """

    parameters: Doubles
    covariance: Doubles
    squares: Doubles
    converged: Mask
    at_bound: Mask


def levenberg_marquardt(model: Model, spectra: Doubles, start: Doubles, low: Doubles, high: Doubles) -> Fit:
    """Fit a model to each spectrum by least squares, all at once.

    Levenberg–Marquardt with the diagonal of the normal matrix as the scale (Moré 1978, doi:10.1007/BFb0067700); a parameter at a
    bound whose gradient points outwards is held there.

    Parameters
    ----------
    model : callable
        From parameters (n, P) and spectra (n, m) to residuals (n, m) and derivatives of the model (n, P, m).
    spectra : ndarray of shape (n, m)
    start : ndarray of shape (n, P)
    low, high : ndarray of shape (P,) or (n, P)
        Bounds.
    """
    low, high = (np.broadcast_to(bound, start.shape) for bound in (low, high))
    n, size = start.shape
    result = Fit(np.empty((n, size)), np.empty((n, size, size)), np.empty(n), np.zeros(n, bool), np.zeros((n, size), bool))
    moving = np.arange(n)
    state = _State.at(model, spectra, np.clip(start, low, high), low, high)
    for _ in range(STEPS):
        ended = state.step(model)
        if ended.any():
            state.only(ended).store(result, moving[ended])
            moving, state = moving[~ended], state.only(~ended)
            if not moving.size:
                return result
    # slow to converge: close enough if a step is small compared with the errors
    near = state.moved <= SLOW**2 * state.squares / max(1, spectra.shape[1] - size)
    state.store(result, moving)
    result.converged[moving] &= near
    return result


@dataclass(slots=True)
class _State:
    """State of the fits that have not ended; the first dimension of its arrays is their number, n."""

    spectra: Doubles
    low: Doubles
    high: Doubles
    parameters: Doubles
    squares: Doubles
    normal: Doubles
    gradient: Doubles
    damping: Doubles
    floor: Doubles
    moved: Doubles

    @classmethod
    def at(cls, model: Model, spectra: Doubles, parameters: Doubles, low: Doubles, high: Doubles) -> _State:
        squares, normal, gradient = _equations(model, spectra, parameters)
        n = len(spectra)
        floor = 1e-24 * np.einsum("nm,nm->n", spectra, spectra)
        damping, moved = np.full(n, _START), np.full(n, np.inf)
        return cls(spectra, low, high, parameters.copy(), squares, normal, gradient, damping, floor, moved)

    def only(self, kept: Mask) -> _State:
        return _State(*(getattr(self, name)[kept] for name in _State.__slots__))

    def held(self) -> Mask:
        """Return which parameters are held at a bound."""
        return ((self.parameters <= self.low) & (self.gradient <= 0)) | ((self.parameters >= self.high) & (self.gradient >= 0))

    def step(self, model: Model) -> Mask:
        """Try one step of each fit; return which fits have ended."""
        held = self.held()
        scale = _scale(self.normal)
        matrix = _restricted(self.normal * scale[:, :, None] * scale[:, None, :], held)
        number = np.arange(matrix.shape[1])
        matrix[:, number, number] += self.damping[:, None]
        change = np.linalg.solve(matrix, np.where(held, 0, self.gradient * scale)[..., None])[..., 0] * scale
        trial = np.clip(self.parameters + change, self.low, self.high)
        change = trial - self.parameters
        moved = np.einsum("ni,ni->n", change, (self.normal @ change[..., None])[..., 0])
        promised = 2 * np.einsum("ni,ni->n", change, self.gradient) - moved
        squares, normal, gradient = _equations(model, self.spectra, trial)
        better = squares <= self.squares
        gain = (self.squares - squares) / np.where(promised > 0, promised, 1)
        degrees = max(1, self.spectra.shape[1] - self.parameters.shape[1])
        small = moved <= ACCURACY**2 * self.squares / degrees + self.floor
        ended = (better & small & (self.damping <= 1)) | (~better & small) | (~better & (self.damping >= _MOST))
        self.parameters[better], self.squares[better] = trial[better], squares[better]
        self.normal[better], self.gradient[better] = normal[better], gradient[better]
        # relative to the reduction predicted by the linear model: steps that go too far need more damping even if they are accepted
        factor = np.where(better, np.where(gain > 0.75, 0.1, np.where(gain < 0.25, 5.0, 1.0)), 10.0)
        self.damping = np.clip(np.where(factor > 1, np.maximum(self.damping, 1e-3), self.damping) * factor, _LEAST, _MOST * 10)
        self.moved = moved
        return np.asarray(ended)

    def store(self, result: Fit, places: npt.NDArray[np.intp]) -> None:
        """Store these fits in their places, with the covariance of their parameters."""
        held = self.held()
        scale = _scale(self.normal)
        matrix = _restricted(self.normal * scale[:, :, None] * scale[:, None, :], held)
        regular = np.isfinite(matrix).all((1, 2))
        matrix[~regular] = np.eye(matrix.shape[1])
        number = np.arange(matrix.shape[1])
        matrix[:, number, number] += 1e-15  # never exactly singular
        inverse = np.linalg.inv(matrix)
        regular &= np.abs(inverse[:, number, number]).max(1) < SINGULAR
        free = self.parameters.shape[1] - held.sum(1)
        variance = self.squares / np.maximum(1, self.spectra.shape[1] - free)
        inverse *= scale[:, :, None] * scale[:, None, :] * variance[:, None, None]
        inverse[held[:, :, None] | held[:, None, :]] = np.nan
        result.parameters[places], result.covariance[places], result.squares[places] = self.parameters, inverse, self.squares
        result.converged[places], result.at_bound[places] = regular, held


def _equations(model: Model, spectra: Doubles, parameters: Doubles) -> tuple[Doubles, Doubles, Doubles]:
    """Return the sums of squared residuals (n,), the normal matrices (n, P, P) and half the descent directions (n, P)."""
    residual, jacobian = model(parameters, spectra)
    gradient = (jacobian @ residual[..., None])[..., 0]
    return np.einsum("nm,nm->n", residual, residual), jacobian @ jacobian.transpose(0, 2, 1), gradient


def _scale(normal: Doubles) -> Doubles:
    diagonal = np.einsum("nii->ni", normal)
    return np.asarray(1 / np.sqrt(np.where(diagonal > 0, diagonal, 1)))


def _restricted(matrix: Doubles, held: Mask) -> Doubles:
    """Return normal matrices in which held parameters are left out."""
    if held.any():
        matrix = np.where(held[:, :, None] | held[:, None, :], 0.0, matrix)
    number = np.arange(matrix.shape[1])
    diagonal = matrix[:, number, number]
    matrix[:, number, number] = np.where(held | (diagonal <= 0), 1.0, diagonal)
    return matrix
