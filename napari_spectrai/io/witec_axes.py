"""Positions of the bands in WITec's projects: from pixels to nm, and to the unit in which the project shows them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_spectrai.io.witec_tags import Tag
from napari_spectrai.units import unit_of

_NM_EV = 1239.841984
_SHOWN = {0: "nm", 1: "um", 2: "1/cm", 3: "1/cm", 4: "eV", 5: "eV"}
"""Units by the number that an interpretation has; 3 is a Raman shift. Others are relative energies, for which wavelengths are kept."""
_SHIFT = 3

Positions = npt.NDArray[np.float64]
Entries = dict[int, tuple[str, Tag]]


def axis_of(graph: Tag, entries: Entries, count: int) -> tuple[Positions | None, str, float | None]:
    """Return positions, unit and the laser line in nm of a graph of `count` bands; no positions where the calibration is not known."""
    kind, entry = entries.get(int(graph.number("XTransformationID")), ("", None))
    if entry is None:
        return None, "", None
    values = _transformed(kind, entry, np.arange(count, dtype=np.float64))
    if values is None or not np.isfinite(values).all():
        return None, "", None
    said = entry.text("TDTransformation", "StandardUnit")
    known = unit_of(said)
    unit = "nm" if known is None and kind == "TDSpectralTransformation" else said
    number = int(graph.number("XInterpretationID")) or int(entry.number("TDTransformation", "InterpretationID"))
    shown, how = entries.get(number, ("", None))
    if how is None or shown != "TDSpectralInterpretation" or (unit_of(unit) is None or unit_of(unit) != unit_of("nm")):
        return values, unit, None
    laser = how.number("TDSpectralInterpretation", "ExcitationWaveLength")
    return *_interpreted(values, int(how.number("TDInterpretation", "UnitIndex")), laser), laser if laser > 0 else None


def _interpreted(values: Positions, index: int, laser: float) -> tuple[Positions, str]:
    """Return wavelengths in nm in the unit of an interpretation."""
    if index not in _SHOWN or (index == _SHIFT and laser <= 0) or (index > 1 and (values <= 0).any()):
        return values, "nm"
    if index == _SHIFT:
        return 1e7 / laser - 1e7 / values, "1/cm"
    if _SHOWN[index] == "1/cm":
        return 1e7 / values, "1/cm"
    if _SHOWN[index] == "eV":
        return _NM_EV / values, "eV"
    return (values / 1e3, "um") if index == 1 else (values, "nm")


def _transformed(kind: str, entry: Tag, pixels: Positions) -> Positions | None:
    """Return what a transformation makes of pixels; None for a kind that is not known."""
    body = entry.at(kind)
    if body is None:
        return None
    if kind == "TDLinearTransformation":
        wide = "_D" if body.at("Scale_D") is not None else ""
        model, world, scale = (body.number(f"{name}{wide}") for name in ("ModelOrigin", "WorldOrigin", "Scale"))
        return scale * (pixels - model) + world
    if kind == "TDLUTTransformation":
        table = body.numbers("LUT").astype(np.float64)
        return table[: len(pixels)] if len(table) >= len(pixels) else None
    if kind != "TDSpectralTransformation":
        return None
    how = int(body.number("SpectralTransformationType"))
    return {0: _polynomial, 1: _grating, 2: _free_polynomial}[how](body, pixels) if how in (0, 1, 2) else None


def _polynomial(body: Tag, pixels: Positions) -> Positions:
    """Return a polynomial of at most the second order, as WITec's own programs do."""
    found: Positions = np.polynomial.polynomial.polyval(pixels, body.numbers("Polynom")[:3])
    return found


def _free_polynomial(body: Tag, pixels: Positions) -> Positions:
    """Return a polynomial of any order, constant outside the pixels for which it holds."""
    coefficients = body.numbers("FreePolynom")[: int(body.number("FreePolynomOrder")) + 1]
    start = body.number("FreePolynomStartBin")
    held = np.clip(pixels, start, max(start, body.number("FreePolynomStopBin")))
    found: Positions = np.polynomial.polynomial.polyval(held, coefficients)
    return found


def _grating(body: Tag, pixels: Positions) -> Positions:
    """Return wavelengths in nm from the geometry of the spectrograph.

    The grating of groove distance ``d`` (nm) sends ``LambdaC`` (nm) in order ``m`` to pixel ``nC``; ``Gamma`` is the angle between incident
    and diffracted light, ``Delta`` the tilt of the detector (rad), ``x`` the pixel width and ``f`` the focal length (mm).
    """
    centre, wavelength, gamma, delta, order, distance, wide, focal = (
        body.number(name) for name in ("nC", "LambdaC", "Gamma", "Delta", "m", "d", "x", "f")
    )
    incident = np.arcsin(wavelength * order / distance / (2 * np.cos(gamma / 2))) - gamma / 2
    from_normal = wide * (centre - pixels) - focal * np.sin(delta)
    diffracted = gamma + incident - delta - np.arctan2(from_normal, focal * np.cos(delta))
    found: Positions = distance / order * (np.sin(incident) + np.sin(diffracted))
    return found
