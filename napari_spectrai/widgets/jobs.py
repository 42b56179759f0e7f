"""Follow jobs from napari: a timer reads their journals, and closing a window asks what to do with running ones."""

from __future__ import annotations

import atexit
from collections.abc import Sequence
from typing import Any, Literal
from weakref import ref

from psygnal import Signal, SignalInstance
from qtpy.compat import isalive
from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtCore import Signal as QtSignal  # type: ignore[attr-defined]  # qtpy has no stubs for it
from qtpy.QtWidgets import QMainWindow, QMessageBox, QWidget
from superqt.utils import thread_worker

from napari_spectrai import runs
from napari_spectrai.runs import Event, Failed, Finished, Job, Run, RunFolder, all_runs
from napari_spectrai.runs.scratch import discard
from napari_spectrai.runs.standby import standby
from napari_spectrai.widgets.dock import docks

Answer = Literal["stop", "keep running", "cancel"]

INTERVAL = 100
"""Milliseconds between reads of a job's journal."""
CATCHING_UP = 10
"""Milliseconds between reads while more is waiting."""
PORTION = 200_000
"""Bytes of a journal per read, about 10 ms: a run followed from its middle may have hours of events."""

_HOW = {"done": "done", "early": "done, no longer improving", "stopped": "stopped; it can be resumed"}

_running: set[Follower] = set()
_ending: list[Job] = []


class _Ends:
    """Notifies every dock that a job has ended."""

    ended = Signal()


ends = _Ends()

launched = SignalInstance((Run,), name="launched")
"""Emitted on the main thread with the handle of a run that `napari_spectrai.launch` has started in this process.

Its events are for the caller of `launch`; to follow the run as well, use ``Run.attach(run)``.
"""


class _Launches(QObject):
    """Forwards the signal of launched runs to the main thread."""

    _heard = QtSignal(object)

    def __init__(self) -> None:
        super().__init__()
        # queued: `launch` returns before any dock reacts
        self._heard.connect(self._emit, Qt.ConnectionType.QueuedConnection)
        runs.launched.started.connect(self.hear)

    def hear(self, run: Run) -> None:
        """Receive the signal, on any thread."""
        self._heard.emit(run)

    def _emit(self, run: Run) -> None:
        for dock in docks():
            guard(dock.column)
        launched.emit(run)


_launches = _Launches()


def unseen() -> list[Run]:
    """Return the running runs of this process that no dock follows, oldest first."""
    followed = {follower.job.folder.path for follower in running()}
    return [run for run in runs.launched.runs if run.folder.path not in followed]


def running_runs() -> list[RunFolder]:
    """Return the runs with a living process, newest first: launched here, or in `default_folder` by any process."""
    mine = [run.folder for run in reversed(runs.launched.runs)]
    known = {folder.path for folder in mine}
    return mine + [folder for folder in all_runs() if folder.path not in known and folder.state() == "running"]


class Follower(QObject):
    """Follows one job on a timer; signals are emitted on the main thread.

    Parameters
    ----------
    job : Job
        Started here, or a `Run` attached to another process, which is left alone when the dock is closed.
    parent : QWidget
        The dock in which it is followed.

    Signals
    -------
    received : list of Event
    ended : Finished or Failed
    """

    received = Signal(object)
    ended = Signal(object)

    def __init__(self, job: Job, parent: QWidget) -> None:
        super().__init__(parent)
        self.job, self.dock = job, parent
        viewer = next((dock.viewer for dock in docks() if dock.column is parent), None)
        self._viewer, self._window = None if viewer is None else ref(viewer), ref(main_window(parent))
        self._last: Event | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(INTERVAL)
        self._timer.timeout.connect(self._look)
        _running.add(self)
        self.destroyed.connect(lambda _=None: self._lose_dock())

    def _lose_dock(self) -> None:
        """Let a training go on until the last window closes, for the next Train dock to follow; any other job saves and ends."""
        if not (isinstance(self.job, Run) and self.job.tied):
            self.abandon()
            return
        _running.discard(self)
        runs.launched.keep(self.job)
        self._say(f"Training {self.job.folder.path.name} goes on; the Train dock shows it when it is opened again")

    def _say(self, words: str) -> None:
        """Show a status in the window of the dock, which need not be the one in front."""
        viewer, window = None if self._viewer is None else self._viewer(), self._window()
        if viewer is not None and window is not None and isalive(window) and window.isVisible():  # type: ignore[no-untyped-call]
            viewer.status = words

    def abandon(self) -> None:
        """Release the job: no more signals are emitted."""
        unheard = self in _running  # the result of a job that ended normally may still be read from its folder
        _running.discard(self)
        _let_go(self.job)
        if unheard and not self.job.alive:
            discard(self.job.folder)

    def start(self) -> None:
        """Start following."""
        self._timer.start()

    def _look(self) -> None:
        alive = self.job.alive  # checked before reading, so that the last events are not missed
        events = self.job.poll(PORTION)
        if events:
            self._last = events[-1]
            self.received.emit(events)  # one signal per tick: a fast training emits more events than can be drawn
        self._timer.setInterval(CATCHING_UP if self.job.behind else INTERVAL)
        if not alive and not self.job.behind:
            self._timer.stop()
            self.job.close()
            _running.discard(self)
            lost = Failed("the process exited without an error message; its log is in the run folder")
            ending = self._last if isinstance(self._last, Finished | Failed) else lost
            if isinstance(self.job, Run):
                self._say(f"Training {self.job.folder.path.name}: {_HOW[ending.reason] if isinstance(ending, Finished) else 'failed'}")
            ends.ended.emit()
            self.ended.emit(ending)
            standby.keep()  # for the next one

    def stop(self) -> None:
        """Ask the job to save and end; `insist` kills it."""
        self.job.ask_to_stop()

    def insist(self) -> None:
        """Kill the job now; what it has saved is kept."""
        thread_worker(self.job.stop)(grace=1.0).start()  # it waits, and may raise an error


