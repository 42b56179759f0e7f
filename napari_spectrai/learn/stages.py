"""Stages of a training that yield nothing while they work: run on a thread, so that they are named, paused and stopped like epochs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from typing import Any, Generic, TypeVar

from napari_spectrai.io.quiet import aloud
from napari_spectrai.runs import Event, Paused, RunFolder, Stage

T = TypeVar("T")
Say = Callable[..., None]
"""Called with the name of what is done, and how many parts of how many are done."""

PATIENCE = 1.0
"""Seconds from the start of a training for which stages are not reported: most end sooner."""
_LOOK = 0.1
"""Seconds between two looks at the stage and at the commands."""
_threads: list[threading.Thread] = []


class StoppedEarlyError(RuntimeError):
    """A training was stopped before there was any result."""


class StageStopped(Exception):  # noqa: N818
    """A stage was stopped: the one called `name`."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class _LeftError(Exception):
    """The result of a stage is no longer needed; raised in its thread at the next report, which ends it."""


def silent(name: str, done: int = 0, total: int = 0) -> None:
    """Report nothing."""


def abandoned() -> bool:
    """Whether the thread of a stage that was stopped still works; nothing can end it but the end of the process."""
    _threads[:] = [thread for thread in _threads if thread.is_alive()]
    return bool(_threads)


class Stages:
    """Runs the stages of one training.

    Parameters
    ----------
    folder : RunFolder
        Stages are recorded in its journal, and its commands are followed.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._began = time.monotonic()
        self._shown: Stage | None = None

    def run(self, name: str, work: Callable[[Say], T]) -> Generator[Event, None, T]:
        """Run `work` and return its result; yield `Stage` whenever there is a new one, and `Paused`.

        Parameters
        ----------
        name : str
            Of the stage until `work` reports another.
        work : callable
            Called with a function to report with.

        Raises
        ------
        StageStopped
            If the run was asked to stop. The thread ends at its next report.
        """
        board: _Board[T] = _Board(name)
        thread = threading.Thread(target=board.run, args=(work,), daemon=True, name="napari-spectrai stage")
        thread.start()
        try:
            while not board.ended.wait(_LOOK):
                if self._folder.command() == "pause":
                    yield from self._pause(board)
                if self._folder.command() == "stop":
                    self._folder.consume_command()
                    raise StageStopped(board.stage.name)
                if board.stage != self._shown and time.monotonic() - self._began > PATIENCE:
                    self._shown = board.stage
                    yield self._recorded(self._shown)
        finally:
            if not board.ended.is_set():
                board.left = True
                board.going.set()
                _threads.append(thread)
                aloud()  # what is said about the end is to be heard, though a file is still being read
        if board.error is not None:
            raise board.error
        result: T = board.result
        return result

    def _pause(self, board: _Board[Any]) -> Generator[Event, None, None]:
        board.going.clear()
        yield self._recorded(Paused(True))
        while self._folder.command() == "pause":
            time.sleep(_LOOK / 2)
        if self._folder.command() != "stop":
            board.going.set()
            yield self._recorded(Paused(False))

    def _recorded(self, event: Event) -> Event:
        self._folder.append(event)
        return event


class _Board(Generic[T]):
    """State shared by the thread of a stage and the thread that waits for it."""

    def __init__(self, name: str) -> None:
        self.stage = Stage(name)
        self.ended, self.going = threading.Event(), threading.Event()
        self.going.set()
        self.left = False
        self.result: Any = None
        self.error: BaseException | None = None

    def say(self, name: str, done: int = 0, total: int = 0) -> None:
        self.stage = Stage(name, done, total)
        self.going.wait()
        if self.left:
            raise _LeftError

    def run(self, work: Callable[[Say], T]) -> None:
        try:
            self.result = work(self.say)
        except BaseException as error:  # noqa: BLE001  # raised again where the result is awaited
            self.error = error
        finally:
            self.ended.set()
