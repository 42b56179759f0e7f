"""Computing maps on a thread, with progress and a way to cancel."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from magicgui.widgets import Container, ProgressBar, PushButton
from psygnal import Signal
from qtpy.QtCore import QTimer

from napari_spectrai.cube import Cube
from napari_spectrai.mapping import MapKind, Maps
from napari_spectrai.mapping.maps import maps
from napari_spectrai.widgets.dock import line
from napari_spectrai.widgets.latest_only import LatestOnly

_EVERY = 100
"""Milliseconds between two looks at the progress."""


class Cancelled(Exception):  # noqa: N818
    """The computation was cancelled."""


class MapWork(Container[Any]):
    """The button that makes maps, its progress, and the one that cancels.

    Attributes
    ----------
    busy : bool
        Whether maps are being computed, also while the dock is hidden.

    Signals
    -------
    done : the cube, the kind and the result, on the main thread
    failed : the exception raised instead
    """

    done = Signal(object, object, object)
    failed = Signal(object)

    def __init__(self) -> None:
        self.start = PushButton(text="Make maps", name="start", enabled=False, tooltip="compute the maps of the whole layer, as new layers")
        self.cancel = PushButton(text="Cancel", name="cancel", tooltip="stop computing; nothing is added")
        self._bar = ProgressBar(min=0, max=1000, value=0, name="progress", tooltip="spectra computed")
        self._running = line(self._bar, self.cancel)
        super().__init__(widgets=[self.start, self._running], labels=False)
        self.margins = (0, 0, 0, 0)
        self._running.visible = self.busy = False
        self._state, self._stop = (0, 1), threading.Event()
        self._timer = QTimer(self.native)
        self._timer.setInterval(_EVERY)
        self._timer.timeout.connect(self._on_time)
        self._thread = LatestOnly(self.native)
        self._thread.answered.connect(self._on_done)
        self._thread.failed.connect(self._on_failed)
        self.cancel.changed.connect(self.stop)

    def run(self, read: Callable[[], tuple[Cube, MapKind]]) -> None:
        """Compute the maps of what `read` gives, which is called on the thread."""
        stop = self._stop = threading.Event()

        def report(done: int, total: int) -> None:
            self._state = (done, max(total, 1))
            if stop.is_set():
                raise Cancelled

        def work() -> tuple[Cube, MapKind, Maps]:
            cube, kind = read()
            return cube, kind, maps(cube, kind, progress=report)

        self._state = (0, 1)
        self._bar.value = 0
        self._running.visible = self.busy = True
        self.start.enabled = False
        self._timer.start()
        self._thread.ask(work)

    def stop(self) -> None:
        """Cancel."""
        self._stop.set()

    def leave(self) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.leave()

    def _on_time(self) -> None:
        done, total = self._state
        self._bar.value = int(1000 * done / total)

    def _ended(self) -> None:
        self._timer.stop()
        self._running.visible = self.busy = False

    def _on_done(self, answer: tuple[Cube, MapKind, Maps]) -> None:
        self._ended()
        if self._stop.is_set():
            self.failed.emit(Cancelled())
        else:
            self.done.emit(*answer)

    def _on_failed(self, error: Exception) -> None:
        self._ended()
        self.failed.emit(error)
