"""Sums of overlapping tiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Strip:
    """Sums of weighted tiles, (rows, columns, λ) for each target, and the marks of each spectrum, from a row and a column on."""

    top: int
    left: int
    sums: list[Array]
    marks: list[npt.NDArray[Any]]

    @property
    def bottom(self) -> int:
        """The row after the last."""
        return self.top + len(self.marks[0])

    @property
    def right(self) -> int:
        """The column after the last."""
        return self.left + int(self.marks[0].shape[1])

    def below(self, row: int) -> Strip:
        """Return the rows from one on, as views."""
        return Strip(row, self.left, *([values[row - self.top :] for values in arrays] for arrays in (self.sums, self.marks)))

    def begin_with(self, other: Strip) -> None:
        """Take over the first rows from another one."""
        for values, given in zip([*self.sums, *self.marks], [*other.sums, *other.marks], strict=True):
            values[: len(given)] = given

    def shared_with(self, top: int, left: int, sides: tuple[int, int]) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """Return what a rectangle has in common with this one, as slices of this one and of the other."""
        first = max(self.top, top), max(self.left, left)
        last = min(self.bottom, top + sides[0]), min(self.right, left + sides[1])
        own, there = (
            tuple(slice(a - start, b - start) for a, b, start in zip(first, last, origin, strict=True))
            for origin in ((self.top, self.left), (top, left))
        )
        return own, there  # type: ignore[return-value]
