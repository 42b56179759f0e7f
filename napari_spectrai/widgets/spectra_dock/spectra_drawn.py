"""Draws spectra: under the cursor or, where there is none, means of layers; at points; and means of regions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from magicgui.widgets import Label
from napari.layers import Image
from napari.viewer import Viewer
from qtpy.QtWidgets import QWidget

from napari_spectrai.widgets.latest_only import LatestOnly
from napari_spectrai.widgets.layers import as_cube, spectral_layers
from napari_spectrai.widgets.plot import Plot
from napari_spectrai.widgets.plot_labels import PlotLabels
from napari_spectrai.widgets.short_names import short
from napari_spectrai.widgets.spectra_dock.display_options import DisplayOptions
from napari_spectrai.widgets.spectra_dock.layer_chips import LayerChips
from napari_spectrai.widgets.spectra_dock.mean_spectra import MEAN, MeanSpectra
from napari_spectrai.widgets.spectra_dock.pins import PinList
from napari_spectrai.widgets.spectra_dock.region_means import RegionMeans
from napari_spectrai.widgets.spectra_dock.spectra_axis import AxisChoice
from napari_spectrai.widgets.spectra_dock.spectra_shown import peaks_of, runs
from napari_spectrai.widgets.spectra_dock.spectrum_places import (
    Place,
    Spectrum,
    cursor_places,
    less,
    pinned_places,
    reading,
    spectrum_of,
    under,
)

HINT = "Move the mouse over a layer to see its spectrum; a click pins it."
_APART = 0.025
"""Distance of labels of peaks, as a share of the axis: of curves with the same peak, one is labelled."""
_ABOVE = 0.25
"""Space above the curves for labels, as a share of their range."""
NOTHING = "Tick a layer above to see its mean spectrum."
HIDDEN = "The ticked layers are hidden; show one in the list of layers."
_NAMED = 3
"""Layers that are named below the plot; more would take its height."""


class SpectraDrawn:
    """The curves of the dock.

    Parameters
    ----------
    plot, other : plots of the layers on the axis of the main one, and of those on another
    readout : text about what is under the cursor
    """

    def __init__(
        self, viewer: Viewer, plot: Plot, other: Plot, readout: Label, *, axis: AxisChoice, chips: LayerChips, pins: PinList,
        means: RegionMeans, options: DisplayOptions,
    ) -> None:  # fmt: skip
        self._viewer, self._plot, self._other, self._readout = viewer, plot, other, readout
        self._axis, self._chips, self._pins, self._regions, self._options = axis, chips, pins, means, options
        self.world: tuple[float, ...] = ()
        self._seen: dict[str, tuple[Image, Spectrum]] = {}
        self._meant: list[str] = []
        self._colours: dict[str, tuple[str, int]] = {}
        self._step = 0.0
        self.labels = PlotLabels(plot)

    def live_in(self, parent: QWidget, failed: Callable[[str], Any]) -> None:
        """Read spectra for as long as `parent` exists; `failed` gets the reason why one cannot be read, and "" once they can."""
        self.means = MeanSpectra(parent, self.redraw)
        self.reading = LatestOnly(parent)
        self.reading.answered.connect(self._on_read)
        self._failed = failed
        self.reading.failed.connect(lambda error: failed(str(error)))

    def leave(self) -> None:
        """End the threads."""
        self.reading.leave()
        self.means.leave()

    # ---------------------------------------------------------------- everything

    def redraw(self, _: Any = None) -> None:
        """Redraw everything."""
        for plot in (self._plot, self._other):
            plot.clear_curves()
        layer = self._chips.main()
        self._step = 0.0
        drawn = self._chips.drawn()
        first = self.means.of([layer]) if layer is not None and self._options.stack.value else []
        if first:
            axis, values, _ = first[0][1]
            self._step = self._options.step(self._options.scaled(values, self._axis.shown(axis)[0]))
        else:
            self._step = self._options.step(None)
        self._pinned_at()
        if layer is not None:
            cube = as_cube(layer)
            positions, title = self._axis.shown(cube.axis)
            self._plot.titles(x=title, y=self._options.title)
            self._plot.axis_tools.shade(runs(positions, cube.metadata.get("bad_bands", ())))
            above = len(drawn) + len(self._colours) if self._options.stack.value else 0
            self._regions.draw(
                self._plot, positions, lambda values: self._options.scaled(values, positions),
                lambda number: (above + number) * self._step if self._options.stack.value else 0.0,
            )  # fmt: skip
        self.redraw_cursor(points=True)

    def _pinned_at(self) -> list[Place]:
        """Return the pixels at points, and remember the colours of their curves."""
        found = pinned_places(self._pins.layer, self._pins.visible_points(), self._chips.drawn(), self._viewer.dims.point)
        self._colours = {place[0]: (colour, number) for number, (place, colour) in enumerate(found)}
        return [place for place, _ in found]

    def redraw_cursor(self, *, points: bool = False) -> None:
        """Read the spectra at the cursor: at once from memory, in the background from anywhere else."""
        wanted = cursor_places(self.world, self._chips.drawn())
        if points:
            wanted += self._pinned_at()
        here = {name for name, *_ in wanted}
        cursors = {layer.name for layer in self._chips.of} | {f"{layer.name}{MEAN}" for layer in self._chips.of}
        for plot in (self._plot, self._other):
            for name in plot.names():
                if name in cursors and name not in here:
                    plot.remove_curve(name)
        self._draw_means(here)
        minus = self._options.subtracted
        lazy = minus is not None and not isinstance(minus.data, np.ndarray)
        quick = [place for place in wanted if isinstance(place[2].data, np.ndarray) and not lazy]
        slow = [place for place in wanted if place not in quick]
        self._seen = {} if not slow else {n: r for n, r in self._seen.items() if n in here}
        for entry in quick:
            self._draw(*spectrum_of(entry, minus))
        if not slow:
            self.reading.forget()
            self._failed("")
        else:
            self.reading.ask(lambda: [spectrum_of(entry, minus) for entry in slow])
        self.show_values()

    def _draw_means(self, here: set[str]) -> None:
        """Draw the mean spectra of layers that have no spectrum under the cursor."""
        minus = self._options.subtracted
        numbers = {layer: number for number, layer in self._chips.drawn() if layer.name not in here}
        asked = list(numbers) if minus is None or minus in numbers else [*numbers, minus]
        means = dict(self.means.of(asked))
        for layer, (axis, values, place) in means.items():
            if layer not in numbers or (minus is not None and minus is not layer and minus not in means):
                continue
            left = less(axis, values, *means[minus][:2]) if minus is not None and minus is not layer else values
            self._draw(f"{layer.name}{MEAN}", numbers[layer], layer, (axis, left, place))
        self._meant = [str(layer.name) for layer in means if layer in numbers]

    def _on_read(self, spectra: list[tuple[str, int, Image, Spectrum]]) -> None:
        self._failed("")
        for name, number, layer, spectrum in spectra:
            chip = self._chips.of.get(layer)
            # meanwhile the layer may have been switched off, or the mouse moved
            current = name in self._colours or (name == layer.name and spectrum[2] == under(self.world, layer))
            if chip is not None and chip.value and current:
                self._draw(name, number, layer, spectrum)
        self.show_values()

    def _draw(self, name: str, number: int, layer: Image, spectrum: Spectrum) -> None:
        axis, values, _ = spectrum
        positions, label = self._axis.shown(axis)
        main = self._chips.main()
        own = main is None or label == self._axis.shown(as_cube(main).axis)[1]
        plot = self._plot if own else self._other
        if not own:
            self._other.titles(x=label)
            self._other.visible = True
        pin = self._colours.get(name)
        place = number if pin is None or not self._options.stack.value else len(self._chips.drawn()) + pin[1]
        shown = self._options.scaled(values, positions) + np.float32(self._step * place)
        colour = self._plot.colour(number) if pin is None else pin[0]
        # of several layers at one point, the others are dashed
        plot.curve(name, positions, shown, colour, width=1.2 if pin else 1, legend=False, dashed=bool(pin) and layer is not main)
        if name == layer.name:
            self._seen[name] = (layer, spectrum)

    # ---------------------------------------------------------------- words

    def show_values(self) -> None:
        """Describe what is under the cursor, label peaks, and say what to do where nothing is drawn."""
        read = [reading(self._viewer, layer, spectrum) for layer, spectrum in list(self._seen.values())[:_NAMED]]
        self._readout.value = "\n".join([*read, *self._further(len(self._seen))]) or (
            f"Mean of {self._averaged()}. {HINT}" if self._meant else HINT if spectral_layers(self._viewer) else ""
        )
        if self._other.visible and not self._other.names():
            self._other.visible = False
        nothing = spectral_layers(self._viewer) and not self._chips.drawn() and not self._plot.names()
        ticked = any(chip.value for chip in self._chips.of.values())
        self.labels.hint("" if not nothing else HIDDEN if ticked else NOTHING)
        self._label_peaks()

    def _averaged(self) -> str:
        """Return the layers whose means are drawn, in one line."""
        return " ".join([", ".join(short(name) for name in self._meant[:_NAMED]), *self._further(len(self._meant))])

    @staticmethod
    def _further(count: int) -> list[str]:
        return [f"and {count - _NAMED} more"] if count > _NAMED else []

    def _label_peaks(self) -> None:
        if not self._options.peaks.value:
            if self.labels.shown:
                self.labels.show([])
                self._plot.headroom(0.0, None)
            return
        labels: list[tuple[float, float, str, str]] = []
        drawn = [name for name in self._plot.names() if self._plot.is_curve(name)]
        for name in drawn:
            x, y = self._plot.data(name)
            apart = _APART * float(np.ptp(x))
            found = [peak for peak in peaks_of(x, y) if all(abs(peak[0] - known[0]) > apart for known in labels)]
            labels += [(position, height, f"{position:.5g}", self._plot.colour_of(name)) for position, height in found]
        if labels and labels != self.labels.shown:
            self.labels.show(labels)
            place, top, *_ = max(labels, key=lambda one: one[1])
            values = np.concatenate([self._plot.data(name)[1] for name in drawn])
            self._plot.headroom(place, top + _ABOVE * (top - float(values[np.isfinite(values)].min())))
