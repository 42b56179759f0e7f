"""A folder in which one process works at a time: its lock, the process, and the commands that others give it."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import psutil

from napari_spectrai.files import write_text, writing
from napari_spectrai.parsing import read_document, refuse_special
from napari_spectrai.runs import lock
from napari_spectrai.runs.process_info import ProcessInfo, is_alone, was_started

Command = Literal["", "stop", "pause", "resume"]
_asked_here: dict[Path, Command] = {}
"""Commands of this process to itself, by folder."""


class WorkingFolder:
    """A folder with a lock. Only the process that works here writes its files; others read them, and write `control`."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).absolute()
        self.environment = self.path / "environment.json"
        self._control = self.path / "control"
        self._owner = self.path / "process.json"
        self._lock = self.path / "process.lock"

    @contextmanager
    def held_for_a_moment(self) -> Iterator[None]:
        """Hold the lock for a moment.

        Raises
        ------
        HeldError
            If another process works here.
        """
        if self.owner() is not None:
            raise lock.HeldError
        with writing(self._lock):
            lock.hold(self._lock, alone=False)
        try:
            yield
        finally:
            lock.release(self._lock)

    def say(self, command: Command) -> None:
        """Write a command for the process that works here."""
        _asked_here.pop(self.path, None)
        write_text(self._control, command, durable=False)

    def stop_here(self) -> None:
        """Command this process itself, which works here, to stop: without the disk, which may be full or gone."""
        _asked_here[self.path] = "stop"

    def consume_command(self) -> None:
        """Remove the command once it was followed, so that a resumed run does not follow it again."""
        _asked_here.pop(self.path, None)
        with suppress(OSError):  # on a full disk it stays, and is cleared by whoever works here next
            self.say("")

    def command(self) -> Command:
        """Return the last command written since this process began to work here."""
        if self.path in _asked_here:
            return _asked_here[self.path]
        try:
            refuse_special(self._control)
            with self._control.open("rb") as file:
                word = file.read(20).decode("utf-8", "replace").strip()
        except (OSError, ValueError):
            return ""
        return word if word in ("stop", "pause", "resume") else ""  # type: ignore[return-value]

    def claim(self, begin: Callable[[], object] = lambda: None) -> None:
        """Take the folder's lock and record that this process works here; refuse if another running process does.

        Parameters
        ----------
        begin : callable
            Called as soon as no other process can work here, before anything is written; if it raises, nothing is claimed.

        Raises
        ------
        RuntimeError
            If another process works here; of two that ask at once, one is refused.
        """
        owner = self.owner()
        try:
            if owner is not None:
                raise lock.HeldError
            with writing(self._lock):
                locked = lock.hold(self._lock, alone=is_alone())
        except lock.HeldError as error:
            owner = owner or self.owner()
            who = f"process {owner}" if owner else "another process"
            raise RuntimeError(f"{who} is already working in {self.path}; stop it first, or choose another run folder") from error
        try:
            begin()
            if not was_started():  # a command that is still there was for another process, which ended before it read it
                write_text(self._control, "", durable=False)
            write_text(self._owner, json.dumps(asdict(ProcessInfo.here(locked=locked))), durable=False)
            versions = {name: version(name) for name in ("napari-spectrai", "torch", "numpy")}
            environment = {"python": sys.version, "platform": platform.platform(), "versions": versions}
            write_text(self.environment, json.dumps(environment, indent=1), durable=False)
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Record that no process works here any more."""
        with suppress(OSError):  # of a folder that has vanished, or cannot be written
            self._owner.unlink(missing_ok=True)
        lock.release(self._lock)

    def worker(self) -> ProcessInfo | None:
        """Return the running process that works here, if there is one.

        The process that holds the folder's lock works here, whatever `process.json` contains. That file is trusted only for a process on
        another machine or of an earlier version, or where the file system has no locks.
        """
        held, said = lock.holder(self._lock), self._said()
        if held is None:
            if said is None or (said.locked and said.is_near):
                return None
            return replace(said, alone=False, locked=False) if said.alive else None
        if said is not None and held.pid in (0, said.pid):
            return replace(said, alone=held.alone, locked=True)
        return ProcessInfo(held.pid, 0.0, platform.node(), held.alone, locked=True)

    def _said(self) -> ProcessInfo | None:
        try:
            return ProcessInfo.from_json(read_document(self._owner))
        except (OSError, ValueError):  # none, or a damaged one, which says nothing
            return None

    def proven_worker(self, pid: int) -> psutil.Process | None:
        """Return the process, if it is proven that it works here and does nothing else, so that it may be ended."""
        return lock.proven(self._lock, pid)

    def owner(self) -> int | None:
        """Return the id of the running process that works on the run, if there is one."""
        worker = self.worker()
        return None if worker is None else worker.pid
