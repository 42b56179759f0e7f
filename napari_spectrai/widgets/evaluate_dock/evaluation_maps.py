"""Show an evaluation in the viewer: error maps, the pixels of a confusion cell, single pixels; and move the camera there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Image, Labels, Layer, Points
from napari.utils.colormaps import DirectLabelColormap
from napari.viewer import Viewer

from napari_spectrai.cube import Cube
from napari_spectrai.reports.heatmaps import limits
from napari_spectrai.widgets.evaluate_dock.evaluate_defaults import MADE
from napari_spectrai.widgets.layers import placing, spectral_position

POINTS = "evaluated pixels"
_COLOURS = {"best": "#39ff14", "median": "#ffffff", "worst": "#00e5ff"}
_STRIKING = ((1.0, 0.0, 1.0), (1.0, 1.0, 0.0), (0.0, 1.0, 1.0), (1.0, 0.35, 0.0), (1.0, 1.0, 1.0))


class Places:
    """Layers over the evaluated layer `base`; each is made once and then updated."""

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._made: dict[str, Layer] = {}

    def _kept(self, what: str) -> Any:
        layer = self._made.get(what)
        return layer if layer is not None and layer in self._viewer.layers else None

    # ---------------------------------------------------------------- maps

    def show_map(self, what: str, drawn: Cube, base: Layer, *, unit: str, words: str) -> Image:
        """Show a map (..., y, x, 1) over the evaluated layer; its layer is replaced for each result."""
        values = np.asarray(drawn.data[..., 0])
        name = f"{base.name} · {what} ({words})"
        layer = self._kept(name)
        if layer is None:
            metadata = {"spectral": False, MADE: what, "quantity": words, "unit": unit}
            colours = "inferno" if what == "error" else "magma"
            layer = self._viewer.add_image(values, name=name, colormap=colours, metadata=metadata, **_place(base))
            self._made[name] = layer
        else:
            layer.data = values
        layer.contrast_limits = limits(values)
        layer.colorbar.visible = True
        self._raise(layer, base)
        return layer

    def _raise(self, layer: Layer, base: Layer) -> None:
        layers = self._viewer.layers
        if base in layers and layers.index(layer) < layers.index(base):
            layers.move(layers.index(layer), layers.index(base) + 1)
        layer.visible = True
        layers.selection.active = layer

    # ---------------------------------------------------------------- pixels of a cell

    def show_pixels(self, pixels: npt.NDArray[np.intp], name: str, base: Labels, against: Sequence[Layer]) -> Labels:
        """Show selected pixels of a Labels layer as a new layer, in a colour unlike those of the other layers, and move there."""
        marked = np.zeros(base.data.shape, np.uint8)
        over_set = base.ndim == 2 and pixels.shape[1] == 1  # spectra: marked over all bands
        marked[(slice(None), *pixels.T) if over_set else tuple(pixels.T)] = 1
        colour = _unlike(against)
        colours = DirectLabelColormap(color_dict={None: "transparent", 0: "transparent", 1: (*colour, 1.0)})
        layer = self._kept("cell")
        if layer is None or layer.data.shape != marked.shape:
            layer = self._viewer.add_labels(marked, name=name, colormap=colours, opacity=1.0, metadata={MADE: "cell"}, **_place(base))
            self._made["cell"] = layer
        else:
            layer.data, layer.name, layer.colormap = marked, name, colours
        self._raise(layer, base)
        if len(pixels):
            self.go_to(base, _middle(pixels))
        return layer

    # ---------------------------------------------------------------- single pixels

    def show_points(self, pixels: Mapping[str, Sequence[int]], base: Image, which: str) -> Points:
        """Mark the best, median and worst pixel, and move to one of them."""
        flat = base.ndim == 2
        places = [_in_layer(base, pixel) if flat else list(pixel) for pixel in pixels.values()]
        colours = [_COLOURS[name] for name in pixels]
        across = [length for d, length in enumerate(base.data.shape) if d != spectral_position(base)][-2:]
        size = max(1.8, max(across) / 28)
        words: dict[str, Any] = {"string": [name if name == which else "" for name in pixels], "color": _COLOURS[which], "size": 10}
        words["translation"] = [*[0.0] * (len(places[0]) - 2), -0.7 * size, 0.5 * size]
        layer = self._kept("points")
        if layer is not None:  # the previous layer may have had another number of dimensions
            self._viewer.layers.remove(layer)
        layer = self._viewer.add_points(
            np.array(places, float), name=POINTS, symbol="o", face_color="transparent", border_color=colours, border_width=0.14,
            size=size, text=words, features={"which": list(pixels)}, metadata={MADE: "points"}, **_place(base, spectral=flat),
        )  # fmt: skip
        self._made["points"] = layer
        self.go_to(base, pixels[which])
        return layer

    def go_to(self, base: Layer, pixel: Sequence[int]) -> None:
        """Move the sliders to the plane of a pixel, and centre the pixel in the canvas if it is not well in view."""
        index = _in_layer(base, pixel)
        world = np.zeros(self._viewer.dims.ndim)
        world[-base.ndim :] = base.data_to_world(index)
        spectral = None if isinstance(base, Labels) else self._viewer.dims.ndim - base.ndim + spectral_position(base)
        shown = list(self._viewer.dims.displayed)
        for dimension in range(self._viewer.dims.ndim - base.ndim, self._viewer.dims.ndim):
            if dimension not in shown and dimension != spectral:
                self._viewer.dims.set_point(dimension, world[dimension])
        centre = [float(world[dimension]) for dimension in shown]
        if not self._in_sight(centre):
            self._viewer.scene.camera.center = (*[0.0] * (3 - len(centre)), *centre)

    def _in_sight(self, place: Sequence[float]) -> bool:
        camera, size = self._viewer.scene.camera, self._viewer.canvas.size
        off = np.abs(np.asarray(place)[-2:] - np.asarray(camera.center)[-2:]) * camera.zoom
        return len(place) == 2 and bool((off < 0.45 * np.asarray(size)).all())


def _in_layer(base: Layer, pixel: Sequence[int]) -> list[float]:
    """Return the index of a pixel in a layer's data; along bands the middle."""
    index = [float(place) for place in pixel]
    if len(index) < base.ndim:
        position = 0 if isinstance(base, Labels) else spectral_position(base)
        index.insert(position, (base.data.shape[position] - 1) / 2)
    return index


