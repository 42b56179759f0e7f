"""Enlargement by a small filter that is fitted to pairs of coarse and fine images, whatever made the coarse ones."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional

SIDE = 5
"""Height and width of the filter, in pixels of the coarse image."""
SIDES = (3, SIDE)
"""Heights and widths that are tried."""
SMOOTH = 1e-3
"""Weight of the penalty on differences from the nearest pixel, relative to their mean square."""
FOLDS = 2
"""Parts of the pairs, each of which is predicted from the other."""


def enlarged(batch: Tensor, weights: Tensor, times: int) -> Tensor:
    """Return ``(N, y, x, λ)`` with `times` as many pixels per side; `weights` are (times², SIDE, SIDE), alike for all bands."""
    count, height, width, bands = batch.shape
    flat = batch.permute(0, 3, 1, 2).reshape(count * bands, 1, height, width)
    reach = [SIDE // 2] * 4
    large = functional.conv2d(functional.pad(flat, reach, mode="replicate"), weights[:, None])
    return functional.pixel_shuffle(large, times).reshape(count, bands, height * times, width * times).permute(0, 2, 3, 1)


def fit_weights(pairs: Iterable[tuple[Tensor, Tensor]], times: int) -> tuple[Tensor, float]:
    """Return the weights (times², SIDE, SIDE) with the least squared error on pairs that they were not fitted to, and that error.

    Parameters
    ----------
    pairs : iterable of (Tensor, Tensor)
        Batches of coarse ``(N, y, x, λ)`` and fine images; values that are not finite are left out.
    times : int
    """
    pixels, count = SIDE**2, [0] * FOLDS
    inner = torch.zeros(FOLDS, pixels, pixels, dtype=torch.float64)
    across = torch.zeros(FOLDS, pixels, times**2, dtype=torch.float64)
    squares = torch.zeros(FOLDS, dtype=torch.float64)
    for number, (coarse, fine) in enumerate(pairs):
        x, y = _rows(coarse, fine, times)
        fold = number % FOLDS
        inner[fold] += (x.T @ x).cpu()
        across[fold] += (x.T @ y).cpu()
        squares[fold] += (y**2).sum().cpu()
        count[fold] += y.numel()
    best, weights = float("inf"), torch.zeros(pixels, times**2, dtype=torch.float64)
    for side in SIDES:
        used = _window(side)
        error = 0.0
        for fold in range(FOLDS):
            w = _solved(inner.sum(0) - inner[fold], across.sum(0) - across[fold], used)
            error += float(squares[fold] - 2 * (w * across[fold]).sum() + (w * (inner[fold] @ w)).sum())
        if error < best:
            best, weights = error, _solved(inner.sum(0), across.sum(0), used)
    plain = weights.clone()
    plain[pixels // 2] = weights[pixels // 2] * 2 - weights.sum(0)  # differences from the nearest pixel: what it loses to them
    return plain.T.reshape(-1, SIDE, SIDE).float(), best / max(1, sum(count))


def _rows(coarse: Tensor, fine: Tensor, times: int) -> tuple[Tensor, Tensor]:
    """Return the nearest pixel and the differences of its neighbours (n, SIDE²), and the fine pixels inside it (n, times²)."""
    image = functional.pad(coarse.double().permute(0, 3, 1, 2), [SIDE // 2] * 4, mode="replicate")
    windows = image.unfold(2, SIDE, 1).unfold(3, SIDE, 1).reshape(-1, SIDE**2)
    centre = SIDE**2 // 2
    x = windows - windows[:, centre : centre + 1]
    x[:, centre] = windows[:, centre]
    count, height, width, bands = coarse.shape
    y = fine.double().reshape(count, height, times, width, times, bands).permute(0, 5, 1, 3, 2, 4).reshape(-1, times**2)
    known = x.isfinite().all(1) & y.isfinite().all(1)
    return x[known], y[known]


def _window(side: int) -> Tensor:
    """Return which of the pixels of the filter lie within a smaller one."""
    window = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    margin = (SIDE - side) // 2
    window[margin : SIDE - margin, margin : SIDE - margin] = True
    return window.flatten()


def _solved(inner: Tensor, across: Tensor, used: Tensor) -> Tensor:
    """Return the weights (SIDE², times²) of the pixels that are used, by regularised least squares."""
    chosen = torch.nonzero(used)[:, 0]
    products = inner[chosen][:, chosen]
    sizes = products.diagonal().clone()
    differences = chosen != len(used) // 2
    penalty = torch.where(differences, SMOOTH * sizes[differences].mean(), 0.0) + 1e-9 * sizes.max() + 1e-30
    weights = torch.zeros_like(across)
    weights[chosen] = torch.linalg.solve(products + torch.diag(penalty), across[chosen])
    return weights
