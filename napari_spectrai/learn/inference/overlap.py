"""Reading ahead and writing behind: threads prepare the next block and write the last one while a network computes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, TypeVar

MOST_BYTES = 2**25
"""Largest block that is read ahead or written behind: it is held in addition to the one that is computed."""
WAITING = 2
"""Largest number of blocks that wait to be written."""

T = TypeVar("T")


class ReadingAhead(Generic[T]):
    """Loads what is needed next on a thread.

    Parameters
    ----------
    load : callable
        Returns what belongs to a key.
    """

    def __init__(self, load: Callable[[Any], T]) -> None:
        self._load = load
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="reading-ahead")
        self._key: Any = None
        self._next: Future[T] | None = None

    def take(self, key: Any, *, then: Any = None) -> T:
        """Return what belongs to `key`, and begin to load what belongs to `then`, unless that is None.

        An error in loading is raised here.
        """
        found = self._next if self._next is not None and self._key == key else None
        self._key = self._next = None
        held = self._load(key) if found is None else found.result()
        if then is not None:
            self._key, self._next = then, self._thread.submit(self._load, then)
        return held

    def close(self) -> None:
        """Wait for the thread; what it has loaded is dropped."""
        self._thread.shutdown(wait=True, cancel_futures=True)
        self._next = None


class WritingBehind:
    """Writes on a thread, in order; whoever goes on waits while there is too much to write."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="writing-behind")
        self._waiting: deque[tuple[Future[object], int]] = deque()
        self._written: list[int] = []

    def put(self, number: int, size: int, write: Callable[[], object]) -> None:
        """Write soon or, if that would hold too many bytes, now.

        Parameters
        ----------
        number : int
            Of the block, for `written`.
        size : int
            Bytes that are held until it is written.
        write : callable

        Raises
        ------
        Exception
            What an earlier call of `write` has raised.
        """
        self._wait(WAITING - 1)
        self._waiting.append((self._thread.submit(write), number))
        if size > MOST_BYTES:
            self._wait(0)

    def written(self) -> list[int]:
        """Return the numbers of the blocks that have been written since the last call."""
        while self._waiting and self._waiting[0][0].done():
            self._wait(len(self._waiting) - 1)
        found, self._written = self._written, []
        return found

    def _wait(self, most: int) -> None:
        while len(self._waiting) > most:
            future, number = self._waiting.popleft()
            future.result()
            self._written.append(number)

    def flush(self) -> None:
        """Wait until everything is written; raise what `write` has raised."""
        self._wait(0)

    def close(self) -> None:
        """End the thread; after an error, what waits is not written."""
        self._thread.shutdown(wait=True, cancel_futures=True)
