"""A large sparse Zarr predicted by Dask workers: ``python benchmarks/cluster.py [--gigabytes 20] [--runs 1 2 killed]``.

Starts a scheduler and worker processes of one thread each, and predicts the same store three times through ``predict(…, client=client)``:
by one worker, by two, and by two of which one is killed (signal 9) half-way. Prints time, processor time of the workers, efficiency of two
against one, the most memory of a worker, and whether the three results are the same bytes.

Of the store, one chunk in fifty holds data; the others are not there and read as its fill value, so that 20 GB take little space on the
disk. All of its pixels are prepared, computed and written: what a real store needs more is reading from the disk.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
import zarr
from distributed import Client

from napari_spectrai import Cube, Experiment, SpectralAxis, predict, train
from napari_spectrai.io.zarr import create
from napari_spectrai.runs.part_record import PartRecord

BANDS, WIDTH = 50, 4096
FILLED = 50
"""One in so many rows of chunks holds data."""
RUNS = {"1": (1, False), "2": (2, False), "killed": (2, True)}
"""Number of workers of each run, and whether one of them is killed."""
ENVIRONMENT = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


@dataclass
class Usage:
    """The largest memory of a worker of its own (no pages of mapped files), and the processor time of all, in MB and seconds."""

    memory: float = 0.0
    processor: dict[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Cluster:
    """A scheduler with workers, and a client of it."""

    client: Client
    usage: Usage


def store(path: Path, gigabytes: float) -> Path:
    """Write the sparse store."""
    rows = round(gigabytes * 1e9 / (4 * BANDS * WIDTH) / 64) * 64
    axis = SpectralAxis(np.linspace(400, 1800, BANDS), "1/cm")
    cube = Cube(np.broadcast_to(np.float32(1), (rows, WIDTH, BANDS)), axis)
    array = create(path, cube, np.float32, fill=1)
    rng = np.random.default_rng(0)
    for row in range(0, rows, 64 * FILLED):
        array[row : row + 64] = rng.random((64, WIDTH, BANDS), np.float32) + 0.5
    return path


def model(path: Path, folder: Path) -> Path:
    """Fit a ridge regression for a moment, and return its file."""
    rng = np.random.default_rng(1)
    axis = SpectralAxis(np.linspace(400, 1800, BANDS), "1/cm")
    clean = (rng.random((32, 32, 4), np.float32) @ rng.random((4, BANDS), np.float32)).astype(np.float32) + 1
    noisy = clean + rng.normal(0, 0.1, clean.shape).astype(np.float32)
    experiment = Experiment.from_mapping({"task": "denoising", "network": "ridge", "preparation": ["scale"]})
    return train(experiment, Cube(noisy, axis), Cube(clean, axis), run=folder).save(path)


@contextlib.contextmanager
def cluster(workers: int, folder: Path) -> Iterator[Cluster]:
    """Start a scheduler and workers as processes, and follow what they use."""
    file = folder / f"scheduler-{time.time_ns()}.json"
    dask = (sys.executable, "-m", "dask")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": os.environ | ENVIRONMENT, "cwd": folder}
    scheduler = subprocess.Popen((*dask, "scheduler", "--port", "0", "--no-dashboard", "--scheduler-file", str(file)), **quiet)
    some = ("--nthreads", "1", "--nworkers", "1", "--memory-limit", "0", "--no-dashboard", "--scheduler-file", str(file))
    started = [scheduler, *(subprocess.Popen((*dask, "worker", *some), **quiet) for _ in range(workers))]
    ended, usage = threading.Event(), Usage()
    follower = threading.Thread(target=_follow, args=([one.pid for one in started[1:]], usage, ended), daemon=True)
    try:
        with Client(scheduler_file=str(file), set_as_default=False, timeout=60) as client:
            client.wait_for_workers(workers, timeout=120)
            client.run(_loaded)  # imports are not part of a job of hours
            follower.start()
            yield Cluster(client, usage)
    finally:
        ended.set()
        for one in started:
            for child in (*psutil.Process(one.pid).children(recursive=True), one):
                with contextlib.suppress(psutil.Error, OSError):
                    child.kill()
            one.wait()


def _loaded() -> None:
    import torch  # noqa: F401

    import napari_spectrai.learn.inference.parts  # noqa: F401


def _follow(nannies: list[int], usage: Usage, ended: threading.Event) -> None:
    """Sample memory and processor time of the workers, which are children of their nannies and may be replaced."""
    before: dict[int, float] = {}
    while not ended.wait(0.1):
        for nanny in nannies:
            with contextlib.suppress(psutil.Error):
                for child in psutil.Process(nanny).children(recursive=True):
                    memory, times = child.memory_info(), child.cpu_times()
                    usage.memory = max(usage.memory, (memory.rss - memory.shared) / 1e6)
                    usage.processor[child.pid] = times.user + times.system - before.setdefault(child.pid, times.user + times.system)


def killed_half_way(record: Callable[[], PartRecord], client: Client, ended: threading.Event) -> None:
    """Kill a worker once half of the job is done."""
    while not ended.wait(0.2):
        with contextlib.suppress(OSError, ValueError):
            progress = record().progress()
            if progress.done >= progress.total / 2:
                os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)
                print(f"    one worker killed at {100 * progress.done / progress.total:.0f} %", flush=True)
                return


def predicted(network: Path, source: Path, out: Path, workers: int, folder: Path, *, kill: bool = False) -> tuple[float, Usage, str]:
    """Predict by a number of workers; return the seconds, what the workers used, and a digest of the result."""
    with cluster(workers, folder) as started:
        ended = threading.Event()
        count = 4 * workers
        killer = threading.Thread(target=killed_half_way, args=(lambda: PartRecord(out, count), started.client, ended), daemon=True)
        if kill:
            killer.start()
        begun = time.monotonic()
        predict(network, source, out=out, client=started.client)
        seconds = time.monotonic() - begun
        ended.set()
        if kill:
            killer.join()
    found = hashlib.sha256()
    for chunk in sorted((out / "c").rglob("*")):
        if chunk.is_file():
            found.update(str(chunk.relative_to(out)).encode() + chunk.read_bytes())
    return seconds, started.usage, found.hexdigest()


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--gigabytes", type=float, default=20.0)
    options.add_argument("--folder", type=Path, help="where the stores are written; default: a temporary folder")
    options.add_argument("--runs", nargs="+", choices=RUNS, default=list(RUNS), help="by one worker, by two, by two of which one is killed")
    given = options.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as place:
        folder = Path(place)
        network, source = model(folder / "ridge.safetensors", folder / "run"), store(folder / "source.zarr", given.gigabytes)
        shape = zarr.open_array(source, mode="r").shape
        print(f"{' × '.join(map(str, shape))} float32, {np.prod(shape, dtype=float) * 4 / 1e9:.1f} GB; load {os.getloadavg()[0]:.1f}")
        print(f"{'workers':<10} {'seconds':>8} {'MB/s':>7} {'processor s':>12} {'memory / MB':>12}  digest", flush=True)
        took: dict[str, float] = {}
        work: dict[str, float] = {}
        for name in given.runs:
            workers, kill = RUNS[name]
            out = folder / f"result-{len(took)}.zarr"
            took[name], usage, digest = predicted(network, source, out, workers, folder, kill=kill)
            rate = np.prod(shape, dtype=float) * 4 / 1e6 / took[name]
            work[name] = processor = sum(usage.processor.values())
            print(f"{name:<10} {took[name]:>8.0f} {rate:>7.0f} {processor:>12.0f} {usage.memory:>12.0f}  {digest[:12]}", flush=True)
        if {"1", "2"} <= {*took}:
            print(f"efficiency of two: {took['1'] / (2 * took['2']):.2f} by the clock, {work['1'] / work['2']:.2f} by processor time")
        print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
