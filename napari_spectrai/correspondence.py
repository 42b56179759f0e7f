"""Correspondence of the pixels of two images: they coincide, can be cut or resampled exactly, or neither, with a description."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from napari_spectrai.placement import Matrix, Placement

TOLERANCE = 0.1
"""Difference of positions anywhere in an image, in pixels, below which they are equal: stage coordinates and pixel sizes are rounded."""

Kind = Literal["same", "cut", "resample", "refuse"]


@dataclass(frozen=True, slots=True)
class Correspondence:
    """The pixels of a second image that correspond to those of a first one.

    Attributes
    ----------
    kind : "same", "cut", "resample" or "refuse"
        same: pixel by pixel. cut: pixels of the same size coincide in the overlap (one may be mirrored or rotated by right angles).
        resample: an integer number of pixels of one fits on each of the other. refuse: none of these, for the reason in `words`.
    words : str
        Position of the second relative to the first, with placeholders for both names: ``"{second} lies 5 pixels lower than {first}"``.
    first : tuple of slices
        The pixels of the first image that the second one also shows.
    order : tuple of int
        For each dimension of the first image, the dimension of the second one along it.
    steps, starts : tuple of float
        Along each dimension of the first image: pixel i lies at ``step · i + start`` in pixels of the second one.
    """

    kind: Kind
    words: str = ""
    first: tuple[slice, ...] = ()
    order: tuple[int, ...] = ()
    steps: tuple[float, ...] = ()
    starts: tuple[float, ...] = ()
    unplaced: bool = False
    """Whether it is refused because only one of two images of equal shape has a position: a person may know that they coincide."""

    def sentence(self, first: str, second: str) -> str:
        """Return the words with the names of both images."""
        words = self.words.format(first=first, second=second)
        return words[:1].upper() + words[1:]

    @property
    def times(self) -> tuple[float, ...]:
        """Number of pixels of the second image per pixel of the first, along each dimension of the first."""
        return tuple(abs(step) for step in self.steps)

    def under(self, dimension: int) -> npt.NDArray[np.intp]:
        """Return for each pixel of `first` along a dimension the pixels of the second image below it, of shape (n, k), k ≥ 1."""
        step, start, part = self.steps[dimension], self.starts[dimension], self.first[dimension]
        centres = step * np.arange(part.start, part.stop) + start
        count = max(1, round(abs(step)))
        below: npt.NDArray[np.intp] = np.rint(centres[:, None] + np.sign(step) * (np.arange(count) - (count - 1) / 2)).astype(np.intp)
        return below


def correspondence(first: Placement, second: Placement) -> Correspondence:
    """Return which pixels of the second image correspond to those of the first if this is exact; otherwise the reason, in words.

    Positions are compared with `TOLERANCE` in pixels at every corner. If both images have equal extents and the same first centre, as
    layers with only a scale do, their first corners are assumed to coincide, not their first centres.
    """
    if len(first.shape) != len(second.shape):
        counts = len(second.shape), len(first.shape)
        return Correspondence("refuse", f"{{second}} has {counts[0]} dimensions in addition to its bands, and {{first}} {counts[1]}")
    own = second
    second = second.in_units_of(first)
    extent, other = (np.multiply(one.pixel_size, one.shape) for one in (first, second))
    bare = first.is_default != own.is_default and not _alike(first, second) and not _only_turned(first, own)
    if bare and (first.shape == second.shape or not np.allclose(extent, other)):
        return Correspondence("refuse", _unplaced(first, own), unplaced=first.shape == second.shape)
    inner: Matrix = np.linalg.solve(second.matrix, first.matrix).astype(np.float64)
    order, steps = _whole(inner[:-1, :-1], first.shape)
    if not steps:
        return Correspondence("refuse", _turned(inner[:-1, :-1], first, second))
    lengths = [second.shape[along] for along in order]
    starts = _cornered(steps, tuple(float(inner[along, -1]) for along in order), first.shape, lengths)
    return _exact(first, second, order, steps, starts)


def _cornered(steps: Sequence[float], starts: tuple[float, ...], own: Sequence[int], others: Sequence[int]) -> tuple[float, ...]:
    """Return starts for which first corners coincide, if pixels of another size have equal extent and the same first centre."""
    extents = np.allclose([length * abs(step) for length, step in zip(own, steps, strict=True)], others)
    if any(abs(step) != 1 for step in steps) and min(steps) > 0 and extents and np.allclose(starts, 0, atol=1e-6):
        return tuple((step - 1) / 2 for step in steps)
    return starts


def _exact(
    first: Placement, second: Placement, order: tuple[int, ...], steps: tuple[float, ...], starts: tuple[float, ...]
) -> Correspondence:
    """Return the correspondence of images whose pixels have integer size ratios and parallel axes."""
    lengths = [second.shape[along] for along in order]
    if not all(_on_grid(step, start) for step, start in zip(steps, starts, strict=True)):
        return Correspondence("refuse", _shifted(steps, starts))
    slices = tuple(_shared(*each) for each in zip(steps, starts, first.shape, lengths, strict=True))
    if any(part.stop <= part.start for part in slices):
        return Correspondence("refuse", "{second} and {first} have no pixel in common")
    starts = tuple(_snapped(step, start) for step, start in zip(steps, starts, strict=True))
    identity = order == tuple(range(len(order))) and all(step == 1 for step in steps) and not any(starts)
    if identity and first.shape == second.shape:
        return Correspondence("same", "", slices, order, steps, starts)
    kind: Kind = "cut" if all(abs(step) == 1 for step in steps) else "resample"
    return Correspondence(kind, _relation(first, second, steps, starts, order), slices, order, steps, starts)


def relation_of(one: Placement | None, other: Placement | None) -> Correspondence | None:
    """Return how two images lie relative to each other by their placements; None if these are unknown."""
    if one is None or other is None or (one.is_default and other.is_default) or len(one.shape) != len(other.shape):
        return None
    return correspondence(one, other)


def _alike(first: Placement, second: Placement) -> bool:
    """Whether pixels have the same size and direction, at any position."""
    return bool(np.allclose(first.matrix[:-1, :-1], second.matrix[:-1, :-1], rtol=TOLERANCE / max(2, *first.shape), atol=0))


def _only_turned(first: Placement, second: Placement) -> bool:
    """Whether both have pixels of size one without a unit, so that one is only rotated, mirrored or sheared."""
    sizes = np.allclose([*first.pixel_size, *second.pixel_size], 1)
    return sizes and all(unit == "pixel" for unit in (*first.units, *second.units))


def _whole(linear: Matrix, shape: Sequence[int]) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Return for each dimension of the first image that of the second and the integer ratio; None if there is none."""
    order = tuple(int(along) for along in np.abs(linear).argmax(0))
    if len(set(order)) < len(order):
        return (), ()
    steps, ideal = [], np.zeros_like(linear)
    for own, along in enumerate(order):
        value = float(linear[along, own])
        size = abs(value)
        nearest = float(max(1, round(size))) if size >= 1 else 1 / max(1, round(1 / size))
        steps.append(float(np.copysign(nearest, value)))
        ideal[along, own] = steps[-1]
    # the displacement of a corner, in pixels of the finer image
    off = np.abs(linear - ideal) @ np.maximum(1, np.array(shape) - 1)
    finer = np.maximum(1, [1 / max(abs(ideal[row]).max(), 1e-12) for row in range(len(order))])
    return (order, tuple(steps)) if bool((off * finer <= TOLERANCE).all()) else ((), ())


