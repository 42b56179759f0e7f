"""A row of radio buttons, each with its own tooltip."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from magicgui.widgets import RadioButtons
from qtpy.QtWidgets import QRadioButton

from napari_spectrai.widgets.stacked_when_narrow import StackedWhenNarrow


class RadioRow(RadioButtons):
    """Radio buttons in a row.

    Parameters
    ----------
    says : tooltip of each button by its text; the first button is selected
    """

    def __init__(self, says: Mapping[str, str], **options: Any) -> None:
        self._says = dict(says)
        super().__init__(choices=list(says), orientation="horizontal", **options)
        self.value = next(iter(says))
        StackedWhenNarrow(self.native)
        self.native.setStyleSheet("QGroupBox { border: 0; margin: 0; padding: 0; }")

    def reset_choices(self, *_: Any) -> None:
        """Rebuild the buttons, as napari requests whenever a layer is added or removed."""
        with self.changed.blocked():  # the choice stays
            super().reset_choices()
        for button in self.native.findChildren(QRadioButton):
            button.setToolTip(self._says[button.text()])
