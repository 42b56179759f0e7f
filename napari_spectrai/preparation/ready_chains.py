"""Ready chains of steps for common kinds of spectra, with settings that suit the axis."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.preparation.step import Step, steps
from napari_spectrai.spec import listed
from napari_spectrai.units import convert

_WIDEST_LINE = 450.0
"""Period in 1/cm above which a structure of a Raman spectrum is baseline."""
_LONGEST_PERIOD = 113 / 300
"""The same as a fraction of the bands, for axes without a unit."""
CARBON_DIOXIDE = (2250.0, 2400.0)
"""In 1/cm."""
WATER_VAPOUR = ((1350.0, 1450.0), (1800.0, 1960.0))
"""In nm."""
_SMOOTHED_FROM = 12
"""Smallest number of bands that are smoothed."""


@dataclass(frozen=True, slots=True)
class ReadyChain:
    """A chain of steps for one kind of spectra.

    Attributes
    ----------
    title, about : words for a list and for its tooltip
    make : returns the settings of the steps for an axis
    """

    title: str
    about: str
    make: Callable[[SpectralAxis], list[dict[str, Any]]]


def _period(axis: SpectralAxis) -> float:
    """Return the number of bands in the longest period that belongs to lines."""
    count = len(axis)
    if axis.unit != "1/cm" or count < 2:
        return _LONGEST_PERIOD * count
    return _WIDEST_LINE * (count - 1) / max(float(axis.values.max() - axis.values.min()), 1e-9)


def _raman(axis: SpectralAxis) -> list[dict[str, Any]]:
    smoothness = float(f"{max(_period(axis) / 6.283, 1.0) ** 4:.0e}")
    return [{"kind": "despike"}, {"kind": "arpls", "smoothness": smoothness}, {"kind": "normalise", "by": "area"}]


def _covered(axis: SpectralAxis, ranges: tuple[tuple[float, float], ...]) -> list[dict[str, Any]]:
    """Return the step that removes bands in ranges, where the axis has any, and others."""
    bands = [one for one in ranges if axis.window(*one).size]
    inside = sum(axis.window(*one).size for one in bands)
    return [{"kind": "remove_bands", "ranges": [list(one) for one in bands]}] if 0 < inside < len(axis) else []


def _ftir(axis: SpectralAxis) -> list[dict[str, Any]]:
    gone = _covered(axis, (CARBON_DIOXIDE,)) if axis.unit == "1/cm" else []
    return [*gone, {"kind": "rubberband"}, {"kind": "normalise", "by": "vector"}]


def _reflectance(axis: SpectralAxis) -> list[dict[str, Any]]:
    gone: list[dict[str, Any]] = []
    if axis.unit in ("nm", "um"):
        factor = float(convert(SpectralAxis(np.ones(1), axis.unit), "nm")[0])
        gone = _covered(axis, tuple((low / factor, high / factor) for low, high in WATER_VAPOUR))
    return [*gone, *_smoothed(axis, 7), {"kind": "normalise", "by": "snv"}]


def _fluorescence(axis: SpectralAxis) -> list[dict[str, Any]]:
    return [{"kind": "minimum"}, *_smoothed(axis, 5)]


def _smoothed(axis: SpectralAxis, window: int) -> list[dict[str, Any]]:
    return [{"kind": "savitzky_golay", "window": window}] if len(axis) >= _SMOOTHED_FROM else []


READY: dict[str, ReadyChain] = {
    "raman": ReadyChain("Raman", "despike, arPLS baseline, unit area", _raman),
    "ftir": ReadyChain("FTIR", "remove carbon dioxide, rubber-band baseline, unit length; for absorbance", _ftir),
    "reflectance": ReadyChain("Reflectance", "remove water vapour, smooth, standard normal variate", _reflectance),
    "fluorescence": ReadyChain("Fluorescence", "subtract the minimum, smooth; intensities stay comparable", _fluorescence),
}
"""The ready chains by name."""


def ready_chain(name: str, axis: SpectralAxis) -> list[Step]:
    """Return a ready chain of steps for spectra on an axis.

    Parameters
    ----------
    name : {"raman", "ftir", "reflectance", "fluorescence"}
    axis : SpectralAxis
        Determines the smoothness of the baseline, and which bands lie in the absorption of air.

    Returns
    -------
    list of Step

    Raises
    ------
    ValueError
        If there is no chain of that name.

    Examples
    --------
    >>> import napari_spectrai as spectrai
    >>> from napari_spectrai.preparation import ready_chain
    >>> cube = spectrai.sample("cartilage").cube
    >>> [step.kind for step in ready_chain("raman", cube.axis)]
    ['despike', 'arpls', 'normalise']
    """
    if name not in READY:
        raise ValueError(f"there is no ready chain {name!r}; {listed(READY, name)}")
    return [steps.parse(one) for one in READY[name].make(axis)]
