"""The Spectra dock: spectra of several layers under the cursor, at points and of regions, with the band on the slider."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from magicgui.widgets import CheckBox, ComboBox
from napari.layers import Image, Labels, Layer, Points, Shapes
from napari.viewer import Viewer

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.layer_axes import spectral_dimension
from napari_spectrai.widgets.dock import Dock, message, rows, say, text
from napari_spectrai.widgets.fold_box import FoldBox
from napari_spectrai.widgets.layer_words import nothing_open
from napari_spectrai.widgets.layers import as_cube, choose_dimension, turned
from napari_spectrai.widgets.plot import Plot
from napari_spectrai.widgets.spectra_dock.band_line import BandLine
from napari_spectrai.widgets.spectra_dock.band_slider import spectral_slider
from napari_spectrai.widgets.spectra_dock.bands_first import BandsFirst
from napari_spectrai.widgets.spectra_dock.contrast_switch import ContrastSwitch
from napari_spectrai.widgets.spectra_dock.curve_export import Export, Spread
from napari_spectrai.widgets.spectra_dock.display_options import DisplayOptions
from napari_spectrai.widgets.spectra_dock.drawing import FlatLabels, shapes_over
from napari_spectrai.widgets.spectra_dock.layer_chips import LayerChips
from napari_spectrai.widgets.spectra_dock.line_profile import ProfileView
from napari_spectrai.widgets.spectra_dock.line_tool import LineTool
from napari_spectrai.widgets.spectra_dock.pins import PinList
from napari_spectrai.widgets.spectra_dock.plot_and_controls import PlotAndControls
from napari_spectrai.widgets.spectra_dock.region_means import RegionMeans
from napari_spectrai.widgets.spectra_dock.spectra_axis import AxisChoice
from napari_spectrai.widgets.spectra_dock.spectra_drawn import HINT, SpectraDrawn
from napari_spectrai.widgets.spectra_dock.spectra_tools import BandTools


class SpectraDock(Dock):
    """Spectra of the layers at the cursor, at points and of regions; images from bands.

    From a script: ``dock.look_at(world)``, ``dock.pins.pin(world)``, ``dock.points``, ``dock.regions``, ``dock.axis``, ``dock.display``,
    ``dock.tools`` and ``dock.export``.
    """

    fills = True

    def __init__(self, napari_viewer: Viewer) -> None:
        self._viewer = napari_viewer
        self._plane: tuple[float, ...] = ()
        self._followed: Image | None = None
        self._wrong: dict[str, str] = {}
        super().__init__("Spectra")

    def _parts(self) -> Iterator[Sequence[Any]]:
        viewer = self._viewer
        self._empty = text()
        self._plot = Plot(viewer, x="Band number", y="Intensity", height=250, name="spectra")
        self._chips = LayerChips(viewer, self._plot.colour)
        self.leaving.callback(self._chips.leave)
        self._main = self._chips.main
        self._columns = PlotAndControls()
        self._columns.live_in(self.column)
        yield [self._columns]
        self._views = ProfileView(viewer, self._plot)
        self._other = Plot(viewer, x="Band number", y="Intensity", height=150, name="others")
        self._other.visible = False
        self._readout, self._problem = text("readout", HINT), message()
        self._columns.plots([self._empty, self._chips, self._views, self._other, self._readout, self._problem], self._views, self._other)
        yield []
        self._columns.controls(self._controls_of_spectra())
        yield []
        self._columns.controls(self._controls_of_images())
        yield []
        self._make_contents()
        self._connect()
        yield []
        self._on_layers()

    def _controls_of_spectra(self) -> list[Any]:
        viewer = self._viewer
        self.axis, self.display = AxisChoice(), DisplayOptions(viewer)
        self._show, self._offset = self.display.show, self.display.offset
        self.pins = PinList(viewer, self._main)
        self._points = self.pins.choice
        self.flat_labels, self.bands_first = FlatLabels(viewer), BandsFirst(viewer)
        self.region_means = RegionMeans(viewer, self._main, lambda: self.display.subtracted)
        self.region_means.live_in(self.column)
        for part in (self.pins, self.region_means):
            self.leaving.callback(part.leave)
        choices = rows(self._show, self.region_means.choice, self._points)
        offers, legend, buttons = (self.bands_first, self.flat_labels), self.region_means.legend, self.display.buttons
        return [*offers, choices, legend, buttons, self.pins, rows(self.display.view)]

    def _controls_of_images(self) -> list[Any]:
        viewer = self._viewer
        self._dimension = ComboBox(
            choices=self._dimensions, nullable=True, label="Spectral dimension", name="dimension",
            tooltip="which dimension of the selected layer is spectral, if its file did not say; applies to all docks",
        )  # fmt: skip
        self.contrast, self.tools = ContrastSwitch(viewer), BandTools(viewer, self._plot)
        self.leaving.callback(self.contrast.leave)
        self.export = Export(lambda: [self._plot, self._other], lambda: self._views.in_view, self._spreads)
        further = rows(self.axis.unit, self.axis.laser, self._offset, self.display.minus, self._dimension)
        return [FoldBox("Axis, offset, difference", [further, self.contrast]), self.tools, self.export]

    def _make_contents(self) -> None:
        viewer = self._viewer
        self.drawn = SpectraDrawn(
            viewer, self._plot, self._other, self._readout, axis=self.axis, chips=self._chips, pins=self.pins, means=self.region_means,
            options=self.display,
        )  # fmt: skip
        self.drawn.live_in(self.column, lambda words: self._say("spectra", words))
        self._cursor = self.drawn.reading
        self._line = BandLine(viewer, self._plot, self._main, self._positions)
        self.leaving.callback(self._line.hide)
        self.profile = LineTool(viewer, self._views, self.display, self._main, self._positions_and_title)
        self.profile.live_in(self.column)
        for part in (self.drawn, self.profile):
            self.leaving.callback(part.leave)

    # ---------------------------------------------------------------- events

    def _connect(self) -> None:
        viewer = self._viewer
        self._set_callbacks(on=True)
        layers = viewer.layers.events
        self._links = [
            (viewer.dims.events.current_step, self._on_slider),
            (viewer.layers.selection.events.active, self._on_selected),
            *((event, self._on_layers) for event in (layers.inserted, layers.removed, layers.reordered, layers.renamed)),
        ]
        for event, slot in self._links:
            event.connect(slot)
        self.region_means.changed.connect(self._redraw)
        self.region_means.failed.connect(lambda words: self._say("regions", words))
        self._dimension.changed.connect(self._on_dimension)
        self.display.updated.connect(self._on_options)
        self.display.region.changed.connect(self.draw_region)
        self.axis.changed.connect(self._on_axis)
        self.pins.updated.connect(self._redraw)
        self.profile.failed.connect(lambda words: self._say("profile", words))
        self.flat_labels.made.connect(lambda layer: setattr(self, "regions", layer))
        self._chips.updated.connect(self._on_active)
        turned.turned.connect(self._on_active)
        self.leaving.callback(self._leave)

    def _set_callbacks(self, *, on: bool) -> None:
        """Follow the mouse, or stop."""
        for callbacks, slot in (
            (self._viewer.mouse_move_callbacks, self._on_mouse),
            (self._viewer.mouse_drag_callbacks, self.pins.on_press),
        ):
            if on and slot not in callbacks:
                callbacks.append(slot)
            elif not on and slot in callbacks:
                callbacks.remove(slot)

    def _on_visible(self, visible: bool) -> None:  # noqa: FBT001
        """Pause while hidden: napari's ✕ only hides a dock."""
        again = visible and self._on_mouse not in self._viewer.mouse_move_callbacks
        self._set_callbacks(on=visible)
        if again:
            self._on_active()
        elif not visible:
            self._line.hide()

    def _leave(self) -> None:
        turned.turned.disconnect(self._on_active, missing_ok=True)
        self._set_callbacks(on=False)
        for event, slot in self._links:
            event.disconnect(slot)

    def take(self, layer: Layer) -> None:
        """Draw the spectra of a layer, even if it was switched off, and let the line follow its bands."""
        chip = self._chip_of.get(layer)
        if chip is not None:
            chip.value = True
            self._viewer.layers.selection.active = layer

    def _on_layers(self, _: Any = None) -> None:
        self._chips.refresh()
        self._empty.value = "" if self._chip_of else nothing_open(self._viewer, "Raman pairs")
        self._empty.visible = not self._chip_of
        for part in (self.pins, self.display, self.flat_labels, self.region_means, self.profile):
            part.on_layers()
        self._on_active()

    def _on_selected(self, _: Any = None) -> None:
        """Follow another layer; selecting a map, labels or points changes nothing, and napari reports it several times."""
        if self._main() is not self._followed:
            self._on_active()

    def _say(self, part: str, words: str) -> None:
        """Show what is wrong with one part, empty where nothing is; what is wrong with the others stays."""
        if self._wrong.get(part, "") != words:
            self._wrong[part] = words
            say(self._problem, "\n".join(one for one in self._wrong.values() if one))

    def _on_active(self, _: Any = None) -> None:
        """Offer the dimensions and units of the layer whose bands the line follows."""
        layer = self._followed = self._main()
        cube = None if layer is None else as_cube(layer)
        with self._dimension.changed.blocked():
            self._dimension.reset_choices()
            self._dimension.value = None if layer is None else spectral_dimension(layer)  # None if it is unknown and has to be chosen
            self._dimension.enabled = cube is not None and not cube.axis.unit
        self.bands_first.use(layer)
        self.axis.use(cube)
        self.contrast.use(layer)
        self.display.region.enabled = self.display.line.enabled = cube is not None and cube.is_image
        self.tools.use(layer, self._positions(cube.axis) if cube is not None else None)
        self.region_means.take()
        self.profile.take()
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
        self._say("axis", self.axis.problem)
        self.tools.use(layer, None if layer is None else self._positions(as_cube(layer).axis))
        self.profile.take()
        self._redraw()

    def _on_options(self) -> None:
        self.region_means.take()
        self._redraw()

    def _on_mouse(self, _: Any, event: Any) -> None:
        self.look_at(tuple(event.position))

    def _on_slider(self, _: Any = None) -> None:
        """Follow the band; on another plane of a stack, read the spectra again."""
        dims, layer = self._viewer.dims, self._main()
        spectral = None if layer is None else spectral_slider(self._viewer, layer)
        plane = tuple(dims.point[d] for d in dims.not_displayed if d != spectral)
        if plane != self._plane:
            self._plane = plane
            if len(self.drawn.world) == dims.ndim:
                self.drawn.world = tuple(dims.point[d] if d in dims.not_displayed else c for d, c in enumerate(self.drawn.world))
            self.region_means.take()
            self.profile.take()
            self._redraw()
            return
        self._mark()
        self.profile.mark()
        self.drawn.show_values()

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

    def _positions_and_title(self, axis: SpectralAxis) -> tuple[npt.NDArray[np.float64], str]:
        return self.axis.shown(axis)

    def look_at(self, world: tuple[float, ...]) -> None:
        """Draw the spectra at a place in world coordinates."""
        self.drawn.world = world
        self.drawn.redraw_cursor()

    def _redraw(self, _: Any = None) -> None:
        """Redraw everything."""
        self.drawn.redraw()
        self._mark()

    def _mark(self) -> None:
        if self._visibility.in_view or not self._visibility.reported:  # a dock that was closed says nothing on the canvas
            self._line.mark()

    def draw_region(self, _: Any = None) -> None:
        """Add a 2-D Shapes layer over the image, in which to draw regions, and show their means."""
        layer = self._main()
        if layer is not None and as_cube(layer).is_image:
            self.regions = shapes_over(self._viewer, layer, "regions", "add_rectangle")

    def _spreads(self) -> dict[str, Spread]:
        return {name: Spread(region.deviation, region.count) for name, _, region in self.region_means.means}
