"""How long the training in the form will take, how much memory and where: found out in a process of its own, while nobody waits."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

import psutil
from psygnal import Signal
from qtpy.QtCore import QObject, QTimer
from qtpy.QtWidgets import QWidget

from napari_spectrai.runs import Event, Failed, Finished, Job
from napari_spectrai.runs.estimate import Estimate, Question, answers, prepare_estimate, remember, remembered

INTERVAL = 200
REST = 1200
"""Milliseconds between looks at a trial, and that the form has to be left alone before one begins."""


class Estimating(QObject):
    """Answers the latest question on time and memory.

    Signals
    -------
    answered : list of Estimate, one for each question of the list asked
    failed : str
    """

    answered = Signal(object)
    failed = Signal(str)

    def __init__(self, dock: QWidget) -> None:
        super().__init__(dock)
        self._questions: list[Question] = []
        self._tried: list[Question] = []
        self._job: Job | None = None
        self._told: Event | None = None
        self._rest, self._look = QTimer(self), QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST)
        self._rest.timeout.connect(self._begin)
        self._look.setInterval(INTERVAL)
        self._look.timeout.connect(self._on_look)
        # a bound method of what is destroyed is never called
        self.destroyed.connect(lambda _=None: self.stop())

    def ask(self, questions: Sequence[Question], *, measure: bool = True) -> None:
        """Ask; what is remembered is answered at once, else `measure` tells whether to try."""
        self._questions = list(questions)
        self._rest.stop()
        known = remembered(self._questions)
        if known is not None:
            self.answered.emit(known)
        elif measure:
            self._rest.start()

    def forget(self) -> None:
        """Ask no more."""
        self._questions = []
        self._rest.stop()

    @property
    def busy(self) -> bool:
        """Whether a trial is under way, or about to be."""
        return self._job is not None or self._rest.isActive()

    def _begin(self) -> None:
        if self._job is not None or not self._questions:  # one at a time; the latest is asked when that has ended
            return
        self._tried, self._told = self._questions, None
        self._job = prepare_estimate(self._tried)
        self._job.start()
        self._look.start()

    def _on_look(self) -> None:
        job = self._job
        if job is None:
            return
        alive = job.alive  # asked before reading, so that last words are not missed
        events = job.poll()
        self._told = events[-1] if events else self._told
        if alive:
            return
        self._look.stop()
        self._job = None
        job.close()
        current = self._tried is self._questions
        if isinstance(self._told, Finished):
            found = answers(job.folder)
            remember(self._tried, found)
            if current:
                self.answered.emit(found)
        elif current:
            self.failed.emit(self._told.message if isinstance(self._told, Failed) else "")
        shutil.rmtree(job.folder.path, ignore_errors=True)
        if not current:
            self._begin()

    def stop(self) -> None:
        """End a trial under way, and ask no more."""
        self._questions = []
        job, self._job = self._job, None
        if job is not None:
            job.stop(grace=0.1)
            shutil.rmtree(job.folder.path, ignore_errors=True)


def too_much(estimate: Estimate, wanted: int) -> str:
    """Return why a training does not fit into the memory that is free, or nothing."""
    free = psutil.virtual_memory().available
    if estimate.device.startswith("cuda") or wanted <= free:
        return ""
    return (
        f"this needs about {wanted / 1e9:.1f} GB of memory and {free / 1e9:.1f} GB are free; "
        "crop or bin the data, or lower the batch, the patch or the width of the network"
    )
