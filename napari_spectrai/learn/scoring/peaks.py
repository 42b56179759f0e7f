"""How far off the highest peak of a spectrum is: its place and its width."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def peaks(spectra: Tensor, positions: Tensor, near: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return place and width of the highest peak of each spectrum, and the first and last band that its half height spans.

    Parameters
    ----------
    spectra : Tensor of shape (n, λ)
    positions : Tensor of shape (λ,), monotonic
    near : first and last band (n,), optional
        Where the peak is sought; default: everywhere but the first and last band.

    Returns
    -------
    place, width : Tensor of shape (n,), in units of the positions
        The vertex of the parabola through the three highest values; the width at half the height above the lowest value. NaN where a
        spectrum has no peak that rises and falls to half its height.
    first, last : Tensor of shape (n,)
    """
    count, bands = spectra.shape
    numbers = torch.arange(bands, device=spectra.device)
    allowed = (numbers > 0) & (numbers < bands - 1)
    sought = allowed.expand(count, -1) if near is None else allowed & (numbers >= near[0][:, None]) & (numbers <= near[1][:, None])
    top = spectra.masked_fill(~sought, -torch.inf).argmax(1)
    left, middle, right = (spectra.gather(1, (top + step).clamp(0, bands - 1)[:, None])[:, 0] for step in (-1, 0, 1))
    curvature = left - 2 * middle + right
    shift = torch.where(curvature < 0, 0.5 * (left - right) / torch.where(curvature < 0, curvature, 1.0), 0.0).clamp(-0.5, 0.5)
    half = (middle + spectra.amin(1)) / 2
    below = spectra < half[:, None]
    first = torch.where(below & (numbers < top[:, None]), numbers, -1).amax(1)
    last = torch.where(below & (numbers > top[:, None]), numbers, bands).amin(1)
    whole = (first >= 0) & (last < bands) & (middle > half)
    rising, falling = _crossing(spectra, first, half), _crossing(spectra, last - 1, half)
    place = torch.where(whole, _at(positions, top + shift), torch.nan)
    width = torch.where(whole, (_at(positions, falling) - _at(positions, rising)).abs(), torch.nan)
    return place, width, first.clamp(min=0), last.clamp(max=bands - 1)


def _crossing(spectra: Tensor, before: Tensor, level: Tensor) -> Tensor:
    """Return where, counted in bands, each spectrum crosses a level between a band and the next."""
    start = before.clamp(0, spectra.shape[1] - 2)
    one, other = (spectra.gather(1, (start + step)[:, None])[:, 0] for step in (0, 1))
    difference = other - one
    share = torch.where(difference != 0, (level - one) / torch.where(difference != 0, difference, 1.0), 0.0)
    return start + share.clamp(0, 1)


def _at(positions: Tensor, bands: Tensor) -> Tensor:
    """Return positions at fractions of bands."""
    low = bands.floor().long().clamp(0, len(positions) - 2)
    return positions[low] + (bands - low) * (positions[low + 1] - positions[low])


def peak_differences(result: Any, truth: Any, positions: Any) -> tuple[Tensor, Tensor]:
    """Return the absolute errors of place and width of each spectrum's highest peak, in units of the axis; NaN where there is no peak.

    The peak of the truth is sought in the result within the truth's width at half height.

    Parameters
    ----------
    result, truth : Tensor or array of shape (..., λ)
    positions : array of shape (λ,)
        Where they are fewer than five, or turn back, no peak is known.
    """
    one, other = (torch.as_tensor(values).double().reshape(-1, values.shape[-1]) for values in (result, truth))
    axis = torch.tensor(positions, dtype=torch.float64)
    steps = axis.diff()
    if len(axis) < 5 or not bool((steps > 0).all() | (steps < 0).all()):
        return (one.new_full((len(one),), torch.nan),) * 2
    place, width, first, last = peaks(other, axis)
    found, spread, _, _ = peaks(one, axis, (first, last))
    return (found - place).abs(), (spread - width).abs()


def peak_errors(result: Any, truth: Any, positions: Any) -> tuple[float, float]:
    """Return the mean absolute error of place and width of each spectrum's highest peak, in units of the axis.

    Spectra whose truth or result has no such peak are left out; NaN if none remains.

    Parameters
    ----------
    result, truth : Tensor or array of shape (..., λ)
    positions : array of shape (λ,)
    """
    places, widths = peak_differences(result, truth, positions)
    return float(places.nanmean()), float(widths.nanmean())
