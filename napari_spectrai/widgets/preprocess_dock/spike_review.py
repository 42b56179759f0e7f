"""Spikes found by a step: their number, the next one in the plot, and which of them are peaks to keep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from magicgui.widgets import Container, PushButton
from napari.layers import Image, Points
from napari.viewer import Viewer
from psygnal import Signal

from napari_spectrai.preparation import Despike, Spikes
from napari_spectrai.widgets.dock import line, text
from napari_spectrai.widgets.layers import spectral_position

SPIKE = "#ff5555"
Mask = npt.NDArray[np.bool_]


class SpikeReview(Container[Any]):
    """The findings of one step in words, and buttons to look at them.

    Signals
    -------
    asked : the spectrum of a pixel should be shown
    changed_keep : the peaks to keep, as [[position, intensity], …]
    """

    asked = Signal(tuple)
    changed_keep = Signal(list)

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self.words = text("found")
        self.next_button = PushButton(text="Next", name="next_found", tooltip="show the next spectrum that contains one, in the plots")
        self.show_button = PushButton(
            text="Show", name="show_found", tooltip="mark them in the image with a Points layer; a point that is deleted is kept as a peak"
        )
        self.reset_button = PushButton(text="Reset", name="reset_found", tooltip="remove all of them again; no peak is kept")
        row = line(self.words, self.reset_button, self.next_button, self.show_button)
        row.native.layout().setStretch(0, 1)
        row.native.layout().setSpacing(2)
        for button in (self.next_button, self.show_button, self.reset_button):
            button.native.setStyleSheet("padding: 2px 6px;")
        super().__init__(widgets=[row], labels=False)
        self.margins = (20, 0, 0, 0)
        self.found: Spikes | None = None
        self.kept: Mask = np.zeros(0, bool)
        self.begin: tuple[int, ...] = ()
        self._points: Points | None = None
        self._layer: Image | None = None
        self._at = -1
        self._own = False
        self.visible = False
        self.next_button.changed.connect(self._on_next)
        self.reset_button.changed.connect(lambda: self.changed_keep.emit([]))

    def say(self, words: str) -> None:
        """Show words only."""
        self.found = None
        self.words.value = words
        self.visible = bool(words)
        for button in (self.next_button, self.show_button, self.reset_button):
            button.visible = False

    def show_found(self, found: Spikes, step: Despike, begin: tuple[int, ...], layer: Image) -> None:
        """Show what was found in a layer, from the position where the search started; some are peaks to keep."""
        self.found, self.kept, self.begin, self._layer = found, step.kept(found), begin, layer
        self.visible = True
        part = " in the middle of the layer" if any(begin) else ""
        kept = f", {int(self.kept.sum())} kept" if self.kept.any() else ""
        self.words.value = f"{found.only(~self.kept)}{part}{kept}"
        self.next_button.visible = self.show_button.visible = len(found) > 0
        self.reset_button.visible = bool(self.kept.any())
        self._update_points()

    def at(self, place: Sequence[int]) -> npt.NDArray[np.intp]:
        """Return the numbers of the spikes in the spectrum of a pixel."""
        if self.found is None or len(place) != self.found.pixel.shape[1]:
            return np.zeros(0, np.intp)
        return np.flatnonzero((self.found.pixel + np.asarray(self.begin) == np.asarray(place)).all(1))

    def switch(self, number: int) -> None:
        """Keep a spike as a peak, or remove it again."""
        kept = self.kept.copy()
        kept[number] = not kept[number]
        self._emit(kept)

    def _emit(self, kept: Mask) -> None:
        assert self.found is not None  # noqa: S101
        chosen = self.found.only(kept)
        pairs = zip(chosen.position, chosen.intensity, strict=True)
        self.changed_keep.emit([[float(f"{position:.9g}"), float(f"{intensity:.9g}")] for position, intensity in pairs])

    def _on_next(self) -> None:
        if self.found is None or not len(self.found):
            return
        places = np.unique(self.found.pixel, axis=0) + np.asarray(self.begin)
        self._at = (self._at + 1) % len(places)
        self.asked.emit(tuple(int(c) for c in places[self._at]))

    # ---------------------------------------------------------------- in the image

    def mark(self) -> None:
        """Add a Points layer at the spikes, or bring it up to date."""
        if self.found is None or self._layer is None:
            return
        layer = self._layer
        if self._points is None or self._points not in self._viewer.layers:
            self._points = self._viewer.add_points(
                self._places(), name=f"{layer.name} · spikes", scale=layer.scale, translate=layer.translate, rotate=layer.rotate,
                shear=layer.shear, units=layer.units, axis_labels=layer.axis_labels, face_color="transparent", border_color=SPIKE, size=3,
                features=self._features(),
            )  # fmt: skip
            self._points.events.data.connect(self._on_points)
        self._update_points()

    def _places(self) -> npt.NDArray[np.float64]:
        assert self.found is not None  # noqa: S101
        assert self._layer is not None  # noqa: S101
        removed = self.found.only(~self.kept)
        return np.insert((removed.pixel + np.asarray(self.begin)).astype(float), spectral_position(self._layer), removed.band, axis=1)

    def _features(self) -> dict[str, Any]:
        assert self.found is not None  # noqa: S101
        removed = self.found.only(~self.kept)
        return {"height": removed.height, "position": removed.position}

    def _update_points(self) -> None:
        """Show the spikes that are removed as points, where a person has asked for points."""
        points = self._points
        if points is None or self._layer is None or points not in self._viewer.layers or np.array_equal(points.data, self._places()):
            return
        self._own = True
        try:
            points.data = self._places()
            points.features = self._features()
        finally:
            self._own = False

    def _on_points(self, _: Any = None) -> None:
        """Keep the peaks whose points were deleted."""
        if self._own or self.found is None or self._points is None or self._layer is None:
            return
        left = {tuple(np.rint(place).astype(int)) for place in self._points.data}
        deleted = np.array([tuple(place.astype(int)) not in left for place in self._places()], bool)
        if deleted.any():
            kept = self.kept.copy()
            kept[np.flatnonzero(~self.kept)[deleted]] = True
            self._emit(kept)
