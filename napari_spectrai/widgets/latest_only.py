"""Slow answers off the main thread, of which only the latest is used."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from psygnal import Signal
from qtpy.QtCore import QCoreApplication, QObject
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
        if not self._leaving:
            (self.answered if good else self.failed).emit(word)