def _place(base: Layer, *, spectral: bool = False) -> dict[str, Any]:
    """Return the placement of a layer's pixels for a layer to be shown over it; without its bands unless they are asked for."""
    bands = {spectral_position(base)} if isinstance(base, Image) and not spectral else set()
    keep = [d for d in range(base.ndim) if d not in bands]
    return placing(base, keep)


def _middle(pixels: npt.NDArray[np.intp]) -> list[int]:
    """Return the pixel nearest to the centre of the given ones; in a stack, on the plane that holds most of them."""
    for dimension in range(pixels.shape[1] - 2):
        planes, counts = np.unique(pixels[:, dimension], return_counts=True)
        pixels = pixels[pixels[:, dimension] == planes[counts.argmax()]]
    nearest = np.abs(pixels - np.median(pixels, 0)).sum(1).argmin()
    return [int(place) for place in pixels[nearest]]


def _unlike(layers: Sequence[Layer]) -> tuple[float, float, float]:
    """Return a colour far from those of the given Labels layers."""
    used = []
    for layer in layers:
        if isinstance(layer, Labels):
            values = np.unique(np.asarray(layer.data))[:64]
            used += [colour[:3] for value in values if value and (colour := layer.get_color(int(value))) is not None]
    if not used:
        return _STRIKING[0]
    distance = [min(float(np.abs(np.array(one) - np.array(other)).sum()) for other in used) for one in _STRIKING]
    return _STRIKING[int(np.argmax(distance))]
