"""Slow answers off the main thread: questions that wait are dropped for the latest, and failures of earlier ones are not reported."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from psygnal import Signal
from qtpy.compat import isalive
from qtpy.QtCore import QCoreApplication, QObject, QTimer
from qtpy.QtCore import Signal as QtSignal  # type: ignore[attr-defined]  # qtpy has no stubs for it

from napari_spectrai.remedies import advising

_ANSWERED = 0
"""In place of the number of a question that failed; these start at 1."""


class LatestOnly(QObject):
    """A thread that answers the latest question; earlier questions still waiting are dropped.

    Signals
    -------
    answered : result of the function, on the main thread
    failed : the exception it raised instead, unless another question has been asked since, or it was withdrawn
    """

    answered = Signal(object)
    failed = Signal(object)
    _back = QtSignal(object, int)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._wanted = threading.Condition()
        self._question: Callable[[], Any] | None = None
        self._leaving = self._busy = False
        self._number = 0
        self._thread: threading.Thread | None = None
        self._back.connect(self._deliver)
        # a bound method of a destroyed object is never called
        self.destroyed.connect(lambda _=None: self.leave())
        if (application := QCoreApplication.instance()) is not None:
            application.aboutToQuit.connect(self.leave)

    def ask(self, question: Callable[[], Any]) -> None:
        """Ask a question; one that is waiting is dropped."""
        with self._wanted:
            self._question = question
            self._number += 1
            if self._thread is None and not self._leaving:
                self._thread = threading.Thread(target=self._answer, daemon=True, name="napari-spectrai answers")
                self._thread.start()
            self._wanted.notify()

    def forget(self) -> None:
        """Withdraw the question that is waiting; one that is being answered can still be answered, but not fail."""
        with self._wanted:
            self._question = None
            self._number += 1

    @property
    def busy(self) -> bool:
        """Whether an answer is pending."""
        with self._wanted:
            return self._busy or self._question is not None

    def leave(self) -> None:
        """End the thread after its current question, without an answer."""
        with self._wanted:
            self._leaving, self._question = True, None
            self._wanted.notify()

    def _answer(self) -> None:
        while True:
            with self._wanted:
                self._busy = False
                while self._question is None and not self._leaving:
                    self._wanted.wait()
                question, self._question = self._question, None
                self._busy, number = question is not None, self._number
            if question is None:  # end of the thread
                return
            try:
                with advising("window"):
                    word, failed = question(), _ANSWERED
            except Exception as error:  # noqa: BLE001  # shown by whoever asked
                word, failed = error, number
            if not self._leaving:
                self._back.emit(word, failed)

    def _deliver(self, word: Any, failed: int) -> None:
        _in_turn(self, word, failed)

    def emit(self, word: Any, failed: int) -> None:
        """Emit an answer, unless nobody waits for it any more; `failed` is the number of the question that failed."""
        if self._leaving:
            return
        if failed == _ANSWERED:
            self.answered.emit(word)
        elif failed == self._number:
            self.failed.emit(word)


_pending: deque[tuple[LatestOnly, Any, int]] = deque()


def _in_turn(asker: LatestOnly, word: Any, failed: int) -> None:
    """Emit one answer in each turn of the event loop: those to several docks often arrive together, such as when a layer was added."""
    _pending.append((asker, word, failed))
    if len(_pending) == 1:
        QTimer.singleShot(0, _next)


def _next() -> None:
    asker, word, failed = _pending.popleft()
    if _pending:  # before the answer, which may let the window work, or raise an error
        QTimer.singleShot(0, _next)
    if isalive(asker):  # type: ignore[no-untyped-call]
        asker.emit(word, failed)
