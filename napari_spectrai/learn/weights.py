"""Whether the weights in a file are those of the network that its card describes: asked of the file's header, before anything is built."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from napari_spectrai.files import size_words
from napari_spectrai.learn.classical import Method

SPARE = 2**26
"""Bytes that a network may take up beyond what its file holds: 64 MB, for constants that it computes."""
TIMES = 4
"""How many times as large as its file a network may be."""
_SHOWN = 3

Shape = tuple[int, ...]


def shapes_in(path: Path, prefix: str) -> dict[str, Shape]:
    """Return the shapes of the tensors whose names have the prefix `prefix`, without reading their values."""
    with safe_open(path, framework="pt") as file:
        names = [name for name in file.keys() if name.startswith(prefix)]  # noqa: SIM118
        return {name.removeprefix(prefix): tuple(file.get_slice(name).get_shape()) for name in names}


class _Empty(TorchFunctionMode):
    """Leave values out, which the meta device does not keep: torch would import its compiler for some of them, which takes a second."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        named = kwargs or {}
        if func in (Tensor.normal_, nn.init.normal_):
            return args[0] if args else named["tensor"]
        if not named.keys() & {"generator", "n", "m"}:  # which `empty` does not take
            if func is torch.randn:
                func = torch.empty
            elif func is torch.eye:
                func, args = torch.empty, (args[0], args[-1])
        return func(*args, **named)


def refuse_misfit(path: Path, weights: Mapping[str, Shape], build: Callable[[], nn.Module]) -> None:
    """Build the network without memory, and refuse weights of other names or shapes, and what is too large for its file.

    A network of another package that cannot be built in this way is not checked before it is built.

    Raises
    ------
    ValueError
        If the weights do not fit the network, or it would take up far more memory than its file.
    """
    try:
        with torch.device("meta"), _Empty():
            network = build()
    except (NotImplementedError, RuntimeError):
        return
    size = sum(tensor.numel() * tensor.element_size() for tensor in (*network.parameters(), *network.buffers()))
    most = SPARE + TIMES * path.stat().st_size
    if size > most:
        raise ValueError(
            f"{path}: the weights do not fit the network its card describes: it takes {size_words(size)}, and a file of "
            f"{size_words(path.stat().st_size)} holds one of at most {size_words(most)}; the file is damaged or not to be trusted"
        )
    if isinstance(network, Method):  # keeps what it learnt in whatever shape it has
        return
    wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    wrong = [
        *(f"{name} is missing" for name in wanted if name not in weights),
        *(f"{name} is not part of it" for name in weights if name not in wanted),
        *(
            f"{name} is {_words(weights[name])} and not {_words(shape)}"
            for name, shape in wanted.items()
            if weights.get(name, shape) != shape
        ),
    ]
    if wrong:
        more = f" and {len(wrong) - _SHOWN:,} more" if len(wrong) > _SHOWN else ""
        raise ValueError(
            f"{path}: the weights do not fit the network its card describes: {', '.join(wrong[:_SHOWN])}{more}; "
            "the file is damaged, or was changed after it was saved"
        )


def _words(shape: Shape) -> str:
    return "×".join(map(str, shape)) or "a single value"
