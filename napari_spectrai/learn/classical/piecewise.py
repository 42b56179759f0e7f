"""Piecewise direct standardisation of all bands at once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from napari_spectrai.learn.classical.transfer import Array, Learnt, Transfer, folds

HALF_WIDTHS = (0, 1, 2, 3, 5, 8, 12, 18, 25)
"""Numbers of bands to each side that are tried."""
COMPONENTS = 6
"""Largest number of latent variables that is tried."""
TUNED = 800, 300
"""Largest numbers of pairs and target bands used to choose window and components; they are evenly spread."""


class PDS(Transfer):
    """Each band of the target by partial least squares on a window of the source's bands around its position."""

    coefficients: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Return transferred spectra ``(..., λ')``."""
        half = (self.coefficients.shape[1] - 1) // 2
        # outside the axis, the coefficients are zero
        centres, last = self.places.round().long(), x.shape[-1] - 1
        result = self.offset.expand(*x.shape[:-1], -1)
        for number in range(2 * half + 1):
            result = torch.addcmul(result, x[..., (centres + number - half).clamp(0, last)], self.coefficients[:, number])
        return result

    def learnt(self, x: Array, y: Array) -> Learnt:
        """Return the coefficients of every band's window."""
        centres = np.round(self._places.clip(0, x.shape[1] - 1)).astype(np.intp)
        half, components = self.chosen["settings"] if self.chosen else self._tuned(x, y, centres)
        self.chosen = {"settings": (half, components)}
        *_, coefficients = latent(*moments(x - x.mean(0), y - y.mean(0), centres, half), components)
        windows, mean = _windows(centres, half, x.shape[1]), x.mean(0)
        return {"coefficients": coefficients, "offset": y.mean(0) - (mean[windows.clip(0, len(mean) - 1)] * coefficients).sum(1)}

    def _tuned(self, x: Array, y: Array, centres: np.ndarray) -> tuple[int, int]:
        """Return the half-width and the number of latent variables with the smallest cross-validated error."""
        spec, most = self.spec, max(1, min(COMPONENTS, len(x) - 2))
        halves = [half for half in HALF_WIDTHS if half < max(1, x.shape[1] // 2)] if spec.window is None else [spec.window // 2]
        counts = range(1, most + 1) if spec.components is None else [min(spec.components, len(x) - 1)]
        if len(halves) * len(counts) == 1:
            return halves[0], counts[0]
        rows, bands = (np.linspace(0, c - 1, min(c, m)).astype(np.intp) for c, m in zip((len(x), y.shape[1]), TUNED, strict=True))
        x, y, centres = x[rows], y[rows][:, bands], centres[bands]
        errors = np.zeros((len(halves), counts[-1]))
        for learnt, held in folds(len(x)):
            mean_x, mean_y = x[learnt].mean(0), y[learnt].mean(0)
            products, cross = moments(x[learnt] - mean_x, y[learnt] - mean_y, centres, halves[-1])
            seen = (x[held] - mean_x)[:, _windows(centres, halves[-1], x.shape[1]).clip(0, x.shape[1] - 1)]
            for row, half in enumerate(halves):
                some = slice(halves[-1] - half, halves[-1] + half + 1)
                for count, coefficients in enumerate(latent(products[:, some, some], cross[:, some], counts[-1])):
                    errors[row, count] += np.square(np.einsum("nbw,bw->nb", seen[..., some], coefficients) + mean_y - y[held]).sum()
        errors = errors[:, [count - 1 for count in counts]]
        row, column = divmod(int(errors.argmin()), errors.shape[1])
        return halves[row], counts[column]


def _windows(centres: np.ndarray, half: int, bands: int) -> np.ndarray:
    return centres[:, None] + np.arange(-half, half + 1)


def moments(x: Array, y: Array, centres: np.ndarray, half: int) -> tuple[Array, Array]:
    """Return for each window of centred spectra the products of its bands (λ', w, w) and with its target (λ', w); 0 outside the axis."""
    bands, width = x.shape[1], 2 * half + 1
    # only the diagonals of the matrix of all products within a window
    diagonals = np.zeros((width, bands + width))
    for apart in range(min(width, bands)):
        diagonals[apart, : bands - apart] = np.einsum("nb,nb->b", x[:, : bands - apart], x[:, apart:])
    windows = _windows(centres, half, bands)
    inside = (windows >= 0) & (windows < bands)
    kept = windows.clip(0, bands - 1)
    place = np.arange(width)
    apart = np.abs(place[:, None] - place)
    first = np.minimum(place[:, None], place)
    products = diagonals[apart, kept[:, first]] * (inside[:, :, None] & inside[:, None, :])
    cross = np.stack([np.einsum("nb,nb->b", x[:, kept[:, number]], y) for number in place], 1) * inside
    return products, cross


def latent(products: Array, cross: Array, components: int) -> Iterator[Array]:
    """Yield the coefficients (λ', w) of partial least squares with 1, 2, … latent variables, of all windows at once.

    The second algorithm of Dayal & MacGregor (1997, doi:10.1002/(SICI)1099-128X(199701)11:1<73::AID-CEM435>3.0.CO;2-#).
    """
    weights: list[Array] = []
    loadings: list[Array] = []
    coefficients, left = np.zeros_like(cross), cross
    least = np.finfo(np.float64).eps * np.abs(cross).max(1, initial=0, keepdims=True)
    for _ in range(components):
        length = np.linalg.norm(left, axis=1, keepdims=True)
        weight = left / np.where(length > 0, length, 1)
        for loading, earlier in zip(loadings, weights, strict=True):
            weight = weight - (loading * (left / np.where(length > 0, length, 1))).sum(1, keepdims=True) * earlier
        seen = (products @ weight[:, :, None])[..., 0]
        size = (weight * seen).sum(1, keepdims=True)
        # this window has no residual left
        alive = (length > 8 * least) & (size > 0)
        loading = np.where(alive, seen / np.where(alive, size, 1), 0)
        share = np.where(alive, (weight * left).sum(1, keepdims=True) / np.where(alive, size, 1), 0)
        coefficients = coefficients + weight * share
        left = left - loading * share * size
        weights.append(weight)
        loadings.append(loading)
        yield coefficients