def _on_grid(step: float, start: float) -> bool:
    """Whether edges of pixels coincide: those of the coarser image with some of the finer one."""
    return abs(_snapped(step, start) - start) * max(1, 1 / abs(step)) <= TOLERANCE


def _snapped(step: float, start: float) -> float:
    """Return the nearest start for which edges coincide, in pixels of the second image."""
    size = abs(step)
    if size >= 1:
        return round(start - (size - 1) / 2) + (size - 1) / 2
    parts = round(1 / size)
    return round((start + 0.5 - size / 2) * parts) / parts - 0.5 + size / 2


def _shared(step: float, start: float, own: int, other: int) -> slice:
    """Return the pixels of the first image that lie entirely inside the second."""
    centres = step * np.arange(own) + start
    half = max(0.0, (abs(step) - 1) / 2)
    inside = np.flatnonzero((centres - half > -0.5) & (centres + half < other - 0.5))
    return slice(int(inside[0]), int(inside[-1]) + 1) if inside.size else slice(0, 0)


# ---------------------------------------------------------------- descriptions


def _amount(number: float, what: str) -> str:
    return f"{number:.3g} {what}{'' if abs(number) == 1 else 's'}"


def _shift(steps: Sequence[float], starts: Sequence[float]) -> str:
    """Describe the position of the second image's first corner, in pixels of the first: ``"5 pixels lower and 2 pixels further right"``."""
    moved = [-(start + 0.5 - abs(step) / 2) / step if step > 0 else 0.0 for step, start in zip(steps, starts, strict=True)]
    names = [*(("plane", "earlier", "later"),) * (len(moved) - 2), ("pixel", "higher", "lower"), ("pixel", "further left", "further right")]
    names = names[-len(moved) :] if len(moved) > 1 else [("spectrum", "earlier", "later")]
    parts = [
        f"{_amount(abs(by), what).replace('spectrums', 'spectra')} {ways[by > 0]}"
        for by, (what, *ways) in zip(moved, names, strict=True)
        if abs(by) > TOLERANCE
    ]
    return " and ".join(parts)


