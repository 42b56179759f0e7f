"""What a file holds, and what opening it with some options gives; numbers that are typed for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_spectrai.io import Column, SeveralArraysError, columns_of, inspect
from napari_spectrai.io.reading import Opened, opened
from napari_spectrai.notices import noting
from napari_spectrai.remedies import advising

_TROUBLE = (ValueError, OSError, ModuleNotFoundError, MemoryError)


@dataclass(frozen=True, slots=True)
class FileLook:
    """What a file holds, and what opening it with some options gives."""

    path: Path
    options: dict[str, Any]
    arrays: dict[str, tuple[int, ...]] = field(default_factory=dict)
    columns: tuple[Column, ...] = ()
    opened: Opened | None = None
    notes: tuple[str, ...] = ()
    problem: str = ""


def look_at(path: Path, options: dict[str, Any], before: FileLook | None) -> FileLook:
    """Read a file; what it holds is known where `before` is of the same file."""
    with advising("dock"):
        try:
            arrays = inspect(path) if before is None else before.arrays
            columns = tuple(columns_of(path)) if before is None else before.columns
        except _TROUBLE as error:
            return FileLook(path, options, problem=str(error))
        try:
            with noting() as notes:
                found = opened(path, **options)
        except SeveralArraysError:
            return FileLook(path, options, arrays, columns, problem="The file holds several arrays: choose one in the field Array.")
        except _TROUBLE as error:
            return FileLook(path, options, arrays, columns, problem=str(error))
        return FileLook(path, options, arrays, columns, found, tuple(notes))


def axis_of(first: str, last: str, unit: str) -> str | None:
    """Return positions and unit as `napari_spectrai.io.read` takes them, or None if they are left to the file."""
    ends = [end.strip() for end in (first, last)]
    if ends == ["", ""]:
        return unit or None
    try:
        [float(end) for end in ends]
    except ValueError:
        raise ValueError(f"Positions needs two numbers, such as 400 – 700, and not {' – '.join(end or '?' for end in ends)}.") from None
    return ":".join([*ends, unit or "band"])


def size_of(height: str, width: str) -> tuple[int, int] | None:
    """Return height and width as numbers, or None if both are empty."""
    sides = [side.strip() for side in (height, width)]
    if sides == ["", ""]:
        return None
    if not all(side.isdecimal() and int(side) > 0 for side in sides):
        given = " × ".join(side or "?" for side in sides)
        raise ValueError(f"Height × width needs two whole numbers of pixels, such as 40 × 50, and not {given}.")
    return int(sides[0]), int(sides[1])
