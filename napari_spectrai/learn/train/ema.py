"""Exponential moving average of the weights, which is validated and saved."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


class EMA:
    """Exponential moving average of a module's weights; buffers (such as batch statistics) are copied.

    The decay increases from 0.1 to `decay`, so that the first weights do not dominate a short training.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay, self.updates = decay, 0
        self.module = copy.deepcopy(module).eval().requires_grad_(False)
        self._mine = _tensors(self.module)
        self._theirs: tuple[list[Tensor], list[Tensor]] = ([], [])
        self._of: nn.Module | None = None

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Update the average after a step."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        if module is not self._of:
            self._theirs, self._of = _tensors(module), module
        (weights, buffers), (new_weights, new_buffers) = self._mine, self._theirs
        get_ema_multi_avg_fn(decay)(weights, new_weights, self.updates)
        for mine, theirs in zip(buffers, new_buffers, strict=True):
            mine.copy_(theirs)


def _tensors(module: nn.Module) -> tuple[list[Tensor], list[Tensor]]:
    return list(module.parameters()), list(module.buffers())
