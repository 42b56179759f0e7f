"""A queue of jobs, each in a separate process: one button to start, progress, cancel, and the results."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from magicgui.widgets import Container, ProgressBar, PushButton, Widget
from napari.utils import progress
from napari.viewer import Viewer
from psygnal import Signal
from qtpy.QtCore import QTimer
from superqt.utils import thread_worker

from napari_spectrai.cube import Cube
from napari_spectrai.io import read
from napari_spectrai.runs import Event, Failed, Finished, Job, Progress
from napari_spectrai.runs.standby import standby
from napari_spectrai.widgets.dock import line, message, say, text
from napari_spectrai.widgets.jobs import Follower, guard
from napari_spectrai.widgets.visibility import Visibility

IN_MEMORY = 2_000_000_000
"""Results of up to this many bytes are loaded into memory; larger ones stay on disk and are read as they are viewed."""
_TIME_SHOWN_AFTER = 2.0
"""Seconds of progress after which the remaining time is shown."""
_AT_REST = 2000
"""Milliseconds after the dock was shown at which a process begins to load what its first job needs."""


@dataclass(frozen=True, slots=True)
class JobSpec:
    """One job of the queue.

    Parameters
    ----------
    name : what it is applied to
    prepare : creates the job, on a thread
    load : reads the job's folder, on a thread; its second argument says whether the job was stopped. None: nothing to show
    show : shows what was loaded, and returns a message
    unit : what progress counts
    """

    name: str
    prepare: Callable[[], Job]
    load: Callable[[Path, bool], Any]
    show: Callable[[Any], str]
    unit: str = ""


class JobQueue(Container[Any]):
    """Start, progress and cancellation of jobs.

    Parameters
    ----------
    words : text of the button
    tooltip : what the button does
    starting : status while the process starts
    kept : what happens to finished parts when the job is cancelled
    remedies : buttons under the error message

    Signals
    -------
    ended : ``"done"``, ``"cancelled"`` or ``"failed"``
    """

    ended = Signal(str)

    def __init__(
        self, viewer: Viewer, words: str, tooltip: str, starting: str, kept: str = "unfinished results are discarded",
        remedies: Sequence[Widget] = (),
    ) -> None:  # fmt: skip
        self._viewer, self._starting = viewer, starting
        self._follower: Follower | None = None
        self._activity: Any = None
        self._works: list[JobSpec] = []
        self._at = 0
        self._messages: list[str] = []
        self._failures: list[tuple[str, str]] = []
        self._first_progress: tuple[float, int] | None = None
        self._stopping = self._insisted = self.busy = self.gone = False
        self.start = PushButton(text=words, name="start", enabled=False, tooltip=tooltip)
        self.cancel = PushButton(text="Cancel", name="cancel", enabled=False, tooltip=f"stop; {kept}")
        self.bar = ProgressBar(value=0, max=1, name="progress", visible=False)
        self.steering: Container[Any] = Container(widgets=[line(self.start, self.cancel), self.bar], labels=False, name="steering")
        """Buttons and progress, which a long dock may keep in sight."""
        self.steering.margins = (0, 0, 0, 0)
        self.status = text("status")
        self.status.visible = False
        self.problem = message()
        super().__init__(widgets=[self.problem, *remedies, self.steering, self.status], labels=False, name="applying")
        self.margins = (0, 0, 0, 0)
        self.cancel.changed.connect(self.stop)
        self.native.destroyed.connect(self._close_activity)
        Visibility(self.native, lambda shown: QTimer.singleShot(_AT_REST, standby.keep) if shown else None)

    # ---------------------------------------------------------------- the queue

    def run(self, prepare: Callable[[], Job], show: Callable[[Cube], str], dock: Any) -> None:
        """Run one job, and at the end call `show` with its result; it returns a message."""
        self.run_all([JobSpec("", prepare, lambda folder, stopped: None if stopped else loaded(folder / "result.zarr"), show)], dock)

    def run_all(self, works: Sequence[JobSpec], dock: Any) -> None:
        """Run several jobs, one after the other; a failed one does not stop the others."""
        if self.busy or not works:
            return
        self._works, self._at, self._messages, self._failures = list(works), 0, [], []
        self._dock, self.busy, self.start.enabled = dock, True, False
        self._stopping = self._insisted = False
        say(self.problem, "")
        self.cancel.enabled, self.cancel.text = True, "Cancel"
        self._next()

    @property
    def _work(self) -> JobSpec:
        return self._works[self._at]

    def _say(self, words: str) -> None:
        several = f"{self._at + 1} of {len(self._works)} · {self._work.name}: " if len(self._works) > 1 else ""
        say(self.status, several + words)

    def _next(self) -> None:
        self._say("copying data …")
        self._aside(self._work.prepare, self._started)

    def _aside(self, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        """Call a function on a thread, then another one here with its result, unless the dock was closed meanwhile."""

        def tried() -> tuple[Any, str]:
            try:
                return work(), ""
            except Exception as error:  # noqa: BLE001  # shown in the dock; if raised, it would be reported twice
                return None, str(error) or type(error).__name__

        def back(answer: tuple[Any, str]) -> None:
            value, trouble = answer
            if not self.gone:
                self._failed(trouble) if trouble else then(value)
            elif isinstance(value, Job):
                shutil.rmtree(value.folder.path, ignore_errors=True)

        worker = thread_worker(tried)()
        worker.returned.connect(back)
        worker.start()

    def _started(self, job: Job) -> None:
        if self._stopping:
            shutil.rmtree(job.folder.path, ignore_errors=True)
            self._conclude()
            return
        guard(self._dock)
        job.start()
        self._say(self._starting)
        self._first_progress = None
        self.bar.visible, self.bar.max, self.bar.value = True, 1, 0
        self._activity = progress(total=0, desc=self._work.name or self.start.text)
        self._follower = Follower(job, self._dock)
        self._follower.received.connect(self._on_events)
        self._follower.ended.connect(self._ended)
        self._follower.start()

    def _on_events(self, events: list[Event]) -> None:
        event = events[-1]
        if not isinstance(event, Progress) or self._stopping:
            return
        self.bar.max, self.bar.value = event.total, event.done
        if self._activity.total != event.total:
            self._activity.reset(total=event.total)
        self._activity.update(event.done - self._activity.n)
        if self._first_progress is None or event.done < self._first_progress[1]:
            self._first_progress = (time.monotonic(), event.done)
        share = f"{event.done} of {event.total}" if event.total < 1000 else f"{event.done / event.total:.0%}"
        self._say(f"{share} {self._work.unit if event.total < 1000 else ''}".rstrip() + self._left(event))

    def _left(self, event: Progress) -> str:
        """Return the remaining time, once it can be estimated."""
        assert self._first_progress is not None  # noqa: S101
        passed, done = time.monotonic() - self._first_progress[0], event.done - self._first_progress[1]
        if passed < _TIME_SHOWN_AFTER or not done:
            return ""
        minutes, seconds = divmod(round(passed / done * (event.total - event.done)), 60)
        return f" · {minutes}:{seconds:02} left"

    def stop(self) -> None:
        """Stop after the current step; on the second call, at once."""
        if not self.busy:
            return
        again, self._stopping = self._stopping, True
        if self._follower is not None and again:
            self._insisted, self.cancel.enabled = True, False
            self._follower.insist()
        elif self._follower is not None:
            self._follower.stop()
            self.cancel.text = "Stop now"
        self._say("stopping …")

    def _ended(self, ending: Any) -> None:
        follower, self._follower = self._follower, None
        self.bar.visible = False
        self._close_activity()
        if follower is None or self.gone:
            return
        folder = follower.job.folder.path
        shutil.rmtree(follower.job.folder.data, ignore_errors=True)
        done = isinstance(ending, Finished) and ending.reason == "done"
        if isinstance(ending, Finished) or self._insisted:
            self._stopping |= not done
            work, notes = self._work, ending.notes if isinstance(ending, Finished) else []
            self._say("loading the result …")
            self._aside(lambda: work.load(folder, not done), lambda loaded: self._loaded(folder, loaded, notes))
        else:
            if isinstance(follower.job.folder.last_event(), Failed):  # the event says everything; otherwise the log may help
                shutil.rmtree(folder, ignore_errors=True)
            self._failed(ending.message)

    def _close_activity(self) -> None:
        if self._activity is not None:
            self._activity.close()
            self._activity = None

    def _loaded(self, folder: Path, loaded: Any, notes: Sequence[str] = ()) -> None:
        if loaded is not None:
            try:
                self._messages.append("\n".join([self._work.show(loaded), *notes]))
            except Exception as error:  # noqa: BLE001  # reported, and the other jobs continue
                self._failures.append((self._work.name, str(error) or type(error).__name__))
        if not any(folder.glob("*.zarr")):  # otherwise the layer reads from this folder
            shutil.rmtree(folder, ignore_errors=True)
        self._advance()

    def _failed(self, words: str) -> None:
        self._failures.append((self._work.name, words))
        self._advance()

    def _advance(self) -> None:
        if self._stopping or self._at + 1 == len(self._works):
            self._conclude()
        else:
            self._at += 1
            self._next()

    def _conclude(self) -> None:
        self.busy = self.cancel.enabled = self.bar.visible = False
        self.cancel.text = "Cancel"
        several, messages = len(self._works) > 1, list(self._messages)
        how = "cancelled" if self._stopping else "failed" if self._failures and not messages else "done"
        if several:
            say(self.status, f"{how}: {len(messages)} of {len(self._works)}" + (f"; {messages[-1]}" if messages else ""))
        else:
            say(self.status, f"{how}: {messages[-1]}" if messages else how)
        self._viewer.status = f"{self.start.text}: {self.status.value}".splitlines()[0]
        self.start.enabled = bool(self._failures)
        self.ended.emit(how)
        if self._failures:
            say(self.problem, "\n".join(f"{name}: {words}" if several and name else words for name, words in self._failures))


def loaded(file: Path) -> Cube:
    """Return the cube in a job's store; a small one is read into memory, and its store removed."""
    cube = read(file)
    if cube.data.nbytes <= IN_MEMORY:
        cube = cube.with_data(cube.data.compute(), name=cube.name)
        shutil.rmtree(file)
    return cube
