"""Processes on this machine that do the parts of a job, one for each device."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil

from napari_spectrai.runs.events import Progress
from napari_spectrai.runs.part import Part
from napari_spectrai.runs.part_record import PartRecord

RESTARTS = 3
"""How often a process that was killed is started again without having made progress."""
GRACE = 10.0
"""Seconds that processes get to end."""
TIED = "NAPARI_SPECTRAI_TIED"
"""Environment variable of a process that ends when its standard input is closed, since no process follows it any more."""
_STOPPED = 3
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS", "NUMBA_NUM_THREADS", "DASK_NUM_WORKERS")


def working(arguments: Sequence[str], record: PartRecord, count: int) -> Generator[Progress, None, None]:
    """Do what is missing of a job in parts, by several processes at a time; yield progress.

    Closing the generator ends the processes; what they have finished is kept, and is not done again.

    Parameters
    ----------
    arguments : sequence of str
        Of ``napari-spectrai``, without the part.
    record : PartRecord
    count : int
        How many processes there are at a time; each computes with its share of the processors, or on a GPU of its own.

    Raises
    ------
    RuntimeError
        If a part fails (with its message), or its process is killed again and again.
    """
    waiting, places = deque(record.missing), deque(range(count))
    running: list[_Worker] = []
    with ExitStack() as files:
        folder = Path(files.enter_context(tempfile.TemporaryDirectory(prefix="napari-spectrai-")))
        files.callback(_end, running)
        while waiting or running:
            while waiting and places:
                worker = _Worker(Part(waiting.popleft(), record.count), list(arguments), places.popleft(), folder)
                worker.start(count)
                running.append(worker)
            for worker in [one for one in running if one.poll() is not None]:
                if worker.failed():
                    worker.start_again(record, count)
                else:
                    running.remove(worker)
                    places.append(worker.place)
            yield record.progress()
            time.sleep(0.05)


@dataclass(slots=True)
class _Worker:
    """A process that does one part; `place` is its number among those that run."""

    part: Part
    arguments: list[str]
    place: int
    folder: Path
    process: subprocess.Popen[bytes] | None = None
    restarts: int = 0
    seen: int = -1

    @property
    def log(self) -> Path:
        return self.folder / f"part-{self.part.number}.txt"

    def start(self, count: int) -> None:
        words = [sys.executable, "-m", "napari_spectrai", *self.arguments, "--part", str(self.part)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                words, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, env=_environment(os.environ, self.place, count)
            )

    def poll(self) -> int | None:
        assert self.process is not None  # noqa: S101
        return self.process.poll()

    def failed(self) -> bool:
        """Return whether the process was killed or stopped; raise where it reports an error."""
        code = self.poll()
        self.close()
        if code is not None and (code < 0 or code == _STOPPED):
            return True
        if code:
            raise RuntimeError(f"part {self.part} failed: {self._message()}")
        return False

    def close(self) -> None:
        """Close the pipe, which a process that still works takes as the signal to end."""
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()

    def start_again(self, record: PartRecord, count: int) -> None:
        done = record.state(self.part.number).done
        self.restarts = self.restarts + 1 if done == self.seen else 1
        self.seen = done
        if self.restarts > RESTARTS:
            raise RuntimeError(
                f"the process of part {self.part} was killed {self.restarts} times without finishing a tile, as happens where memory is "
                "short; use fewer workers or smaller tiles"
            )
        self.start(count)

    def _message(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        starts = [number for number, line in enumerate(lines) if line.startswith("error:")]
        return " ".join(lines[starts[-1] :]).removeprefix("error:").strip() if starts else "\n".join(lines[-5:])


def _environment(environment: Mapping[str, str], place: int, count: int) -> dict[str, str]:
    """Return the environment of a process: its share of the processors, and the GPU that it uses."""
    found = {**share_of_processors(environment, count), TIED: "1", "PYTHONUNBUFFERED": "1"}
    devices = _gpus(environment)
    if devices:
        found["CUDA_VISIBLE_DEVICES"] = devices[place % len(devices)]
    return found


def processors() -> int:
    """Return the number of processors that this process may use."""
    return len(psutil.Process().cpu_affinity() or [0]) if hasattr(psutil.Process, "cpu_affinity") else psutil.cpu_count() or 1


def share_of_processors(environment: Mapping[str, str], count: int) -> dict[str, str]:
    """Return an environment in which a process computes with its share of the processors, of `count` processes."""
    cores, found = processors(), dict(environment)
    for name in _THREADS:
        given = environment.get(name, "")
        found[name] = str(min(int(given) if given.isdigit() else cores, max(1, cores // count)))
    return found


def _gpus(environment: Mapping[str, str]) -> list[str]:
    """Return the GPUs that processes may use."""
    chosen = environment.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [one.strip() for one in chosen.split(",") if one.strip()]
    return [str(number) for number in range(len(list(Path("/dev").glob("nvidia[0-9]*"))))]


def _end(running: Sequence[_Worker]) -> None:
    """End all processes, and wait for them."""
    processes = [worker.process for worker in running if worker.process is not None]
    for process in processes:
        process.terminate()
    until = time.monotonic() + GRACE
    for process in processes:
        try:
            process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for worker in running:
        worker.close()
