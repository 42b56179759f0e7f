"""Abundances of components in spectra, by constrained least squares for all spectra at once."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

STEPS = 1000
AT_ONCE = 2**16
"""Number of abundances per block, so that they fit into the processor's cache."""


def abundances(spectra: Tensor, components: Tensor, *, sum_to_one: bool = True, tolerance: float = 1e-5) -> Tensor:
    """Return the abundances (n, k), at least zero, for which components (k, λ) approximate spectra (n, λ) best.

    Accelerated projected gradients (Beck & Teboulle 2009, doi:10.1137/080716542), restarted for each spectrum whose momentum increases
    the error (O'Donoghue & Candès 2015, doi:10.1007/s10208-013-9150-3), and stopped once it has converged.

    Parameters
    ----------
    sum_to_one : bool
        Whether the abundances of a spectrum sum to one (fully constrained least squares, Heinz & Chang 2001,
        doi:10.1109/36.911111).
    tolerance : float
        The change per iteration, relative to the largest abundance, below which a spectrum has converged.
    """
    if sum_to_one:  # does not change the solution, and improves the condition of the problem if components are similar
        centre = components.mean(0)
        spectra, components = spectra - centre, components - centre
    gram, target = components @ components.T, spectra @ components.T
    largest = float(torch.linalg.matrix_norm(gram, 2))
    if largest <= 0:
        return torch.full_like(target, 1 / len(components))
    gram, target = gram / largest, target / largest
    project = onto_simplex if sum_to_one else torch.relu
    at_once = max(256, AT_ONCE // len(gram)) if target.device.type == "cpu" else len(target)
    # in double precision: otherwise the number of iterations of a spectrum depends on rounding, and so on the batch
    gram, double = gram.double(), (part.double() for part in target.split(max(1, at_once)))
    return torch.cat([_nearest(part, gram, project, tolerance) for part in double]).to(spectra.dtype)


def _nearest(target: Tensor, gram: Tensor, project: Callable[[Tensor], Tensor], tolerance: float) -> Tensor:
    """Return the feasible a (n, k) that minimises ``a G aᵀ / 2 - a·target``, for a Gram matrix G of norm one."""
    result = project(torch.linalg.solve(gram + 1e-3 * torch.eye(len(gram)).to(gram), target.T).T)
    moving = torch.arange(len(result), device=result.device)
    current, ahead, pace = result, result, torch.ones_like(result[:, :1])
    for step in range(1, STEPS + 1):
        after = project(ahead - ahead @ gram + target)
        change = after - current
        astray = ((ahead - after) * change).sum(1, keepdim=True) > 0
        faster = torch.where(astray, 1.0, (1 + torch.sqrt(1 + 4 * pace**2)) / 2)
        ahead = after + torch.where(astray, 0.0, (pace - 1) / faster) * change
        current, pace = after, faster
        if step % 10 == 0:
            restless = change.abs().amax(1) > tolerance * current.amax(1)
            result[moving] = current
            moving, target = moving[restless], target[restless]
            current, ahead, pace = current[restless], ahead[restless], pace[restless]
            if not len(moving):
                return result
    result[moving] = current
    return result


def onto_simplex(values: Tensor) -> Tensor:
    """Return the nearest points (n, k) that are non-negative and sum to one (Michelot 1986, doi:10.1007/BF00938486)."""
    inside = torch.ones_like(values, dtype=torch.bool)
    for _ in range(values.shape[1]):  # values that fall below the level never return, so that this terminates
        level = ((values * inside).sum(1, keepdim=True) - 1) / inside.sum(1, keepdim=True)
        left = values > level
        if bool((left == inside).all()):
            break
        inside = left
    return (values - level).clamp(min=0)
