"""What a network makes of validation data during a training: one spectrum, one window of the image, recall and precision of classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from napari.components import ViewerModel

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.runs import Confusion, Event, Patch, Preview
from napari_spectrai.units import axis_title
from napari_spectrai.widgets.plot import CYCLE, SOURCE, TRUTH, Plot
from napari_spectrai.widgets.train_dock.image_row import Pictures, coloured

SCALED = "Intensity (scaled)"
"""Title of an axis of spectra as a network sees them."""


class Previews:
    """A plot and a row of pictures.

    Attributes
    ----------
    spectrum : Plot
    pictures : Pictures
    metadata : mapping
        Those of the data that are trained on, as far as they are known.
    recall : dict
        Recall of each class in the last confusion matrix of the validation, by name; NaN where it was not validated.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self.spectrum = Plot(viewer, x="Band number", y=SCALED, height=190, name="preview")
        self.pictures = Pictures()
        self.recall: dict[str, float] = {}
        self.metadata: Mapping[str, Any] = {}

    def clear(self) -> None:
        """Show nothing, for a new run."""
        self.recall = {}
        self.spectrum.clear_curves()
        self.spectrum.titles(y=SCALED)
        self.pictures.clear_pictures()

    def show(self, events: Sequence[Event]) -> None:
        """Show the latest event of each kind; of confusion matrices, the last one of each part of the data."""
        latest = {type(event): event for event in events}
        for confusion in {event.part: event for event in events if isinstance(event, Confusion)}.values():
            self._show_confusion(confusion)
        match latest.get(Preview):
            case Preview() as preview:
                self._show_spectrum(preview)
        match latest.get(Patch):
            case Patch() as patch:
                self._show_patch(patch)

    def _show_spectrum(self, event: Preview) -> None:
        axis = SpectralAxis(event.positions, event.unit)  # type: ignore[arg-type]
        self.spectrum.titles(x=axis_title(axis, self.metadata))
        self.spectrum.curve("input", event.positions, event.input, SOURCE, width=1)
        self.spectrum.curve(event.target, event.positions, event.truth, TRUTH, width=1.2)
        self.spectrum.curve("predicted", event.positions, event.prediction, self.spectrum.accent)

    def _show_patch(self, event: Patch) -> None:
        """Show input, output and target of one window of the image."""
        shown = {"input": np.asarray(event.input, np.uint8)}
        if event.colours:
            shown["predicted"] = coloured(event.prediction, event.colours, CYCLE)
            shown |= {event.target: coloured(event.truth, event.colours, CYCLE)} if event.truth else {}
        else:
            shown["predicted"] = np.asarray(event.prediction, np.uint8)
            shown |= {event.target: np.asarray(event.truth, np.uint8)} if event.truth else {}
            shown |= {"removed": np.asarray(event.removed, np.uint8)} if event.removed else {}
        self.pictures.show(shown, f"a window of the image, {event.where}, after epoch {event.epoch}")

    def _show_confusion(self, event: Confusion) -> None:
        """Show recall and precision of each class."""
        there = [sum(row) for row in event.matrix]
        predicted = [sum(column) for column in zip(*event.matrix, strict=True)]
        right = [row[number] for number, row in enumerate(event.matrix)]
        numbers = [float(number) for number in range(1, len(right) + 1)]
        self.spectrum.titles(x="Class, in the order of the labels", y=f"Share, {event.part}")
        recall = [a / b if b else float("nan") for a, b in zip(right, there, strict=True)]
        if event.part == "validation":
            self.recall = dict(zip(event.classes, recall, strict=True))
        precision = [a / b if b else float("nan") for a, b in zip(right, predicted, strict=True)]
        self.spectrum.curve("recall", numbers, recall, self.spectrum.accent, width=2, points=True)
        self.spectrum.curve("precision", numbers, precision, SOURCE, width=1.2, points=True)
