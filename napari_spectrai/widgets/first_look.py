"""What one sees of a cube that was just opened: a band with structure, and contrast that follows the band shown."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.components import ViewerModel
from napari.layers import Image, Layer
from psygnal import Signal
from qtpy.QtWidgets import QApplication

from napari_spectrai.summary import contrast_limits
from napari_spectrai.widgets.dock import open_in_turns
from napari_spectrai.widgets.latest_only import LatestOnly
from napari_spectrai.widgets.layers import FIRST_BAND, spectral_position
from napari_spectrai.widgets.lost_axis import say_lost_axes
from napari_spectrai.widgets.shared_units import is_spectral

MOST_SIDE = 128
"""Largest number of pixels per side from which the contrast of a band is computed."""


class BandContrast:
    """Moves the slider to the first band worth seeing, and keeps the contrast of cubes to what is shown.

    A layer whose contrast limits are changed by hand keeps them, until `follow` is called for it again.

    Parameters
    ----------
    viewer : the viewer whose layers and sliders are followed

    Signals
    -------
    changed : a layer began or ceased to follow
    """

    changed = Signal(object)

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer: weakref.ref[ViewerModel] = weakref.ref(viewer)
        self._like: weakref.WeakKeyDictionary[Layer, weakref.ref[Image] | None] = weakref.WeakKeyDictionary()
        self._setting = False
        self._reading: LatestOnly | None = None
        viewer.layers.events.inserted.connect(self._on_inserted)
        viewer.layers.events.removed.connect(self._on_removed)
        viewer.dims.events.current_step.connect(self._on_dims)
        viewer.dims.events.order.connect(self._on_dims)
        viewer.dims.events.ndisplay.connect(self._on_dims)

    def follow(self, layer: Image, like: Image | None = None) -> None:
        """Keep the contrast of a layer to the band shown; `like`: to the limits of another layer, with which it is compared."""
        if layer not in self._like:
            layer.events.contrast_limits.connect(self._on_limits)
        self._like[layer] = None if like is None else weakref.ref(like)
        self._update([layer])
        self.changed.emit(layer)

    def leave(self, layer: Layer) -> None:
        """Leave the contrast of a layer as it is."""
        if layer in self._like:
            del self._like[layer]
            layer.events.contrast_limits.disconnect(self._on_limits)
            self.changed.emit(layer)

    def follows(self, layer: Layer | None) -> bool:
        """Whether the contrast of a layer follows the band shown."""
        return layer is not None and layer in self._like

    # ---------------------------------------------------------------- events

    def _on_inserted(self, event: Any) -> None:
        layer, viewer = event.value, self._viewer()
        if viewer is None or not is_spectral(layer):
            return
        band = layer.metadata.pop(FIRST_BAND, None)
        if band is None:
            return
        if layer.ndim > 2:
            show_first(viewer, layer, int(band))
            self.follow(layer)
            return
        if not any(is_spectral(other) for other in viewer.layers if other is not layer):
            viewer.reset_view()  # the picture of a line lies below the one of its file
        if layer.data.shape[1 - spectral_position(layer)] == 1 and hasattr(viewer, "window"):  # a single spectrum is seen as a curve
            open_in_turns(viewer, "Spectra")

    def _on_removed(self, event: Any) -> None:
        self.leave(event.value)

    def _on_dims(self, _: Any = None) -> None:
        self._update([layer for layer in self._like if layer.visible])

    def _on_limits(self, event: Any) -> None:
        if not self._setting:
            self.leave(event.source)
        self._copy_from(event.source)

    def _copy_from(self, source: Image) -> None:
        """Give the layers that are compared with another one its limits."""
        limits = tuple(source.contrast_limits)
        for layer, like in list(self._like.items()):
            if like is not None and like() is source:
                self._set(layer, limits)

    # ---------------------------------------------------------------- limits

    def _update(self, layers: list[Any]) -> None:
        viewer = self._viewer()
        slow: list[tuple[weakref.ref[Layer], Any]] = []
        if viewer is None:
            return
        for layer in layers:
            like = self._like[layer]
            source: Any = None if like is None else like()
            if source is not None and source in viewer.layers:
                self._set(layer, tuple(source.contrast_limits))
            elif isinstance(layer.data, np.ndarray):
                self._set(layer, contrast_limits(shown(viewer, layer)))
            else:
                slow.append((weakref.ref(layer), shown(viewer, layer)))
        if slow:
            self._read(slow)

    def _read(self, parts: list[tuple[weakref.ref[Layer], Any]]) -> None:
        """Compute the limits of layers that are not in memory on a thread."""
        if self._reading is None:
            app = QApplication.instance()
            assert app is not None  # noqa: S101  # sliders move in a window
            self._reading = LatestOnly(app)
            self._reading.answered.connect(self._on_read)
            weakref.finalize(self, self._reading.deleteLater).atexit = False  # its thread ends with the viewer
        self._reading.ask(lambda: [(layer, contrast_limits(np.asarray(part))) for layer, part in parts])

    def _on_read(self, found: list[tuple[weakref.ref[Layer], tuple[float, float]]]) -> None:
        for reference, limits in found:
            layer = reference()
            if layer is not None and layer in self._like:
                self._set(layer, limits)

    def _set(self, layer: Any, limits: tuple[float, ...]) -> None:
        if tuple(layer.contrast_limits) == limits:
            return
        before, self._setting = self._setting, True
        try:
            layer.contrast_limits = limits
        finally:
            self._setting = before


_of: weakref.WeakKeyDictionary[ViewerModel, BandContrast] = weakref.WeakKeyDictionary()


def band_contrast(viewer: ViewerModel) -> BandContrast:
    """Return what keeps the contrast in that viewer; it starts with the first call."""
    bare = getattr(viewer, "__wrapped__", viewer)  # plug-ins get a proxy
    if bare not in _of:
        _of[bare] = BandContrast(bare)
        say_lost_axes(bare)
    return _of[bare]


def show_first(viewer: ViewerModel, layer: Image, band: int) -> None:
    """Move the slider to a band of a layer, unless another cube is being looked at on the same slider, in the range of this one."""
    dimension = viewer.dims.ndim - layer.ndim + spectral_position(layer)
    if dimension in viewer.dims.displayed:
        return
    others = [one for one in viewer.layers if one is not layer and one.ndim >= layer.ndim and is_spectral(one)]
    low, high = sorted(float(end[spectral_position(layer)]) for end in layer.extent.world)
    if others and low <= viewer.dims.point[dimension] <= high:
        return
    index = [0.0] * layer.ndim
    index[spectral_position(layer)] = band
    viewer.dims.set_point(dimension, float(layer.data_to_world(index)[spectral_position(layer)]))


def shown(viewer: ViewerModel, layer: Image) -> npt.NDArray[Any]:
    """Return the part of a layer's data that is on the canvas, thinned; lazy data stay lazy."""
    data = layer.data[0] if layer.multiscale else layer.data
    displayed = [d - (viewer.dims.ndim - layer.ndim) for d in viewer.dims.displayed]
    place = layer.world_to_data(viewer.dims.point[-layer.ndim :])
    index: list[Any] = []
    for dimension, length in enumerate(data.shape):
        if dimension in displayed:
            index.append(slice(None, None, -(-length // MOST_SIDE)))
        else:
            index.append(min(max(round(float(place[dimension])), 0), length - 1))
    part: npt.NDArray[Any] = data[tuple(index)]
    return part
