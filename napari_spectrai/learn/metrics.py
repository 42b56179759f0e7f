"""Figures of merit for spectra, averaged over spectra; torch tensors or NumPy arrays of shape (..., λ)."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor


def _tensor(values: Any) -> Tensor:
    return values if isinstance(values, Tensor) else torch.as_tensor(values)


def mse(result: Any, truth: Any) -> float:
    """Return the mean squared error, in squared units of the input."""
    return float((_tensor(result) - _tensor(truth)).double().square().mean())


def psnr(result: Any, truth: Any) -> float:
    """Return the peak signal-to-noise ratio in dB; the data range is the truth's own."""
    truth = _tensor(truth)
    span, error = float(truth.max() - truth.min()), mse(result, truth)
    if error == 0:
        return math.inf
    return 10 * math.log10(span**2 / error) if span else -math.inf


def sam(result: Any, truth: Any) -> float:
    """Return the mean spectral angle in degrees (Kruse et al. 1993, doi:10.1016/0034-4257(93)90013-N).

    Spectra that are all zero on either side have no angle and are left out; NaN if none remains.
    """
    a, b = _tensor(result).double(), _tensor(truth).double()
    lengths = a.norm(dim=-1) * b.norm(dim=-1)
    valid = lengths > 0
    if not bool(valid.any()):
        return math.nan
    cosine = (a * b).sum(-1)[valid] / lengths[valid]
    return float(torch.rad2deg(torch.acos(cosine.clamp(-1, 1))).mean())


METRICS = {"mse": mse, "psnr": psnr, "sam": sam}
TITLES = {"mse": "MSE", "psnr": "PSNR (dB)", "sam": "Angle (°)"}


def scores(result: Any, truth: Any, names: tuple[str, ...]) -> dict[str, float]:
    """Return the named figures."""
    return {name: METRICS[name](result, truth) for name in names}
