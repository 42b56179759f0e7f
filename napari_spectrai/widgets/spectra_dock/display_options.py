"""How spectra are drawn: scaling, offsets, labels of peaks, differences from another layer, and views of a line."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from magicgui.widgets import CheckBox, ComboBox, LineEdit, PushButton
from napari.layers import Image
from napari.viewer import Viewer
from psygnal import Signal

from napari_spectrai.widgets.dock import line
from napari_spectrai.widgets.layers import spectral_layers
from napari_spectrai.widgets.spectra_dock.line_profile import ProfileView
from napari_spectrai.widgets.spectra_dock.spectra_shown import as_shown

SHOW = {
    "raw": "raw", "maximum": "divided by its maximum", "area": "unit area", "minmax": "0 to 1", "snv": "SNV",
    "first": "first derivative", "second": "second derivative",
}  # fmt: skip
VIEWS = (
    ("spectra", ProfileView.SPECTRA), ("line: distance × wavelength", ProfileView.PICTURE), ("line: this band", ProfileView.BAND),
)  # fmt: skip
_STACKED = 0.7
"""Offset of a stack, as a share of the range of the first curve."""


class DisplayOptions:
    """The fields, of which the dock shows some at once and the others in a fold.

    Signals
    -------
    updated : spectra have to be drawn again
    """

    updated = Signal()

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._minus: Image | None = None
        self.show = ComboBox(
            choices=[(words, code) for code, words in SHOW.items()], value="raw", label="Display", name="show",
            tooltip="how intensities are drawn; the data stay unchanged",
        )  # fmt: skip
        self.offset = LineEdit(
            value="0", label="Offset", name="offset", tooltip="shift of each curve above the previous one; Stack chooses it"
        )
        self.minus = ComboBox(
            choices=lambda _: list(spectral_layers(viewer)), nullable=True, value=None, label="Minus", name="minus",
            tooltip="a layer whose spectrum at the same pixel is subtracted from those of the others",
        )  # fmt: skip
        self.view = ComboBox(
            choices=VIEWS, value=ProfileView.SPECTRA, label="View", name="view",
            tooltip="spectra, or the intensities along a line drawn on the image",
        )  # fmt: skip
        self.peaks = CheckBox(value=False, text="Peaks", name="peaks", tooltip="label the most prominent peaks with their positions")
        self.stack = CheckBox(value=False, text="Stack", name="stack", tooltip="draw curves one above the other")
        self.region = PushButton(text="+ Region", name="draw_region", tooltip="draw regions in a new 2-D Shapes layer over the image")
        self.line = PushButton(text="+ Line", name="draw_line", tooltip="draw a line over the image, and see the intensities along it")
        self.buttons = line(self.peaks, self.stack, self.region, self.line)
        self.buttons.native.layout().setSpacing(3)
        for button in (self.region, self.line):
            button.native.setStyleSheet("padding: 2px 5px;")
        for widget in (self.show, self.offset, self.peaks, self.stack):
            widget.changed.connect(self._emit)
        self.minus.changed.connect(self._on_minus)

    def on_layers(self) -> None:
        """Offer the present layers; the chosen one stays chosen."""
        with self.minus.changed.blocked():
            self.minus.reset_choices()
            kept = self._minus if self._minus in spectral_layers(self._viewer) else None
            self.minus.value = self._minus = kept

    def _on_minus(self, layer: Image | None) -> None:
        self._minus = layer
        self.updated.emit()

    def _emit(self, _: Any = None) -> None:
        self.updated.emit()

    @property
    def subtracted(self) -> Image | None:
        """The layer that is subtracted from the others."""
        return self._minus

    @property
    def title(self) -> str:
        """Title of the intensities."""
        less = f" minus {self._minus.name}" if self._minus is not None else ""
        return f"Intensity{less} ({SHOW[self.show.value]})" if self.show.value != "raw" else f"Intensity{less}"

    def step(self, first: npt.NDArray[Any] | None) -> float:
        """Return the shift of each curve above the previous one, of which the first is given."""
        try:
            given = float(self.offset.value)
        except ValueError:
            given = 0.0
        if given or not self.stack.value or first is None or not np.isfinite(first).any():
            return given
        return _STACKED * float(np.nanmax(first) - np.nanmin(first))

    def scaled(self, values: npt.NDArray[np.float32], positions: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """Return intensities as they are drawn, without offset."""
        return as_shown(values, positions, self.show.value)
