"""Watches layers for other data, strokes, marks and moves, and reports a pause after them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from napari.layers import Labels, Layer, Points, Shapes
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QWidget

_MOVED = ("scale", "translate", "rotate", "shear", "affine")
_MARKED = ("paint", "data", "set_data", "features", "properties", "face_color", "current_face_color")  # set_data: also an undone stroke
BRUSH = 250
"""Milliseconds between a stroke and the check of the labels."""


class LayerWatch:
    """Calls a function after watched layers got other data, after strokes in labels, after marks are added, and after layers are moved.

    Parameters
    ----------
    parent : QWidget
        Its life is that of the watch.
    report : function without arguments
        Called once after a stroke, which emits many events.
    """

    def __init__(self, parent: QWidget, report: Callable[[], Any]) -> None:
        self._layers: list[Layer] = []
        self._watched: list[Any] = []
        self._brush = QTimer(parent)
        self._brush.setSingleShot(True)
        self._brush.setInterval(BRUSH)
        self._brush.timeout.connect(report)

    def watch(self, layers: Iterable[Layer | None]) -> None:
        """Watch these layers, and no others."""
        chosen = [layer for layer in layers if layer is not None]
        if [id(layer) for layer in chosen] == [id(layer) for layer in self._layers]:  # connecting takes as long as a stroke
            return
        wanted: list[Any] = []
        for layer in chosen:
            names = (*_MOVED, *(_MARKED if isinstance(layer, Labels | Points | Shapes) else ("data",)))
            wanted += [getattr(layer.events, name) for name in names if hasattr(layer.events, name)]
        self._disconnect()
        self._layers = chosen
        for event in wanted:
            event.connect(self._on_event)
        self._watched = wanted

    def leave(self) -> None:
        """Watch nothing, and report nothing."""
        self._disconnect()
        self._brush.stop()

    def _disconnect(self) -> None:
        for event in self._watched:
            event.disconnect(self._on_event)
        self._watched, self._layers = [], []

    def _on_event(self, _: Any = None) -> None:
        self._brush.start()
