"""A spectrum before the steps, with what they estimate and find in it, and after them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from magicgui.widgets import Container
from napari.viewer import Viewer
from psygnal import Signal
from qtpy.QtCore import QTimer

from napari_spectrai.cube import Cube, SpectralAxis
from napari_spectrai.units import axis_title
from napari_spectrai.widgets.dock import line, text
from napari_spectrai.widgets.plot import CLASSICAL, SOURCE, TRUTH, Plot
from napari_spectrai.widgets.preprocess_dock.spectrum_preview import Effect
from napari_spectrai.widgets.preprocess_dock.spike_review import SPIKE, SpikeReview

_PATIENCE = 300
"""Milliseconds after which an effect that is still being computed is no longer shown as it was before."""
_NEAR = 14.0
"""Distance in pixels within which a click meets a mark."""
POSITIONS = 18
"""Height of the numbers along an axis, in pixels."""
Marked = tuple[SpikeReview, int, float, float]
"""A spike: its review, its number there, and its place in the plot."""


class BeforeAfter(Container[Any]):
    """Two plots and a line of text under them; both stay in view while the steps scroll.

    Signals
    -------
    switched : a spike was clicked: its review, and its number there

    Attributes
    ----------
    spared : int
        Pixels by which the upper plot is lower, since it shares the positions with the lower one.
    """

    switched = Signal(object, int)

    def __init__(self, viewer: Viewer) -> None:
        self.before = Plot(viewer, x="Band number", y="Before", name="before")
        self.after = Plot(viewer, x="Band number", y="After", name="after")
        self.note, self._key = text("note"), text("key")
        for words in (self.note, self._key):
            words.native.setWordWrap(False)
        self.under = row = line(self.note, self._key)
        row.native.layout().setStretch(0, 2)
        row.native.layout().setStretch(1, 3)
        super().__init__(widgets=[self.before, self.after, row], labels=False, name="before_after")
        self.margins = (0, 0, 0, 0)
        self.native.layout().setSpacing(0)
        self.spared = 0
        self._marks: list[Marked] = []
        self._effect: Effect | None = None
        self._axis: SpectralAxis | None = None
        self._slow = QTimer(self.native)
        self._slow.setSingleShot(True)
        self._slow.setInterval(_PATIENCE)
        self._slow.timeout.connect(self._show_that_it_takes_time)
        self.before.clicked.connect(self._on_click)

    def wait(self) -> None:
        """Wait for the next effect; if it takes its time, what is shown is no longer taken for it."""
        self._slow.start()

    def _show_that_it_takes_time(self) -> None:
        has_axes = self.after.canvas.getPlotItem().getAxis("bottom").isVisible()
        self.after.clear_curves()
        self.after.canvas.show_axes(shown=has_axes)  # they stay, also for the plot above
        self.note.value = "computing …"

    def fail(self) -> None:
        """Show that there is no effect."""
        self._slow.stop()
        self.after.clear_curves()
        self.note.value = ""

    def clear_plots(self) -> None:
        """Show nothing."""
        self._slow.stop()
        self._effect, self.note.value = None, ""
        self._marks = []
        for plot in (self.before, self.after):
            plot.clear_curves()

    def show_effect(self, effect: Effect, cube: Cube, note: str) -> None:
        """Show the effect on a spectrum of a cube."""
        axis = cube.axis
        self._slow.stop()
        self._effect, self._axis = effect, axis
        self._share(np.array_equal(effect.axis.values, axis.values) and effect.axis.unit == axis.unit)
        titles = [axis_title(one, cube.metadata) for one in (axis, effect.axis)]
        self.before.titles(x="" if titles[0] == titles[1] else titles[0])
        self.after.titles(x=titles[1])
        for name in self.before.names():
            if name != "before":
                self.before.remove_curve(name)
        self.before.curve("before", axis.values, effect.before, SOURCE, legend=False)
        for number, estimate in enumerate(effect.estimates):
            name = f"{estimate.words} {number + 1}" if number else estimate.words
            self.before.curve(name, estimate.axis.values, estimate.values, CLASSICAL, dashed=True, width=1.6, legend=False)
        self.after.curve("after", effect.axis.values, effect.after, self.after.accent, legend=False)
        self.note.value = note

    def _share(self, shared: bool) -> None:  # noqa: FBT001
        """Show the positions once, below both plots, where they are the same."""
        spared = POSITIONS if shared else 0
        if spared != self.spared:
            self.spared = spared
            self.before.share_positions(self.after if shared else None)

    def mark(self, pixel: Sequence[int], reviews: Sequence[SpikeReview]) -> None:
        """Mark the spikes of the spectrum shown, those to keep in another colour."""
        self._marks = []
        effect, axis = self._effect, self._axis
        for name in ("spikes", "kept"):
            self.before.remove_curve(name)
        if effect is None or axis is None:
            return
        order = np.argsort(axis.values, kind="stable")
        for review in reviews:
            for number in review.at(pixel):
                assert review.found is not None  # noqa: S101
                place = float(review.found.position[number])
                self._marks.append((review, int(number), place, float(np.interp(place, axis.values[order], effect.before[order]))))
        for name, colour, kept in (("spikes", SPIKE, False), ("kept", TRUTH, True)):
            there = [(position, height) for review, number, position, height in self._marks if bool(review.kept[number]) is kept]
            if there:
                x, y = np.array(there).T
                self.before.curve(name, x, y, colour, points=True, width=2, legend=False)
        parts = [f"- - {' and '.join(dict.fromkeys(one.words for one in effect.estimates))}"] if effect.estimates else []
        parts += ["● click to keep"] if self._marks else []
        self._key.value = "   ".join(parts)

    def _on_click(self, x: float, y: float) -> None:
        """Switch the nearest mark, if one is near."""
        if not self._marks:
            return
        clicked = np.array(self.before.pixels(x, y))
        distances = [float(np.linalg.norm(np.array(self.before.pixels(one[2], one[3])) - clicked)) for one in self._marks]
        nearest = int(np.argmin(distances))
        if distances[nearest] <= _NEAR:
            self.switched.emit(self._marks[nearest][0], self._marks[nearest][1])
