"""Exponential moving average of the weights, which is validated and saved."""

from __future__ import annotations

import copy

import torch
from torch import nn


class EMA:
    """Exponential moving average of a module's weights; buffers (such as batch statistics) are copied.

    The decay increases from 0.1 to `decay`, so that the first weights do not dominate a short training.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay, self.updates = decay, 0
        self.module = copy.deepcopy(module).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Update the average after a step."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        for weight, new in zip(self.module.parameters(), module.parameters(), strict=True):
            weight.lerp_(new, 1 - decay)
        for mine, theirs in zip(self.module.buffers(), module.buffers(), strict=True):
            mine.copy_(theirs)
