"""Estimate duration, memory and device of the training in the form, in a separate process that runs in the background."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

import psutil
from psygnal import Signal
from qtpy.QtCore import QObject, QTimer
from qtpy.QtWidgets import QWidget

from napari_spectrai.runs import Event, Failed, Finished, Job
from napari_spectrai.runs.estimate import Estimate, Question, answers, prepare_estimate, remember, remembered
from napari_spectrai.runs.standby import standby

INTERVAL = 200
REST = 1200
"""Milliseconds between checks of a trial; also the time that the form must be left unchanged before a trial starts."""


class Estimating(QObject):
    """Answers the latest question about time and memory.

    Signals
    -------
    answered : list of Estimate, one for each question asked
    failed : str
    """

    answered = Signal(object)
    failed = Signal(str)

    def __init__(self, dock: QWidget) -> None:
        super().__init__(dock)
        self._questions: list[Question] = []
        self._tried: list[Question] = []
        self._job: Job | None = None
        self._last_event: Event | None = None
        self._rest, self._look = QTimer(self), QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST)
        self._rest.timeout.connect(self._begin)
        self._look.setInterval(INTERVAL)
        self._look.timeout.connect(self._on_look)
        # a bound method of a destroyed object is never called
        self.destroyed.connect(lambda _=None: self.stop())

    def ask(self, questions: Sequence[Question], *, measure: bool = True) -> None:
        """Ask; known answers are given at once, and `measure` decides whether the others are measured."""
        self._questions = list(questions)
        self._rest.stop()
        known = remembered(self._questions)
        if known is not None:
            self.answered.emit(known)
            standby.keep()
        elif measure:
            self._rest.start()

    def forget(self) -> None:
        """Withdraw the question."""
        self._questions = []
        self._rest.stop()

    @property
    def busy(self) -> bool:
        """Whether a trial is running or about to start."""
        return self._job is not None or self._rest.isActive()

    def _begin(self) -> None:
        if self._job is not None or not self._questions:  # one at a time; the latest question follows
            return
        self._tried, self._last_event = self._questions, None
        self._job = prepare_estimate(self._tried)
        self._job.start()
        self._look.start()

    def _on_look(self) -> None:
        job = self._job
        if job is None:
            return
        alive = job.alive  # checked before reading, so that the last events are not missed
        events = job.poll()
        self._last_event = events[-1] if events else self._last_event
        if alive:
            return
        self._look.stop()
        self._job = None
        job.close()
        current = self._tried is self._questions
        if isinstance(self._last_event, Finished):
            estimates = answers(job.folder)
            remember(self._tried, estimates)
            if current:
                self.answered.emit(estimates)
        elif current:
            self.failed.emit(self._last_event.message if isinstance(self._last_event, Failed) else "")
        shutil.rmtree(job.folder.path, ignore_errors=True)
        if current:
            standby.keep()  # the training is likely to be the next job
        else:
            self._begin()

    def stop(self) -> None:
        """End a running trial, and withdraw the question."""
        self._questions = []
        job, self._job = self._job, None
        if job is not None:
            job.stop(grace=0.1)
            shutil.rmtree(job.folder.path, ignore_errors=True)


def too_much(estimate: Estimate, wanted: int) -> str:
    """Return a message if a training does not fit into the free memory; otherwise an empty text."""
    free = psutil.virtual_memory().available
    if estimate.device.startswith("cuda") or wanted <= free:
        return ""
    return (
        f"this needs about {wanted / 1e9:.1f} GB of memory and {free / 1e9:.1f} GB are free; "
        "crop or bin the data, or lower the batch, the patch or the width of the network"
    )
