"""Methods without training in the Predict dock: the list of them, and the settings of the one chosen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from magicgui.widgets import Container, SpinBox

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.experiment.card import ModelCard
from napari_spectrai.experiment.network_spec import networks
from napari_spectrai.experiment.untrained import ready_card, ready_kinds, ready_spec
from napari_spectrai.runs.options import PredictOptions
from napari_spectrai.widgets.choices import defaults
from napari_spectrai.widgets.form import SpecForm


def offered() -> list[tuple[str, str]]:
    """Return the name and kind of each method that does something without training."""
    return [(f"Method: {networks[kind].title}", kind) for kind in ready_kinds() if kind != "raw"]


class MethodForm(Container[Any]):
    """The settings of a method without training; empty while a model is chosen."""

    def __init__(self) -> None:
        self.kind = ""
        self._settings: SpecForm | None = None
        self._factor = SpinBox(value=2, min=2, max=16, label="Factor", name="factor", tooltip="output pixels per input pixel, per side")
        super().__init__(widgets=[], labels=True, name="method")
        self.margins = (0, 0, 0, 0)

    def show_kind(self, kind: str) -> None:
        """Show the default settings of a method; none for an empty kind."""
        if kind == self.kind:
            return
        self.kind, self._settings = kind, None
        self.clear()
        if kind:
            cls = networks[kind]
            self._settings = SpecForm(cls, defaults(cls))
            if self._settings.has_fields:
                self.append(self._settings)
            if "super_resolution" in cls.tasks:
                self.append(self._factor)

    def card(self, axis: SpectralAxis) -> ModelCard:
        """Return the card of the method for cubes on `axis`.

        Raises
        ------
        ValueError
            If a setting does not fit.
        """
        return ready_card(ready_spec(self.kind, self._changed()), axis, factor=self._factor.value)

    def added_to(self, options: PredictOptions) -> PredictOptions:
        """Return options with the settings of the method."""
        return replace(options, settings=self._changed(), factor=self._factor.value)

    def settings(self) -> dict[str, Any]:
        """Return the settings as plain values."""
        factor = {"factor": self._factor.value} if self._factor in self else {}
        return ({} if self._settings is None else dict(self._settings.read())) | factor

    def _changed(self) -> dict[str, Any]:
        if self._settings is None:
            return {}
        usual = defaults(networks[self.kind])
        return {name: value for name, value in self._settings.read().items() if value != usual[name]}
