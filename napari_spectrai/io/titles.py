"""Positions of bands from the names of channels and slices: ``"423 nm"``, ``"410-420 nm"``, ``"c:2/8 z:1/3 - 450"``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.io.found import warn
from napari_spectrai.remedies import give
from napari_spectrai.units import Unit, unit_of

_VALUE = r"\d+(?:[.,]\d+)?(?:[eE][-+]?\d+)?"
_UNIT = r"(?:nm|[uµμ]m|cm\s*\^?\s*[-−⁻]\s*[1¹]|1/cm|[mk]?eV|nanomet\w+|micromet\w+|[Åå\u212b]|[aA]ngstr\w+)"
_WINDOW = re.compile(rf"(?<![\w.])({_VALUE})\s*{_UNIT}?\s*(?:-|–|—|−|\.\.+|to|…)\s*({_VALUE})\s*({_UNIT})(?![A-Za-z])")
_SINGLE = re.compile(rf"(?<![\w.])(-?{_VALUE})\s*({_UNIT})(?![A-Za-z])")
_BEHIND = re.compile(rf"({_UNIT})\s*[:=_ ]?\s*({_VALUE})$")
_PLAIN = re.compile(rf"\s*({_VALUE})(?:\s*(?:-|–|—|−|\.\.+|to|…)\s*({_VALUE}))?\s*")
_BRACKET = re.compile(rf"[(\[]\s*({_VALUE})\s*[)\]]\s*$")
_LENGTH_RANGE = (100.0, 30_000.0)


def from_labels(labels: Iterable[object], path: Path) -> SpectralAxis | None:
    """Return the axis that names give, if every one does, in one unit.

    For a detection window, the position is its middle. Names that are plain numbers, such as ``"423.5"`` or ``"Band 1 (402.4)"``,
    are taken for wavelengths in nm where they ascend or descend within 100 to 30,000, with a warning.
    """
    names = [str(label) for label in labels]
    if not names:
        return None
    known = _with_units(names)
    if known is None and (known := _plain(names)) is not None:
        warn(
            path,
            f"its bands are called {names[0]!r} to {names[-1]!r}, without a unit; these are taken for nm. If that is wrong {give('axis')}",
        )
    return known


def _with_units(names: Sequence[str]) -> SpectralAxis | None:
    found: list[tuple[float, Unit]] = []
    for name in names:
        unit = None
        if (match := _WINDOW.search(name)) is not None:
            low, high = _number(match.group(1)), _number(match.group(2))
            value, unit = (low + high) / 2, unit_of(match.group(3))
        elif (match := _SINGLE.search(name)) is not None:
            value, unit = _number(match.group(1)), unit_of(match.group(2))
        elif (match := _BEHIND.search(name)) is not None:
            value, unit = _number(match.group(2)), unit_of(match.group(1))
        if unit is None:
            return None
        # a dash before a wavelength is not its sign
        found.append(((value if unit.name == "1/cm" else abs(value)) * unit.factor, unit))
    units = {unit.name for _, unit in found}
    return SpectralAxis(np.array([value for value, _ in found]), units.pop()) if len(units) == 1 else None


def _plain(names: Sequence[str]) -> SpectralAxis | None:
    matches = [_PLAIN.fullmatch(name) or _BRACKET.search(name) for name in names]
    values = np.array([_middle(match) for match in matches if match])
    if len(values) < max(2, len(names)) or not (values >= _LENGTH_RANGE[0]).all() or not (values <= _LENGTH_RANGE[1]).all():
        return None
    steps = np.diff(values)
    return SpectralAxis(values, "nm") if (steps > 0).all() or (steps < 0).all() else None


def _middle(match: re.Match[str]) -> float:
    ends = [_number(text) for text in match.groups() if text]
    return sum(ends) / len(ends)


def _number(text: str) -> float:
    return float(text.replace(",", "."))


def of_hyperstack(labels: Sequence[object], channels: int, path: Path) -> SpectralAxis | None:
    """Return the axis from the labels of every slice of an ImageJ hyperstack, whose channels vary fastest.

    The labels of one channel have to agree in all its slices.
    """
    if channels < 1 or len(labels) % channels:
        return None
    axes = [from_labels(labels[start : start + channels], path) for start in range(0, len(labels), channels)]
    first = axes[0]
    return first if first is not None and all(axis == first for axis in axes) else None
