"""A clock that stands still while a comparison is paused, so that a pause takes nothing from its time limit."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class WorkTime:
    """Seconds on the clock, without those of pauses."""

    def __init__(self) -> None:
        self._paused = 0.0

    def now(self) -> float:
        """Return the time; only differences have a meaning."""
        return time.monotonic() - self._paused

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Stand still."""
        began = time.monotonic()
        try:
            yield
        finally:
            self._paused += time.monotonic() - began
