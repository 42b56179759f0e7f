"""Positions of bands in another unit: wavelength, wavenumber, Raman shift, energy or band number."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.spectral_axis import SpectralAxis

SHIFT = "shift"
"""Raman shift in 1/cm, computed from the absolute wavenumber and the laser line."""
_HC_EV_NM = 1239.841984
_TITLES = {
    "nm": "Wavelength (nm)",
    "um": "Wavelength (µm)",
    "1/cm": "Wavenumber (1/cm)",
    SHIFT: "Raman shift (1/cm)",
    "eV": "Energy (eV)",
    "": "Band number",
}


_GHZ_PER_WAVENUMBER = 29.9792458

_UNIT_WORDS: tuple[tuple[str, str, float], ...] = (
    # Raman shift or wavenumber; the minus sign may be a hyphen, a dash, a superscript or lost with the ¹
    (
        r"(?<![\w/])(?:1\s*)?/\s*cm\b(?!\s*[\^²2])|\bcm\s*(?:\^|\*\*)?\s*[\{(]?\s*[-−–—⁻?]\s*[1¹][)}]?|\bcm⁻?¹|\bсм\s*\^?\s*[-−–⁻]\s*[1¹]",
        "1/cm",
        1.0,
    ),
    (r"\b(?:inverse|reciprocal|inv)\s+(?:cm\b|centi)|\bkayser|\bcm[ _]?1\b", "1/cm", 1.0),
    (r"[µμ]m\b|\\u00b5m|\bum\b|\bмкм\b|\bmicrons?\b|\bmicro-?m(?:et|èt)", "um", 1.0),
    (r"\bnano-?m(?:et|èt)|\bnm\b|\bнм\b", "nm", 1.0),
    (r"å(?:\b|ngstr)|\u212b|\bangstr", "nm", 0.1),
    (r"\bmev\b|\bmilli-?\s?electron-?\s?volt", "eV", 1e-3),
    (r"\bkev\b|\bкэв\b|\bkilo-?\s?electron-?\s?volt", "eV", 1e3),
    (r"\bev\b|\bэв\b|\belectron-?\s?volt", "eV", 1.0),
    (r"\bm\s*/\s*z\b|\bmz\b", "m/z", 1.0),
    (r"\bthz\b", "1/cm", 1e3 / _GHZ_PER_WAVENUMBER),
    (r"\bghz\b", "1/cm", 1 / _GHZ_PER_WAVENUMBER),
)
_PATTERNS = tuple((re.compile(pattern), unit, factor) for pattern, unit, factor in _UNIT_WORDS)
_RICH_TEXT = re.compile(r"\\(?:\+|-|g|i|b)\(([^()]*)\)")
"""How Origin writes superscripts, subscripts and Greek letters: ``cm\\+(-1)``."""
_MARKUP = re.compile(r"\$|\\(?:mathrm|text|mathregular)|</?su[bp]>", re.IGNORECASE)
"""What surrounds superscripts in LaTeX and HTML: ``cm$^{-1}$``, ``cm<sup>-1</sup>``."""
_MICRO = re.compile(r"\\mu\s*(?=m\b|\$)")
_RECIPROCAL = re.compile(r"\b1\s*/\s*(?:nm|[µμ]m|um|å|a)(?!\w)|(?<!\w)(?:nm|[µμ]m|um|å|a)(?:\s*(?:\^|\*\*)\s*[{(]?\s*)?[-−–⁻][1¹](?!\d)")
"""Lengths in the denominator, as of scattering vectors; but for 1/cm no unit of a spectrum's positions."""
_PER = r"(?<![\w/])(?:1\s*/\s*{0}(?!\w)|{0}\s*(?:\^|\*\*)?\s*[{{(]?\s*[-−–⁻]\s*[1¹](?!\d))"
_PER_CM = _PER.format("cm").removeprefix(r"(?<![\w/])")
_WAVENUMBERS = tuple(
    (re.compile(pattern), factor)
    for pattern, factor in (
        (rf"(?:10\s*\^?\s*[3³]|[(\[×*]\s*1000|\bk)[ ]?{_PER_CM}|\bkk\b|\bkilo-?\s?kayser", 1e3), (_PER.format("cm"), 1.0),
        (_PER.format("nm"), 1e7), (_PER.format("(?:[µμ]m|um)"), 1e4), (_PER.format("mm"), 10.0), (_PER.format("m"), 1e-2),
    )
)  # fmt: skip
"""Units of wavenumbers other than 1/cm, and what they are multiplied by to stand in it."""
_OF_LASER = re.compile(r"\d+(?:[.,]\d+)?\s*nm\b")
_PER_METRE = re.compile(_PER.format("m"))
_WHOLE = {"m": ("nm", 1e9), "meter": ("nm", 1e9), "metre": ("nm", 1e9), "meters": ("nm", 1e9), "metres": ("nm", 1e9), "a": ("nm", 0.1)}
"""Units that count only where no other word stands with them."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of band positions as a file writes it.

    Parameters
    ----------
    name : the unit of `SpectralAxis` that it is
    factor : what positions are multiplied by to stand in it, such as 0.1 for ångström, given in nm
    """

    name: str
    factor: float = 1.0


