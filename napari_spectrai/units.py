"""Positions of bands in another unit: wavelength, wavenumber, Raman shift, energy or band number."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from napari_spectrai.cube import SpectralAxis

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


def title(unit: str, axis: SpectralAxis) -> str:
    """Return the title of a plot's axis."""
    return _TITLES.get(unit, axis.label)


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
