"""The pool of all spectra: samples, positions of the cubes, and whole cubes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from napari_spectrai.experiment.network_spec import needs_continued
from napari_spectrai.plan.subsets import TRAINING
from napari_spectrai.valid import continue_into


@dataclass(frozen=True, slots=True)
class Samples:
    """Positions of patches in the pool: first pixel, its column, and row stride; for `patch` 1, of spectra."""

    first: Tensor
    column: Tensor
    row: Tensor
    patch: int
    part: int = TRAINING

    def __len__(self) -> int:
        return len(self.first)

    def __getitem__(self, chosen: Tensor | slice) -> Samples:
        return replace(self, first=self.first[chosen], column=self.column[chosen], row=self.row[chosen])

    def pixels(self, times: int = 1) -> Tensor:
        """Return pixel indices of shape (n, patch, patch); for a truth with `times` as many pixels per side, in its own pool."""
        steps = torch.arange(self.patch * times, device=self.first.device)
        # rows above contain times² as many pixels, those to the left in the same row times as many
        first = times**2 * (self.first - self.column) + times * self.column
        return first[:, None, None] + steps[:, None] * (times * self.row)[:, None, None] + steps

    def shown(self, count: int) -> Tensor:
        """Return which pixels of the pool are in any patch, bool (count,), without listing all pixels of all patches."""
        # each row of a patch is a run: count its start and its end
        change = torch.zeros(count + 1, dtype=torch.int32, device=self.first.device)
        one = torch.ones_like(self.first, dtype=torch.int32)
        for number in range(self.patch):
            starts = self.first + number * self.row
            change.index_add_(0, starts, one)
            change.index_add_(0, starts + self.patch, -one)
        return change[:-1].cumsum(0) > 0

    def to(self, device: torch.device) -> Samples:
        """Return the samples on `device`."""
        return replace(self, first=self.first.to(device), column=self.column.to(device), row=self.row.to(device))


@dataclass(frozen=True, slots=True)
class Scene:
    """A prepared image, its truth, and its valid pixels, for methods that use whole images.

    Attributes
    ----------
    x : Tensor of shape (z, y, x, λ)
    y : Tensor of shape (z, y', x', λ') or, of classes 1 … C, (z, y, x); None without truth
    counts : bool Tensor of shape (z, y, x)
    units : Tensor of shape (z, y, x, 4) or None
        If the truth has its own unit: factors with which `in_units` converts outputs and truths.
    holds : bool Tensor of shape (z, y, x), or None
        Which pixels hold data; None: all.
    """

    x: Tensor
    y: Tensor | None
    counts: Tensor
    units: Tensor | None = None
    holds: Tensor | None = None

    def given_to(self, spec: Any) -> Tensor:
        """Return `x` as the input of a method or network with these settings, as in a prediction: see `with_holes`."""
        return self.x if self.holds is None else with_holes(self.x, ~self.holds, spec)

    @property
    def continued(self) -> Tensor:
        """`x` with the nearest spectra that hold data where there are none."""
        return self.x if self.holds is None else continued(self.x, ~self.holds)

    @property
    def held(self) -> Tensor:
        """The spectra (n, λ) of all pixels that hold data."""
        return self.x.flatten(0, -2) if self.holds is None else self.x[self.holds]

    def known(self) -> Tensor:
        """Return which pixels (z, y, x) are valid and have a truth; for classes, a label."""
        if self.y is None:
            raise ValueError("these data have no truth")
        return self.counts & (self.y > 0) if self.y.ndim == 3 else self.counts

    def pairs(self) -> tuple[Tensor, Tensor]:
        """Return the spectra (n, λ) and truths (n, ...) of the pixels that are valid and have a truth."""
        counts = self.known()
        assert self.y is not None  # noqa: S101  # `known` refuses it
        return self.x[counts], self.y[counts]


def with_holes(x: Tensor, holes: Tensor, spec: Any) -> Tensor:
    """Return images (N, y, x, λ) as the input of a method or network with some settings, where `holes` (N, y, x) hold no data.

    The nearest spectra with data continue the image for what uses neighbouring pixels; a mixture, whose members differ, is given NaN;
    others zeros.
    """
    if not bool(holes.any()):
        return x
    if spec.chooses:
        return x.masked_fill(holes[..., None], torch.nan)
    return continued(x, holes) if needs_continued(spec) else x.masked_fill(holes[..., None], 0)


def continued(x: Tensor, holes: Tensor) -> Tensor:
    """Return images (N, y, x, λ) in which spectra are replaced by the nearest one that is not in `holes` (N, y, x)."""
    done = x.detach().cpu().clone()
    continue_into(done.numpy(), holes.cpu().numpy())
    return done.to(x.device)


def mean_spectrum(x: Tensor) -> Tensor:
    """Return the mean spectrum of each image ``(N, y, x, λ)`` as ``(N, 1, 1, λ)``, over the pixels that are not all zero."""
    held = x.any(-1, keepdim=True).to(x.dtype)
    return (x * held).sum((1, 2), keepdim=True) / held.sum((1, 2), keepdim=True).clamp(min=1)


def in_units(units: Tensor | None, output: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Return outputs and truths (..., λ) in the unit of the truth; without `units` unchanged, in prepared intensities.

    Parameters
    ----------
    units : Tensor of shape (..., 4) or None
        For each pixel the scale and offset of an output, and those of the truth.
    """
    if units is None:
        return output, truth
    scale, offset, own_scale, own_offset = units.to(output.device).unsqueeze(-2).unbind(-1)
    return output * scale + offset, truth * own_scale + own_offset
