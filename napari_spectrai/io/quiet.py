"""Libraries that print while they read: their words do not reach the terminal, since what matters becomes an error or a warning of ours."""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress

_lock = threading.Lock()
_readers = 0
_restore = ExitStack()


@contextmanager
def quietly() -> Iterator[None]:
    """Keep what is written to standard output and error from the terminal, also by code in C, until the last of nested uses ends.

    Both belong to the whole process: what other threads write meanwhile is lost as well, so that only calls of libraries belong in here.
    """
    global _readers, _restore  # noqa: PLW0603  # a process has one standard output
    with _lock:
        _readers += 1
        if _readers == 1:
            _restore = _silence()
    try:
        yield
    finally:
        with _lock:
            _readers -= 1
            if _readers == 0:
                _restore.close()


def aloud() -> None:
    """Give the streams back while a library still reads, on a thread whose result nobody waits for any more."""
    with _lock:
        _restore.close()


def _silence() -> ExitStack:
    """Redirect the streams of Python and the descriptors below them; return what undoes it."""
    undo = ExitStack()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # closed, or none, as without a console
            stream.flush()
    undo.enter_context(redirect_stdout(io.StringIO()))
    undo.enter_context(redirect_stderr(io.StringIO()))
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        with suppress(OSError):  # closed
            kept = os.dup(descriptor)
            os.dup2(nowhere, descriptor)
            undo.callback(_give_back, kept, descriptor)
    os.close(nowhere)
    return undo


def _give_back(kept: int, descriptor: int) -> None:
    os.dup2(kept, descriptor)
    os.close(kept)
