"""A choice between a few ways, each a radio button with its own tooltip."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from magicgui.widgets import RadioButtons
from qtpy.QtWidgets import QRadioButton


class Ways(RadioButtons):
    """Radio buttons in a row.

    Parameters
    ----------
    says : what each way means, by its words; the first is chosen
    """

    def __init__(self, says: Mapping[str, str], **options: Any) -> None:
        self._says = dict(says)
        super().__init__(choices=list(says), orientation="horizontal", **options)
        self.value = next(iter(says))
        self.native.setStyleSheet("QGroupBox { border: 0; margin: 0; padding: 0; }")

    def reset_choices(self, *_: Any) -> None:
        """Make the buttons anew, as napari has it done whenever a layer comes or goes."""
        super().reset_choices()
        for button in self.native.findChildren(QRadioButton):
            button.setToolTip(self._says[button.text()])
