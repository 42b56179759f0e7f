"""What containers of several arrays share: choosing the cube among them, and finding its axis."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.io.found import SeveralArraysError, positions, warn
from napari_spectrai.remedies import give, is_answered, where
from napari_spectrai.units import quantity_of, unit_of, usual_unit

_AXIS_NAMES = (
    "spectral_axis", "axis", "axisscale", "axis_scale", "x_axis", "xaxis", "band_centers", "band_centres", "bandcenters", "shift", "shifts",
    "block0_items", "nm", "cm1", "cm_1", "ev", "kev", "wave", "waves", "wlens", "wns",
)  # fmt: skip
"""Names of lists of positions; ``block0_items`` is that of the columns of a table of pandas."""
_OF_BANDS = re.compile(r"band|spectral|spectrum|channel")
"""Words that make the name of an array that of an axis together with a unit, as in ``bands_nm``."""
_NO_AXIS = re.compile(r"fwhm|width|good|bad|mask|flag|laser|excit|index|indices|error|sigma|std|shape|size|count(?!s)")
_OF_THE_STAGE = re.compile(
    r"(pos|stage|coord|pixel|px)?[_ .-]?([xyzt]|time|row|col|column|line|lat|lon|depth|height|temp\w*|angle)"
    r"([_ .-].*)?"
)
_NANOMETRES = re.compile(r"\s*nm\s*$")
_OF_COLUMNS = re.compile(r"(?:var|variable|col|column|feature|band|channel)s?[ _]?(?:label|name|id)s|columns|features|bands|channels")
_LEAST_BANDS = 5
"""Bands from which an array of as many values in order is an axis, whatever its name."""
CERTAIN_UNITS = ("1/cm", "eV", "m/z")
"""Units that only the positions of bands have."""
LONGEST_LIST = 2**20
"""Characters of a text that may be a list of positions."""
MOST_LOOKED_AT = 2**22
"""Largest number of values of an array that are read to see which dimension holds the bands."""
LEAST_EXPLAINED = 0.2
"""Minimum fraction of the variance explained by the means along the first dimension to doubt that the last one holds the bands."""
_MAIN_NAMES = ("data", "cube", "spectra", "image", "hsi")


def _shared(name: str, other: str) -> int:
    """Return how many groups two arrays have in common."""
    groups = zip(name.split("/")[:-1], other.split("/")[:-1], strict=False)
    return next((number for number, (one, two) in enumerate(groups) if one != two), min(name.count("/"), other.count("/")))


def _words(name: str) -> set[str]:
    """Return the words of an array's own name, in lower case."""
    return {word.casefold() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+|\d+", name.rpartition("/")[2])}


def numbers_in(value: Any) -> npt.NDArray[Any] | None:
    """Return a list of numbers that an attribute is: as numbers, as texts, or in one text with commas or blanks between them."""
    if isinstance(value, (str, bytes)):
        words = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        value = re.split(r"[,;\s]+", words.strip("[](){} \n")) if len(words) <= LONGEST_LIST else []
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
    if short in _AXIS_NAMES:
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
    return _NO_AXIS.search(name.rpartition("/")[2].casefold()) is not None


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
    lengths = {max(shape) for name, shape in arrays.items() if shape and is_axis(name) and 1 < max(shape) == math.prod(shape)}
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
    return _contradict(explained(data, (0, 2)))


def _contradict(shares: Sequence[float]) -> bool:
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


def _fitting_dimension(path: Path, name: str, length: int, shape: tuple[int, ...], data: Any) -> int:
    """Return the dimension that a list of positions fits: of several the last of the array, with a warning if the values contradict that.

    If the last dimension is none of them, the one along which the means vary most is taken, with a warning.
    """
    fitting = [number for number, one in enumerate(shape) if one == length]
    last = fitting[-1]
    if len(fitting) == 1 or is_answered("spectral"):
        return last
    shares = [] if data is None else explained(data, fitting)
    if last == len(shape) - 1 and not _contradict(shares):
        return last
    place = last if last == len(shape) - 1 or not shares else fitting[int(np.argmax(shares))]
    several = " and ".join(map(str, fitting))
    warn(
        path, f"its {name!r} is as long as its dimensions {several}; {place} is taken; if that is wrong choose another {where('spectral')}"
    )
    return place


def find_axis(
    arrays: Mapping[str, Any],
    shape: tuple[int, ...],
    units: Mapping[str, str] | None = None,
    *,
    path: Path,
    main: str = "",
    data: Any = None,
) -> tuple[SpectralAxis | None, int | None]:
    """Return the axis among the 1-D `arrays`, by its name and its length, and the dimension it fits.

    A name that is a quantity (``wavelengths``, ``Wavelength_nm``, ``photon_energy``) counts; the array that lies nearest to `main`
    is taken where several fit. The last dimension is taken if it fits, so that a cube as wide as it has bands is read λ last; where others
    fit, too, and the values of `data` contradict that, a warning says so.
    A wavelength without a unit is in nm, unless its values say otherwise. Where no name counts, an array does that has as many values as
    the last dimension alone, in order, and a unit of spectra; or, if it is the only one, none.
    """
    fitting: list[tuple[tuple[int, int, int], str, Any]] = []
    for name, values in arrays.items():
        short, flat = name.rpartition("/")[2].casefold(), np.asarray(values).ravel()
        if is_axis(name) and flat.size in shape and flat.dtype.kind in "fiu" and np.isfinite(flat.astype(np.float64)).all():
            near = (-_shared(name, main), -len(_words(name) & _words(main)), short in _AXIS_NAMES[1:])
            fitting.append((near, name, flat))
    if not fitting and short_name(main) == "y" and (across := _across(arrays, shape)):
        fitting = [((0, 0, 0), across, np.asarray(arrays[across]).ravel())]
    if not fitting and (other := _other_axis(arrays, shape, units or {})):
        fitting = [((0, 0, 0), other, np.asarray(arrays[other]).ravel())]
    if not fitting:
        _mention(path, arrays, shape)
        return None, None
    rank, name, flat = min(fitting, key=lambda found: found[0])
    alike = [one for one in fitting if one[0] == rank and quantity_of(one[1]) == quantity_of(name) and one[2].size == flat.size]
    if any(not np.array_equal(one[2], flat) for one in alike) and not is_answered("axis"):
        names = ", ".join(one[1] for one in alike)
        warn(path, f"it holds several lists of positions ({names}); {name!r} is taken. If that is wrong {give('axis')}")
    short = name.rpartition("/")[2]
    unit = (units or {}).get(name) or (short if unit_of(short) is not None else "")
    if short == "spectral_axis" and (units or {}).get(name) == "":  # ours, which says that there is none
        return SpectralAxis(flat), _fitting_dimension(path, short, flat.size, shape, data)
    return of_values(path, flat, unit, short), _fitting_dimension(path, short, flat.size, shape, data)


def say_unfitting(path: Path, arrays: Mapping[str, tuple[int, ...]], shape: tuple[int, ...], main: str = "") -> None:
    """Mention lists of wavelengths or wavenumbers that are not as long as any dimension of a cube without positions."""
    for name, lengths in arrays.items():
        unfit = math.prod(lengths) > 1 and math.prod(lengths) not in shape and quantity_of(short_name(name)) in ("wavelength", "wavenumber")
        if unfit and name != main and is_axis(name) and not is_answered("axis"):
            words = "×".join(map(str, lengths))
            warn(path, f"it holds {name!r} ({words}), which is no list of its bands' positions; the bands are numbered; {give('axis')}")


def _mention(path: Path, arrays: Mapping[str, Any], shape: tuple[int, ...]) -> None:
    """Mention the list that is as long as the last dimension alone, and is called x or lacks numbers."""
    for name, values in arrays.items():
        if np.size(values) != shape[-1] or shape[-1] < _LEAST_BANDS or shape.count(shape[-1]) > 1 or is_answered("axis"):
            continue
        flat = np.asarray(values).ravel()
        if is_axis(name) and flat.dtype.kind == "f" and not np.isfinite(flat).all():
            warn(path, f"its {name!r} is not all numbers; the bands are numbered; {give('axis')}")
        elif short_name(name) == "x" and len(shape) > 1 and flat.dtype.kind in "fiu":
            warn(path, f"it holds {name!r}, as long as it has bands, which is not taken for their positions; if it is {give('axis')}")


def _across(arrays: Mapping[str, Any], shape: tuple[int, ...]) -> str:
    """Return the name of the array that is called x next to spectra called y, or ``""``."""
    known = [name for name, values in arrays.items() if short_name(name) == "x" and np.size(values) in shape and len(shape) <= 2]
    return known[0] if len(known) == 1 else ""


def _other_axis(arrays: Mapping[str, Any], shape: tuple[int, ...], units: Mapping[str, str]) -> str:
    """Return the name of the array that must be the axis, although its name does not say so; empty if there is none, or several."""
    if len(shape) < 2 or shape[-1] < _LEAST_BANDS or shape.count(shape[-1]) > 1:
        return ""
    found = []
    for name, values in arrays.items():
        short, flat = name.rpartition("/")[2].casefold(), np.asarray(values).ravel()
        unit = unit_of(units.get(name, ""))
        of_stage = _OF_THE_STAGE.fullmatch(short) and (unit is None or unit.name not in CERTAIN_UNITS)
        if flat.size != shape[-1] or flat.dtype.kind not in "fiu" or _NO_AXIS.search(short) or of_stage:
            continue
        steps = np.diff(flat.astype(np.float64))
        counts = flat[0] in (0, 1) and bool((steps == 1).all())
        if ((steps > 0).all() or (steps < 0).all()) and not counts:
            found.append(name)
    known = [name for name in found if unit_of(units.get(name, "")) is not None]
    return (known or found)[0] if len(known or found) == 1 else ""


def of_values(path: Path, values: Any, unit: str, name: str) -> SpectralAxis:
    """Return an axis whose unit may have to follow from the name and the values; wavelengths from 100 to 30,000 are custom in nm."""
    quantity = quantity_of(name)
    usual = usual_unit(quantity, values) if not unit else None
    if usual is not None and usual.factor == 1 and usual.name in ("nm", "eV", "1/cm", "m/z"):
        return SpectralAxis(values, usual.name)
    if not unit and name in ("spectral_axis", "axis") and np.array_equal(values, np.arange(len(values))):  # ours, of bands with numbers
        return SpectralAxis(values)
    return positions(path, values, unit, quantity=name)