def _let_go(job: Job) -> None:
    """Let a job save and end on its own, or keep running; it is tracked until it ends, so that it does not remain a zombie."""
    _ending[:] = [other for other in _ending if other.alive]
    if job.attached:
        return
    if job.tied:
        job.ask_to_stop()
    if job.alive:
        _ending.append(job)
    job.close()


def running() -> list[Follower]:
    """Return the followers of running jobs."""
    return [follower for follower in _running if follower.job.alive]


class CloseGuard(QObject):
    """Asks before a window with running jobs is closed."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        window.installEventFilter(self)

    def eventFilter(self, watched: Any, event: Any) -> bool:  # noqa: N802
        """Filter the close event of the window."""
        if event.type() == QEvent.Type.Close:
            jobs, here = _tied_to(watched), [dock for dock in docks() if main_window(dock.column) is watched and dock.is_complete]
            computing = [str(dock.computing) for dock in here if dock.computing]
            answer = confirm(watched, jobs, computing) if jobs or computing else "stop"
            if answer == "cancel":
                event.ignore()
                return True
            for job in jobs:
                if answer == "keep running" and job.remains:
                    job.detach()
                elif job.tied:
                    job.ask_to_stop()
                _let_go(job)
        return False


def _tied_to(window: QWidget) -> list[Job]:
    """Return the jobs that end when the window closes: those of its docks, and with the last window those of the console."""
    followed = running()
    homes = {follower: main_window(follower.dock) for follower in followed}
    jobs = [follower.job for follower, home in homes.items() if home is window]
    others = {main_window(dock.column) for dock in docks()} - {window}
    if not any(other.isVisible() for other in others):
        jobs += [follower.job for follower, home in homes.items() if not isinstance(home, QMainWindow)]  # its dock was closed
        known = {follower.job.folder.path for follower in followed}
        jobs += [run for run in runs.launched.runs if run.folder.path not in known]
    return [job for job in jobs if job.tied]


def confirm(window: QWidget, jobs: Sequence[Job], computing: Sequence[str] = ()) -> Answer:
    """Ask what to do with running jobs, and with what is computed in this process, when the window closes."""
    box = QMessageBox(QMessageBox.Icon.Question, "Close napari?", _question(jobs, computing), QMessageBox.StandardButton.NoButton, window)
    lasting = any(job.remains for job in jobs)
    stop = box.addButton(
        "Stop (can be resumed)" if any(isinstance(job, Run) for job in jobs) else "Stop", QMessageBox.ButtonRole.DestructiveRole
    )
    run_on = box.addButton("Keep running", QMessageBox.ButtonRole.AcceptRole) if lasting else None
    cancel = box.addButton("Cancel", QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(cancel)
    box.setEscapeButton(cancel)
    box.exec()
    clicked = box.clickedButton()
    box.deleteLater()
    if clicked is stop:
        return "stop"
    return "keep running" if run_on is not None and clicked is run_on else "cancel"


def _question(jobs: Sequence[Job], computing: Sequence[str] = ()) -> str:
    trainings = [job for job in jobs if isinstance(job, Run)]
    writing = [job for job in jobs if job.remains and not isinstance(job, Run)]
    passing = len(jobs) - len(trainings) - len(writing)
    words = []
    if trainings:
        names = ", ".join(job.folder.path.name for job in trainings)
        words.append(
            f"{'A training is' if len(trainings) == 1 else f'{len(trainings)} trainings are'} running: {names}.\n"
            "Stop: progress is saved, and the training can be resumed from the Train dock. "
            "Keep running: the training continues without napari; a Train dock opened later has it chosen: press Follow there."
        )
    if writing:
        words.append("Results are being written to files. Keep running: the current file is finished, and the remaining ones are skipped.")
    if passing:
        what = "A prediction or preparation is" if passing == 1 else f"{passing} predictions or preparations are"
        words.append(f"{what} running. Closing the window cancels it, and its result is lost.")
    words += [f"{what} being computed. Closing the window cancels that, and nothing of it is kept." for what in computing]
    return "\n\n".join(words)


def main_window(dock: QWidget) -> QWidget:
    """Return the window that contains a dock, including floating docks."""
    window = dock
    while (parent := window.parentWidget()) is not None:
        window = parent
    return window


def guard(dock: QWidget) -> None:
    """Ask before the window of `dock` is closed; call it when the dock is in its window."""
    window = main_window(dock)
    if not any(isinstance(child, CloseGuard) for child in window.children()):
        CloseGuard(window)


@atexit.register
def _end_all() -> None:
    for follower in list(_running):
        follower.abandon()
