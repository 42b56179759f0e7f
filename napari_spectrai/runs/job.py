"""A process that works in a folder, started here or found running, and how to follow and control it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Protocol

from napari_spectrai.runs.events import Event, Failed, Finished
from napari_spectrai.runs.folder import RunFolder
from napari_spectrai.runs.journal import gone, readable
from napari_spectrai.runs.process_info import ForeignProcess
from napari_spectrai.runs.standby import standby

_LET_GO = b"1"
"""Written to the pipe by the starting process, so that its own end is not taken as the signal to stop."""
LOG_END = 4000
"""Bytes at the end of a log that say why its process has ended."""


def _cwd_exists() -> bool:
    try:
        return Path.cwd().is_dir()
    except OSError:
        return False


class Worker(Protocol):
    """What `subprocess.Popen` and a process started elsewhere have in common."""

    pid: int

    def poll(self) -> int | None:
        """Return the exit code, or None while it works."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended."""

    def terminate(self) -> None:
        """End it in order."""

    def kill(self) -> None:
        """End it at once."""


class Job:
    """A command of ``napari-spectrai`` that works in a folder, followed through the folder's journal.

    The process watches a pipe from its starter: if the starter dies, however suddenly, the job saves and ends,
    unless `detach` was called before.

    Parameters
    ----------
    folder : RunFolder
    arguments : sequence of str
        Of the command.
    remains : bool
        Whether its results can be found later when no process has followed it.
    """

    def __init__(self, folder: RunFolder, arguments: Sequence[str] = (), *, remains: bool = False) -> None:
        self.folder = folder
        self.arguments = list(arguments)
        self.remains = remains
        self._worker: Worker | None = None
        self._pipe: IO[bytes] | None = None
        self._position = self._logged = 0
        self._journal: int | None = None
        self._stale: int | None = None
        self._last: Event | None = None
        self._ended = self._killed = False
        self.behind = False

    def start(self) -> None:
        """Start the process, or give the job to the one that waits (`standby`)."""
        self.folder.say("")
        self._stale = self.folder.journal.stat().st_ino if self.folder.journal.exists() else None
        self._ended = self._killed = False
        self._logged = self.folder.log.stat().st_size if self.folder.log.exists() else 0
        command = [*self.arguments, "--attached"]
        place = None if _cwd_exists() else self.folder.path
        process = standby.take(command, self.folder.log, place or Path.cwd(), self._code) or self._new_process(command, place)
        self._worker, self._pipe = process, process.stdin

    def _new_process(self, command: Sequence[str], place: Path | None) -> subprocess.Popen[bytes]:
        with self.folder.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "napari_spectrai", *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=place,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
            )

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._worker is not None and self._worker.poll() is None

    @property
    def pid(self) -> int | None:
        """The process, if one is known to have worked here."""
        return None if self._worker is None else self._worker.pid

    @property
    def tied(self) -> bool:
        """Whether it runs and would end with this process."""
        return self._pipe is not None and not self._pipe.closed and self.alive

    @property
    def attached(self) -> bool:
        """Whether this handle only follows and controls a process that another one has started."""
        return isinstance(self._worker, ForeignProcess)

    def poll(self, most: int = -1) -> list[Event]:
        """Return the events since the last call, without waiting; a process that died without reporting is reported as `Failed`.

        `most` bytes of the journal are read, so that a window can read a long one piece by piece; `behind` says that there is more.
        """
        alive = self.alive  # determined before reading, so that the last events are not missed
        found: list[Event] = []
        if self.folder.journal.exists():
            with self.folder.journal.open("rb") as file:
                identity = os.fstat(file.fileno()).st_ino
                if identity == self._stale and alive:  # of the previous process: the resumed run has yet to take it over
                    return []
                if identity != self._journal:  # a resumed run has truncated its journal: read it from the start
                    self._journal, self._position = identity, 0
                file.seek(self._position)
                read = file.read(most)
                if len(read) == most:  # to the end of the line
                    read += file.readline()
                self.behind = file.tell() < os.fstat(file.fileno()).st_size
                whole, newline, _ = read.rpartition(b"\n")
            self._position += len(whole) + len(newline)
            found = [event for line in whole.split(b"\n") if (event := readable(line)) is not None]
        if found:
            self._last = found[-1]
        if self._worker is not None and not alive and not self._ended and not self.behind:
            self._ended = True
            if self._worker.poll() == 1 and self._find_worker():  # of two processes that resumed the run at once, this one was refused
                return found
            if self._worker.poll() not in (0, 3) and not isinstance(self._last, Failed):
                killed = Finished("stopped", notes=[f"The process was ended before it had saved; {self._remains_words()}"])
                found.append(killed if self._killed else Failed(self._cause_of_death(), self._log_end()))
        return found

    def events(self) -> Iterator[Event]:
        """Yield events until the process has ended."""
        while True:
            alive = self.alive
            yield from self.poll()
            if not alive:
                return
            time.sleep(0.05)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the process; return its exit code: 0 done, 1 failed, 2 wrong use, 3 stopped and resumable."""
        if self._worker is None:
            raise RuntimeError("the job was not started; call start()")
        return self._worker.wait(timeout)

    def stop(self, grace: float = 10.0) -> None:
        """Stop: ask through `control`, after `grace` seconds terminate, then kill. What was saved is kept.

        Raises
        ------
        RuntimeError
            If the process was found running, does not respond, and cannot or must not be ended from here.
        """
        worker = self._worker
        if worker is None or worker.poll() is not None:
            return
        with suppress(OSError):  # a process that cannot be asked is ended
            self.ask_to_stop()
        for end in (None, worker.terminate, worker.kill):
            if end is not None:
                self._killed = True
                end()
            try:
                worker.wait(grace)
                break
            except subprocess.TimeoutExpired:
                continue
        self.close()

    def ask_to_stop(self) -> None:
        """Ask through `control`, without waiting; where that file cannot be written, by closing the pipe, which means the same."""
        try:
            self.folder.say("stop")
        except OSError:  # a full disk, or a removed folder
            if self._pipe is None or self._pipe.closed:
                raise
            self._pipe.close()

    def detach(self) -> None:
        """Let the job run on when this process ends, and when this handle is closed; from then on `Run.attach` finds it."""
        if self._pipe is None or self._pipe.closed:
            return
        try:
            os.write(self._pipe.fileno(), _LET_GO)
        except BrokenPipeError:  # it has ended in the meantime
            pass
        finally:
            self._pipe.close()

    def close(self) -> None:
        """Close the pipe; a process still running takes that as the signal to save and end, unless it was detached."""
        if self._pipe is not None:
            self._pipe.close()

    def _find_worker(self) -> bool:
        """Follow the process that works in the folder, if there is one; return whether there is."""
        return False

    def _code(self) -> int:
        """Return the exit code of a process that another one started, as the journal shows it."""
        try:
            ending = self.folder.last_event()
        except (ValueError, OSError):  # a journal that cannot be read
            return 1
        if isinstance(ending, Finished):
            return 3 if ending.reason == "stopped" else 0
        return 1

    def _cause_of_death(self) -> str:
        code = self.wait()
        how = f"was killed (signal {-code})" if code < 0 else f"ended with exit code {code}"
        if isinstance(self._worker, ForeignProcess):
            how = "ended"  # only the process that started it knows more
        if said := self._last_words():
            return said
        if not self.folder.path.is_dir():
            return gone(self.folder.path)
        return f"The process {how} without reporting why; {self._remains_words()}"

    def _last_words(self) -> str:
        """Return the error with which the command of this process ended, as its log holds it; empty if there is none."""
        if not self.folder.log.exists():
            return ""
        with self.folder.log.open("rb") as log:
            log.seek(max(self._logged, log.seek(0, os.SEEK_END) - LOG_END))
            written = log.read().decode("utf-8", errors="replace")
        _, found, words = f"\n{written}".rpartition("\nerror: ")
        return words.strip() if found and "Traceback" not in words else ""

    def _remains_words(self) -> str:
        return f"its log is {self.folder.log}"

    def _log_end(self) -> str:
        return self.folder.log.read_text(encoding="utf-8", errors="replace")[-LOG_END:] if self.folder.log.exists() else ""
