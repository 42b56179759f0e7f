"""A process that has loaded what jobs need, and divides itself (fork) for each job: what starters and the process say to each other.

The starter and the process share a pair of sockets. The process sends `READY` when it has loaded. For each job the starter sends three
files (standard input, log, report) with a document in JSON. Into `report` go the number of the job's process, then its exit code.
"""

from __future__ import annotations

import errno
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

READY = b"+"
LENGTH = struct.Struct("!Q")
PATIENCE = 30.0
"""Seconds in which a process that is ready has to divide itself; it takes milliseconds on a machine that is not paging."""


def can_fork() -> bool:
    """Whether a process that has loaded torch can be forked: on Linux. Apple's libraries do not survive it, and Windows has no fork."""
    if sys.platform != "linux":
        return False
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError:  # a kernel before 5.3, or a sandbox
        return False
    return True


class ForkedJob:
    """A job's process that the server has made, with the interface of `subprocess.Popen`; several threads may use it at once.

    Parameters
    ----------
    pid : int
    stdin : file
        Its standard input.
    report : int
        File descriptor from which its exit code is read.
    code : callable
        Its exit code as the journal shows it, asked for where the server has died before the job.
    """

    def __init__(self, pid: int, stdin: IO[bytes], report: int, code: Callable[[], int]) -> None:
        self.pid, self.stdin = pid, stdin
        self._report, self._code = report, code
        self._handle: int | None = None
        with suppress(ProcessLookupError):  # it has ended
            self._handle = os.pidfd_open(pid)
        self.returncode: int | None = None
        self._reading, self._closing = threading.Lock(), threading.Lock()

    def poll(self) -> int | None:
        """Return the exit code, or None while it works, or while another thread waits for its end."""
        if self._reading.acquire(blocking=False):
            try:
                return self._read(0)
            finally:
                self._reading.release()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended."""
        code = None
        if self._reading.acquire(timeout=-1 if timeout is None else timeout):
            try:
                code = self._read(timeout)
            finally:
                self._reading.release()
        if code is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
        return code

    def terminate(self) -> None:
        """End it in order."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        self.poll()
        with self._closing, suppress(ProcessLookupError):
            if self._handle is not None:
                signal.pidfd_send_signal(self._handle, number)  # never another process that has its number since

    def _read(self, timeout: float | None) -> int | None:
        if self.returncode is None and _readable(self._report, timeout):
            line = os.read(self._report, 64)
            if not line and self._handle is not None and not _readable(self._handle, timeout):  # the server has died, the job lives
                return None
            self.returncode = int(line) if line else self._code()
            self._close()
        return self.returncode

    def _close(self) -> None:
        os.close(self._report)
        with self._closing:
            if self._handle is not None:
                os.close(self._handle)
                self._handle = None

    def __del__(self) -> None:
        if self.returncode is None:
            self._close()


def start_job(
    connection: socket.socket, arguments: Sequence[str], log: Path, place: Path, environment: Mapping[str, str], code: Callable[[], int]
) -> ForkedJob | None:
    """Let the server make the process of a job; None if it is not ready, or has died."""
    order = json.dumps({"arguments": list(arguments), "place": os.fspath(place), "environment": dict(environment)}).encode()
    with log.open("ab") as output:
        theirs, ours = os.pipe()
        report, written = os.pipe()
        try:
            socket.send_fds(connection, [LENGTH.pack(len(order))], [theirs, output.fileno(), written])
            connection.sendall(order)
        except OSError:  # it has died
            os.close(ours)
            os.close(report)
            return None
        finally:
            os.close(theirs)
            os.close(written)
    pid = os.read(report, LENGTH.size) if _readable(report, PATIENCE) else b""
    if len(pid) < LENGTH.size:
        os.close(ours)  # a process that is made nevertheless ends at once
        os.close(report)
        return None
    return ForkedJob(LENGTH.unpack(pid)[0], os.fdopen(ours, "wb", buffering=0), report, code)


@dataclass(frozen=True, slots=True)
class Order:
    """What a forked process is to do."""

    arguments: list[str]
    place: str
    environment: dict[str, str]


def serve(connection: socket.socket) -> Order | None:
    """Make processes until the starter has ended; returns its order in each of them, and None in the process itself."""
    jobs: dict[int, tuple[int, int]] = {}  # by the handle of a process: its number, and where its end is reported
    connection.sendall(READY)
    while True:
        ready, _, _ = select.select([connection.fileno(), *jobs], [], [])
        for handle in set(ready).intersection(jobs):
            _report_end(handle, *jobs.pop(handle))
        if connection.fileno() not in ready:
            continue
        received = _received(connection)
        if received is None:
            return None
        order, files = received
        pid = os.fork()
        if pid == 0:
            connection.close()
            for handle, (_, report) in jobs.items():
                os.close(handle)
                os.close(report)
            _take_over(order, files)
            return order
        stdin, log, report = files
        os.close(stdin)
        os.close(log)
        with suppress(BrokenPipeError):  # the starter has died
            os.write(report, LENGTH.pack(pid))
        jobs[os.pidfd_open(pid)] = pid, report


def _received(connection: socket.socket) -> tuple[Order, list[int]] | None:
    try:
        length, files, _, _ = socket.recv_fds(connection, LENGTH.size, 3)
        if len(length) < LENGTH.size or len(files) < 3:
            return None
        size = LENGTH.unpack(length)[0]
        text = bytearray()
        while len(text) < size:
            piece = connection.recv(size - len(text))
            if not piece:
                return None
            text += piece
    except OSError as error:
        if error.errno != errno.ECONNRESET:
            raise
        return None
    return Order(**json.loads(text)), files


def _take_over(order: Order, files: Sequence[int]) -> None:
    """Give this process the standard files, the folder and the environment of a process of its own."""
    stdin, log, report = files
    os.setsid()
    for source, target in ((stdin, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    for file in (stdin, log, report):
        os.close(file)
    os.environ.clear()
    os.environ.update(order.environment)
    os.chdir(order.place)


def _report_end(handle: int, pid: int, report: int) -> None:
    _, status = os.waitpid(pid, 0)
    os.close(handle)
    with suppress(BrokenPipeError):  # nobody follows the job
        os.write(report, f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os.close(report)


def _readable(file: int, timeout: float | None) -> bool:
    poll = select.poll()  # `select.select` takes no more than 1024 open files
    poll.register(file, select.POLLIN | select.POLLHUP)
    return bool(poll.poll(None if timeout is None else timeout * 1000))
