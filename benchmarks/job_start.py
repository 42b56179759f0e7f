"""Seconds and processor seconds from the start of a job to its first step: a process of its own against one that waits.

python benchmarks/job_start.py [ROUNDS]
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

from napari_spectrai import Cube, Experiment, Run, SpectralAxis
from napari_spectrai.runs import Step, prepare
from napari_spectrai.runs.standby import standby


def seconds(run: Run) -> tuple[float, float]:
    """Return the time and the processor time until the first step, without what was spent before the job."""
    spent = None if standby.forks else standby.process  # a new process has spent nothing
    before = sum(psutil.Process(spent.pid).cpu_times()[:2]) if spent is not None else 0.0
    begun = time.perf_counter()
    run.start()
    assert run.pid is not None
    process = psutil.Process(run.pid)
    for event in run.events():
        if isinstance(event, Step):
            break
    took = time.perf_counter() - begun, sum(process.cpu_times()[:2]) - before
    run.stop()
    return took


def main(rounds: int) -> None:
    """Print both, in turns."""
    rng = np.random.default_rng(0)
    clean = rng.random((24, 24, 200), dtype=np.float32)
    axis = SpectralAxis(np.linspace(600, 1800, 200), "1/cm")
    pairs = [Cube(values.astype(np.float32), axis) for values in (clean + rng.normal(0, 0.1, clean.shape), clean)]
    experiment = Experiment.default("denoising", *pairs).override("training.epochs=100000")
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            found = {}
            for kind in ("cold", "waiting"):
                run = prepare(experiment, *pairs, run=Path(folder, f"{kind}-{number}"))
                standby.dismiss()
                if kind == "waiting":
                    standby.keep()
                    assert standby.process is not None, "too little memory is free, or NAPARI_SPECTRAI_STANDBY is 0"
                    process, before = psutil.Process(standby.process.pid), -1.0
                    while not standby.ready if standby.forks else sum(process.cpu_times()[:2]) > before:  # until it waits
                        before = sum(process.cpu_times()[:2])
                        time.sleep(0.1 if standby.forks else 10)
                    print(f"memory of the waiting process: {process.memory_info().rss / 1e6:.0f} MB")
                found[kind] = seconds(run)
            print(
                *(f"{kind}: {took:.1f} s, {spent:.1f} s of processor time to the first step" for kind, (took, spent) in found.items()),
                sep="\n",
            )
    standby.dismiss()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
