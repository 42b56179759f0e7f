"""The unit of positions in the Spectra dock."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from magicgui.widgets import ComboBox, LineEdit
from psygnal import Signal

from napari_spectrai.cube import Cube, SpectralAxis
from napari_spectrai.units import SHIFT, choices, convert, title

_WORDS = {
    "nm": "wavelength, nm", "um": "wavelength, µm", "1/cm": "wavenumber, 1/cm", SHIFT: "Raman shift, 1/cm", "eV": "energy, eV",
    "m/z": "m/z", "": "band number",
}  # fmt: skip
_LASERS = (100.0, 20_000.0)


class AxisChoice:
    """A unit and a laser line; `unit` and `laser` are the two fields.

    Signals
    -------
    changed : the unit or the laser line has changed
    """

    changed = Signal()

    def __init__(self) -> None:
        self._cube: Cube | None = None
        self._chosen = False  # by a person: kept as long as possible
        self.unit = ComboBox(
            choices=self._choices, label="Axis", name="unit", tooltip="unit in which positions are shown; the data stay unchanged"
        )
        self.laser = LineEdit(
            value="", label="Laser line (nm)", name="laser", tooltip="excitation wavelength, which converts Raman shifts to wavelengths"
        )
        self.unit.changed.connect(self._on_unit)
        self.laser.changed.connect(self._on_laser)

    def _choices(self, _: Any = None) -> list[tuple[str, str]]:
        return [] if self._cube is None else [(_WORDS[unit], unit) for unit in choices(self._cube.axis, self.laser_nm)]

    @property
    def laser_nm(self) -> float | None:
        """The laser line, if one is given."""
        try:
            laser = float(self.laser.value)
        except ValueError:
            return None
        return laser if _LASERS[0] <= laser <= _LASERS[1] else None

    @property
    def problem(self) -> str:
        """The error message about the laser line."""
        return "" if self.laser_nm or not self.laser.value.strip() else f"{self.laser.value!r} is not a wavelength in nm, such as 785"

    def choose(self, unit: str) -> None:
        """Show positions in another unit.

        Raises
        ------
        ValueError
            If the axis cannot be shown in it.
        """
        self.unit.value = unit

    def use(self, cube: Cube | None) -> None:
        """Offer the units of another cube; a unit chosen by a person stays as long as possible."""
        with self.unit.changed.blocked(), self.laser.changed.blocked():
            if cube is not self._cube and cube is not None and "laser_nm" in cube.metadata:
                self.laser.value = f"{cube.metadata['laser_nm']:g}"
            self._cube = cube
            kept = self.unit.value
            self.unit.reset_choices()
            if cube is not None:
                offered = choices(cube.axis, self.laser_nm)
                self.unit.value = kept if self._chosen and kept in offered else offered[0] if SHIFT in offered[:1] else cube.axis.unit

    def _on_unit(self, _: Any = None) -> None:
        self._chosen = True
        self.changed.emit()

    def _on_laser(self, _: Any = None) -> None:
        self._chosen = False
        self.use(self._cube)
        self.changed.emit()

    def shown(self, axis: SpectralAxis) -> tuple[npt.NDArray[np.float64], str]:
        """Return the positions of an axis and its title: in the chosen unit if it can be converted, else unchanged."""
        unit = self.unit.value
        if unit is not None and unit in choices(axis, self.laser_nm):
            try:
                return convert(axis, unit, self.laser_nm), title(unit, axis)
            except ValueError:  # such as an absolute wavenumber of zero, which has no wavelength
                pass
        return axis.values, axis.label
