"""torch's optimisers, made so that the first step does not import torch's compiler, which takes longer than a small training."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

_OUTSIDE_GRAPHS = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")
"""Methods that torch excludes from compiled graphs; to do so, it imports the compiler when they are first called."""


_FUSED = (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD)
"""Optimisers that update a weight in one pass over memory, on processors and on GPUs of Nvidia."""


def optimiser(kind: type[Optimizer], parameters: Iterable[nn.Parameter], device: torch.device, **settings: Any) -> Optimizer:
    """Return an optimiser; those of torch never import ``torch._dynamo``, and are fused where they can be.

    Parameters
    ----------
    kind : type
        A class of `torch.optim`; any other one is used as it is.
    parameters : iterable of nn.Parameter
    device : torch.device
        Where the parameters are when steps are taken.
    **settings
        Its arguments.
    """
    if not kind.__module__.startswith("torch.optim."):
        return kind(parameters, **settings)
    weights = list(parameters)
    fused = kind in _FUSED and all(one.is_floating_point() and {one.device.type, device.type} <= {"cpu", "cuda"} for one in weights)
    return _uncompiled(kind)(weights, **(settings | {"fused": True} if fused else settings))


def _uncompiled(kind: type[Optimizer]) -> type[Optimizer]:
    # the methods that torch has decorated, without the decorators; the gradient mode is what else they set
    methods: dict[str, Any] = {name: inspect.unwrap(getattr(kind, name)) for name in _OUTSIDE_GRAPHS}
    methods["step"] = torch.no_grad()(inspect.unwrap(kind.step))
    return type(kind.__name__, (kind,), methods)
