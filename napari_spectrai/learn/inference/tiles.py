"""Overlapping tiles of an image, and the weights that blend them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Span:
    """A range of one dimension, and the number of pixels it shares with its neighbours before and after."""

    start: int
    stop: int
    before: int
    after: int

    def weights(self, context: int) -> npt.NDArray[np.float32]:
        """Return blending weights: a Hann ramp over each overlap.

        If the overlap is large enough, the outermost `context` pixels, which depend on pixels beyond the tile, have weight zero.
        """
        weights = np.ones(self.stop - self.start, np.float32)
        for shared, reverse in ((self.before, False), (self.after, True)):
            if not shared:
                continue
            blind = min(context, (shared - 1) // 2)
            ramp = np.zeros(shared, np.float32)
            inner = shared - 2 * blind
            ramp[blind : shared - blind] = np.sin(np.pi / 2 * (np.arange(inner) + 0.5) / inner) ** 2
            ramp[shared - blind :] = 1
            if reverse:
                weights[-shared:] *= ramp[::-1]
            else:
                weights[:shared] *= ramp
        return weights


def spans(length: int, tile: int, overlap: int, grid: int) -> list[Span]:
    """Return the ranges that cover `length`, each `tile` long, overlapping by `overlap` and starting on the `grid`.

    Raises
    ------
    ValueError
        If the tile leaves no step between neighbours.
    """
    if tile >= length:
        return [Span(0, length, 0, 0)]
    step = (tile - overlap) // grid * grid
    if step < 1:
        raise ValueError(
            f"tile of {tile} pixels is too small for an overlap of {overlap} on a grid of {grid}; choose {overlap + grid} or more"
        )
    starts = list(range(0, length - overlap, step))
    ends = [min(start + tile, length) for start in starts]
    while len(starts) > 1 and ends[-2] >= length:
        starts.pop()
        ends.pop()
    return [
        Span(
            start,
            end,
            before=0 if number == 0 else ends[number - 1] - start,
            after=0 if number == len(starts) - 1 else end - starts[number + 1],
        )
        for number, (start, end) in enumerate(zip(starts, ends, strict=True))
    ]


def tiles(height: int, width: int, tile: int, overlap: int, grid: int) -> Iterator[list[tuple[Span, Span]]]:
    """Yield rows of (y, x) tiles, from top to bottom."""
    across = spans(width, tile, overlap, grid)
    for down in spans(height, tile, overlap, grid):
        yield [(down, span) for span in across]
