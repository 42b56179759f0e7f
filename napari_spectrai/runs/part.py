"""Parts of a job: ``2/3`` is the second of three, and which chunks of the output each one writes."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

MOST = 1_000_000
"""Parts at most."""


@dataclass(frozen=True, slots=True)
class Part:
    """One of several parts of a job that are done independently.

    Parameters
    ----------
    number : int
        From 1.
    count : int
        How many parts there are.

    Raises
    ------
    ValueError
        If there is no such part.

    Examples
    --------
    >>> Part.parse("2/3")
    Part(number=2, count=3)
    >>> str(Part(2, 3)), Part(2, 3).share(10)
    ('2/3', range(4, 7))
    """

    number: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.count <= MOST:
            raise ValueError(
                f"{self.number}/{self.count} parts: the number of parts is 1 to {MOST:,}; write --part 1/4 for the first of four"
            )
        if not 1 <= self.number <= self.count:
            raise ValueError(f"there is no part {self.number} of {self.count}; parts are numbered from 1 to {self.count}")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``"i/n"``.

        Raises
        ------
        ValueError
            If it is written otherwise, or there is no such part.
        """
        if not re.fullmatch(r"[0-9]{1,9}/[0-9]{1,9}", text.strip(), re.ASCII):
            raise ValueError(f"--part {text!r}: write number/count, such as --part 1/4 for the first of four parts (files go to --partial)")
        number, _, count = text.strip().partition("/")
        return cls(int(number), int(count))

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def share(self, total: int) -> range:
        """Return which of `total` things this part does: consecutive ones, as many as any other part, or one fewer or more."""
        return range((self.number - 1) * total // self.count, self.number * total // self.count)


WHOLE = Part(1, 1)
"""All of a job."""


@dataclass(frozen=True, slots=True)
class Rectangle:
    """Pixels of one plane that a part writes: rows `top` to `bottom`, columns `left` to `right` (exclusive)."""

    plane: int
    top: int
    bottom: int
    left: int
    right: int

    def rows(self, top: int, bottom: int) -> Rectangle | None:
        """Return what lies in rows `top` to `bottom`, if anything does."""
        top, bottom = max(top, self.top), min(bottom, self.bottom)
        return Rectangle(self.plane, top, bottom, self.left, self.right) if top < bottom else None

    def columns(self, left: int, right: int) -> Rectangle | None:
        """Return what lies in columns `left` to `right`, if anything does."""
        left, right = max(left, self.left), min(right, self.right)
        return Rectangle(self.plane, self.top, self.bottom, left, right) if left < right else None

    def place(self, spatial: Sequence[int]) -> tuple[slice, ...]:
        """Return its pixels in an array of some shape (..., y, x) or (n,), as slices."""
        if len(spatial) == 1:
            return (slice(self.top, self.bottom),)
        front, plane = list[slice](), self.plane
        for length in reversed(spatial[:-2]):
            plane, index = divmod(plane, length)
            front.insert(0, slice(index, index + 1))
        return (*front, slice(self.top, self.bottom), slice(self.left, self.right))

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return (self.bottom - self.top) * (self.right - self.left)


def cells(rectangles: Sequence[Rectangle], rows: Sequence[int], columns: Sequence[int]) -> Iterator[Rectangle]:
    """Yield rectangles cut at some rows and columns, in the order of the array."""
    downs, acrosses = sorted({0, *rows}), sorted({0, *columns})
    for one in rectangles:
        for top, bottom in pairwise([*downs, max(one.bottom, downs[-1] + 1)]):
            strip = one.rows(top, bottom)
            for left, right in pairwise([*acrosses, max(one.right, acrosses[-1] + 1)]):
                found = None if strip is None else strip.columns(left, right)
                if found is not None:
                    yield found


def owned(shape: Sequence[int], chunks: Sequence[int], part: Part, *, whole: bool = False) -> list[Rectangle]:
    """Return what a part writes of an array, such that no chunk is written by two parts, and together they write all of it.

    Parameters
    ----------
    shape, chunks : of the array (..., y, x, λ), or (n, λ), which is a plane of one column
    whole : bool
        Whether planes are not divided.

    Notes
    -----
    Rows of chunks are divided evenly where there are at least as many as parts, else single chunks, in the order of the array.
    """
    if len(shape) == 2:
        shape, chunks = (shape[0], 1, shape[1]), (chunks[0], 1, chunks[1])
    *front, height, width, _ = shape
    down, across = chunks[-3], chunks[-2]
    planes, rows = math.prod(front), -(-height // down)
    if whole:
        return [Rectangle(plane, 0, height, 0, width) for plane in part.share(planes)]
    if planes * rows >= part.count:
        return list(_runs(part.share(planes * rows), rows, down, height, width))
    columns = -(-width // across)
    cells = [(divmod(cell // columns, rows), cell % columns) for cell in part.share(planes * rows * columns)]
    return list(_merged(cells, down, across, height, width))


def _runs(share: range, rows: int, down: int, height: int, width: int) -> Iterator[Rectangle]:
    """Yield a rectangle for each plane in which a share has rows of chunks."""
    start = share.start
    while start < share.stop:
        plane, row = divmod(start, rows)
        stop = min(share.stop, (plane + 1) * rows)
        yield Rectangle(plane, row * down, min(height, (row + stop - start) * down), 0, width)
        start = stop


def _merged(cells: Sequence[tuple[tuple[int, int], int]], down: int, across: int, height: int, width: int) -> Iterator[Rectangle]:
    """Yield a rectangle for each row of chunks."""
    for place in dict.fromkeys(place for place, _ in cells):
        columns = [column for other, column in cells if other == place]
        plane, row = place
        yield Rectangle(
            plane, row * down, min(height, (row + 1) * down), min(columns) * across, min(width, (max(columns) + 1) * across)
        )  # fmt: skip
