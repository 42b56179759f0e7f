"""Files that napari's own readers opened without their axis: this is noticed when the layer arrives, and the axis is one click away."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

from napari.components import ViewerModel
from napari.layers import Image
from napari.utils.notifications import Notification, notification_manager
from superqt.utils import thread_worker

from napari_spectrai.io.band_images import declared
from napari_spectrai.io.reading import opened
from napari_spectrai.notices import noting
from napari_spectrai.remedies import advising, where
from napari_spectrai.widgets.layers import layers_from_file
from napari_spectrai.widgets.responsive import in_thread

_SUFFIXES = (".tif", ".tiff", ".npy", ".npz", ".hdr", ".lsm", ".csv", ".img", ".raw")
"""Suffixes for which napari has readers of its own."""
_LARGEST_ARCHIVE = 2**28
"""Bytes of an archive beyond which it is not read to see whether it holds an axis; other files are not read as a whole."""


def say_lost_axes(viewer: ViewerModel) -> None:
    """Say of each layer that arrives from now on whether its file holds an axis that napari's own reader left out."""
    bare = weakref.ref(viewer)

    def on_inserted(event: Any) -> None:
        path = _read_by_napari(event.value)
        if path is None:
            return
        worker = thread_worker(_axis_of)(path)
        worker.returned.connect(lambda said: _say(bare(), path, said) if said else None)
        worker.start()

    viewer.layers.events.inserted.connect(on_inserted, position="last")


def _read_by_napari(layer: Any) -> Path | None:
    """Return the file of a layer that napari's own reader has made of a file that may be spectral."""
    source = getattr(layer, "source", None)
    if not isinstance(layer, Image) or source is None or source.reader_plugin not in ("napari", "builtins") or not source.path:
        return None
    path = Path(str(source.path))
    large = path.suffix.lower() in (".npz", ".csv") and path.is_file() and path.stat().st_size > _LARGEST_ARCHIVE
    if path.is_dir():  # whose images are the bands of one
        return path if declared(path) else None
    return path if path.suffix.lower() in _SUFFIXES and path.is_file() and not large else None


def _axis_of(path: Path) -> str:
    """Return the positions that a file gives, in words; nothing for one that gives none, or that is no spectral image."""
    try:
        with noting() as notes, advising("window"):
            axis = opened(path).cube.axis
    except (ValueError, OSError, ModuleNotFoundError, MemoryError):
        return ""
    if not axis.unit or (notes and path.is_file()):  # what was guessed is no certain loss
        return ""
    return f"{len(axis)} bands, {axis.values[0]:g}–{axis.values[-1]:g} {axis.unit}"


def _say(viewer: ViewerModel | None, path: Path, axis: str) -> None:
    if viewer is None:
        return
    with advising("window"):
        words = f"The axis of {path.name} was left out by napari's own reader: {axis}. Open it {where('axis')}."
    kept = weakref.ref(viewer)

    def again(_: Any = None) -> None:
        live = kept()
        if live is not None:
            for data, options, kind in in_thread(lambda: layers_from_file(path)):
                getattr(live, f"add_{kind}")(data, **options)

    notification_manager.dispatch(Notification(words, "info", actions=[("Open with its axis", again)]))