_FAR = (
    (re.compile(r"(?:fm|femtomet(?:er|re)s?)"), Unit("nm", 1e-6)),
    (re.compile(r"(?:pm|picomet(?:er|re)s?)"), Unit("nm", 1e-3)),
    (re.compile(r"(?:mm|millimet(?:er|re)s?)"), Unit("nm", 1e6)),
    (re.compile(r"(?:cm|centimet(?:er|re)s?)"), Unit("nm", 1e7)),
    (re.compile(r"(?:mhz|megahertz)"), Unit("1/cm", 1e-3 / _GHZ_PER_WAVENUMBER)),
)
"""Units of wavelengths and frequencies far from the visible: as the only words of a field for them, since titles name places so."""
_ALONE = re.compile(r"[\[(]?(?:nm|[uµμ]m|cm\s?\^?[-−⁻][1¹]|1/cm|ev)[\])]?", re.IGNORECASE)
_QUANTITY_WORDS = (
    (
        re.compile(
            r"raman|wave?\s?num|\bwn\b|wellenzahl|nombre d.onde|numero d.onda|n[uú]mero de onda"
            r"|волнов\w+ числ|波[数數]|拉曼|ラマン|파수|라만"
        ),
        "wavenumber",
    ),
    (
        re.compile(
            r"wave?\s?l(?:en|\b)|\bwvls?\b|\bwls?\b|\blist cw\b|\blam(?:bda)?s?\b|λ|wellenl|longueurs? d?.?onde|longitud de onda"
            r"|lunghezza d.onda|comprimento de onda|golflengte|våglängd|bølgel|długość fali|vlnov|длин\w+ волн|波[长長]|파장|hullámhossz"
        ),
        "wavelength",
    ),
    (re.compile(r"\benergy\b|\benergie"), "energy"),
    (re.compile(r"\bmass(?:es)?\b|\bm\s*/?\s*zs?\b"), "mass"),
)


def unit_of(words: str) -> Unit | None:
    """Return the unit that words name, or None if they name none.

    The words are those of the position's own title or field: ``"Raman shift (rel. 1/cm)"``, ``"Wavenumber cm⁻¹"``, ``"Wavelength [µm]"``,
    ``"Ångström"``, ``"Nanometers"``, ``"GHz"``. A title that names a quantity alone says nothing of its unit, but for a wavenumber
    or a Raman shift, which are given in 1/cm.
    """
    text = _MARKUP.sub("", _MICRO.sub("µ", _RICH_TEXT.sub(r"\1", str(words)))).strip().replace("_", " ")
    if re.search(r"\bMeV\b", text):
        return Unit("eV", 1e6)
    return _unit_of(text.casefold())