def _unplaced(first: Placement, second: Placement) -> str:
    """Say that one of two images of equal size has a pixel size, and the other has none."""
    placed, bare = ("{first}", "{second}") if second.is_default else ("{second}", "{first}")
    size = (first if second.is_default else second).words
    return f"{bare} has no pixel size of its own (1 pixel), and {placed} has pixels of {size}"


def _relation(first: Placement, second: Placement, steps: Sequence[float], starts: Sequence[float], order: Sequence[int]) -> str:
    """Describe the position of the second image, if it corresponds exactly."""
    turned = "rotated by a right angle" if list(order) != sorted(order) else "mirrored" if min(steps) < 0 else ""
    moved, other_size = _shift(steps, starts), any(abs(step) != 1 for step in steps)
    if turned:
        return f"{{second}} is {turned} relative to {{first}}" + (f" and lies {moved}" if moved else "")
    if moved:
        sizes = f" and has pixels of {second.words}, not of {first.words}" if other_size else ""
        return f"{{second}} lies {moved} than {{first}}{sizes}"
    if other_size:
        return f"{{second}} has pixels of {second.words}, and {{first}} of {first.words}"
    shown, own = (" × ".join(map(str, one.shape)) for one in (second, first))
    return f"{{second}} shows {shown} pixels, and {{first}} {own}"


def _shifted(steps: Sequence[float], starts: Sequence[float]) -> str:
    moved = _shift(steps, starts)
    if not moved:
        return "{second} is displaced by a fraction of a pixel from {first}"
    fine = "" if all(abs(step) == 1 for step in steps) else ", with pixels of another size,"
    return f"{{second}} lies {moved}{fine} than {{first}}"


def _turned(linear: Matrix, first: Placement, second: Placement) -> str:
    """Describe what prevents pixels from coinciding: an angle, a shear, or sizes."""
    plane = linear[-2:, -2:]
    if len(linear) > 1:
        angle = float(np.degrees(np.arctan2(plane[1, 0] - plane[0, 1], plane[0, 0] + plane[1, 1])))
        straight = np.abs(plane - np.diag(np.diag(plane))).max() < 1e-9
        square = plane.T @ plane
        if not straight and np.abs(square - square[0, 0] * np.eye(2)).max() < 1e-6 * square[0, 0]:
            return f"{{second}} is rotated by {abs(angle):.3g}° relative to {{first}}"
        if not straight:
            return "{second} is sheared relative to {first}"
    return f"{{second}} has pixels of {second.words} and {{first}} of {first.words}, which is not an integer ratio"
