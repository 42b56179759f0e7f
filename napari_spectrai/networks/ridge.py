"""The closed-form ridge map as a linear skip connection: a network on top of it starts at the error of ridge regression."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_spectrai.networks.blocks import zero_last_layer


def ridge_map(x: Tensor, y: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """Return weight and intercept of ridge regression (Hoerl & Kennard 1970, doi:10.1080/00401706.1970.10488634).

    Parameters
    ----------
    x, y : Tensor of shape (n, bands in) and (n, bands out)
    alpha : float
        Penalty on the squared weights; the intercept is not penalised.

    Returns
    -------
    weight : Tensor of shape (bands in, bands out), float32
    intercept : Tensor of shape (bands out,), float32
    """
    # the normal equations lose half the digits, so they use double precision if the device supports it
    double = torch.float32 if x.device.type == "mps" else torch.float64
    mean_x, mean_y = x.mean(0, dtype=double), y.mean(0, dtype=double)
    if len(x) < x.shape[1]:  # the same solution, with one equation per spectrum
        centred = x.to(double) - mean_x
        moment = centred @ centred.T
        moment.diagonal().add_(alpha)
        weight = centred.T @ torch.linalg.solve(moment, y.to(double) - mean_y)
        return weight.float(), (mean_y - mean_x @ weight).float()
    moment = torch.zeros(x.shape[1], x.shape[1], dtype=double, device=x.device)
    cross = torch.zeros(x.shape[1], y.shape[1], dtype=double, device=x.device)
    for part_x, part_y in zip(x.split(65_536), y.split(65_536), strict=True):
        centred = part_x.to(double) - mean_x
        moment += centred.T @ centred
        cross += centred.T @ (part_y.to(double) - mean_y)
    moment.diagonal().add_(alpha)
    weight = torch.linalg.solve(moment, cross)
    return weight.float(), (mean_y - mean_x @ weight).float()


class RidgeSkip(nn.Module):
    """Ridge map plus a residual network on the input and its ridge estimate, whose output starts at zero."""

    weight: Tensor
    intercept: Tensor

    def __init__(self, residual: nn.Module, in_bands: int, out_bands: int) -> None:
        super().__init__()
        self.residual = residual
        self.register_buffer("weight", torch.zeros(in_bands, out_bands))
        self.register_buffer("intercept", torch.zeros(out_bands))
        zero_last_layer(self)

    @property
    def last(self) -> nn.Module:
        """The layer whose weights, if zero, leave the ridge map unchanged."""
        last: nn.Module = self.residual.last  # type: ignore[assignment]
        return last

    def set_map(self, weight: Tensor, intercept: Tensor) -> None:
        """Copy a fitted ridge map."""
        self.weight.copy_(weight)
        self.intercept.copy_(intercept)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, y, x, bands)`` to ``(N, y, x, out_bands)``."""
        with torch.autocast(x.device.type, enabled=False):  # the ridge map keeps its precision
            estimate = torch.addmm(self.intercept, x.float().flatten(0, -2), self.weight).view(*x.shape[:-1], -1)
        if x.shape[-1] != estimate.shape[-1]:  # interpolated to the output bands, to be concatenated with the estimate
            flat = functional.interpolate(x.flatten(0, -2)[:, None], size=estimate.shape[-1], mode="linear", align_corners=True)
            x = flat.view(estimate.shape)
        result: Tensor = estimate + self.residual(x, estimate)
        return result
