"""torch's learning-rate schedulers, built from their specs. `step` says whether they advance after each step or each epoch."""

from __future__ import annotations

from typing import Any, Literal

from torch.optim import Optimizer
from torch.optim import lr_scheduler as torch_schedulers

Pace = Literal["step", "epoch", "metric"]
Made = tuple[Any, Pace]


def constant(spec: Any, optimiser: Optimizer, steps: int, epochs: int) -> Made:
    """Keep the learning rate constant."""
    return torch_schedulers.ConstantLR(optimiser, factor=1.0), "epoch"


def one_cycle(spec: Any, optimiser: Optimizer, steps: int, epochs: int) -> Made:
    """Increase and decrease once over the whole training."""
    peak = optimiser.param_groups[0]["lr"]
    total, rise = max(2, steps * epochs), spec.rise
    if rise * total in (1, total):  # torch divides by the lengths of both phases, one of which would be 0
        rise *= 1 - 1e-9
    # the momentum stays as set in the optimiser
    scheduler = torch_schedulers.OneCycleLR(optimiser, peak, total_steps=total, pct_start=rise, cycle_momentum=False)
    return scheduler, "step"


def cosine(spec: Any, optimiser: Optimizer, steps: int, epochs: int) -> Made:
    """Decrease along half a cosine."""
    peak = optimiser.param_groups[0]["lr"]
    return torch_schedulers.CosineAnnealingLR(optimiser, steps * epochs, eta_min=peak * spec.floor), "step"


def step_down(spec: Any, optimiser: Optimizer, steps: int, epochs: int) -> Made:
    """Decrease in steps."""
    return torch_schedulers.StepLR(optimiser, spec.every, gamma=spec.factor), "epoch"


def multiplicative(spec: Any, optimiser: Optimizer, steps: int, epochs: int) -> Made:
    """Multiply by a factor after each epoch."""
    return torch_schedulers.ExponentialLR(optimiser, spec.factor), "epoch"


def cyclic(spec: Any, optimiser: Optimizer, steps: int, epochs: int) -> Made:
    """Increase and decrease periodically."""
    peak = optimiser.param_groups[0]["lr"]
    half = max(1, round(spec.half_period * steps))
    scheduler = torch_schedulers.CyclicLR(optimiser, peak * spec.floor, peak, step_size_up=half, cycle_momentum=False)
    return scheduler, "step"


def plateau(spec: Any, optimiser: Optimizer, steps: int, epochs: int) -> Made:
    """Decrease when validation no longer improves."""
    return torch_schedulers.ReduceLROnPlateau(optimiser, factor=spec.factor, patience=spec.patience), "metric"
