"""Slow answers off the main thread, of which only the latest is used."""

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


class LatestOnly(QObject):
    """A thread that answers the latest question; earlier questions still waiting are dropped.

    Signals
    -------
    answered : result of the function, on the main thread
    failed : the exception it raised instead
    """

    answered = Signal(object)
    failed = Signal(object)
    _back = QtSignal(object, bool)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._wanted = threading.Condition()
        self._question: Callable[[], Any] | None = None
        self._leaving = self._busy = False
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
            if self._thread is None and not self._leaving:
                self._thread = threading.Thread(target=self._answer, daemon=True, name="napari-spectrai answers")
                self._thread.start()
            self._wanted.notify()

    def forget(self) -> None:
        """Withdraw the question that is waiting."""
        with self._wanted:
            self._question = None

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
                self._busy = question is not None
            if question is None:  # end of the thread
                return
            try:
                with advising("window"):
                    word, good = question(), True
            except Exception as error:  # noqa: BLE001  # shown by whoever asked
                word, good = error, False
            if not self._leaving:
                self._back.emit(word, good)

    def _deliver(self, word: Any, good: bool) -> None:  # noqa: FBT001
        _in_turn(self, word, good)

    def emit(self, word: Any, *, good: bool) -> None:
        """Emit an answer, unless nobody waits for it any more."""
        if not self._leaving:
            (self.answered if good else self.failed).emit(word)


_pending: deque[tuple[LatestOnly, Any, bool]] = deque()


def _in_turn(asker: LatestOnly, word: Any, good: bool) -> None:  # noqa: FBT001
    """Emit one answer in each turn of the event loop: those to several docks often arrive together, such as when a layer was added."""
    _pending.append((asker, word, good))
    if len(_pending) == 1:
        QTimer.singleShot(0, _next)


def _next() -> None:
    asker, word, good = _pending.popleft()
    if _pending:  # before the answer, which may let the window work, or raise an error
        QTimer.singleShot(0, _next)
    if isalive(asker):  # type: ignore[no-untyped-call]
        asker.emit(word, good=good)
