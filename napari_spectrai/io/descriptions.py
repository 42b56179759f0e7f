"""Positions of bands in the texts that programs keep in a TIFF: one for the image, or one for each page."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.io.axis_lists import find_axis
from napari_spectrai.io.container import LONGEST_LIST, is_axis, is_excluded, numbers_in
from napari_spectrai.io.found import positions
from napari_spectrai.io.named_units import unit_names
from napari_spectrai.parsing import parse_json
from napari_spectrai.units import quantity_of, unit_of

_PAIR = re.compile(r"\s*[#;]?\s*([^=:\n]{1,60}?)\s*[=:]\s*(.+)")
_NUMBER = re.compile(r"\s*(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)\s*([^\d\s]\S{0,20})?\s*")
_NUMBERED = re.compile(r"(.+?)\s*#\s*0*(\d{1,6})")
_WINDOW = re.compile(r"\s*(\d+(?:\.\d+)?)\s*-\s*(\d+(?:\.\d+)?)\s*(?:nm)?\s*")
_LONGEST = 2**16
"""Characters of the text of one page."""


def fields_of(text: str) -> dict[str, Any]:
    """Return the fields of a text: those of a JSON object, or of lines and clauses such as ``Wavelength = 450 nm``."""
    if len(text) > LONGEST_LIST:
        return {}
    if text.lstrip().startswith("{"):
        try:
            found = parse_json(text)
        except ValueError:
            return {}
        return _with_lists({str(key): value for key, value in found.items()}) if isinstance(found, dict) else {}
    clauses = [clause for line in text.splitlines() for clause in ([line] if line.count(",") > 1 else re.split(r"[;,]\s", line))]
    pairs = [match for match in map(_PAIR.fullmatch, clauses) if match is not None]
    return _with_lists({match.group(1).strip(): match.group(2).strip() for match in pairs})


def _with_lists(fields: dict[str, Any]) -> dict[str, Any]:
    """Return fields with those that are numbered (``…|EmissionWavelength #1``), or stand in each of a list of objects, as lists, too."""
    found: dict[str, dict[int, Any]] = {}
    for key, value in fields.items():
        if (match := _NUMBERED.fullmatch(key)) is not None:
            found.setdefault("|".join(match.group(1).split("|")[-2:]), {})[int(match.group(2))] = value
        elif isinstance(value, list) and len(value) > 1 and all(isinstance(one, dict) for one in value):
            for name in value[0]:
                found |= {str(name): {n: one.get(name) for n, one in enumerate(value)}} if is_axis(str(name)) else {}
    lists = {key: [_middle(values[n]) for n in sorted(values)] for key, values in found.items() if len(values) > 1 and is_axis(key)}
    return lists | fields


def _middle(value: Any) -> Any:
    """Return the middle of a window such as ``405.0-415.0``, other values as they are."""
    window = _WINDOW.fullmatch(value) if isinstance(value, str) else None
    return value if window is None else str((float(window.group(1)) + float(window.group(2))) / 2)


def axis_of_image(fields: Mapping[str, Any], count: int, path: Path) -> SpectralAxis | None:
    """Return the axis that one of the fields of an image lists, whose unit another field or its own name may give."""
    lists = {key: values for key, value in fields.items() if (values := numbers_in(value)) is not None and len(values) == count}
    words = {key.casefold(): value for key, value in fields.items() if isinstance(value, str)}
    units: dict[str, str] = {}
    for key in lists:
        names = (*unit_names(key), "unit", "units")
        known = next((words[name] for name in names if name in words and unit_of(words[name]) is not None), "")
        units |= {key: known} if known else {}
    return find_axis(lists, (count,), units, path=path)[0] if lists else None


def listed_dimension(fields: Mapping[str, Any], shape: Sequence[int]) -> int | None:
    """Return the only dimension that is as long as a list of positions among the fields of an image."""
    lengths = {len(values) for key, value in fields.items() if is_axis(key) and (values := numbers_in(value)) is not None}
    fitting = [number for number, length in enumerate(shape) if length in lengths]
    return fitting[0] if len(fitting) == 1 else None


def axis_of_pages(texts: Sequence[str], path: Path) -> SpectralAxis | None:
    """Return the axis of pages each of which names its position in a field of the same name."""
    if any(len(text) > _LONGEST for text in texts):
        return None
    pages = [fields_of(text) for text in texts]
    for key in pages[0]:
        if not quantity_of(key) or is_excluded(key) or not all(key in page for page in pages):
            continue
        read = [_NUMBER.fullmatch(str(page[key])) for page in pages]
        units = {match.group(2) or "" for match in read if match is not None}
        values = [float(match.group(1)) for match in read if match is not None]
        if len(values) == len(pages) and len(units) == 1 and len(set(values)) > 1:
            unit = units.pop() or (key if unit_of(key) is not None else "")
            return positions(path, values, unit, quantity=key)
    return None
