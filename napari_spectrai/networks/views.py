"""Conversion of batches ``(N, y, x, λ)`` to the layout of a 1-, 2- or 3-dimensional network, and back, without a copy."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def channels_in(bands: int, sources: int, dims: int) -> int:
    """Return the number of channels that `to_channels` returns."""
    return bands * sources if dims == 2 else sources


def to_channels(sources: Sequence[Tensor], dims: int) -> Tensor:
    """Return the batches with channels first.

    1: ``(N·y·x, S, 1, λ)``, with the spectrum as the width of an image of height one; 2: ``(N, S·λ, y, x)``;
    3: ``(N, S, y, x, λ)``. For one source it is a view, and for 2 its memory is ``channels_last``.
    """
    if dims == 1:
        flat = [source.reshape(-1, 1, 1, source.shape[-1]) for source in sources]
        return flat[0] if len(flat) == 1 else torch.cat(flat, dim=1)
    if dims == 2:
        joined = sources[0] if len(sources) == 1 else torch.cat(list(sources), dim=-1)
        return joined.permute(0, 3, 1, 2)
    return sources[0].unsqueeze(1) if len(sources) == 1 else torch.stack(list(sources), dim=1)


def from_channels(result: Tensor, shape: Sequence[int], dims: int) -> Tensor:
    """Undo `to_channels` for a result of one channel (1, 3) or of λ channels (2); `shape` is that of the batch."""
    if dims == 1:
        return result.reshape(*shape[:3], result.shape[-1])
    if dims == 2:
        return result.permute(0, 2, 3, 1)
    return result.squeeze(1)
