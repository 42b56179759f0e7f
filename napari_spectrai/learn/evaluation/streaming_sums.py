"""Sums over spectra from which the scores of cubes follow; those of parts are merged."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.learn.scoring import metrics
from napari_spectrai.learn.scoring.peaks import peak_differences

_COUNTS = ("_count", "_angled", "_placed", "_absolute", "_angles", "_place", "_width", "_across", "_own")
"""Sums that are single numbers."""


class StreamingSums:
    """Sums over spectra, from which their scores follow; sums of several sets of spectra add up to those of all of them.

    Parameters
    ----------
    axis : SpectralAxis of L bands
    peaks : bool
        Whether positions and widths of peaks are compared.
    """

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

    def merge(self, vector: npt.NDArray[np.float64]) -> None:
        """Add what `vector` returned for other spectra."""
        plain, arrays = vector[: len(_COUNTS)], torch.from_numpy(vector[len(_COUNTS) :].reshape(4, -1).copy())
        for name, value in zip(_COUNTS, plain.tolist(), strict=True):
            setattr(self, name, getattr(self, name) + value)
        self._squares, self._total = self._squares + arrays[0], self._total + arrays[1]
        self._low, self._high = torch.minimum(self._low, arrays[2]), torch.maximum(self._high, arrays[3])

    @property
    def vector(self) -> npt.NDArray[np.float64]:
        """All sums, of shape (9 + 4 L,)."""
        plain = np.array([getattr(self, name) for name in _COUNTS], np.float64)
        return np.concatenate([plain, *(part.numpy() for part in (self._squares, self._total, self._low, self._high))])

    @staticmethod
    def size(bands: int) -> int:
        """Return the length of `vector`."""
        return len(_COUNTS) + 4 * bands

    @property
    def limits(self) -> tuple[float, float]:
        """Smallest and largest value of the truth."""
        return float(self._low.min()), float(self._high.max())

    @property
    def brightness(self) -> float:
        """The factor by which the result has to be multiplied to fit the truth best."""
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
