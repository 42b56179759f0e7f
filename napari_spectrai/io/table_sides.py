"""Which columns of a table are the sides of an image: the places of its lines."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_NUMBERED = r"(?:[_ ]?(?:index|idx|no\.?|number))?"
_ROW = re.compile(rf"(?:py|lat(?:itude)?|northing|(?:map|pixel|image)?[_ ]?(?:rows?|lines?){_NUMBERED})(?:\s*\(y\))?", re.IGNORECASE)
_COLUMN = re.compile(
    rf"(?:px|lon(?:gitude)?|easting|(?:map|pixel|image)?[_ ]?(?:col|cols|columns?){_NUMBERED})(?:\s*\(x\))?", re.IGNORECASE
)
_SIDES = {("j", "i"), ("n", "m"), ("sample", "line"), ("samples", "lines"), ("east", "north"), ("column", "line"), ("col", "line")}
_OF_A_SIDE = re.compile(r"[xy]|^\s*(?:[ijmn]|samples?|lines?|col(?:umn)?|east|north)\s*$", re.IGNORECASE)
_MOST_SIDES = 16
_NUMBERED_BAND = re.compile(r"[^\W\d][^\d]{0,11}(\d{1,5})")


def pixels(titles: Sequence[str], named: list[str]) -> None:
    """Make the number of a row and of a column, which stand together, the coordinates that they are."""
    rows = [column for column, title in enumerate(titles) if _ROW.fullmatch(title.strip())]
    columns = [column for column, title in enumerate(titles) if _COLUMN.fullmatch(title.strip())]
    if len(rows) == len(columns) == 1:
        named[rows[0]], named[columns[0]] = "y", "x"


def pair_of_sides(titles: Sequence[str]) -> dict[int, str]:
    """Return the columns of x and y: two whose titles differ in this letter alone, such as ``X index`` and ``Y index``, or ``i``, ``j``.

    None where there are several such pairs, as of positions and intensities that alternate.
    """
    words = {column: title.strip().casefold() for column, title in enumerate(titles) if _OF_A_SIDE.search(title)}
    words = dict(list(words.items())[:_MOST_SIDES])
    found = [
        (one, other)
        for one, first in words.items()
        for other, second in words.items()
        if (first, second) in _SIDES
        or (len(first) == len(second) and [pair for pair in zip(first, second, strict=True) if pair[0] != pair[1]] == [("x", "y")])
    ]
    return {found[0][0]: "x", found[0][1]: "y"} if len(found) == 1 else {}


def is_column_number(title: str) -> bool:
    """Whether a title is that of the number of an image's column."""
    return _COLUMN.fullmatch(title.strip()) is not None


def at_places(numbers: npt.NDArray[np.float64], titles: Sequence[str], named: Sequence[str]) -> bool:
    """Whether each line holds values at a place in columns of x and y: bands that are numbered, or maps, and no positions."""
    free = [column for column, role in enumerate(named) if role in ("", "intensity")]
    if not free or "position" in named or not {"x", "y"} <= set(named):
        return False
    x, y = (numbers[:, named.index(side)] for side in "xy")
    places = np.column_stack([x, y])
    if not np.isfinite(places).all() or len(np.unique(places, axis=0)) < len(places):
        return False
    counted = [match.group(1) for column in free if (match := _NUMBERED_BAND.fullmatch(titles[column].strip()))]
    in_bands = len(counted) == len(free) > 1 and list(map(int, counted)) == list(range(int(counted[0]), int(counted[0]) + len(free)))
    return in_bands or np.unique(x).size < len(x) or np.unique(y).size == 1
