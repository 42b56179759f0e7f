"""Mean ± standard deviation of the regions of a Labels or Shapes layer, updated while one paints."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt
from magicgui.widgets import ComboBox
from napari.layers import Image, Labels, Layer, Shapes
from napari.viewer import Viewer
from psygnal import Signal
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QWidget

from napari_spectrai.cube import Cube
from napari_spectrai.summary import RegionSpectrum, region_spectrum
from napari_spectrai.widgets.dock import text
from napari_spectrai.widgets.latest_only import LatestOnly
from napari_spectrai.widgets.layers import as_cube
from napari_spectrai.widgets.plot import Plot
from napari_spectrai.widgets.spectra_dock.drawing import colour_each
from napari_spectrai.widgets.spectra_dock.regions import regions

_PAINTING = 150
"""Milliseconds without a stroke after which the means are computed again."""
_MOST_SPREADS = 6
"""Largest number of regions whose standard deviation is drawn; more would hide the means."""

_MOST_DIFFERENCES = 20_000
"""Largest number of pixels of a region that are read to compare two layers."""

Mean = tuple[str, str, RegionSpectrum]


class Watch:
    """Calls `slot` when the data of the followed layer change."""

    _EVENTS = ("data", "labels_update", "paint")

    def __init__(self, slot: Callable[[Any], None]) -> None:
        self._slot = slot
        self.layer: Layer | None = None

    def follow(self, layer: Layer | None) -> None:
        """Follow another layer, or none."""
        for one, name in ((self.layer, "disconnect"), (layer, "connect")):
            for event in self._EVENTS:
                if one is not None and (emitter := getattr(one.events, event, None)) is not None:
                    getattr(emitter, name)(self._slot)
        self.layer = layer


class RegionMeans:
    """The choice of a layer, the means of its regions over an image, and their legend.

    Signals
    -------
    changed : there are other means to draw
    failed : why there are none, in words; empty once there is no reason
    """

    changed = Signal()
    failed = Signal(str)

    def __init__(self, viewer: Viewer, image: Callable[[], Image | None], minus: Callable[[], Image | None] = lambda: None) -> None:
        self._viewer, self._image, self._minus = viewer, image, minus
        self._watch = Watch(self._on_stroke)
        self.means: list[Mean] = []
        self._of: Image | None = None
        self.choice = ComboBox(
            choices=lambda _: [layer for layer in viewer.layers if isinstance(layer, Labels | Shapes)], nullable=True, value=None,
            label="Regions", name="regions",
            tooltip="a Labels or Shapes layer; draws mean ± standard deviation of the selected image in each region",
        )  # fmt: skip
        self.legend = text("legend")
        self.legend.visible = False
        self.choice.changed.connect(self._on_choice)

    def live_in(self, parent: QWidget) -> None:
        """Compute means for as long as `parent` exists."""
        self._work = LatestOnly(parent)
        self._work.answered.connect(self._on_means)
        self._work.failed.connect(lambda error: self.failed.emit(str(error)))
        self._strokes = QTimer(parent)
        self._strokes.setSingleShot(True)
        self._strokes.setInterval(_PAINTING)
        self._strokes.timeout.connect(self.take)

    def leave(self) -> None:
        """Disconnect from the layer."""
        self._watch.follow(None)
        self._work.leave()

    def on_layers(self) -> None:
        """Offer the present layers; the chosen one stays chosen."""
        kept = self._watch.layer
        with self.choice.changed.blocked():
            self.choice.reset_choices()
            self.choice.value = kept if kept is not None and kept in self._viewer.layers else None
        if self.choice.value is None and kept is not None:
            self._on_choice(None)

    def _on_choice(self, layer: Layer | None) -> None:
        self._watch.follow(layer)
        self._show([])
        self.take()
        self.changed.emit()

    def _on_stroke(self, _: Any = None) -> None:
        self._strokes.start()

    def take(self) -> None:
        """Compute the means again, in the background."""
        layer: Labels | Shapes | None = self.choice.value
        image = self._image()
        if layer is None or image is None:
            self._work.forget()
            self._show([])
            self.failed.emit("")
            return
        if isinstance(layer, Shapes):
            colour_each(layer)
        point, cube, minus = tuple(self._viewer.dims.point), as_cube(image), self._minus()
        other = None if minus is None or minus is image else as_cube(minus)
        if image is not self._of:
            self._show([])
        self._work.ask(lambda: (image, _means(layer, image, cube, other, point)))

    def _on_means(self, answer: tuple[Image, list[Mean]]) -> None:
        image, means = answer
        if image is self._image() and self.choice.value is not None:
            self._of = image
            self._show(means)
            self.failed.emit("")
            self.changed.emit()

    def _show(self, means: list[Mean]) -> None:
        self.means = means
        words = (
            f"<span style='color:{colour};'>■</span>&nbsp;{escape(name).replace(' ', '&nbsp;').replace('-', '‑')}"
            for name, colour, _ in means
        )
        self.legend.value = "&nbsp;&nbsp; ".join(words)
        self.legend.visible = bool(means)

    def draw(
        self, plot: Plot, positions: npt.NDArray[np.float64], shown: Callable[[Any], npt.NDArray[Any]], shift: Callable[[int], float]
    ) -> None:  # fmt: skip
        """Draw the means, and the spread of a few, at `positions`.

        Parameters
        ----------
        shown : converts intensities for display
        shift : returns the offset of a mean, by its number
        """
        if self._of is not self._image():
            return
        for number, (name, colour, region) in enumerate(self.means):
            if len(region.mean) != len(positions):
                continue
            low, mean, high = (shown(values) for values in (region.mean - region.deviation, region.mean, region.mean + region.deviation))
            up = shift(number)
            if len(self.means) <= _MOST_SPREADS and mean is region.mean:
                plot.spread(f"± {name}", positions, low + up, high + up, colour)
            plot.curve(name, positions, mean + up if up else mean, colour, width=2, legend=False)


def _means(layer: Labels | Shapes, image: Image, cube: Cube, other: Cube | None, point: tuple[float, ...]) -> list[Mean]:
    try:
        region = regions(layer, image, point)
    except (ValueError, IndexError) as error:
        raise ValueError(f"{layer.name!r} does not lie on {image.name!r}; they have different dimensions") from error
    return [(name, colour, _mean(cube, other, places)) for name, colour, places in region]


def _mean(cube: Cube, other: Cube | None, places: npt.NDArray[np.intp]) -> RegionSpectrum:
    """Return the mean of a region, or of its differences from another cube of the same pixels and bands."""
    if other is None or other.shape != cube.shape or other.axis != cube.axis:
        return region_spectrum(cube, places)
    chosen = tuple(places[:: max(1, len(places) // _MOST_DIFFERENCES)].T)
    difference = np.asarray(cube.data[chosen], np.float32) - np.asarray(other.data[chosen], np.float32)
    return region_spectrum(Cube(difference, cube.axis), np.arange(len(difference))[:, None])