@lru_cache(maxsize=4096)
def _unit_of(text: str) -> Unit | None:
    bare = text.strip("[](){} .")
    if bare in _WHOLE or _PER_METRE.fullmatch(bare):  # as the conventions for climate and forecast have it
        return Unit(*_WHOLE.get(bare, ("1/cm", 1e-2)))
    quantity = quantity_of(text)
    found: Unit | None = None
    if quantity == "wavenumber":
        text = _OF_LASER.sub("", text)
        found = next((Unit("1/cm", factor) for scaled, factor in _WAVENUMBERS if scaled.search(text)), None)
    if found is not None or _RECIPROCAL.search(text):
        return found
    for pattern, unit, factor in _PATTERNS:
        if pattern.search(text):
            return Unit(unit, factor)
    if quantity == "wavelength" and re.search(r"[(\[/]\s*a\s*(?:[)\]]|$)", text):
        return Unit("nm", 0.1)
    return Unit({"wavenumber": "1/cm", "mass": "m/z"}[quantity]) if quantity in ("wavenumber", "mass") else None


def is_unit(words: str) -> bool:
    """Whether words are a usual unit of positions and nothing else, such as ``nm`` or ``[cm-1]``."""
    return _ALONE.fullmatch(words.strip()) is not None


def known_unit(words: str) -> Unit | None:
    """Return the unit that a word is, as a person or a file writes it, or None if it is none; ``""`` is that of band numbers."""
    try:
        return Unit(SpectralAxis(np.zeros(1), words).unit)
    except ValueError:
        word = words.strip().casefold()
        return unit_of(words) or next((unit for pattern, unit in _FAR if pattern.fullmatch(word)), None)


def quantity_of(words: str) -> str:
    """Return the quantity that words name: ``"wavenumber"`` (also a Raman shift), ``"wavelength"``, ``"energy"``, ``"mass"`` or ``""``."""
    text = str(words).replace("_", " ").casefold()
    return next((quantity for pattern, quantity in _QUANTITY_WORDS if pattern.search(text)), "")


def usual_unit(quantity: str, values: npt.ArrayLike) -> Unit | None:
    """Return the unit in which a quantity has such values: wavelengths from 100 to 30,000 are in nm, from 0.1 to 30 in µm.

    None where the values do not decide. A wavelength of 0 is that of a band that was not recorded.
    """
    found = np.abs(np.asarray(values, np.float64))
    found = found[found > 0] if quantity == "wavelength" else found
    low, high = float(found.min(initial=np.inf)), float(found.max(initial=0))
    if quantity == "wavelength":
        scales = ((100, 30_000, Unit("nm")), (0.1, 30, Unit("um")), (1e-7, 3e-5, Unit("nm", 1e9)))
        return next((unit for least, most, unit in scales if low >= least and high <= most), None)
    if quantity == "energy":
        return Unit("eV") if low >= 0 and high < 1e6 else None
    return {"wavenumber": Unit("1/cm"), "mass": Unit("m/z")}.get(quantity)


def title(unit: str, axis: SpectralAxis) -> str:
    """Return the title of a plot's axis."""
    return _TITLES.get(unit, axis.label)


def axis_title(axis: SpectralAxis, metadata: Mapping[str, Any]) -> str:
    """Return the title of a plot's axis for data with these metadata: positions in 1/cm are Raman shifts where a laser line is known."""
    return title(SHIFT if axis.unit == "1/cm" and "laser_nm" in metadata else axis.unit, axis)


def choices(axis: SpectralAxis, laser_nm: float | None = None) -> list[str]:
    """Return the units that `axis` can be shown in; those of Raman shift need the laser line."""
    if axis.unit not in ("nm", "um", "1/cm", "eV"):
        return [axis.unit] if not axis.unit else [axis.unit, ""]
    if axis.unit == "1/cm" and laser_nm is not None:
        return [SHIFT, "nm", "um", "1/cm", "eV", ""]
    return ["nm", "um", "1/cm", "eV", "", *([SHIFT] if laser_nm is not None else [])]


