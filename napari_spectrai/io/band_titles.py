"""Titles of columns that hold the position of a band, such as ``X450.5``, ``R450`` or ``450 nm``."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from napari_spectrai.io.columns import COORDINATES, counts_up, in_order
from napari_spectrai.units import is_unit, quantity_of, unit_of

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_PREFIX = r"X|wn|wl|nm|λ|cm|spc|raman|shift|wave(?:number|length)?"
_BAND = re.compile(rf"(?P<prefix>{_PREFIX})?[_ .]?(?P<value>{_NUMBER.pattern})\s*(?P<rest>.{{0,16}})", re.IGNORECASE)
_NAMED_BAND = re.compile(r"([^\W\d](?:[^\d+-]|(?<!\d)[+-](?!\d)){0,20})(\d+\.?\d*)\s*(.{0,16})")
_MORE_DIGITS = re.compile(r"[.,]\d")
_LEAST_BANDS, _LEAST_POSITION = 4, 100
"""Titles with a prefix of their own are positions where there are so many bands or more, and none below this nm or 1/cm."""


def after(prefix: str, ending: str = "") -> re.Pattern[str]:
    """Return the pattern of titles that are a prefix, a position and an ending."""
    return re.compile(rf"(?P<prefix>){re.escape(prefix)}(?P<value>{_NUMBER.pattern}){re.escape(ending)}\s*(?P<rest>.{{0,16}})")


def shared_ending(titles: Sequence[str], prefix: str) -> str:
    """Return what stands behind the positions in all titles with a prefix, as in ``scan_mir.600_abs``, if it is no unit."""
    endings = {match.group(3) for title in titles if (match := _NAMED_BAND.fullmatch(title.strip())) and match.group(1) == prefix}
    ending = endings.pop() if len(endings) == 1 else ""
    return "" if unit_of(ending) is not None or any(letter.isdigit() for letter in ending) else ending


def shared_prefix(numbers: npt.NDArray[np.float64], titles: Sequence[str], first: str = "") -> str:
    """Return what stands before a position in the titles of bands, as in ``R450``; empty where the titles may be names of spectra.

    Those count up, or stand next to a column that is itself in order, unless it is called as places and times are (its role is `first`).
    """
    if first not in COORDINATES and numbers.shape[1] and in_order(own := numbers[:, 0], 0.8) and not counts_up(own):
        return ""
    parts = [_NAMED_BAND.fullmatch(title.strip()) for title in titles]
    known = Counter(part.group(1) for part in parts if part is not None)
    prefix, count = known.most_common(1)[0] if known else ("", 0)
    values = np.array([float(part.group(2)) for part in parts if part is not None and part.group(1) == prefix])
    return prefix if count >= _LEAST_BANDS and values.min() >= _LEAST_POSITION and in_order(values) else ""


_IN_BRACKETS = re.compile(rf"(?:b|bands?|ch|channels?)[ _.#]*\d+\s*[(\[:]\s*(?P<value>{_NUMBER.pattern}(?!\d)[^)\]]*)[)\]]?", re.IGNORECASE)
"""Titles of numbered bands that give their positions behind the number, as in ``Band 1 (402.4 nm)``."""
_NUMBERED = re.compile(r"(?:b|bands?)[ _.]?(\d{1,4})", re.IGNORECASE)
_LEAST_NUMBERED = 3
_OF_MATLAB, _SHARE = re.compile(r"x\d+_\d+"), 0.5
"""Names of variables that MATLAB makes of numbers with decimals."""


def positions_in(titles: Sequence[str], leads: int | None, band: re.Pattern[str] = _BAND) -> tuple[list[float | None], list[str]]:
    """Return the number that each title spells, and the words after it."""
    values: list[float | None] = []
    words: list[str] = []
    if sum(_OF_MATLAB.fullmatch(title) is not None for title in titles) > max(2, _SHARE * len(titles)):
        titles = [re.sub(r"^x(\d+)_(\d+)$", r"\1.\2", title) for title in titles]
    inner = [_IN_BRACKETS.fullmatch(title.strip()) for title in titles]
    if sum(match is not None for match in inner) > max(2, _SHARE * len(titles)):
        titles = [title if match is None else match["value"].strip() for title, match in zip(titles, inner, strict=True)]
    for column, title in enumerate(titles):
        match = band.fullmatch(title.strip()) if (leads is None or column >= leads) and not is_unit(title) else None  # cm-1
        rest = match["rest"] if match is not None else ""
        of_unit = match is not None and match["value"] == "1" and rest.startswith("/")  # Wavenumber 1/cm
        plain = match is not None and not of_unit and (not rest.strip() or (unit_of(rest) is not None and not _MORE_DIGITS.match(rest)))
        values.append(float(match["value"]) if match is not None and plain else None)
        words.append(_unit_words(match) if match is not None and plain else "")
    return values, words


def numbered_bands(titles: Sequence[str]) -> list[int]:
    """Return the columns whose titles count bands, as ``B1``, ``B2`` and ``B3`` do; none where they do not count one after another."""
    found = {column: int(match.group(1)) for column, title in enumerate(titles) if (match := _NUMBERED.fullmatch(title.strip()))}
    return list(found) if len(found) >= _LEAST_NUMBERED and counts_up(np.array(list(found.values()), np.float64)) else []


def _unit_words(match: re.Match[str]) -> str:
    """Return the words that give the unit of a position: those behind it, else those before it, as in ``wl_450``."""
    behind, before = match["rest"].strip(" ()[]"), match["prefix"] or ""
    return behind or (before if quantity_of(before) or unit_of(before) is not None else "")
