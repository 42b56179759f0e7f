"""The process that works in a run folder: what it records about itself, and how another process can wait for it or end it."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from napari_spectrai.parsing import parse_json

_alone = False
_started = False


def works_alone(*, started: bool = False) -> None:
    """Declare that this process does nothing but one run, so that it may be ended when it does not respond.

    `started`: by another one, which has cleared the signal in the run folder and may have left a new one since.
    """
    global _alone, _started  # facts about the process
    _alone, _started = True, started


def is_alone() -> bool:
    """Whether this process does nothing but one run."""
    return _alone


def was_started() -> bool:
    """Whether another process has started this one for its run."""
    return _started


@dataclass(frozen=True, slots=True)
class ProcessInfo:
    """A process that claims to work in a run folder. No process is ended on the strength of this alone, see `lock`.

    Parameters
    ----------
    pid : int
    started : float
        When the process started, in seconds since the epoch, since process numbers are reused.
    host : str
    alone : bool
        Whether it does nothing else; a console that trains does, and is never ended from outside.
    locked : bool
        Whether it holds the lock of the folder; not in earlier versions, nor where the file system has no locks.
    """

    pid: int
    started: float
    host: str
    alone: bool = False
    locked: bool = False

    @classmethod
    def here(cls, *, locked: bool = False) -> ProcessInfo:
        """Return this process."""
        me = psutil.Process()
        return cls(me.pid, me.create_time(), platform.node(), _alone, locked)

    @classmethod
    def from_json(cls, text: str) -> ProcessInfo:
        """Read the record of a process; ValueError where it is damaged."""
        plain = parse_json(text, "process.json")
        if not isinstance(plain, dict):
            raise ValueError("process.json holds no mapping")
        pid, started, host = plain.get("pid"), plain.get("started"), plain.get("host")
        if isinstance(pid, bool) or not isinstance(pid, int) or not 0 < pid < 2**31:
            raise ValueError("process.json names no process")
        if isinstance(started, bool) or not isinstance(started, int | float) or not isinstance(host, str):
            raise ValueError("process.json names no process")
        return cls(pid, float(started), host, plain.get("alone") is True, plain.get("locked") is True)

    @property
    def is_near(self) -> bool:
        """Whether it is on this machine, where its state can be determined."""
        return self.host == platform.node()

    @property
    def alive(self) -> bool:
        """Whether it seems to be alive; on another machine that is assumed, and a wrong claim has to be removed by hand."""
        if not self.is_near:
            return True
        try:
            found = psutil.Process(self.pid)
            # a zombie has ended; the process that started it has not waited for it yet
            living = abs(found.create_time() - self.started) < 1 and found.status() != psutil.STATUS_ZOMBIE
            return living and any(word in f"{found.name()} {found.exe()}".lower() for word in ("python", "napari"))
        except psutil.NoSuchProcess:
            return False
        except psutil.Error:
            return True


class ForeignProcess:
    """A process that another one started, with the interface of `subprocess.Popen`.

    Parameters
    ----------
    owner : ProcessInfo
    works : callable
        Whether it still works in the folder.
    code : callable
        Its exit code as the journal shows it.
    proven : callable
        The process, if it is beyond doubt the one that works in the folder and does nothing else; no other is ever ended.
    """

    def __init__(
        self, owner: ProcessInfo, works: Callable[[], bool], code: Callable[[], int], proven: Callable[[], psutil.Process | None]
    ) -> None:
        self._owner, self._works, self._code, self._proven = owner, works, code, proven
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
        if self.poll() is None:
            self._to_be_ended().terminate()

    def kill(self) -> None:
        """End it at once."""
        if self.poll() is None:
            self._to_be_ended().kill()

    def _to_be_ended(self) -> psutil.Process:
        if not self._owner.is_near:
            raise RuntimeError(f"process {self.pid} does not respond, and works on another machine; end it there")
        if self._owner.locked and (not self._owner.alone or self.pid == os.getpid()):
            raise RuntimeError(f"process {self.pid} does not respond, and does more than this run; interrupt the training there")
        process = self._proven()
        if process is None:
            raise RuntimeError(
                f"process {self.pid} does not respond, and it cannot be proven that it is the one that works here; "
                "end it yourself if you know that it is"
            )
        return process