def convert(axis: SpectralAxis, unit: str, laser_nm: float | None = None) -> npt.NDArray[np.float64]:
    """Return the positions of `axis` in another unit, in the order of the bands.

    Parameters
    ----------
    unit : ``"nm"``, ``"um"``, ``"1/cm"``, ``"eV"``, ``"shift"`` (Raman shift, 1/cm) or ``""`` (band number)
    laser_nm : float, optional
        Wavelength of the excitation. If given, positions in 1/cm are Raman shifts (Stokes positive); otherwise absolute wavenumbers.

    Raises
    ------
    ValueError
        If the positions have no unit, or a Raman shift is requested without a laser line.
    """
    if unit == "":
        return np.arange(len(axis), dtype=np.float64)
    if unit == axis.unit and not (unit == "1/cm" and laser_nm is not None):
        return axis.values
    if axis.unit not in ("nm", "um", "1/cm", "eV"):
        raise ValueError(f"positions in {axis.unit or 'band numbers'} cannot be shown in {unit}; the file contains no wavelengths")
    if laser_nm is not None and not laser_nm > 0:
        raise ValueError(f"a laser line of {laser_nm:g} nm is not positive")
    if unit == SHIFT and laser_nm is None:
        raise ValueError("a Raman shift needs the laser line; give its wavelength in nm")
    if unit == SHIFT and axis.unit == "1/cm":
        return axis.values
    with np.errstate(divide="ignore", invalid="ignore"):
        wavelength = _nanometres(axis, laser_nm)
        converted = {
            "nm": lambda: wavelength,
            "um": lambda: wavelength / 1e3,
            "1/cm": lambda: 1e7 / wavelength,
            "eV": lambda: _HC_EV_NM / wavelength,
            SHIFT: lambda: 1e7 / (laser_nm or 1) - 1e7 / wavelength,
        }
        if unit not in converted:
            raise ValueError(f"unknown unit {unit!r}; known: {', '.join(map(repr, [*converted, '']))}")
        values: npt.NDArray[np.float64] = converted[unit]()
    if not np.isfinite(values).all() or not (wavelength > 0).all():
        raise ValueError(f"positions {axis.values[0]:g}–{axis.values[-1]:g} {axis.unit} cannot all be converted to {unit}")
    return values


def _nanometres(axis: SpectralAxis, laser_nm: float | None) -> npt.NDArray[np.float64]:
    if axis.unit == "nm":
        return axis.values
    if axis.unit == "um":
        return axis.values * 1e3
    if axis.unit == "eV":
        return _HC_EV_NM / axis.values
    if laser_nm is not None:
        return 1e7 / (1e7 / laser_nm - axis.values)
    return 1e7 / axis.values


def comparable(axis: SpectralAxis, onto: SpectralAxis) -> bool:
    """Whether positions determine which bands of two axes correspond."""
    return _compared(axis, onto) is not None


def _compared(axis: SpectralAxis, onto: SpectralAxis) -> npt.NDArray[np.float64] | None:
    """Return the positions of `onto` in the unit of `axis`; None if positions do not determine which bands correspond."""
    if axis.unit != onto.unit and not {axis.unit, onto.unit} <= {"nm", "um", "1/cm", "eV"}:
        return None
    if not axis.unit and len(axis) != len(onto):
        return None
    try:
        values = convert(onto, axis.unit)
    except ValueError:
        return None
    inside = (values >= axis.values.min()) & (values <= axis.values.max())
    return values if inside.any() else None


def aligned(axis: SpectralAxis, onto: SpectralAxis) -> npt.NDArray[np.float64]:
    """Return the positions of the bands of `onto` among those of `axis`, as fractional band numbers from 0 to ``len(axis) - 1``.

    Positions beyond the ends are clipped. If positions cannot be compared (no unit, a unit that does not convert, or converted
    ranges that do not overlap, such as those of Raman shifts), the first and last bands of both axes are aligned.
    """
    values = _compared(axis, onto)
    if values is None:
        return np.linspace(0, len(axis) - 1, len(onto))
    order = np.argsort(axis.values, kind="stable")
    places: npt.NDArray[np.float64] = np.interp(values, axis.values[order], order.astype(np.float64))
    return places
