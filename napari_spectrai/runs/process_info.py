"""The process that works in a run folder: what it says of itself, and what another process can do about it."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil

_alone = False


def works_alone() -> None:
    """Say that this process does nothing but one run, so that it may be ended when it does not listen."""
    global _alone  # noqa: PLW0603  # a fact about the process
    _alone = True


@dataclass(frozen=True, slots=True)
class ProcessInfo:
    """A process as it claims a run folder.

    Parameters
    ----------
    pid : int
    started : float
        When the process began, seconds since the epoch: a process number may be given again.
    host : str
    alone : bool
        Whether it does nothing else; a console that trains does, and is never ended from outside.
    """

    pid: int
    started: float
    host: str
    alone: bool = False

    @classmethod
    def here(cls) -> ProcessInfo:
        """Return this process."""
        me = psutil.Process()
        return cls(me.pid, me.create_time(), platform.node(), _alone)

    @property
    def is_near(self) -> bool:
        """Whether it is on this machine, where it can be asked after."""
        return self.host == platform.node()

    def process(self) -> psutil.Process | None:
        """Return the living process, if it is on this machine."""
        try:
            found = psutil.Process(self.pid)
            # a zombie is dead; whoever started it has not looked yet
            living = abs(found.create_time() - self.started) < 1 and found.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return None
        return found if living else None

    @property
    def alive(self) -> bool:
        """Whether it lives; of a process on another machine that is taken for granted, and its claim removed by hand if it is wrong."""
        return not self.is_near or self.process() is not None


class ForeignProcess:
    """A process that another one started, in the place of the `subprocess.Popen` of one's own.

    Parameters
    ----------
    owner : Owner
    works : callable
        Whether it still claims the folder.
    code : callable
        Its exit code as the journal tells it.
    """

    def __init__(self, owner: ProcessInfo, works: Callable[[], bool], code: Callable[[], int]) -> None:
        self._owner, self._works, self._code = owner, works, code
        self._ended: int | None = None
        self.pid = owner.pid

    def poll(self) -> int | None:
        """Return the exit code, or None while it works."""
        if self._ended is None and not self._works():
            self._ended = self._code()
        return self._ended

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended."""
        end = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if end is not None and timeout is not None and time.monotonic() >= end:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
            time.sleep(0.05)
        return code

    def terminate(self) -> None:
        """End it in order."""
        if (process := self._to_be_ended()) is not None:
            process.terminate()

    def kill(self) -> None:
        """End it at once."""
        if (process := self._to_be_ended()) is not None:
            process.kill()

    def _to_be_ended(self) -> psutil.Process | None:
        if not self._owner.is_near:
            raise RuntimeError(f"process {self.pid} does not listen, and works on {self._owner.host}; end it there")
        if not self._owner.alone or self.pid == os.getpid():
            raise RuntimeError(f"process {self.pid} does not listen, and does more than this run; interrupt the training there")
        return self._owner.process()
