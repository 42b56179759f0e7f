"""The Spectra dock: spectra of several layers under the cursor, at points and of regions, with the band on the slider."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from magicgui.widgets import CheckBox, ComboBox, LineEdit
from napari.layers import Image, Labels, Layer, Points, Shapes
from napari.viewer import Viewer

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.layer_axes import spectral_dimension
from napari_spectrai.widgets.dock import Dock, Visibility, message, rows, say, text
from napari_spectrai.widgets.form import FoldBox
from napari_spectrai.widgets.latest_only import LatestOnly
from napari_spectrai.widgets.layers import as_cube, choose_dimension, turned
from napari_spectrai.widgets.plot import Plot
from napari_spectrai.widgets.spectra_dock.band_slider import band_on_slider, show_band, spectral_slider
from napari_spectrai.widgets.spectra_dock.contrast_switch import ContrastSwitch
from napari_spectrai.widgets.spectra_dock.layer_chips import LayerChips
from napari_spectrai.widgets.spectra_dock.mean_spectra import MEAN, MeanSpectra
from napari_spectrai.widgets.spectra_dock.plot_and_controls import PlotAndControls
from napari_spectrai.widgets.spectra_dock.region_means import RegionMeans, Watch
from napari_spectrai.widgets.spectra_dock.spectra_axis import AxisChoice
from napari_spectrai.widgets.spectra_dock.spectra_shown import as_shown, runs
from napari_spectrai.widgets.spectra_dock.spectra_tools import BandTools, Export
from napari_spectrai.widgets.spectra_dock.spectrum_places import Spectrum, cursor_places, pinned_places, reading, spectrum_of, under

_SHOW = {
    "raw": "raw", "maximum": "divided by its maximum", "area": "unit area", "minmax": "0 to 1", "snv": "SNV",
    "first": "first derivative", "second": "second derivative",
}  # fmt: skip
_HINT = "Move the mouse over a layer to see its spectrum."


class SpectraDock(Dock):
    """Spectra of the layers at the cursor, at points and of regions; images from bands.

    From a script: ``dock.look_at(world)``, ``dock.points``, ``dock.regions``, ``dock.axis``, ``dock.tools`` and ``dock.export``.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        self._viewer = napari_viewer
        self._world: tuple[float, ...] = ()
        self._pins = Watch(self._redraw)
        self._seen: dict[str, tuple[Image, Spectrum]] = {}
        self._plane: tuple[float, ...] = ()
        self._meant: list[str] = []
        self._build()
        super().__init__("Spectra", self._sections)
        self._columns.live_in(self.native)
        self._means = MeanSpectra(self.native, self._redraw)
        self._cursor = LatestOnly(self.native)
        self._cursor.answered.connect(self._on_read)
        self._cursor.failed.connect(lambda error: say(self._problem, str(error)))
        self.region_means.live_in(self.native)
        self.region_means.changed.connect(self._redraw)
        self.region_means.failed.connect(lambda words: say(self._problem, words))
        self._connect()
        self._on_layers()

    def _build(self) -> None:
        self._empty = text(value="Open a hypercube, or try File ▸ Open Sample ▸ napari-spectrai ▸ Raman pairs.")
        self._plot = Plot(self._viewer, x="Band number", y="Intensity", height=250, name="spectra")
        self._chips = LayerChips(self._viewer, self._plot.colour)
        self._main, self._drawn = self._chips.main, self._chips.drawn
        self._other = Plot(self._viewer, x="Band number", y="Intensity", height=150, name="others")
        self._other.visible = False
        self._readout = text("readout", _HINT)
        self._problem = message()
        self.axis = AxisChoice()
        self._show = ComboBox(
            choices=[(words, code) for code, words in _SHOW.items()],
            value="raw",
            label="Display",
            name="show",
            tooltip="how intensities are drawn; the data stay unchanged",
        )
        self._offset = LineEdit(value="0", label="Offset", name="offset", tooltip="shift of each layer's curve above the previous one")
        self._points = ComboBox(
            choices=self._points_layers, nullable=True, value=None, label="Points", name="points",
            tooltip="a Points layer whose spectra are drawn permanently, as thin curves",
        )  # fmt: skip
        self.region_means = RegionMeans(self._viewer, self._main)
        self._dimension = ComboBox(
            choices=self._dimensions,
            nullable=True,
            label="Spectral dimension",
            name="dimension",
            tooltip="which dimension of the selected layer is spectral, if its file did not say; applies to all docks",
        )
        self.contrast = ContrastSwitch(self._viewer)
        self.tools = BandTools(self._viewer, self._plot)
        self.export = Export(lambda: [self._plot, self._other])
        controls = [
            rows(self._show, self.region_means.choice, self._points),
            FoldBox(
                "Axis, offset, spectral dimension",
                [rows(self.axis.unit, self.axis.laser, self._offset, self._dimension), self.contrast],
            ),
            self.tools, self.export,
        ]  # fmt: skip
        shown = [self._chips, self._plot, self._other, self.region_means.legend, self._readout, self._problem]
        self._columns = PlotAndControls(self._plot, shown, controls)
        self._sections = [self._empty, self._columns]

    # ---------------------------------------------------------------- events

    def _connect(self) -> None:
        viewer = self._viewer
        viewer.mouse_move_callbacks.append(self._on_mouse)
        layers = viewer.layers.events
        self._links = [
            (viewer.dims.events.current_step, self._on_slider),
            (viewer.layers.selection.events.active, self._on_active),
            *((event, self._on_layers) for event in (layers.inserted, layers.removed, layers.reordered, layers.renamed)),
        ]
        for event, slot in self._links:
            event.connect(slot)
        self._dimension.changed.connect(self._on_dimension)
        for widget in (self._show, self._offset):
            widget.changed.connect(self._redraw)
        self.axis.changed.connect(self._on_axis)
        self._points.changed.connect(self._on_points)
        self._chips.updated.connect(self._on_active)
        turned.turned.connect(self._on_active)
        self.native.destroyed.connect(self._leave)
        Visibility(self.native, self._on_visible)

    def _on_visible(self, visible: bool) -> None:  # noqa: FBT001
        """Pause while hidden: napari's ✕ only hides a dock."""
        callbacks = self._viewer.mouse_move_callbacks
        if visible and self._on_mouse not in callbacks:
            callbacks.append(self._on_mouse)
            self._on_active()
        elif not visible:
            if self._on_mouse in callbacks:
                callbacks.remove(self._on_mouse)
            self._viewer.canvas.overlays.text.visible = False

    def _leave(self) -> None:
        turned.turned.disconnect(self._on_active, missing_ok=True)
        self._chips.leave()
        self.contrast.leave()
        if self._on_mouse in self._viewer.mouse_move_callbacks:
            self._viewer.mouse_move_callbacks.remove(self._on_mouse)
        for event, slot in self._links:
            event.disconnect(slot)
        self._cursor.leave()
        self._means.leave()
        self.region_means.leave()
        self._pins.follow(None)
        self._viewer.canvas.overlays.text.visible = False

    def take(self, layer: Layer) -> None:
        """Draw the spectra of a layer, even if it was switched off, and let the line follow its bands."""
        chip = self._chip_of.get(layer)
        if chip is not None:
            chip.value = True
            self._viewer.layers.selection.active = layer

    def _points_layers(self, _: Any = None) -> list[Points]:
        return [layer for layer in self._viewer.layers if isinstance(layer, Points)]

    def _on_layers(self, _: Any = None) -> None:
        self._chips.refresh()
        self._empty.visible = not self._chip_of
        kept = self._pins.layer
        with self._points.changed.blocked():
            self._points.reset_choices()
            self._points.value = kept if kept is not None and kept in self._viewer.layers else None
        if self._points.value is None:
            self._pins.follow(None)
        self.region_means.on_layers()
        self._on_active()

    def _on_active(self, _: Any = None) -> None:
        """Offer the dimensions and units of the layer whose bands the line follows."""
        layer = self._main()
        cube = None if layer is None else as_cube(layer)
        with self._dimension.changed.blocked():
            self._dimension.reset_choices()
            self._dimension.value = None if layer is None else spectral_dimension(layer)  # None if it is unknown and has to be chosen
            self._dimension.enabled = cube is not None and not cube.axis.unit
        self.axis.use(cube)
        self.contrast.use(layer)
        self.tools.use(layer, self._positions(cube.axis) if cube is not None else None)
        self.region_means.take()
        self._redraw()

    def _dimensions(self, _: Any = None) -> list[tuple[str, int]]:
        layer = self._main()
        return [] if layer is None else [(f"{d}: {n} bands", d) for d, n in enumerate(layer.data.shape)]

    def _on_dimension(self, position: int | None) -> None:
        layer = self._main()
        if layer is not None and position is not None:
            choose_dimension(layer, position)

    def _on_axis(self) -> None:
        layer = self._main()
        say(self._problem, self.axis.problem)
        self.tools.use(layer, None if layer is None else self._positions(as_cube(layer).axis))
        self._redraw()

    def _on_mouse(self, _: Any, event: Any) -> None:
        self.look_at(tuple(event.position))

    def _on_points(self, layer: Points | None) -> None:
        self._pins.follow(layer)
        self._redraw()

    # ---------------------------------------------------------------- the slider

    def _on_slider(self, _: Any = None) -> None:
        """Follow the band; on another plane of a stack, read the spectra again."""
        dims, layer = self._viewer.dims, self._main()
        spectral = None if layer is None else spectral_slider(self._viewer, layer)
        plane = tuple(dims.point[d] for d in dims.not_displayed if d != spectral)
        if plane != self._plane:
            self._plane = plane
            if len(self._world) == dims.ndim:
                self._world = tuple(dims.point[d] if d in dims.not_displayed else c for d, c in enumerate(self._world))
            self.region_means.take()
            self._redraw()
            return
        self._mark()
        self._show_values()

    def _mark(self) -> None:
        layer = self._main()
        band = None if layer is None else band_on_slider(self._viewer, layer)
        overlay = self._viewer.canvas.overlays.text
        if layer is None or band is None:
            self._plot.marker(None, self._on_drag)
            overlay.visible = False
            return
        axis = as_cube(layer).axis
        self._plot.marker(float(self._positions(axis)[band]), self._on_drag)
        overlay.text = f"{axis.values[band]:.6g} {axis.unit} · band {band}" if axis.unit else f"band {band}"
        overlay.visible = True

    def _on_drag(self, position: float) -> None:
        layer = self._main()
        if layer is not None:
            show_band(self._viewer, layer, int(np.abs(self._positions(as_cube(layer).axis) - position).argmin()))

    # ---------------------------------------------------------------- what is drawn

    @property
    def points(self) -> Points | None:
        """The Points layer whose spectra are drawn permanently."""
        return self._points.value

    @points.setter
    def points(self, layer: Points | None) -> None:
        self._points.value = layer

    @property
    def regions(self) -> Labels | Shapes | None:
        """The Labels or Shapes layer whose regions' means are drawn."""
        return self.region_means.choice.value

    @regions.setter
    def regions(self, layer: Labels | Shapes | None) -> None:
        self.region_means.choice.value = layer

    @property
    def plot(self) -> Plot:
        """The plot."""
        return self._plot

    @property
    def _chip_of(self) -> dict[Image, CheckBox]:
        return self._chips.of

    def _positions(self, axis: SpectralAxis) -> npt.NDArray[np.float64]:
        """Return the positions at which the bands of a layer are drawn: in the unit shown if possible, else unchanged."""
        return self.axis.shown(axis)[0]

    def look_at(self, world: tuple[float, ...]) -> None:
        """Draw the spectra at a place in world coordinates."""
        self._world = world
        self._redraw_cursor()

    def _redraw(self, _: Any = None) -> None:
        """Redraw everything."""
        for plot in (self._plot, self._other):
            plot.clear_curves()
        layer = self._main()
        if layer is not None:
            cube = as_cube(layer)
            self._plot.titles(
                x=self.axis.shown(cube.axis)[1], y=f"Intensity ({_SHOW[self._show.value]})" if self._show.value != "raw" else "Intensity"
            )
            self._plot.shade(runs(self._positions(cube.axis), cube.metadata.get("bad_bands", ())))
            positions = self._positions(cube.axis)
            self.region_means.draw(self._plot, positions, lambda values: self._scaled(values, positions))
        self._redraw_cursor(points=True)
        self._mark()

    def _redraw_cursor(self, *, points: bool = False) -> None:
        """Read the spectra at the cursor: at once from memory, in the background from anywhere else."""
        wanted = cursor_places(self._world, self._drawn())
        if points:
            wanted += pinned_places(self._points.value, self._drawn(), self._viewer.dims.point)
        here = {name for name, *_ in wanted}
        cursors = {layer.name for layer in self._chip_of} | {f"{layer.name}{MEAN}" for layer in self._chip_of}
        for plot in (self._plot, self._other):
            for name in plot.names():
                if name in cursors and name not in here:
                    plot.remove_curve(name)
        self._draw_means(here)
        quick = [place for place in wanted if isinstance(place[2].data, np.ndarray)]
        slow = [place for place in wanted if not isinstance(place[2].data, np.ndarray)]
        self._seen = {} if not slow else {n: r for n, r in self._seen.items() if n in here}
        for entry in quick:
            self._draw(*spectrum_of(entry))
        if not slow:
            self._cursor.forget()
        else:
            self._cursor.ask(lambda: [spectrum_of(entry) for entry in slow])
        self._show_values()

    def _draw_means(self, here: set[str]) -> None:
        """Draw the mean spectra of layers that have no spectrum under the cursor."""
        numbers = {layer: number for number, layer in self._drawn() if layer.name not in here}
        means = self._means.of(list(numbers))
        for layer, spectrum in means:
            self._draw(f"{layer.name}{MEAN}", numbers[layer], layer, spectrum)
        self._meant = [layer.name for layer, _ in means]

    def _on_read(self, spectra: list[tuple[str, int, Image, Spectrum]]) -> None:
        for name, number, layer, spectrum in spectra:
            chip = self._chip_of.get(layer)
            # meanwhile the layer may have been switched off, or the mouse moved
            if (
                chip is not None
                and chip.value
                and (" · point " in name or (name == layer.name and spectrum[2] == under(self._world, layer)))
            ):
                self._draw(name, number, layer, spectrum)
        self._show_values()

    def _draw(self, name: str, number: int, layer: Image, spectrum: Spectrum) -> None:
        axis, values, _ = spectrum
        pinned = name != layer.name
        positions, label = self.axis.shown(axis)
        main = self._main()
        own = main is None or label == self.axis.shown(as_cube(main).axis)[1]
        plot = self._plot if own else self._other
        if not own:
            self._other.titles(x=label)
            self._other.visible = True
        shown = self._scaled(values, positions) + self._step() * number
        thin = pinned and not name.endswith(MEAN)
        plot.curve(name, positions, shown, self._plot.colour(number), width=0.7 if thin else 1, legend=False)
        if not pinned:
            self._seen[name] = (layer, spectrum)

    def _show_values(self) -> None:
        self._readout.value = "\n".join(reading(self._viewer, layer, spectrum) for layer, spectrum in self._seen.values()) or (
            f"Mean of {', '.join(self._meant)}. {_HINT}" if self._meant else _HINT
        )
        if self._other.visible and not self._other.names():
            self._other.visible = False

    def _step(self) -> float:
        try:
            return float(self._offset.value)
        except ValueError:
            return 0.0

    def _scaled(self, values: npt.NDArray[np.float32], positions: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        return as_shown(values, positions, self._show.value)
