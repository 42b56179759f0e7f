"""Batch normalisation with the statistics of the batches of all processes, on any device: torch's own works on GPUs only."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.modules.batchnorm import _BatchNorm

from napari_spectrai.learn.parallel.group import ProcessGroup


def synchronise(network: nn.Module, group: ProcessGroup) -> None:
    """Let all batch normalisations of a network, in place, use the statistics of the batches of all processes while it trains.

    Their weights and running statistics keep their names.
    """
    if group.size == 1:
        return
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            kind = type(module)
            module.__class__ = type(f"Synchronised{kind.__name__}", (_Synchronised, kind), {})
            module.group = group  # type: ignore[assignment]


class _Stacked(torch.autograd.Function):
    """Values of all processes; each value receives the gradients of all of them."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, group: ProcessGroup) -> Tensor:
        ctx.group = group
        return group.stacked(values)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        group: ProcessGroup = ctx.group
        return group.sum(gradient.clone())[group.rank.number], None


class _Synchronised(_BatchNorm):
    """Mean and variance over all processes, in float32."""

    group: Any

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  # named as in torch
        if not self.training:
            return super().forward(input)
        self._check_input_dim(input)  # type: ignore[no-untyped-call]
        values, over = input.float(), [0, *range(2, input.dim())]
        count = values.numel() // values.shape[1]
        variance, mean = torch.var_mean(values, over, correction=0)
        known: Tensor = _Stacked.apply(torch.cat([mean, variance, mean.new_full((1,), count)]), self.group)  # type: ignore[no-untyped-call]
        means, variances, counts = known.split([len(mean), len(mean), 1], 1)
        counts = counts.detach()
        share = counts / counts.sum()
        mean = (share * means).sum(0)
        variance = (share * (variances + (means - mean) ** 2)).sum(0)
        self._remember(mean.detach(), variance.detach(), counts.sum())
        shape = [1, -1, *[1] * (input.dim() - 2)]
        result = (values - mean.view(shape)) * torch.rsqrt(variance + self.eps).view(shape)
        if self.affine:
            result = result * self.weight.view(shape) + self.bias.view(shape)
        normalised: Tensor = result.to(input.dtype)
        return normalised

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        """Update the running statistics, as torch does."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked += 1
        momentum = 1 / self.num_batches_tracked if self.momentum is None else self.momentum
        self.running_mean += momentum * (mean - self.running_mean)
        self.running_var += momentum * (variance * (count / (count - 1).clamp(min=1)) - self.running_var)
