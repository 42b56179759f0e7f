"""Images that do not fit into memory at once, computed in blocks with the surroundings that their outputs depend on."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

SMALLEST = 16
"""Side of the smallest block, in pixels."""


def halved(side: int, grid: int) -> int:
    """Return half a side, rounded up to a multiple of `grid`."""
    return -(-max(side // 2, 1) // grid) * grid


def in_blocks(compute: Callable[[Tensor], Tensor], batch: Tensor, side: int, *, context: int, grid: int, times: int) -> Tensor:
    """Return the output for images ``(N, y, x, λ)``, computed in blocks of `side` pixels; the same as at once, within rounding.

    Parameters
    ----------
    compute : callable
        Returns the output ``(N, times · y, times · x, out)`` for images.
    side : int
        Height and width of a block without its surroundings, a multiple of `grid`.
    context : int
        How far an output depends on the pixels around it.
    grid : int
        Blocks begin at multiples of it, as the pooling of a network requires.
    times : int
        Output pixels along each side of an input pixel.
    """
    margin = -(-context // grid) * grid
    height, width = batch.shape[1:3]
    result: Tensor | None = None
    for top in range(0, height, side):
        for left in range(0, width, side):
            above, before = max(0, top - margin), max(0, left - margin)
            bottom, right = min(height, top + side), min(width, left + side)
            output = compute(batch[:, above : min(height, bottom + margin), before : min(width, right + margin)])
            if result is None:
                result = torch.empty(len(batch), height * times, width * times, output.shape[-1])
            inner = output[:, (top - above) * times : (bottom - above) * times, (left - before) * times : (right - before) * times]
            result[:, top * times : bottom * times, left * times : right * times] = inner
    assert result is not None  # noqa: S101  # an image has pixels
    return result
