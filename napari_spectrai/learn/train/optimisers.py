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


def optimiser(kind: type[Optimizer], parameters: Iterable[nn.Parameter], **settings: Any) -> Optimizer:
    """Return an optimiser; those of torch compute exactly the same as ever, but never import ``torch._dynamo``.

    Parameters
    ----------
    kind : type
        A class of `torch.optim`; any other one is used as it is.
    parameters : iterable of nn.Parameter
    **settings
        Its arguments.
    """
    return (_uncompiled(kind) if kind.__module__.startswith("torch.optim.") else kind)(parameters, **settings)


def _uncompiled(kind: type[Optimizer]) -> type[Optimizer]:
    # the methods that torch has decorated, without the decorators; the gradient mode is what else they set
    methods: dict[str, Any] = {name: inspect.unwrap(getattr(kind, name)) for name in _OUTSIDE_GRAPHS}
    methods["step"] = torch.no_grad()(inspect.unwrap(kind.step))
    return type(kind.__name__, (kind,), methods)
