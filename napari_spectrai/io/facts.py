"""Facts from the lines of text around a table: the unit of the positions, the laser line, the geometry of a map."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.units import quantity_of, unit_of

_MARKS = "=:;\t,"
_LABSPEC = re.compile(r"axis(type|unit)\[(\d+)\]", re.IGNORECASE)
_SPECTRAL_KEY = re.compile(
    r"(x|xdatakind|abscissa|horizontal[-_ ]?axis|x[-_ ]?(axis)?[-_ ]?(units?|label|title)|xaxisunit"
    r"|x[-_ ]?axis([-_ ]mode)?|(wavelength|wavenumbers?|spectral|wave|axis|abscissa)[-_ ]?(units?|axis)?"
    r"|x-?achse|ax[ei] ?(des )?x|eje ?x|asse ?x|eixo ?x|ось ?x|abszisse|abscisse|横軸|横轴|x軸|x轴"
    r"|(first column|column 1|col(\.|umn)? ?1))",
    re.IGNORECASE,
)
_SPECTRAL_OWN = re.compile(r"(spectro|range|spectral range)\b", re.IGNORECASE)
_RANGE = re.compile(r"((spectral|measurement|scan|wavelength|wavenumber) ?)?range", re.IGNORECASE)
_OTHER_QUANTITY = re.compile(r"laser|excit|anreg|возбужд|励起|stage|slit|power|grating|hole|pixel|resol|time|temp|target", re.IGNORECASE)
_POINTS = re.compile(
    r"n(?:um(?:ber)?|o)?[ ._]?(?:of )?(?:data ?)?(?:points|pixels in (?:file|spectrum)|x values|channels)|channels|sizegraph|spectrumsize",
    re.IGNORECASE,
)
_SIZES = re.compile(rf"size[xy]|scan(?:width|height)|{_POINTS.pattern}", re.IGNORECASE)
_LASER = re.compile(r"(laser|excitation)", re.IGNORECASE)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)?")
_INVERSE = re.compile(r"cm\s*\^?\s*[({]?[-−⁻]\s*[1¹][)}]?|1\s*/\s*cm", re.IGNORECASE)
_OF_VALUES = re.compile(
    r"inten[sz]|count|absor|transm|reflec|irradian|power|laser|\d{2}|[^\W\d]\s*/\s*(?:[nuµμ]m|cm|ev)\b|/\s*\w+\d?\s*/", re.IGNORECASE
)
"""What makes words with a unit in them a title of values, such as ``counts/nm``."""
_QUANTITIES = {"nm": "wavelength", "um": "wavelength", "1/cm": "wavenumber", "eV": "energy", "m/z": "mass"}
_SHORTEST_UNIT, _CERTAIN_LETTERS = 2, ("Å", "å", "\u212b")
_LONGEST_FACT = 2000
"""Characters of a line in which a fact is sought; longer lines are titles or numbers."""
_OF_COLUMN = re.compile(r"y\d?units", re.IGNORECASE)
"""How JASCO gives the quantity of each column, in their order: ``YUNITS``, ``Y2UNITS``, …"""
_SCALE = re.compile(r"SetScale\s*(/[PI])?\s+x\s+([-+.\deE]+)\s*,\s*([-+.\deE]+)\s*,\s*\"([^\"]*)\"", re.IGNORECASE)
"""How a text of Igor gives the first position of a wave, the step (/P), the last position (/I) or what would follow it, and the unit."""
_LENGTHS = (
    (re.compile(r"(?<![a-z])(?:µm|μm|um|microns?|micromet\w+)(?![a-z])"), "um"),
    (re.compile(r"(?<![a-z])(?:mm|millimet\w+)(?![a-z])"), "mm"),
    (re.compile(r"(?<![a-z])(?:nm|nanomet\w+)(?![a-z])"), "nm"),
    (re.compile(r"[(\[]\s*(?:m|meters?|metres?)\s*[)\]]"), "m"),
    (re.compile(r"[(\[]\s*(?:s|sec|seconds?)\s*[)\]]"), "s"),
    (re.compile(r"[(\[]\s*(?:ms|milliseconds?)\s*[)\]]"), "ms"),
    (re.compile(r"[(\[]\s*(?:min|minutes?)\s*[)\]]"), "min"),
)


_LENGTH_WORDS = {
    "\\u00b5m": ("um", 1.0), "m": ("m", 1.0), "cm": ("mm", 10.0), "centimeter": ("mm", 10.0), "å": ("nm", 0.1), "pm": ("nm", 1e-3),
}  # fmt: skip
"""Units of lengths that are not found in titles: bare ones, as ImageJ escapes them, and those that are given in others."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts that a text gives about its table.

    Parameters
    ----------
    spectral_unit : the unit or the quantity of the positions as words, or ``""``
    leads : titles of LabSpec's coordinates, in the order of their columns
    metadata : ``"laser_nm"``
    scan : WITec's geometry: SizeX, SizeY, ScanWidth, ScanHeight, …; and how many points the text promises
    unit : the unit of the scan's lengths
    values : the quantities of the columns of values, where there are several
    scale : way, first position, step or last position, and unit of values without positions, as Igor writes them
    """

    spectral_unit: str = ""
    leads: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    scan: Mapping[str, float] = field(default_factory=dict)
    unit: str = "pixel"
    values: tuple[str, ...] = ()
    scale: tuple[str, float, float, str] | None = None

    def missing(self, bands: int, spectra: int, lines: int) -> str:
        """Return what of the points that the text promises is not in its table, in words, or ``""``."""
        points = int(self.scan.get("points", 0))
        if bands >= points or points in (spectra, lines, bands * spectra) or spectra > points:
            return ""
        return f"it promises {points} points and gives {bands}; it may be cut off or still being written"

    def scaled(self, count: int) -> tuple[npt.NDArray[np.float64], str] | None:
        """Return the positions of `count` values that Igor gives by a scale, and their unit."""
        if self.scale is None:
            return None
        way, first, second, unit = self.scale
        step = second if way == "/P" else (second - first) / max(1, count - (way == "/I"))
        return first + step * np.arange(count, dtype=np.float64), unit

    def image(self, count: int) -> tuple[int, int] | None:
        """Return height and width of the map, if the header gives them and they are those of `count` spectra."""
        height, width = int(self.scan.get("sizey", 0)), int(self.scan.get("sizex", 0))
        return (height, width) if height * width == count and count > 1 else None

    def pixel(self, shape: tuple[int, int]) -> tuple[float, float] | None:
        """Return the pixel size, if the header gives the size of the map."""
        high, wide = self.scan.get("scanheight", 0.0), self.scan.get("scanwidth", 0.0)
        return (high / shape[0], wide / shape[1]) if high > 0 and wide > 0 and self.unit != "pixel" else None


def names_axis(key: str, value: str) -> bool:
    """Whether a pair of words names the axis of the positions and its quantity or unit, as ``X-axis`` and ``Wavelength [nm]`` do."""
    if _SPECTRAL_KEY.fullmatch(key) is None:
        return False
    return _is_unit(value) or (quantity_of(value) != "" and (not quantity_of(key) or quantity_of(key) == quantity_of(value)))


def says_unit(quantity: str, value: str) -> bool:
    """Whether the second of two words is the unit of the first, as in ``Wavelength`` and ``nm``, and no quantity of its own."""
    known = unit_of(value) if _is_unit(value) and not quantity_of(value) else None
    return known is not None and quantity_of(quantity) in ("", _QUANTITIES.get(known.name, ""))


def _is_unit(value: str) -> bool:
    """Whether words are a unit of positions alone: no title of values, such as ``counts/nm``, and no letter of one, such as ``A``."""
    words = value.partition(";")[0].strip(" \t\"'[](){}")
    if len(words) < _SHORTEST_UNIT and words not in _CERTAIN_LETTERS:
        return False
    return unit_of(words) is not None and _OF_VALUES.search(_INVERSE.sub("", words)) is None


def length_unit(words: str) -> str:
    """Return the unit of a length or a time that a title names, or ``""``."""
    text = words.casefold()
    return next((unit for pattern, unit in _LENGTHS if pattern.search(text)), "")


def length_of(words: str) -> tuple[str, float]:
    """Return the unit of lengths that a word is, ``""`` if it is none, and the factor of lengths given in theirs."""
    word = words.strip().casefold()
    unit = length_unit(f"({word})")
    return _LENGTH_WORDS.get(word) or ((unit, 1.0) if unit in ("um", "mm", "nm", "m") else ("", 1.0))


def facts_of(lines: Sequence[str]) -> Facts:
    """Return the facts in lines of text; a unit counts only for the quantity in the same line."""
    axes: dict[int, dict[str, str]] = {}
    spectral, laser = "", None
    scan: dict[str, float] = {}
    unit = "pixel"
    values: list[str] = []
    for line in (line[:_LONGEST_FACT] for line in lines):
        key, value = _pair(line)
        if not key:
            spectral = spectral or _alone(line) or ("" if _NUMBER.search(_INVERSE.sub("", line)) else _free(line))
            continue
        if (axis := _LABSPEC.match(key)) is not None:
            axes.setdefault(int(axis.group(2)), {})[axis.group(1).casefold()] = value
        elif _SIZES.fullmatch(key):
            if (number := _NUMBER.match(value)) is not None:
                scan["points" if _POINTS.fullmatch(key) else key.casefold()] = float(number.group(0).replace(",", "."))
        elif _OF_COLUMN.fullmatch(key):
            values.append(value)
        elif key.casefold() == "scanunit":
            unit = length_unit(value) or "pixel"
        elif _LASER.search(key):
            laser = laser or _laser(key, value)
        elif names_axis(key, value):
            spectral = spectral or value.partition(";")[0]
        elif _RANGE.fullmatch(key) and _NUMBER.search(value) and unit_of(value) is not None:
            spectral = spectral or _unit_in(value)
        elif _SPECTRAL_OWN.match(key) and not _OTHER_QUANTITY.search(key) and unit_of(key) is not None:
            spectral = spectral or key
        elif not _OTHER_QUANTITY.search(line) and not _NUMBER.search(_INVERSE.sub("", value)):
            spectral = spectral or _free(line)
    named = next((axis.get("unit", "") for axis in axes.values() if axis.get("type", "").casefold().startswith("spectr")), "")
    leads = tuple(
        f"{axis.get('type', '')} ({axis.get('unit', '')})"
        for number, axis in sorted(axes.items())
        if number > 0 and not axis.get("type", "").casefold().startswith(("spectr", "intens"))
    )
    return Facts(named or spectral, leads, {} if laser is None else {"laser_nm": laser}, scan, unit, tuple(values), _scale(lines))


def _scale(lines: Sequence[str]) -> tuple[str, float, float, str] | None:
    """Return the scale of the waves of a text of Igor, if all have the same."""
    found = {match.groups() for line in lines if len(line) <= _LONGEST_FACT for match in _SCALE.finditer(line)}
    try:
        (way, first, second, unit), *others = found
        return None if others else ((way or "").upper(), float(first), float(second), unit)
    except ValueError:  # there is none, or one that is no number
        return None


def _pair(line: str) -> tuple[str, str]:
    """Return key and value of a line, both empty if it has none; each character is read once, unlike with a pattern."""
    text = line.lstrip(" \t\r\f\v#%/;*")
    place = next((number for number, character in enumerate(text) if character in _MARKS), -1)
    if place < 1:
        return "", ""
    return text[:place].strip(), text[place:].lstrip(_MARKS).strip().rstrip("; ,\t")


def _unit_in(value: str) -> str:
    """Return the unit behind the numbers of a range."""
    words = _INVERSE.search(value)
    return words.group(0) if words is not None else re.sub(r"[-\d.,\s]+", " ", value).strip()


def _alone(line: str) -> str:
    """Return a line that is nothing but a unit of spectra, as PerkinElmer writes it."""
    word = line.strip(" \t\r#\"'")
    found = unit_of(word) if 1 < len(word) < 10 and not quantity_of(word) else None
    return word if found is not None and re.fullmatch(r"(?i)nm|cm\^?-1|1/cm|ev|nanomet\w+", word) else ""


def _free(line: str) -> str:
    """Return a line that names the quantity of the positions with its unit."""
    return line if quantity_of(line) and not _OTHER_QUANTITY.search(line) and unit_of(re.sub(r"(?i)raman|wave\s?number", "", line)) else ""


def _laser(key: str, value: str) -> float | None:
    number = _NUMBER.search(value)
    named = "nm" in f"{key} {value}".casefold() or "wavelength" in key.casefold()
    found = float(number.group(0).replace(",", ".")) if number else 0.0
    return found if named and 150 < found < 3000 else None
