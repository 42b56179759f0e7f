"""Positions of bands from the names of channels, as far as they say where light was detected.

``"423 nm"``, ``"Em 525/50"`` and ``"S1 417.3"`` do. Names hold other wavelengths too: laser lines, excitation filters, widths, the numbers
of dyes. The words next to a number decide, and whether the values are those of bands in an order or of a few laser lines.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from napari_spectrai.spectral_axis import SpectralAxis, unit_in

FloatArray = npt.NDArray[np.float64]

_VALUE = r"\d+(?:[.,]\d+)?(?:[eE][-+]?\d+)?"
_UNIT = r"(?:nm|[uµμ]m|cm\s*\^?\s*[-−⁻]\s*[1¹]|1/cm|[mk]?eV|[nN]anomet\w+|[mM]icromet\w+|[Åå\u212b]|[aA]ngstr\w+)"
_TO = r"\s*(?:-|–|—|−|\.\.+|to|…)\s*"
_ENDS = rf"(?<![\w.,/])(?P<low>{_VALUE})\s*{_UNIT}?"
_WINDOW = rf"{_ENDS}{_TO}(?P<high>{_VALUE})[\])]?\s*(?P<window>{_UNIT})?(?![\w.])"
_FILTER = r"(?<![\w.,])[A-Z]{0,2}(?P<centre>\d{3,4}(?:[.,]\d+)?)\s*(?:nm)?\s*/\s*(?P<width>\d{1,3}(?:[.,]\d+)?)\s*(?P<filter>nm|m|x)?(?!\w)"
_BEHIND = rf"(?P<before>{_UNIT})\s*[:=_ ]\s*(?P<behind>{_VALUE})(?![\w.])"
_SINGLE = rf"(?<![A-Za-z\d.,])(?P<value>-?{_VALUE})\s*(?P<single>{_UNIT})(?![A-Za-z])"
_BARE = r"(?<![\w.,/])(?P<bare>\d{3,4}(?:[.,]\d+)?)(?![\w.,/])"
_NUMBERS = re.compile("|".join((_WINDOW, _FILTER, _SINGLE, _BEHIND, _BARE)))
_PLAIN = re.compile(rf"\s*({_VALUE})(?:{_TO}({_VALUE}))?\s*")
_BRACKET = re.compile(rf"[(\[]\s*({_VALUE})\s*[)\]]\s*$")
_CALLED = re.compile(rf"\s*(?:wl|wvl|wavelength|lambda|λ|refl\w*|radiance|absorb\w*)\s*[=:_ ]*\s*({_VALUE})\s*", re.IGNORECASE)
_DETECTOR = re.compile(
    rf"\s*(?:chs?|s|d|pmt|channel|band|b|slice|track)\s*[-_#]?\s*(\d{{1,3}})(?:[-_ ]?T\d)?\s*[-_:, ]\s*({_VALUE})(?:{_TO}({_VALUE}))?\s*",
    re.IGNORECASE,
)
_COUNTER = re.compile(r"(?<!\w)[czt]:\s*\d+/\d+", re.IGNORECASE)
"""What ImageJ puts before the labels of a hyperstack."""
_GLUED = re.compile(r"(?<![^\W_\d])(em|ex|exc|bp)(?=\d{3})", re.IGNORECASE)
"""Words that stand before their number without a blank, as in ``EM525/50``."""

_WORDS = (
    ("emission", r"(?:em|emi|emission|emitted|detect\w*|det|collect\w*|λ\s?em|bandpass|bp)"),
    ("excitation", r"(?:ex|exc|excit\w*|laser\w*|illumin\w*|λ\s?exc?|led|diode|argon|ar|hene|he-ne|dpss|pump|stokes|activation|bleach\w*)"),
    ("other", r"(?:pinhole|slit|fwhm|width|bw|bandwidth|step|z|depth|focus|stage|position|pixel|exposure|power|grating|offset)"),
)
_WORD = re.compile("|".join(rf"(?P<{role}>(?<![^\W_\d]){words}(?![^\W_\d]))" for role, words in _WORDS), re.IGNORECASE)
_LABELLED = re.compile(
    r"dapi|hoechst|fitc|tritc|[gyrcb]fp|cherry|tomato|citrine|venus|turquoise|dsred|texas|rhodamine|\bcy-?\d|alexa|\baf[ -]?\d{3}|atto"
    r"|dylight|bodipy|tracker|phalloidin|sytox|draq|qdot|\bbv\d{3}|fluo-?\d|fura|calcein|nile|propidium"
    r"|bright ?field|\bbf\b|\btl\b|transmi|\bdic\b|phase|confocal|wide ?field",
    re.IGNORECASE,
)
"""Names of dyes and of transmitted light: a number next to them says how a channel was excited, if it says anything."""
LASER_LINES = (
    355, 375, 395, 405, 442, 445, 450, 455, 458, 470, 473, 476, 477, 488, 491, 496, 502, 505, 514, 515, 520, 532, 543, 552, 555, 559, 561,
    568, 590, 592, 594, 633, 637, 638, 639, 640, 642, 647, 656, 660, 671, 685, 730, 750, 775, 785, 808, 830, 980, 1064,
)  # fmt: skip
"""Lines of the lasers and diodes of fluorescence microscopes, in nm."""
_NEAR_A_LINE, _MOST_LINES = 1.6, 8
_LENGTH_RANGE = (100.0, 30_000.0)
_LEAST_PLAIN, _YEARS = 3, (1900, 2100)
"""Numbers without a unit that may be wavelengths: fewer are the excitations of a ratio; and those that are years."""
_MASS = re.compile(rf"\s*m\s*/?\s*z\s*[:=_ ]*\s*({_VALUE})\b.*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Number:
    """A number in a name: its value, its unit (``""``: none), how it is written, and what the words next to it make it."""

    value: float
    unit: str
    form: str
    role: str = ""


def axis_of_names(names: Sequence[str], excitations: Sequence[float] = ()) -> tuple[SpectralAxis | None, str]:
    """Return the axis that the names of channels give, and what was assumed, or why they give none although they hold wavelengths.

    Parameters
    ----------
    names : one per channel
    excitations : sequence of float, optional
        The excitation wavelengths of the channels in nm, if they are known.

    Returns
    -------
    axis : SpectralAxis or None
    note : str
        A clause such as ``"its channels are called '410-420 nm' to '480-490 nm'; the middles are taken for positions"``; ``""`` if the
        names hold no wavelengths.
    """
    if not names:
        return None, ""
    names = [_COUNTER.sub("", name).strip(" -;") if _COUNTER.search(name) else name for name in names]
    names = [_GLUED.sub(r"\1 ", name) for name in names]
    called = f"its channels are called {names[0]!r}" + (f" to {names[-1]!r}" if len(names) > 1 else "")
    masses = [_MASS.fullmatch(name) for name in names]
    if all(masses):
        found = np.array([_float(match.group(1)) for match in masses if match])
        return SpectralAxis(found, "m/z"), f"{called}; these masses are taken for the positions of the bands"
    readings = [_reading(name) for name in names]
    if all(one is not None for one in readings):
        known = [one for one in readings if one is not None]
        axis, why = _decided(known, names, excitations)
        return axis, f"{called}; {why}"
    axis = _plain(names)
    if axis is None:
        some = [one for one in readings if one is not None and one.unit and one.role != "other"]
        return None, f"{called}; only {len(some)} of {len(names)} names give a wavelength, and the bands are numbered" if some else ""
    if _are_lines(axis.values):
        return None, f"{called}, which are laser lines and no positions of bands; the bands are numbered"
    return axis, f"{called}, without a unit; these are taken for nm"


def _decided(known: Sequence[_Number], names: Sequence[str], excitations: Sequence[float]) -> tuple[SpectralAxis | None, str]:
    """Return the axis of channels that all name a number, and why."""
    values, units = np.array([one.value for one in known]), {one.unit for one in known}
    why = _no_positions(known, values)
    if why:
        return None, f"these {why}; the bands are numbered"
    window = {one.form for one in known} <= {"window", "range"}
    labelled = any(_LABELLED.search(name) for name in names)
    if {one.role for one in known} != {"emission"} and not window:
        steps = np.diff(values)
        unordered = len(values) > 1 and not ((steps > 0).all() or (steps < 0).all())
        if len(excitations) == len(values) and bool((np.abs(values - np.asarray(excitations, np.float64)) < _NEAR_A_LINE).all()):
            return None, "these are the wavelengths of excitation and no positions; the bands are numbered"
        if len(values) <= _MOST_LINES and (unordered or labelled or _are_lines(values)):
            return None, "these are likely laser lines or filters and not taken for positions; the bands are numbered"
    what = "the middles of these windows" if window else "these wavelengths"
    return SpectralAxis(values, units.pop() or "nm"), f"{what} are taken for the positions of the bands"


def _no_positions(known: Sequence[_Number], values: FloatArray) -> str:
    """Return why numbers of channels cannot be positions of bands, by what stands next to them; empty if they can."""
    roles = {one.role for one in known}
    if "other" in roles:
        return "are no wavelengths of light"
    if "excitation" in roles:
        return "are wavelengths of excitation and no positions of bands"
    if len({one.unit for one in known}) > 1:
        return "wavelengths have several units"
    return "wavelengths are all the same" if len(values) > 1 and np.unique(values).size == 1 else ""


def _are_lines(values: FloatArray) -> bool:
    """Whether values in nm are a few laser lines rather than evenly spaced bands."""
    steps = np.diff(values)
    even = len(values) > 2 and bool(np.allclose(steps, steps[0], rtol=0.02))
    near = np.abs(values[:, None] - np.array(LASER_LINES)).min(1) <= _NEAR_A_LINE
    return len(values) <= _MOST_LINES and not even and bool(near.all())


def _reading(name: str) -> _Number | None:
    """Return the number of a name that says where light was detected, else the one that says something else; None if it has none."""
    found, roles = _numbers(name)
    rated = [_Number(one.value, one.unit, one.form, role) for one, role in zip(found, roles, strict=True) if one.unit or role]
    for role in ("emission", "", "excitation", "other"):
        fitting = [one for one in rated if one.role == role]
        if fitting and not (role == "" and len(fitting) > 1 and any(one.role == "excitation" for one in rated)):
            return fitting[0]
    return None


def _numbers(name: str) -> tuple[list[_Number], list[str]]:
    """Return the numbers in a name that may be wavelengths, and the role that the words before or behind give each."""
    matches = list(_NUMBERS.finditer(name))
    found = [_number(match) for match in matches]
    gaps = [
        name[end:start] for end, start in zip([0, *(m.end() for m in matches)], [*(m.start() for m in matches), len(name)], strict=True)
    ]
    words = [[match.lastgroup or "" for match in _WORD.finditer(gap)] for gap in gaps]
    behind = bool(words[-1]) and not words[0]  # "488 ex, 525 em", and not "Ex 488, Em 525"
    near = [after[:1] if behind else before[-1:] for before, after in pairwise(words)]
    return found, [one[0] if one else "" for one in near]


def _number(match: re.Match[str]) -> _Number:
    parts = match.groupdict()
    if parts["high"] is not None:
        low, high = _float(parts["low"]), _float(parts["high"])
        return _scaled((low + high) / 2, parts["window"], "window" if parts["window"] else "range")
    if parts["centre"] is not None:
        # a centre and its width, as of a filter; two wavelengths of a dye else
        narrow = _float(parts["width"]) <= _float(parts["centre"]) / 3
        return _Number(_float(parts["centre"]), "nm" if narrow and parts["filter"] == "nm" else "", "filter" if narrow else "pair")
    if parts["behind"] is not None:
        return _scaled(_float(parts["behind"]), parts["before"], "value")
    if parts["value"] is not None:
        return _scaled(_float(parts["value"]), parts["single"], "value")
    return _Number(_float(parts["bare"]), "", "value")


def _scaled(value: float, written: str | None, form: str) -> _Number:
    words = re.sub(r"\s", "", written or "")
    if re.match(r"[åÅ\u212b]|angstr", words, re.IGNORECASE):
        unit, factor = "nm", 0.1
    elif words.casefold() in ("mev", "kev"):
        unit, factor = "eV", 1e-3 if words[0] == "m" else 1e3
    else:
        unit, factor = unit_in("cm-1" if words[:2] == "cm" else words), 1.0
    # a dash before a wavelength is not its sign
    return _Number((value if unit == "1/cm" else abs(value)) * factor, unit, form)


def _plain(names: Sequence[str]) -> SpectralAxis | None:
    """Return the axis of names that are numbers without a unit, in an order and within the lengths of light."""
    detectors = [_DETECTOR.fullmatch(name) for name in names]
    if len(names) > 2 and all(detectors):
        counted = np.array([int(match.group(1)) for match in detectors if match])
        values = np.array([_ends(match.group(2), match.group(3)) for match in detectors if match])
        if not ((np.diff(counted) == 1).all() or (counted == counted[0]).all()):
            return None
    else:
        matches = [_PLAIN.fullmatch(name) or _CALLED.fullmatch(name) or _BRACKET.search(name) for name in names]
        values = np.array([_middle(match) for match in matches if match])
    bare = all(re.fullmatch(rf"\s*{_VALUE}\s*", name) for name in names)
    if (
        len(values) < max(_LEAST_PLAIN if bare else 2, len(names))
        or not (values >= _LENGTH_RANGE[0]).all()
        or not (values <= _LENGTH_RANGE[1]).all()
    ):
        return None
    steps = np.diff(values)
    if (steps == 1).all() and values[0] >= _YEARS[0] and values[-1] <= _YEARS[1]:
        return None
    return SpectralAxis(values, "nm") if (steps > 0).all() or (steps < 0).all() else None


def _middle(match: re.Match[str]) -> float:
    return _ends(*match.groups())


def _ends(*texts: str | None) -> float:
    ends = [_float(text) for text in texts if text]
    return sum(ends) / len(ends)


def _float(text: str) -> float:
    return float(text.replace(",", "."))
