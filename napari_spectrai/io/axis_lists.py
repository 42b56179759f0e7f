"""The list of an array's positions among the lists of a container: by its name, its unit, its length and its order."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.io.container import AXIS_NAMES, CERTAIN_UNITS, EXCLUDED, contradict, explained, is_axis, shared, short_name, words_of
from napari_spectrai.io.facts import length_of
from napari_spectrai.io.found import positions, warn
from napari_spectrai.remedies import give, is_answered, where
from napari_spectrai.units import quantity_of, unit_of, usual_unit

_EMISSION = ("em", "emission")
_EXCITATION = re.compile(r"excit|^ex(?![a-z])")
_OF_THE_STAGE = re.compile(
    r"(pos|stage|coord|pixel|px)?[_ .-]?([xyzt]|time|row|col|column|line|lat|lon|depth|height|temp\w*|angle)"
    r"([_ .-].*)?"
)
_LEAST_BANDS = 5
"""Bands from which an array of as many values in order is an axis, whatever its name."""


def _fitting_dimension(path: Path, name: str, length: int, shape: tuple[int, ...], data: Any) -> int:
    """Return the dimension that a list of positions fits: of several the last of the array, with a warning if the values contradict that.

    If the last dimension is none of them, the one along which the means vary most is taken, with a warning.
    """
    fitting = [number for number, one in enumerate(shape) if one == length]
    last = fitting[-1]
    if len(fitting) == 1 or is_answered("spectral"):
        return last
    shares = [] if data is None else explained(data, fitting)
    if last == len(shape) - 1 and not contradict(shares):
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
            near = (-shared(name, main), -len(words_of(name) & words_of(main)), short in AXIS_NAMES[1:])
            fitting.append((near, name, flat))
    if not fitting and (across := _across(path, arrays, shape, units or {}, main)):
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
    if short.casefold() in _EMISSION:
        short += " wavelength"
    unit = (units or {}).get(name) or (short if unit_of(short) is not None else "")
    if short == "spectral_axis" and (units or {}).get(name) == "":  # ours, which says that there is none
        return SpectralAxis(flat), _fitting_dimension(path, short, flat.size, shape, data)
    if (place := _of_square(path, name, arrays, flat.size, shape)) is not None:
        return of_values(path, flat, unit, short), place
    return of_values(path, flat, unit, short), _fitting_dimension(path, short, flat.size, shape, data)


def _of_square(path: Path, name: str, arrays: Mapping[str, Any], length: int, shape: tuple[int, ...]) -> int | None:
    """Return the dimension of emission where a list of excitation wavelengths is as long, which custom has behind it, with a warning."""
    fitting = [number for number, one in enumerate(shape) if one == length]
    others = [one for one, values in arrays.items() if _EXCITATION.search(short_name(one)) and np.size(values) == length]
    if len(fitting) < 2 or not others or is_answered("spectral"):
        return None
    taken = f"its {name!r} and {others[0]!r} are both as long as its dimensions {' and '.join(map(str, fitting))}"
    warn(path, f"{taken}; {fitting[-2]} is taken for that of {name!r}. If that is wrong choose another {where('spectral')}")
    return fitting[-2]


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


def _across(path: Path, arrays: Mapping[str, Any], shape: tuple[int, ...], units: Mapping[str, str], main: str) -> str:
    """Return the name of the array that is called x next to spectra, with a warning where they are not called y, or ``""``.

    Next to others it is one of positions only where it fits one dimension of a matrix, is in order, and no array y gives places too, as
    one does that has no unit, or one of lengths next to x in another.
    """
    known = {
        name: values for name, values in arrays.items() if short_name(name) in ("x", "y") and np.size(values) in shape and name != main
    }
    if any(short_name(name) == "x" and unit_of(units.get(name, "")) is not None for name in known):
        known = {name: values for name, values in known.items() if short_name(name) == "x" or length_of(units.get(name, ""))[0]}
    if len(known) != 1 or len(shape) > 2 or short_name(*known) != "x":
        return ""
    ((name, values),) = known.items()
    if short_name(main) == "y":
        return name
    flat = np.ravel(values)
    steps = np.diff(flat) if flat.dtype.kind in "fiu" else np.zeros(1)
    if flat.size < _LEAST_BANDS or shape.count(flat.size) > 1 or len(shape) < 2 or not ((steps > 0).all() or (steps < 0).all()):
        return ""
    if flat[0] in (0, 1) and (steps == 1).all():
        return ""
    if not is_answered("axis"):
        warn(path, f"its {name!r} is taken for the positions of the bands; if that is wrong {give('axis')}")
    return name


def _other_axis(arrays: Mapping[str, Any], shape: tuple[int, ...], units: Mapping[str, str]) -> str:
    """Return the name of the array that must be the axis, although its name does not say so; empty if there is none, or several."""
    if len(shape) < 2 or shape[-1] < _LEAST_BANDS or shape.count(shape[-1]) > 1:
        return ""
    found = []
    for name, values in arrays.items():
        short, flat = name.rpartition("/")[2].casefold(), np.asarray(values).ravel()
        unit = unit_of(units.get(name, ""))
        of_stage = _OF_THE_STAGE.fullmatch(short) and (unit is None or unit.name not in CERTAIN_UNITS)
        if flat.size != shape[-1] or flat.dtype.kind not in "fiu" or EXCLUDED.search(short) or of_stage:
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
