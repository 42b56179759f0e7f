"""A process that has loaded what jobs need and waits for them, so that they begin at once instead of after seconds of loading.

On Linux it divides itself for each job and goes on waiting (`fork_server`). Elsewhere it becomes the job, and another one is started.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from napari_spectrai.runs.fork_server import READY, ForkedJob, can_fork, start_job

SWITCH = "NAPARI_SPECTRAI_STANDBY"
"""Environment variable: 0 keeps no process waiting."""
LEAST_FREE = 2 << 30
"""Bytes of memory that have to be free before a process is kept waiting; it takes some 0.4 GB."""
LONGEST = 4_000
"""Bytes of an order, which every operating system lets a pipe take without a reader; a longer one starts a process of its own."""
AT_LOADING = ("BLIS_", "GOMP_", "HDF5_", "KMP_", "LD_", "MKL_", "NUMBA_", "NUMEXPR_", "OMP_", "OPENBLAS_", "PYTHON", "TORCH", "VECLIB_")
"""Beginnings of the variables that libraries read when they are loaded: a process that has loaded them under other values is of no use."""
SET_AT_IMPORT = {"GOMP_SPINCOUNT": "1000", "KMP_DUPLICATE_LIB_OK": "True", "KMP_INIT_AT_FORK": "FALSE"}
"""What `learn` and scikit-learn set where it is not set, when they are imported, by the process that waits or by its starter."""


@dataclass
class Standby:
    """The process that waits, if there is one.

    Parameters
    ----------
    forks : bool
        Whether it divides itself for each job; default: where that is possible.
    """

    forks: bool = field(default_factory=can_fork)
    process: subprocess.Popen[bytes] | None = None
    _environment: dict[str, str] = field(default_factory=dict)
    _connection: socket.socket | None = None
    _ready: bool = False

    def keep(self) -> None:
        """Start a process that waits for jobs, unless one does, memory is short, or the user has switched that off.

        It ends with this process, whose end closes the pipe or socket that it reads.
        """
        if os.environ.get(SWITCH) == "0" or psutil.virtual_memory().available < LEAST_FREE:
            return
        if self._is_usable():
            return
        self.dismiss()
        self._environment = dict(os.environ)
        with suppress(OSError):  # a job would say why no process can be started
            if self.forks:
                self._connection, theirs = socket.socketpair()
                with theirs:
                    self.process = self._started(theirs.fileno(), "--fork")
            else:
                self.process = self._started(subprocess.PIPE)

    def _started(self, stdin: int, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "napari_spectrai.cli.standby", *arguments],
            stdin=stdin,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env=self._environment | {"PYTHONUNBUFFERED": "1"},
        )

    @property
    def ready(self) -> bool:
        """Whether a process that divides itself for each job waits for one, and has loaded."""
        if self._connection is not None and not self._ready:
            with suppress(BlockingIOError):
                self._ready = self._connection.recv(1, socket.MSG_DONTWAIT) == READY
        return self._ready

    def dismiss(self) -> None:
        """End the process that waits, if there is one; jobs that it has made work on."""
        process, self.process = self.process, None
        connection, self._connection = self._connection, None
        self._ready = False
        if connection is not None:
            connection.close()
        if process is None:
            return
        process.kill()  # it works on nothing itself
        process.wait()
        if process.stdin is not None:
            process.stdin.close()

    def take(
        self, arguments: Sequence[str], log: Path, place: Path, code: Callable[[], int] = lambda: 1
    ) -> subprocess.Popen[bytes] | ForkedJob | None:
        """Start a job by the waiting process; None if none waits, or the environment has changed since it was started.

        Parameters
        ----------
        arguments : sequence of str
            Of the command ``napari-spectrai``.
        log : path
            The file to which its output is appended.
        place : path
            Its working directory.
        code : callable
            The exit code of the job as its journal shows it, asked for where the waiting process was killed before the job ended.
        """
        if self.process is None:
            return None
        if not self._is_usable():
            self.dismiss()
            return None
        if self._connection is None:
            return self._become(arguments, log, place)
        if not self.ready:
            return None
        environment = dict(os.environ) | {"PYTHONUNBUFFERED": "1"}
        job = start_job(self._connection, arguments, log, place.absolute(), environment, code)
        if job is None:
            self.dismiss()
        return job

    def _become(self, arguments: Sequence[str], log: Path, place: Path) -> subprocess.Popen[bytes] | None:
        """Let the waiting process become the job."""
        order = json.dumps({"arguments": list(arguments), "log": str(log.absolute()), "place": str(place.absolute())}).encode() + b"\n"
        if len(order) > LONGEST:
            return None
        process, self.process = self.process, None
        assert process is not None  # noqa: S101  # the caller has looked
        assert process.stdin is not None  # noqa: S101  # it was started with a pipe
        try:
            os.write(process.stdin.fileno(), order)
        except BrokenPipeError:  # it has ended since
            process.stdin.close()
            process.wait()
            return None
        return process

    def _is_usable(self) -> bool:
        if self.process is None or self.process.poll() is not None:
            return False
        if self.forks:  # the rest of the environment goes with the order
            return _read_at_loading(self._environment) == _read_at_loading(os.environ)
        return SET_AT_IMPORT | self._environment == SET_AT_IMPORT | os.environ


def _read_at_loading(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in (SET_AT_IMPORT | dict(environment)).items() if name.startswith(AT_LOADING)}


standby = Standby()
