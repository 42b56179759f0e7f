"""Work that has to return to its caller, done in a thread while the window goes on repainting."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import TypeVar

from qtpy.QtCore import QCoreApplication, QEventLoop, QMetaObject, Qt, QThread

from napari_spectrai.notices import noting, say_note

T = TypeVar("T")


def in_thread(work: Callable[[], T]) -> T:
    """Return what `work` returns, or raise what it raises; notes it makes are said here.

    Inside the event loop of the window it runs in a thread, while timers and repaints go on; keys and clicks wait, so that nothing starts
    meanwhile. In a script, where no event loop runs, it is called as it is.
    """
    here = QThread.currentThread()
    application = QCoreApplication.instance()
    if application is None or here is None or here is not application.thread() or here.loopLevel() == 0:
        return work()
    loop, context = QEventLoop(), copy_context()
    results: list[T] = []
    errors: list[BaseException] = []
    notes: list[str] = []

    def run() -> None:
        try:
            with noting() as said:
                results.append(work())
            notes.extend(said)
        except BaseException as error:  # noqa: BLE001  # raised again in the thread that asked
            errors.append(error)
        finally:
            QMetaObject.invokeMethod(loop, "quit", Qt.ConnectionType.QueuedConnection)  # from another thread, also before it runs

    thread = threading.Thread(target=context.run, args=(run,), name="spectrai-read", daemon=True)
    thread.start()
    loop.exec(QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents)
    thread.join()
    if errors:
        raise errors[0]
    for note in notes:
        say_note(note)
    return results[0]
