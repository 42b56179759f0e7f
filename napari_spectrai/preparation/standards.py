"""Published line positions of standards, and their search in a measured spectrum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from napari_spectrai.spectral_axis import SpectralAxis

Standard = Literal["silicon", "polystyrene", "paracetamol", "neon"]
Doubles = npt.NDArray[np.float64]

LINES: dict[str, tuple[float, ...]] = {
    "silicon": (520.5,),
    "polystyrene": (620.9, 795.8, 1001.4, 1031.8, 1155.3, 1450.5, 1583.1, 1602.3, 2852.4, 2904.5, 3054.3),
    "paracetamol": (
        213.3, 329.2, 390.9, 465.1, 504.0, 651.6, 710.8, 797.2, 834.5, 857.9, 968.7, 1105.5, 1168.5, 1236.8, 1278.5, 1323.9, 1371.5,
        1515.1, 1561.6, 1648.4, 2931.1, 3064.6, 3102.4, 3326.6,
    ),
    "neon": (
        585.2488, 588.1895, 594.4834, 597.5534, 602.9997, 607.4338, 609.6163, 614.3063, 616.3594, 621.7281, 626.6495, 630.4789, 633.4428,
        638.2991, 640.2248, 650.6528, 653.2882, 659.8953, 667.8276, 671.7043, 692.9467, 703.2413, 717.3938, 724.5167, 743.8898, 748.8871,
        753.5774, 754.4044,
    ),
}  # fmt: skip
"""Raman shifts in 1/cm; neon: wavelengths in air, in nm.

Polystyrene and paracetamol (4-acetamidophenol): ASTM E1840-96 (2014), doi:10.1520/E1840-96R14. Silicon: 520.5 1/cm at room temperature.
Neon: NIST Atomic Spectra Database, doi:10.18434/T4W30F.
"""
SIGNIFICANT = 6.0
"""Height of a line above its surroundings, in standard deviations of the noise, from which it counts."""


@dataclass(frozen=True, slots=True)
class Found:
    """A line of a standard in a spectrum: its published and its measured position, in the unit of the axis."""

    known: float
    measured: float


def positions(standard: Standard, unit: str, laser: float | None = None) -> Doubles:
    """Return the positions of a standard's lines in the unit of an axis, ascending.

    Parameters
    ----------
    laser : float, optional
        Wavelength of the excitation in air, in nm; needed for neon on a Raman shift axis.

    Raises
    ------
    ValueError
        If the standard has no lines in this unit, or the wavelength of the laser is missing.
    """
    known = np.asarray(LINES[standard])
    if standard != "neon":
        if unit != "1/cm":
            raise ValueError(f"lines of {standard} are Raman shifts in 1/cm, but the axis is in {unit or 'band numbers'}; choose neon")
        return known
    if unit == "nm":
        return known
    if unit == "um":
        return known / 1000
    if unit != "1/cm":
        raise ValueError(f"lines of neon are wavelengths, but the axis is in {unit or 'band numbers'}; it has to be in nm, um or 1/cm")
    if laser is None:
        raise ValueError("neon lines on a Raman shift axis need the wavelength of the laser; set laser in nm, such as 532")
    return np.sort(1e7 / _vacuum(np.asarray(laser, np.float64)) - 1e7 / _vacuum(known))


def _vacuum(air: Doubles) -> Doubles:
    """Return wavelengths in vacuum (nm) from those in air (Ciddor 1996, doi:10.1364/AO.35.001566, at 15 °C)."""
    squared = np.square(1000 / air)
    return np.asarray(air * (1 + 0.05792105 / (238.0185 - squared) + 0.00167917 / (57.362 - squared)))


def find_lines(spectrum: Doubles, axis: SpectralAxis, known: Doubles, tolerance: float) -> list[Found]:
    """Return the lines of a standard that stand clearly above their surroundings, each at most `tolerance` from where it should be.

    A line is the highest point within the tolerance, if it is a maximum there and no second line is found at the same place; its
    position is the vertex of a parabola through the logarithms of the points above half of its height.

    Parameters
    ----------
    spectrum : ndarray of shape (L,)
    known : ndarray of shape (k,)
        Published positions, in the unit of the axis.
    tolerance : float
        In the unit of the axis.
    """
    order = np.argsort(axis.values, kind="stable")
    x, y = axis.values[order], np.asarray(spectrum, np.float64)[order]
    steps = np.diff(y, 2)
    noise = 1.4826 * float(np.nanmedian(np.abs(steps - np.nanmedian(steps)))) / np.sqrt(6) if steps.size else 0.0
    least = max(SIGNIFICANT * noise, 1e-6 * float(np.nanmax(np.abs(y), initial=0)))
    found: list[Found] = []
    for line in known:
        inside = np.flatnonzero((np.abs(x - line) <= tolerance) & np.isfinite(y))
        if inside.size < 3 or line - tolerance < x[0] or line + tolerance > x[-1]:
            continue
        top = int(inside[y[inside].argmax()])
        if top in (inside[0], inside[-1]):  # the flank of something else
            continue
        around = np.flatnonzero(np.abs(x - x[top]) <= 2 * tolerance)
        below = max(float(np.nanmin(y[around[around <= top]])), float(np.nanmin(y[around[around >= top]])))
        if y[top] - below >= least:
            found.append(Found(float(line), _vertex(x, y - below, top)))
    counts = [sum(abs(one.measured - other.measured) < 1e-9 for other in found) for one in found]
    return [one for one, count in zip(found, counts, strict=True) if count == 1]


def _vertex(x: Doubles, y: Doubles, top: int) -> float:
    """Return the position of a maximum between the bands."""
    left, right = top - 1, top + 1
    while left > 0 and y[left - 1] > y[top] / 2 and y[left - 1] < y[left]:
        left -= 1
    while right < len(y) - 1 and y[right + 1] > y[top] / 2 and y[right + 1] < y[right]:
        right += 1
    near = slice(left, right + 1)
    weights = np.maximum(y[near], 1e-3 * y[top])
    scale = max(x[right] - x[left], 1e-12)
    a, b, _ = np.polyfit((x[near] - x[top]) / scale, np.log(weights), 2, w=weights)
    at = -b / (2 * a) * scale if a < 0 else 0.0
    return float(np.clip(x[top] + at, x[top - 1], x[top + 1]))
