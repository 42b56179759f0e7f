"""The whole image stays in view when docks take space from the canvas, as long as nobody has zoomed or moved it."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.viewer import Viewer
from qtpy.QtCore import QObject, QTimer

_ARRANGING = 1000
"""Milliseconds in which a dock that was opened finds its place."""
_SMALLEST = 0.85
"""Ratio of two zooms from which both count as fitted."""
_keepers: dict[int, _Keeper] = {}


def keep_whole(viewer: Viewer, parent: QObject) -> None:
    """Fit the view to the canvas while a dock that is opened changes its size, if it was fitted before."""
    keeper = _keepers.get(id(viewer))
    if keeper is not None:
        keeper.rest.start()
    elif viewer.dims.ndisplay == 2 and len(viewer.layers) and _is_fitted(viewer):
        _Keeper(viewer, parent)


def _is_fitted(viewer: Viewer) -> bool:
    camera = viewer.scene.camera
    center, zoom = tuple(camera.center), float(camera.zoom)
    viewer.reset_view()
    # napari fits a first layer before its slider takes its place
    fitted = bool(np.allclose(center, camera.center) and _SMALLEST <= zoom / camera.zoom <= 1 / _SMALLEST)
    if not fitted:
        camera.center, camera.zoom = center, zoom
    return fitted


class _Keeper:
    def __init__(self, viewer: Viewer, parent: QObject) -> None:
        self._viewer = viewer
        self.rest = QTimer(parent)
        self.rest.setSingleShot(True)
        self.rest.setInterval(_ARRANGING)
        self.rest.timeout.connect(self._end)
        parent.destroyed.connect(self._end)
        viewer.canvas.events.size.connect(self._fit)
        _keepers[id(viewer)] = self
        self.rest.start()

    def _fit(self, _: Any = None) -> None:
        self._viewer.reset_view()

    def _end(self, _: Any = None) -> None:
        if _keepers.pop(id(self._viewer), None) is not None:
            self._viewer.canvas.events.size.disconnect(self._fit)
