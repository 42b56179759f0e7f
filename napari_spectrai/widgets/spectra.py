"""The Spectra dock: the spectrum under the cursor and at points, of several layers, with the band on the slider."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from magicgui.widgets import CheckBox, ComboBox, Container
from napari.layers import Image, Layer, Points
from napari.viewer import Viewer

from napari_spectrai.cube import SpectralAxis, as_cube
from napari_spectrai.widgets.dock import Dock, rows, text
from napari_spectrai.widgets.layers import spectral_layers, spectral_position, spectrum_at
from napari_spectrai.widgets.plot import CYCLE, Plot

_SHOW = {"raw": "raw", "maximum": "divided by its maximum", "area": "area one", "snv": "SNV"}
_MOST_POINTS = 50


class SpectraDock(Dock):
    """Spectra of the layers at the cursor and at points."""

    def __init__(self, napari_viewer: Viewer) -> None:
        viewer = napari_viewer
        self._viewer = viewer
        self._empty = text(value="Open a hypercube, or try File ▸ Open Sample ▸ napari-spectrai ▸ Raman pairs.")
        self._chips: Container[Any] = Container(name="layers", labels=False)
        self._chips.margins = (0, 0, 0, 0)
        self._plot = Plot(viewer, x="Band number", y="Intensity", height=260, name="spectra")
        self._readout = text("readout", "Move the mouse over a layer to see its spectrum.")
        self._show = ComboBox(
            choices=[(words, code) for code, words in _SHOW.items()],
            value="raw",
            label="Show",
            name="show",
            tooltip="how intensities are drawn; the data stay as they are",
        )
        self._chip_of: dict[Image, CheckBox] = {}
        self._points = ComboBox(
            choices=self._points_layers,
            nullable=True,
            value=None,
            label="Points",
            name="points",
            tooltip="a Points layer whose spectra stay drawn, thin",
        )
        self._dimension = ComboBox(
            choices=self._dimensions,
            nullable=True,
            label="Spectral dimension",
            name="dimension",
            tooltip="which dimension of the selected layer is spectral, for a layer whose file did not say; every dock heeds it",
        )
        options = rows(self._show, self._points, self._dimension)
        super().__init__("Spectra", [self._empty, self._chips, self._plot, self._readout, options])
        self._world: tuple[float, ...] = ()
        self._watched: Points | None = None
        viewer.mouse_move_callbacks.append(self._on_mouse)
        viewer.dims.events.current_step.connect(self._redraw)
        for event in self._layer_events():
            event.connect(self._on_layers)
        viewer.layers.selection.events.active.connect(self._on_active)
        self._dimension.changed.connect(self._on_dimension)
        self._show.changed.connect(self._redraw)
        self._points.changed.connect(self._on_points)
        self.native.destroyed.connect(self._disconnect)
        self._on_layers()

    # ---------------------------------------------------------------- events

    def _disconnect(self) -> None:
        viewer = self._viewer
        if self._on_mouse in viewer.mouse_move_callbacks:
            viewer.mouse_move_callbacks.remove(self._on_mouse)
        viewer.dims.events.current_step.disconnect(self._redraw)
        viewer.layers.selection.events.active.disconnect(self._on_active)
        for event in self._layer_events():
            event.disconnect(self._on_layers)

    def _layer_events(self) -> list[Any]:
        events = self._viewer.layers.events
        return [events.inserted, events.removed, events.reordered, events.renamed]

    def _points_layers(self, _: Any = None) -> list[Points]:
        return [layer for layer in self._viewer.layers if isinstance(layer, Points)]

    def _on_layers(self, _: Any = None) -> None:
        layers = spectral_layers(self._viewer)
        chosen = {layer: chip.value for layer, chip in self._chip_of.items()}
        self._chips.clear()
        self._chip_of = {}
        for number, layer in enumerate(layers):
            # what has a spectral axis is drawn from the start; any other stack on request
            on = chosen.get(layer, "spectral_axis" in layer.metadata or len(layers) == 1)
            chip = CheckBox(value=on, text=layer.name, name=layer.name, tooltip=str(as_cube(layer).axis.describe()))
            chip.native.setStyleSheet(f"color: {CYCLE[number % len(CYCLE)]};")
            chip.changed.connect(self._redraw)
            self._chips.append(chip)
            self._chip_of[layer] = chip
        self._empty.visible = not layers
        self._points.reset_choices()
        self._on_active()

    def _on_active(self, _: Any = None) -> None:
        """Offer the dimensions of the layer whose bands the line follows; a known axis settles them."""
        layer = self._main()
        with self._dimension.changed.blocked():
            known = layer is None or bool(as_cube(layer).axis.unit)
            self._dimension.reset_choices()
            self._dimension.value = None if layer is None else spectral_position(layer)
            self._dimension.enabled = not known
        self._redraw()

    def _dimensions(self, _: Any = None) -> list[tuple[str, int]]:
        layer = self._main()
        return [] if layer is None else [(f"{d}: {n} bands", d) for d, n in enumerate(layer.data.shape)]

    def _on_dimension(self, position: int | None) -> None:
        layer = self._main()
        if layer is not None and position is not None:
            bands = SpectralAxis.bands(layer.data.shape[position])
            layer.metadata["spectral_axis"] = bands.to_json() | {"position": position}
            self._redraw()

    def _on_mouse(self, _: Any, event: Any) -> None:
        self.look_at(tuple(event.position))

    def _on_points(self, layer: Points | None) -> None:
        if self._watched is not None:
            self._watched.events.data.disconnect(self._redraw)
        self._watched = layer
        if layer is not None:
            layer.events.data.connect(self._redraw)
        self._redraw()

    def _mark(self) -> None:
        layer = self._main()
        band = None if layer is None else self._band(layer)
        self._plot.marker(None if layer is None or band is None else float(as_cube(layer).axis.values[band]), self._on_drag)

    def _on_drag(self, position: float) -> None:
        layer = self._main()
        dimension = None if layer is None else self._slider(layer)
        if layer is None or dimension is None:
            return
        band = as_cube(layer).axis.index(position)
        corner = [0.0] * layer.ndim
        corner[spectral_position(layer)] = band
        world = layer.data_to_world(corner)[spectral_position(layer)]
        self._viewer.dims.set_point(dimension, world)

    # ---------------------------------------------------------------- what is drawn

    @property
    def points(self) -> Points | None:
        """The Points layer whose spectra stay drawn."""
        return self._points.value

    @points.setter
    def points(self, layer: Points | None) -> None:
        self._points.value = layer

    @property
    def plot(self) -> Plot:
        """The plot."""
        return self._plot

    def _drawn(self) -> list[tuple[int, Image]]:
        return [(number, layer) for number, (layer, chip) in enumerate(self._chip_of.items()) if chip.value]

    def _main(self) -> Image | None:
        """Return the layer whose bands the line follows: the selected one if it is drawn, else the first."""
        drawn = [layer for _, layer in self._drawn()]
        active: Layer | None = self._viewer.layers.selection.active
        return active if isinstance(active, Image) and active in drawn else next(iter(drawn), None)

    def _slider(self, layer: Image) -> int | None:
        """Return the viewer's dimension that is the layer's spectral one, if it is a slider and not on the canvas."""
        dims = self._viewer.dims
        dimension = dims.ndim - layer.ndim + spectral_position(layer)
        return None if dimension in dims.displayed else dimension

    def _band(self, layer: Image) -> int | None:
        """Return the band on the slider, or None where the spectral dimension is on the canvas."""
        if self._slider(layer) is None:
            return None
        place = layer.world_to_data(self._viewer.dims.point[-layer.ndim :])
        position = spectral_position(layer)
        return int(min(max(round(float(place[position])), 0), layer.data.shape[position] - 1))

    def look_at(self, world: tuple[float, ...]) -> None:
        """Draw the spectra at a place in world coordinates."""
        self._world = world
        self._redraw()

    def _redraw(self, _: Any = None) -> None:
        wanted: set[str] = set()
        readings = []
        for number, layer in self._drawn():
            colour = CYCLE[number % len(CYCLE)]
            if len(self._world) >= layer.ndim:
                found = spectrum_at(layer, self._world[-layer.ndim :])
                if found is not None:
                    axis, values, pixel = found
                    shown = self._scaled(values)
                    self._plot.curve(layer.name, axis.values, shown, colour, legend=False)
                    self._plot.titles(x=axis.label)
                    wanted.add(layer.name)
                    readings.append(self._reading(layer, axis, values, pixel))
            wanted |= self._draw_points(layer, colour)
        for name in self._plot.names():
            if name not in wanted:
                self._plot.remove_curve(name)
        self._plot.titles(y="Intensity" if self._show.value == "raw" else f"Intensity ({_SHOW[self._show.value]})")
        self._readout.value = "\n".join(readings) or "Move the mouse over a layer to see its spectrum."
        self._mark()

    def _draw_points(self, layer: Image, colour: str) -> set[str]:
        points = self._points.value
        if points is None:
            return set()
        drawn = set()
        for number, point in enumerate(points.data[:_MOST_POINTS]):
            world = np.zeros(max(layer.ndim, points.ndim))
            world[-points.ndim :] = points.data_to_world(point)
            found = spectrum_at(layer, tuple(world[-layer.ndim :]))
            if found is not None:
                axis, values, _ = found
                name = f"{layer.name} · point {number}"
                self._plot.curve(name, axis.values, self._scaled(values), colour, width=0.7, legend=False)
                drawn.add(name)
        return drawn

    def _reading(self, layer: Image, axis: Any, values: npt.NDArray[np.float32], pixel: tuple[int, ...]) -> str:
        names = ("t", "z", "y", "x")[-len(pixel) :] if len(pixel) > 1 else ("spectrum",)
        place = ", ".join(f"{name} {c}" for name, c in zip(names, pixel[-len(names) :], strict=True))
        on_slider = self._band(layer)
        band = on_slider if on_slider is not None else int(np.argmax(values))
        at = "band" if on_slider is not None else "highest at band"
        there = f"{axis.values[band]:.6g} {axis.unit} · " if axis.unit else ""
        return f"{layer.name}: {there}{at} {band} · ({place}) · {values[band]:.4g}"

    def _scaled(self, values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        from napari_spectrai.preparation.normalise import Normalise

        if self._show.value == "raw":
            return values
        offset, scale = Normalise(by=self._show.value).factors(values)
        scaled: npt.NDArray[np.float32] = (values - offset) / (scale + (scale == 0))
        return scaled
