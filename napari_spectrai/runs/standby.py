"""A process that has loaded what jobs need and waits for its job, so that the job begins at once instead of after seconds of loading."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

SWITCH = "NAPARI_SPECTRAI_STANDBY"
"""Environment variable: 0 keeps no process waiting."""
LEAST_FREE = 2 << 30
"""Bytes of memory that have to be free before a process is kept waiting; it takes some 0.4 GB."""
LONGEST = 4_000
"""Bytes of an order, which every operating system lets a pipe take without a reader; a longer one starts a process of its own."""


@dataclass
class Standby:
    """The process that waits, if there is one, and the environment in which it was started."""

    process: subprocess.Popen[bytes] | None = None
    environment: dict[str, str] = field(default_factory=dict)

    def keep(self) -> None:
        """Start a process that waits for the next job, unless one does, memory is short, or the user has switched that off.

        It ends with this process, whose end closes the pipe that it reads.
        """
        if os.environ.get(SWITCH) == "0" or psutil.virtual_memory().available < LEAST_FREE:
            return
        if self._is_usable():
            return
        self.dismiss()
        self.environment = dict(os.environ)
        with suppress(OSError):  # a job would say why no process can be started
            self.process = subprocess.Popen(
                [sys.executable, "-m", "napari_spectrai.cli.standby"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                env=self.environment | {"PYTHONUNBUFFERED": "1"},
            )

    def dismiss(self) -> None:
        """End the process that waits, if there is one."""
        process, self.process = self.process, None
        if process is None:
            return
        process.kill()  # it works on nothing yet
        process.wait()
        if process.stdin is not None:
            process.stdin.close()

    def take(self, arguments: Sequence[str], log: Path, place: Path) -> subprocess.Popen[bytes] | None:
        """Give the waiting process its job, and return it; None if none waits, or the environment has changed since it started.

        Parameters
        ----------
        arguments : sequence of str
            Of the command ``napari-spectrai``.
        log : path
            The file to which its output is appended.
        place : path
            Its working directory.
        """
        order = json.dumps({"arguments": list(arguments), "log": str(log.absolute()), "place": str(place.absolute())}).encode() + b"\n"
        if self.process is None or len(order) > LONGEST:
            return None
        if not self._is_usable():
            self.dismiss()
            return None
        process, self.process = self.process, None
        assert process.stdin is not None  # noqa: S101  # it was started with a pipe
        try:
            os.write(process.stdin.fileno(), order)
        except BrokenPipeError:  # it has ended since
            process.stdin.close()
            process.wait()
            return None
        return process

    def _is_usable(self) -> bool:
        return self.process is not None and self.process.poll() is None and self.environment == dict(os.environ)


standby = Standby()
