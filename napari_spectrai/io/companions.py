"""Positions of bands that lie in a list of their own next to a file, such as ``wavelengths.txt`` or ``cube_wavelengths.npy``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.io.found import RawArray, positions, warn
from napari_spectrai.io.table_syntax import NUMBER
from napari_spectrai.io.texts import decoded, lines_of, tidied
from napari_spectrai.remedies import give, is_answered
from napari_spectrai.units import unit_of

_NAMES = (
    "wavelengths", "wavelength", "wavelengths_nm", "wavelength_nm", "wl", "wls", "wvl", "lambda", "wavenumbers", "wavenumber",
    "raman_shift", "raman_shifts", "spectral_axis", "band_centers", "band_centres",
)  # fmt: skip
_SUFFIXES = (".txt", ".csv", ".npy", ".dat")
_LARGEST, _LEAST = 2**20, 3
"""Bytes of a list, and positions in it."""


def with_positions_next_to(path: Path, found: RawArray) -> RawArray:
    """Return an array without positions with those that a list next to its file gives, with a warning.

    The list has one number for each band, in order. It says, too, which dimension holds the bands where the file does not.
    """
    shape = tuple(found.data.shape)
    if found.axis is not None or is_answered("axis") or is_answered("spectral") or not path.is_file() or len(shape) < 2:
        return found
    lists = {one: listed for one in _lists(path) if (listed := _numbers(one)) is not None and listed[0].size in shape}
    own = {one: listed for one, listed in lists.items() if one.name.startswith(path.stem)} or lists
    if not own:
        return found
    near, (values, words) = next(iter(own.items()))
    if any(not np.array_equal(other, values) for other, _ in own.values()):
        names = ", ".join(one.name for one in own)
        warn(path, f"several lists next to it ({names}) could be the positions of its bands, and none is taken; {give('axis')}")
        return found
    place = found.spectral % len(shape)
    if shape[place] != values.size:
        fitting = [number for number, length in enumerate(shape) if length == values.size]
        if found.sure or len(fitting) > 1:
            return found
        place = fitting[0]
    warn(path, f"the positions of its bands are taken from {near.name} next to it; if that is wrong {give('axis')}")
    return replace(found, axis=positions(path, values, words if unit_of(words) else "", quantity=words), spectral=place, sure=True)


def positions_in_folder(folder: Path, count: int) -> tuple[SpectralAxis, str] | None:
    """Return the positions that the only list of `count` numbers in a folder of images gives, and its name; None if there is none."""
    lists = {one: listed for one in _lists(folder / "images") if (listed := _numbers(one)) is not None and listed[0].size == count}
    first = next(iter(lists.items()), None)
    if first is None or any(not np.array_equal(values, first[1][0]) for values, _ in lists.values()):
        return None
    near, (values, words) = first
    return positions(folder, values, words if unit_of(words) else "", quantity=words), near.name


def _lists(path: Path) -> Iterator[Path]:
    """Yield the files next to one that are called as lists of positions are, in the order of their names."""
    try:
        with os.scandir(path.parent) as entries:  # once, as each probe for a name is a question to a distant disk
            there = {one.name.casefold(): one for one in entries if one.name.casefold().endswith(_SUFFIXES) and one.name != path.name}
    except PermissionError:  # a folder whose files may be opened and not listed
        return
    stem = path.stem.casefold()
    called = [
        f"{before}{name}{suffix}" for name in _NAMES for before in ("", *(f"{stem}{joint}" for joint in "_-.")) for suffix in _SUFFIXES
    ]
    # as of the spectra of the USGS, which share one
    shared = re.compile(rf"{re.escape(stem.partition('_')[0])}_wavelengths_.*")
    for name in (*called, *sorted(filter(shared.fullmatch, there))):
        entry = there.get(name)
        if entry is not None and entry.is_file() and entry.stat().st_size <= _LARGEST:
            yield path.with_name(entry.name)


def _numbers(path: Path) -> tuple[npt.NDArray[np.float64], str] | None:
    """Return the numbers of a list, in order, and the words that may give their unit: its title, else its name."""
    name = re.sub(r"[_-]", " ", path.stem)
    try:
        if path.suffix == ".npy":
            values, title = np.squeeze(np.load(path, allow_pickle=False)), ""
        else:
            values, title = _of_text(tidied(decoded(path.read_bytes())))
    except (OSError, ValueError):  # another file of this name
        return None
    if values.ndim != 1 or values.dtype.kind not in "fiu" or values.size < _LEAST:
        return None
    steps = np.diff(values.astype(np.float64))
    in_order = bool(np.isfinite(steps).all() and ((steps > 0).all() or (steps < 0).all()))
    return (values.astype(np.float64), title if unit_of(title) is not None else name) if in_order else None


def _of_text(text: str) -> tuple[npt.NDArray[np.float64], str]:
    """Return the numbers of one line or of one column, of several the first that is in order and does not count, and its title."""
    rows = [[cell for cell in re.split(r"[,;\s]+", line.strip(" []()")) if cell] for line in lines_of(text) if line.strip()]
    numbers = [row for row in rows if row and all(NUMBER.fullmatch(cell) for cell in row)]
    title = " ".join(rows[0]) if rows and rows[0] not in numbers else ""
    if len(rows) - len(numbers) > 1 or not numbers or len({len(row) for row in numbers}) > 1:
        raise ValueError("no list")
    table = np.array(numbers, np.float64)
    columns = [table[0]] if len(table) == 1 else list(table.T)
    counting = [np.array_equal(np.diff(column), np.ones(len(column) - 1)) and column[0] in (0, 1) for column in columns]
    known = [column for column, counts in zip(columns, counting, strict=True) if not counts]
    return (known or columns)[0], title
