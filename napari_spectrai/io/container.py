"""What containers of several arrays share: choosing the cube among them, and finding its axis."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.io.found import SeveralArraysError, warn
from napari_spectrai.remedies import where
from napari_spectrai.units import quantity_of, unit_of

AXIS_NAMES = (
    "spectral_axis", "axis", "axisscale", "axis_scale", "x_axis", "xaxis", "band_centers", "band_centres", "bandcenters", "shift", "shifts",
    "block0_items", "em", "emission", "nm", "cm1", "cm_1", "ev", "kev", "wave", "waves", "wlens", "wns",
)  # fmt: skip
"""Names of lists of positions; ``block0_items`` is that of the columns of a table of pandas."""
_OF_BANDS = re.compile(r"band|spectral|spectrum|channel")
"""Words that make the name of an array that of an axis together with a unit, as in ``bands_nm``."""
EXCLUDED = re.compile(r"^ex(?![a-z])|fwhm|width|good|bad|mask|flag|laser|excit|index|indices|error|sigma|std|shape|size|count(?!s)")
_NANOMETRES, _NANOMETRES_BEHIND = re.compile(r"\s*nm\s*$"), re.compile(r"(?<=[\d.])\s*nm\b")
_OF_COLUMNS = re.compile(r"(?:var|variable|col|column|feature|band|channel)s?[ _]?(?:label|name|id)s|columns|features|bands|channels")
CERTAIN_UNITS = ("1/cm", "eV", "m/z")
"""Units that only the positions of bands have."""
LONGEST_LIST = 2**20
"""Characters of a text that may be a list of positions."""
MOST_LOOKED_AT = 2**22
"""Largest number of values of an array that are read to see which dimension holds the bands."""
LEAST_EXPLAINED = 0.2
"""Minimum fraction of the variance explained by the means along the first dimension to doubt that the last one holds the bands."""
_MAIN_NAMES = ("data", "cube", "spectra", "image", "hsi")


def shared(name: str, other: str) -> int:
    """Return how many groups two arrays have in common."""
    groups = zip(name.split("/")[:-1], other.split("/")[:-1], strict=False)
    return next((number for number, (one, two) in enumerate(groups) if one != two), min(name.count("/"), other.count("/")))


def words_of(name: str) -> set[str]:
    """Return the words of an array's own name, in lower case."""
    return {word.casefold() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+|\d+", name.rpartition("/")[2])}


def numbers_in(value: Any) -> npt.NDArray[Any] | None:
    """Return a list of numbers that an attribute is: as numbers, as texts, or in one text with commas or blanks between them."""
    if isinstance(value, (str, bytes)):
        words = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        value = re.split(r"[,;\s]+", _NANOMETRES_BEHIND.sub("", words).strip("[](){} \n")) if len(words) <= LONGEST_LIST else []
    found = np.asarray(value)
    if found.ndim != 1 or not found.size:
        return None
    if found.dtype.kind in "fiu":
        return found
    try:
        return (
            np.array([float(_NANOMETRES.sub("", word) if isinstance(word, str) else word) for word in map(_text, found.tolist())])
            if found.dtype.kind in "SUO"
            else None
        )
    except (TypeError, ValueError):
        return None


def _text(word: Any) -> Any:
    return word.decode("utf-8", "replace") if isinstance(word, bytes) else word


def is_axis(name: str) -> bool:
    """Whether an array's name is one that the positions of bands have."""
    short = re.sub(r"\{\d+\}$", "", name.rpartition("/")[2]).casefold()
    if short in AXIS_NAMES:
        return True
    unit = unit_of(short)
    said = quantity_of(short) != "" or (unit is not None and (unit.name in CERTAIN_UNITS or _OF_BANDS.search(short) is not None))
    return said and not is_excluded(short)


def spells_axis(name: str) -> bool:
    """Whether an array of texts has a name that the positions of bands have, or the names of columns and bands, which may be positions."""
    return is_axis(name) or _OF_COLUMNS.fullmatch(short_name(name)) is not None


def short_name(name: str) -> str:
    """Return an array's own name, in lower case."""
    return name.rpartition("/")[2].casefold()


def is_excluded(name: str) -> bool:
    """Whether a name says that an array is no list of the bands' positions: those of excitation, widths, errors, masks."""
    return EXCLUDED.search(name.rpartition("/")[2].casefold()) is not None


def choose(
    arrays: Mapping[str, tuple[int, ...]],
    dataset: str | None,
    path: Path | None = None,
    *,
    main: str | None = None,
    unread: Mapping[str, str] | None = None,
) -> str:
    """Return the name of the array that is the cube: the one asked for, the only one, `main`, or the plainly main one.

    `main` is the one that the file itself puts first; `unread` names arrays whose values are no real numbers, with their types. Where there
    are others like the one that is returned, a warning lists them.

    Raises
    ------
    ValueError
        If `dataset` is not among them, or none has two dimensions (or is alone and has one).
    SeveralArraysError
        If the choice is open.
    """
    shown = [f"{name} {'×'.join(map(str, shape))}" for name, shape in arrays.items()]
    contents = ", ".join([*shown[:20], *([f"and {len(shown) - 20} more"] if len(shown) > 20 else [])]) or "nothing"
    unknown = [f"{name} ({kind})" for name, kind in (unread or {}).items()]
    left = f", and of other types {listed_some(unknown)}; save their parts or fields as arrays" if unknown else ""
    if dataset is not None:
        if dataset not in arrays and dataset in (unread or {}):
            raise ValueError(f"its array {dataset!r} holds values of the type {(unread or {})[dataset]}, and a cube holds real numbers")
        if dataset not in arrays:
            raise ValueError(f"there is no array {dataset!r} in it; it holds {contents}")
        return dataset
    candidates = [name for name, shape in arrays.items() if sum(length > 1 for length in shape) >= 2]
    if not candidates:  # one spectrum, alone in its file or next to its axis
        lines = [name for name, shape in arrays.items() if shape and all(shape) and not is_axis(name)]
        lines = lines if len(lines) == 1 else [name for name in lines if not is_excluded(name)]
        lines = [name for name in lines if short_name(name) == "y"] if {short_name(name) for name in lines} == {"x", "y"} else lines
        candidates = lines if len(lines) == 1 else [name for name, shape in arrays.items() if len(shape) >= 2 and not is_axis(name)]
    if not candidates:
        raise ValueError(f"it holds no array of spectra (two or more dimensions, or one spectrum alone); it holds {contents}{left}")
    most = max(len(arrays[name]) for name in candidates)
    deepest = [name for name in candidates if len(arrays[name]) == most]
    named = [name for name in deepest if name.rpartition("/")[2].lower() in _MAIN_NAMES]
    if main is not None:
        most, named = len(arrays[main]), [main]
        deepest = [main, *(name for name in candidates if len(arrays[name]) == most and name != main)]
    if len(deepest) > 1 and len(named) != 1:
        named = _with_positions(arrays, deepest)
    if len(deepest) > 1 and len(named) != 1:
        raise SeveralArraysError(f"it holds several arrays ({contents}); choose one {where('dataset')}")
    others = [name for name in deepest if math.prod(arrays[name]) > 1 and not is_axis(name)]
    if len(others) > 1 and path is not None and len(named) == 1:
        warn(path, f"it holds several arrays ({contents}); {named[0]!r} is read. Choose another {where('dataset')}")
    return (named or deepest)[0]


def _with_positions(arrays: Mapping[str, tuple[int, ...]], names: Sequence[str]) -> list[str]:
    """Return those of several arrays that are as long in some dimension as a list that is called as positions are."""
    lists = {name: max(shape) for name, shape in arrays.items() if shape and 1 < max(shape) == math.prod(shape)}
    lengths = {length for name, length in lists.items() if is_axis(name)} or {length for name, length in lists.items() if spells_axis(name)}
    return [name for name in names if lengths & set(arrays[name])]


def listed_some(words: Sequence[str], most: int = 8) -> str:
    """Return words with commas between them, the first of many."""
    return ", ".join(words[:most]) + (f" and {len(words) - most} more" if len(words) > most else "")


def kind_of(dtype: np.dtype[Any]) -> str:
    """Return what values of a type that is not read are, in words: a table with its fields, or the type."""
    if dtype.names:
        return f"a table of {listed_some(list(dtype.names))}"
    return str(dtype) if dtype.subdtype is None else f"lists of {dtype.subdtype[0]}"


def plainly_last(data: Any) -> bool:
    """Whether the last dimension of an array without an axis holds the bands, beyond doubt.

    Its lengths say so where height and width are more alike than width and bands, unless the values contradict: a mean spectrum varies
    more than the mean rows of an image, so that an array whose first dimension explains much more of the variance may have its bands there.
    """
    shape = tuple(data.shape)
    if len(shape) < 3:
        return True
    height, width, bands = (math.log(max(length, 1)) for length in shape[-3:])
    return abs(height - width) < abs(bands - width) and not _first_varies_most(data)


def _first_varies_most(data: Any) -> bool:
    """Whether the means along the first of three dimensions explain twice as much of the variance as those along the last."""
    if len(data.shape) != 3 or min(data.shape) < 2:
        return False
    return contradict(explained(data, (0, 2)))


def contradict(shares: Sequence[float]) -> bool:
    """Whether the last of some dimensions is not the one of the bands, by how much of the variance the means along each explain."""
    return max(shares, default=0) > LEAST_EXPLAINED and max(shares) > 2 * shares[-1]


def explained(data: Any, dimensions: Sequence[int]) -> list[float]:
    """Return the share of the variance that the means along each dimension explain; none where there are too many values, or one alone."""
    if math.prod(data.shape) > MOST_LOOKED_AT or np.dtype(data.dtype).kind not in "fiu":
        return []
    values = np.asarray(data[...], np.float64)
    values = np.where(np.isfinite(values), values, 0.0)
    total = float(values.var())
    others = [tuple(number for number in range(values.ndim) if number != kept) for kept in dimensions]
    return [float(values.mean(rest).var()) / total for rest in others] if 0 < total < math.inf else []
