"""What lies around a tile: pixels without data are continued by the nearest spectrum, which may lie beyond the tile."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from napari_spectrai.learn.inference.tiles import Span

DIAGONAL = math.sqrt(2)
"""Distance of the corner of a square window from its centre, in units of its radius."""


def reach(context: int) -> int:
    """Return from how far beyond the pixels that an output depends on these may be continued, if it has data itself."""
    return math.ceil(DIAGONAL * context)


def widened(tile: tuple[Span, Span], shape: tuple[int, int], holes: npt.NDArray[np.bool_], context: int, grid: int) -> tuple[Span, Span]:
    """Return a tile with the surroundings that its holes are continued from; the same tile if these lie within.

    Parameters
    ----------
    tile : rows and columns, in pixels
    shape : height and width of the image
    holes : bool ndarray of shape (n,)
        Which pixels of the tile are replaced by the nearest of the others.
    context : int
        How far an output depends on the pixels around it.
    grid : int
        Tiles begin at multiples of it.

    Notes
    -----
    A hole matters only if an output with data is at most `context` rows and columns away. Then it is continued from no farther than that
    output, since the output itself could be taken.
    """
    y, x = tile
    inner = [span.start > 0 or span.stop < length for span, length in zip(tile, shape, strict=True)]
    if not context or not any(inner) or not holes.any() or holes.all():
        return tile
    from scipy.ndimage import distance_transform_edt

    plane = holes.reshape(y.stop - y.start, x.stop - x.start)
    away = distance_transform_edt(plane)
    beyond = np.minimum(_to_a_side(y, shape[0])[:, None], _to_a_side(x, shape[1])[None])
    if not (plane & (away <= DIAGONAL * context) & (beyond <= away)).any():
        return tile
    margin = -(-reach(context) // grid) * grid
    rows, columns = (
        Span(max(0, span.start - margin), min(length, span.stop + margin), 0, 0) for span, length in zip(tile, shape, strict=True)
    )
    return rows, columns


def _to_a_side(span: Span, length: int) -> npt.NDArray[np.float64]:
    """Return how far each pixel of a range is from the nearest pixel outside it that belongs to the image."""
    places = np.arange(span.stop - span.start, dtype=np.float64)
    before = places + 1 if span.start > 0 else np.full_like(places, np.inf)
    after = places[::-1] + 1 if span.stop < length else np.full_like(places, np.inf)
    return np.minimum(before, after)


def within(tile: tuple[Span, Span], wide: tuple[Span, Span], times: int = 1) -> tuple[slice, slice]:
    """Return the place of a tile in a wider one, in pixels of a result with `times` as many per side."""
    rows, columns = (
        slice((own.start - other.start) * times, (own.stop - other.start) * times) for own, other in zip(tile, wide, strict=True)
    )
    return rows, columns
