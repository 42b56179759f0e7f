"""Following jobs from the window: a timer that reads their journals, and what happens to them when it closes."""

from __future__ import annotations

import atexit
from typing import Any

from psygnal import Signal
from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtWidgets import QMessageBox, QWidget

from napari_spectrai.runs import Event, Failed, Finished, Job

INTERVAL = 100
"""Milliseconds between looks at a job's journal."""

_running: set[Follower] = set()
_ending: list[Job] = []


class _Ends:
    """Tells every dock that some job has ended."""

    ended = Signal()


ends = _Ends()


class Follower(QObject):
    """Follows one job on a timer; signals come on the main thread.

    Signals
    -------
    told : list of Event
    ended : Finished or Failed
    """

    told = Signal(object)
    ended = Signal(object)

    def __init__(self, job: Job, parent: QWidget) -> None:
        super().__init__(parent)
        self.job, self.dock = job, parent
        self._last: Event | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(INTERVAL)
        self._timer.timeout.connect(self._look)
        _running.add(self)
        # without its dock nobody could see or stop the job: it saves and ends
        self.destroyed.connect(lambda _=None: self._abandon())

    def _abandon(self) -> None:
        _running.discard(self)
        _let_go(self.job)

    def start(self) -> None:
        """Begin to follow."""
        self._timer.start()

    def _look(self) -> None:
        alive = self.job.alive  # asked before reading, so that last words are not missed
        events = self.job.poll()
        if events:
            self._last = events[-1]
            self.told.emit(events)  # all of a tick at once: a fast training tells more than can be drawn
        if not alive:
            self._timer.stop()
            self.job.close()
            _running.discard(self)
            done = isinstance(self._last, Finished | Failed)
            ends.ended.emit()
            self.ended.emit(self._last if done else Failed("the process ended without a word; its log is in the run folder"))

    def stop(self) -> None:
        """Ask the job to save and end; `insist` makes it."""
        self.job.ask_to_stop()

    def insist(self) -> None:
        """End the job now; what it has saved stays."""
        self.job.stop(grace=1.0)


def _let_go(job: Job) -> None:
    """Let a job save and end by itself; it is kept in mind until it has, so that it is not left a zombie."""
    _ending[:] = [other for other in _ending if other.alive]
    if job.alive:
        job.ask_to_stop()
        _ending.append(job)
    job.close()


def running() -> list[Follower]:
    """Return the followers of living jobs."""
    return [follower for follower in _running if follower.job.alive]


class CloseGuard(QObject):
    """Asks before a window closes over running jobs; on yes they save, stop, and can be resumed."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        window.installEventFilter(self)

    def eventFilter(self, watched: Any, event: Any) -> bool:  # noqa: N802
        """Stand before the window's own closing."""
        if event.type() == QEvent.Type.Close:
            jobs = [follower for follower in running() if main_window(follower.dock) is watched]
            if jobs and not confirm(watched, len(jobs)):
                event.ignore()
                return True
            for follower in jobs:
                _let_go(follower.job)
        return False


def confirm(window: QWidget, count: int) -> bool:
    """Ask whether to close although jobs run."""
    what = "A training or prediction is" if count == 1 else f"{count} trainings or predictions are"
    answer = QMessageBox.question(
        window,
        "Close napari?",
        f"{what} running. Closing stops it; what it has learnt is saved, and a training can be resumed from the Train dock.",
        QMessageBox.StandardButton.Close | QMessageBox.StandardButton.Cancel,
        QMessageBox.StandardButton.Cancel,
    )
    return bool(answer == QMessageBox.StandardButton.Close)


def main_window(dock: QWidget) -> QWidget:
    """Return the window that a dock belongs to, also while the dock floats."""
    window = dock
    while (parent := window.parentWidget()) is not None:
        window = parent
    return window


def guard(dock: QWidget) -> None:
    """Guard the window that `dock` stands in, once; call it when the dock has its place."""
    window = main_window(dock)
    if not any(isinstance(child, CloseGuard) for child in window.children()):
        CloseGuard(window)


@atexit.register
def _end_all() -> None:
    for follower in list(_running):
        _let_go(follower.job)
