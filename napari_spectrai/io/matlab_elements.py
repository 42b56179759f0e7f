"""Elements of cells and of arrays of structs in MATLAB files: spectra one by one, as one set."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from napari_spectrai.io.columns import in_order
from napari_spectrai.io.container import is_axis

_ELEMENT = re.compile(r"(?P<base>[^{}]+)\{(?P<number>\d+)\}(?P<rest>[^{}]*)")
_UNIT = re.compile(r"(.+?)_?units?", re.IGNORECASE)
_NAMED_SCALE = re.compile(r"(.*axisscale)name(\{\d+\})?", re.IGNORECASE)


def is_element(name: str) -> bool:
    """Whether a name is that of an element, such as ``spectra{3}`` or ``s{3}/y``."""
    return _ELEMENT.fullmatch(name) is not None


def gathered(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Return arrays in which elements that are spectra alike are one, as ``spectra`` for ``spectra{0}`` and ``spectra{1}``.

    Vectors of one length become the lines of a matrix, or one vector where they are all the same, as positions are. Matrices of two
    columns, the first of which holds the same positions in each, become ``NAME/x`` and ``NAME/y``. Others stay as they are.
    """
    groups: dict[str, list[str]] = {}
    for name in arrays:
        if (match := _ELEMENT.fullmatch(name)) is not None:
            groups.setdefault(match["base"] + match["rest"], []).append(name)
    found = dict(arrays)
    for whole, names in groups.items():
        values = [np.squeeze(np.asarray(arrays[name])) for name in names]
        if len(names) < 2 or whole in found or len({value.shape for value in values}) > 1:
            continue
        more = _of_vectors(whole, np.stack(values)) if values[0].ndim == 1 else _of_pairs(whole, np.stack(values))
        if more:
            found = {name: value for name, value in found.items() if name not in names} | more
    return found


def _of_vectors(whole: str, values: Any) -> dict[str, Any]:
    if values.shape[1] > 2 and (values == values[0]).all():
        return {whole: values[0]}
    return {} if is_axis(whole) or values.shape[1] < 3 else {whole: values}


def _of_pairs(whole: str, values: Any) -> dict[str, Any]:
    if values.ndim != 3 or 2 not in values.shape[1:] or max(values.shape[1:]) < 3:
        return {}
    pairs = values if values.shape[1] == 2 else values.transpose(0, 2, 1)
    same = (pairs[:, 0] == pairs[0, 0]).all() and in_order(pairs[0, 0].astype(np.float64))
    return {f"{whole}/x": pairs[0, 0], f"{whole}/y": pairs[:, 1]} if same else {}


def units_in(words: Mapping[str, str]) -> dict[str, str]:
    """Return the units of arrays that texts give, by names such as ``wavelength_units``, or ``axisscalename{1}`` for ``axisscale{1}``."""
    found: dict[str, str] = {}
    for name, text in words.items():
        scale, unit = _NAMED_SCALE.fullmatch(name), _UNIT.fullmatch(name)
        if scale is not None:
            found[f"{scale[1]}{scale[2] or ''}"] = text
        elif unit is not None:
            found |= {f"{unit[1]}{end}": text for end in ("", "s", "axis", "_axis", "scale")}
    return found
