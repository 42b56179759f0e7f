"""The brush stays in hand: layers added while a person paints do not become the active layer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from napari.components import ViewerModel
from napari.layers import Labels

_IDLE = {"pan_zoom", "transform"}


def is_painting(viewer: ViewerModel) -> bool:
    """Whether the active layer is a Labels layer with a painting tool selected."""
    active = viewer.layers.selection.active
    return isinstance(active, Labels) and str(active.mode) not in _IDLE


@contextmanager
def brush_kept(viewer: ViewerModel) -> Iterator[None]:
    """Keep selection, active layer and tool as they are while layers are added, if a person is painting."""
    active, chosen = viewer.layers.selection.active, set(viewer.layers.selection)
    mode = str(active.mode) if isinstance(active, Labels) and is_painting(viewer) else ""
    yield
    if mode and isinstance(active, Labels) and active in viewer.layers:
        viewer.layers.selection = {layer for layer in chosen if layer in viewer.layers}
        viewer.layers.selection.active = active
        active.mode = mode
