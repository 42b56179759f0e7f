"""Puts the bands of a layer before its other dimensions, where another reader has left them behind.

Napari draws the last two dimensions, and lays layers over one another by them: of bands that come last or in the middle it draws sides of
the cube, and maps and results lie over the wrong dimensions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from magicgui.widgets import Container, PushButton
from napari.layers import Image
from napari.viewer import Viewer

from napari_spectrai.layer_axes import axis_position, spectral_dimension
from napari_spectrai.widgets.dock import line, text
from napari_spectrai.widgets.layers import as_cube, turned
from napari_spectrai.widgets.short_names import short


def lie_behind(layer: Image | None) -> bool:
    """Whether the bands of a layer are known not to be its first dimension; those of an RGB image or a set of spectra may be any."""
    return layer is not None and layer.ndim > 2 and not layer.rgb and bool(spectral_dimension(layer))


def put_bands_first(layer: Image) -> None:
    """Reorder the dimensions of a layer, as a view of its data, so that its bands come first; its pixels stay where they lie."""
    position = spectral_dimension(layer)
    if not position:
        return
    order = [position, *(d for d in range(layer.ndim) if d != position)]
    units, labels = [layer.units[d] for d in order], [layer.axis_labels[d] for d in order]
    if any(label.startswith("-") for label in labels):  # napari's own, by place
        labels = [as_cube(layer).axis.quantity, *(str(d - layer.ndim) for d in range(1, layer.ndim))]
    scale, translate = np.asarray(layer.scale)[order], np.asarray(layer.translate)[order]
    corners = np.vstack([np.zeros(layer.ndim), np.eye(layer.ndim)])
    world = np.array([layer.data_to_world(corner) for corner in corners])
    linear = (world[1:] - world[0]).T[np.ix_(order, order)]
    plain = np.allclose(linear, np.diag(scale), rtol=1e-9, atol=0) and np.allclose(world[0][order], translate)
    if not plain:  # rotated, sheared or with an affine
        layer.rotate, layer.shear = np.eye(layer.ndim), np.zeros(layer.ndim * (layer.ndim - 1) // 2)
        scale, translate = np.ones(layer.ndim), np.zeros(layer.ndim)
        layer.affine = np.eye(layer.ndim + 1)
    levels = layer.data if layer.multiscale else [layer.data]
    moved = [_moved(level, position) for level in levels]
    if axis_position(layer, levels[0].shape) is not None:
        layer.metadata = {**layer.metadata, "spectral_axis": {**layer.metadata["spectral_axis"], "position": 0}}
    layer.axis_labels = labels
    layer.data = moved if layer.multiscale else moved[0]
    layer.scale, layer.translate, layer.units = scale, translate, units
    if not plain:
        affine = np.eye(layer.ndim + 1)
        affine[:-1, :-1], affine[:-1, -1] = linear, world[0][order]
        layer.affine = affine
    turned.turned.emit(layer)


def _moved(data: Any, position: int) -> Any:
    if isinstance(data, np.ndarray):
        return np.moveaxis(data, position, 0)
    import dask.array as da

    return da.moveaxis(da.asarray(data), position, 0)


class BandsFirst(Container[Any]):
    """Says that the bands of a layer are not its first dimension, and offers to put them there; hidden for other layers."""

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._layer: Image | None = None
        self.words = text("bands_behind")
        self.button = PushButton(
            text="Bands on the first slider", name="bands_first",
            tooltip="reorder the dimensions of the layer, without a copy, so that napari draws its pixels and results lie over them",
        )  # fmt: skip
        super().__init__(widgets=[self.words, line(self.button)], labels=False, name="bands_behind_others")
        self.margins = (0, 0, 0, 0)
        self.visible = False
        self.button.changed.connect(self.reorder)

    def use(self, layer: Image | None) -> None:
        """Look at another layer."""
        self._layer = layer if lie_behind(layer) else None
        self.visible = self._layer is not None
        if self._layer is not None:
            place = spectral_dimension(self._layer)
            shape = " × ".join(map(str, self._layer.data.shape))
            self.words.value = (
                f"The bands of {short(str(self._layer.name))!r} ({shape}) are dimension {place}; napari draws the last two, and lays maps "
                "and results over these."
            )

    def reorder(self) -> None:
        """Put the bands first, and show the whole layer."""
        if self._layer is not None:
            put_bands_first(self._layer)
            self._viewer.dims.order = tuple(range(self._viewer.dims.ndim))
            self._viewer.reset_view()
