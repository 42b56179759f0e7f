"""Applying something to a layer: one button, a job in its own process, progress, cancel, and the result beside the source."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from magicgui.widgets import Container, ProgressBar, PushButton
from napari.layers import Image, Labels, Layer
from napari.qt.threading import thread_worker
from napari.viewer import Viewer
from psygnal import Signal

from napari_spectrai.io import read
from napari_spectrai.io.labels import read_labels
from napari_spectrai.labels import Colour
from napari_spectrai.runs import Event, Failed, Finished, Job, Progress
from napari_spectrai.widgets.dock import line, message, say, text
from napari_spectrai.widgets.jobs import Follower, guard
from napari_spectrai.widgets.layers import add_cube, add_labels, lie_over, over_images

IN_MEMORY = 2_000_000_000
"""Results of up to this many bytes are loaded; larger ones stay on disk and are read as they are looked at."""


class Applying(Container[Any]):
    """Start, progress and cancel of one job at a time.

    Parameters
    ----------
    words : text of the button
    tooltip : what it does
    starting : what is said while the process starts

    Signals
    -------
    ended : ``"done"``, ``"cancelled"`` or ``"failed"``
    """

    ended = Signal(str)

    def __init__(self, viewer: Viewer, words: str, tooltip: str, starting: str) -> None:
        self._viewer, self._starting = viewer, starting
        self._follower: Follower | None = None
        self._show: Callable[[Path], str] = lambda _: ""
        self.busy = self.gone = False
        self.start = PushButton(text=words, name="start", enabled=False, tooltip=tooltip)
        self.cancel = PushButton(text="Cancel", name="cancel", enabled=False, tooltip="stop; nothing half-done is shown")
        self.bar = ProgressBar(value=0, max=1, name="progress", visible=False)
        self.status = text("status")
        self.problem = message()
        super().__init__(widgets=[self.problem, line(self.start, self.cancel), self.bar, self.status], labels=False, name="applying")
        self.margins = (0, 0, 0, 0)
        self.cancel.changed.connect(self.stop)

    def run(self, prepare: Callable[[], Job], show: Callable[[Path], str], dock: Any) -> None:
        """Prepare a job on a thread, start it, and in the end call `show` with its folder; it returns what to say."""
        self.busy, self.start.enabled, self._show = True, False, show
        self.status.value = "copying data …"
        worker = thread_worker(prepare)()
        worker.returned.connect(lambda job: self._started(job, dock))
        worker.errored.connect(lambda error: self._ended(Failed(str(error))))
        worker.start()

    def _started(self, job: Job, dock: Any) -> None:
        if self.gone:  # the dock was closed while the data were copied
            return
        guard(dock)
        job.start()
        self.status.value = self._starting
        self.cancel.enabled = self.bar.visible = True
        self.bar.max, self.bar.value = 1, 0
        self._follower = Follower(job, dock)
        self._follower.told.connect(self._on_events)
        self._follower.ended.connect(self._ended)
        self._follower.start()

    def _on_events(self, events: list[Event]) -> None:
        event = events[-1]
        if isinstance(event, Progress):
            self.bar.max, self.bar.value = event.total, event.done
            self.status.value = f"{event.done} of {event.total}" if event.total < 1000 else f"{event.done / event.total:.0%}"

    def stop(self) -> None:
        """Stop; nothing half-done is shown."""
        if self._follower is not None:
            self._follower.stop()
            self.status.value = "stopping …"

    def _ended(self, ending: Any) -> None:
        follower, self._follower, self.busy = self._follower, None, False
        self.cancel.enabled = self.bar.visible = False
        how = "failed" if isinstance(ending, Failed) else "cancelled"
        if isinstance(ending, Failed):
            self.status.value = "failed"
            say(self.problem, ending.message)
            self.start.enabled = True
        elif isinstance(ending, Finished) and ending.reason == "done" and follower is not None:
            how, self.status.value = "done", self._show(follower.job.folder.path)
        else:
            self.status.value = "cancelled"
        if follower is not None and not isinstance(ending, Failed):
            shutil.rmtree(follower.job.folder.data, ignore_errors=True)
        self.ended.emit(how)

    def add(self, file: Path, source: Image | None, name: str, *, alike: bool = True) -> Image:
        """Add the cube in `file` above its source, where the source lies; `alike`: with its contrast."""
        cube = read(file)
        if cube.data.nbytes <= IN_MEMORY:
            cube = cube.with_data(cube.data.compute(), name=cube.name)
            shutil.rmtree(file)
        layer = add_cube(self._viewer, cube, name=name)
        if source is not None and source in self._viewer.layers:
            layer.colormap = source.colormap.name
            lie_over(layer, source)
            if alike:
                layer.contrast_limits = source.contrast_limits
            self._above(layer, source)
        return layer

    def add_classes(self, file: Path, source: Image | None, name: str, colours: Mapping[int, Colour]) -> Labels:
        """Add the labels in `file` above their source."""
        labels = over_images(replace(read_labels(file), colours=colours), source)
        layer = add_labels(self._viewer, labels, source, name=name, opacity=0.6)
        if source is not None and source in self._viewer.layers:
            lie_over(layer, source)
            self._above(layer, source)
        return layer

    def _above(self, layer: Layer, source: Image) -> None:
        self._viewer.layers.move(self._viewer.layers.index(layer), self._viewer.layers.index(source) + 1)
