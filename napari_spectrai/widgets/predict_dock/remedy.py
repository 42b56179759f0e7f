"""The button that makes layers and files fit a model of other bands: a copy of the layer is resampled, files while they are read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from magicgui.widgets import PushButton
from napari.layers import Image
from napari.viewer import Viewer

from napari_spectrai.preparation import Step
from napari_spectrai.widgets.job_queue import JobQueue
from napari_spectrai.widgets.predict_dock.inputs import Targets
from napari_spectrai.widgets.predict_dock.predict_request import mending


class Remedy:
    """What could be done for the chosen layers or files to fit the model.

    Attributes
    ----------
    layer : tuple of Image and Step, optional
        A layer that does not fit, and the step after which it does.
    files : list of Path
        Files that would fit after resampling.
    agreed : frozenset of Path
        Files that are resampled, as a person has agreed to.
    """

    def __init__(self, viewer: Viewer, targets: Targets, check: Callable[[], None]) -> None:
        self._viewer, self._targets, self._check = viewer, targets, check
        self.button = PushButton(text="Resample to the model", name="remedy", visible=False)
        self.layer: tuple[Image, Step] | None = None
        self.files: list[Path] = []
        self.agreed: frozenset[Path] = frozenset()

    def begin(self) -> None:
        """Offer nothing, until something is found that does not fit."""
        self.layer, self.files = None, []

    def show(self, *, busy: bool) -> None:
        """Offer what was found."""
        self.button.visible = self.layer is not None or bool(self.files)
        self.button.enabled = not busy
        if self.files:
            several = len(self.files) > 1
            self.button.text = f"Resample {len(self.files)} files to the model" if several else "Resample the file to the model"
            self.button.tooltip = "resample the spectra to the model's axis while it is applied; the files stay unchanged"
        elif self.layer is not None:
            crop = self.layer[1].kind == "crop"
            self.button.text = "Crop to the model's bands" if crop else "Resample to the model"
            self.button.tooltip = f"make a copy of {self.layer[0].name!r} on the model's bands, as a new layer"

    def apply(self, queue: JobQueue, dock: object) -> None:
        """Agree to resample the files, or resample the layer to a new one, and choose that."""
        if queue.busy:
            return
        if self.files:
            self.agreed |= frozenset(self.files)
            self._check()
        elif self.layer is not None:
            (layer, step), chosen = self.layer, self._targets.layers

            def choose(made: Image) -> None:
                self._targets.refresh()
                self._targets.take([made if one is layer else one for one in chosen if one is layer or one in self._viewer.layers])

            self.button.enabled = False
            queue.run_all([mending(self._viewer, layer, step, choose)], dock)
