"""Throughput of trainings whose data are read from their files in every epoch, relative to data in memory.

Run ``python benchmarks/streaming.py [folder]``. Steps of both are timed in turn, with the same network, so that the load of the machine
affects both alike; the ratio of the processor times, those of the reading thread included, depends least on it.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from napari_spectrai import Cube, Experiment, read, write
from napari_spectrai.learn.data.assemble import assemble
from napari_spectrai.learn.train.trainer import Trainer
from napari_spectrai.runs import RunFolder

SHAPE = (300, 300, 100)
SETTINGS = ("training.device=cpu", "training.precision=fp32", "split.method=contiguous", "training.ema=0", "preparation=[scale]")
NETWORKS = {
    "1-D ResUNet, spectra": ("network=resunet", "network.width=16", "training.batch=64"),
    "2-D UNet, patches of 32": ("network=unet", "network.dims=2", "network.width=16", "data.patch=32", "training.batch=8"),
    "residual MLP, spectra": ("network=residual_mlp", "training.batch=64"),
}
ROUNDS, STEPS = 5, 20


def _trainer(experiment: Experiment, cubes: list[Cube], folder: Path) -> Trainer:
    return Trainer(experiment, assemble(experiment, cubes[:1], cubes[1:]), RunFolder.create(experiment, folder), shown=False)


def _seconds(training: Trainer) -> tuple[float, float]:
    """Return the seconds of some steps and their processor time, with the reading of their data, after the first."""
    batches = training.batches.of_epoch(0, 0, training.validator.cached, training.device)
    training.learn(*next(batches))
    start = time.perf_counter(), time.process_time()
    for _, batch in zip(range(STEPS), batches, strict=False):
        training.learn(*batch)
    took = time.perf_counter() - start[0], time.process_time() - start[1]
    batches.close()
    return took


def main(folder: Path) -> None:
    """Print a table with the formats, the networks and the relative throughput."""
    rng = np.random.default_rng(0)
    clean, noisy = (Cube(rng.random(SHAPE, dtype=np.float32) + 0.5, name=name) for name in ("clean", "noisy"))
    print(f"{'format':<8} {'network':<26} {'in memory':>12} {'streamed':>12} {'ratio':>6} {'of processor times':>20}")
    for suffix in (".zarr", ".hdr"):
        cubes = [read(write(cube, folder / f"{cube.name}{suffix}")) for cube in (noisy, clean)]
        for number, (name, settings) in enumerate(NETWORKS.items()):
            experiment = Experiment().override(*SETTINGS, *settings)
            whole = _trainer(experiment, cubes, folder / f"{suffix}{number}whole")
            streamed = _trainer(experiment.override("training.memory=0.05"), cubes, folder / f"{suffix}{number}streamed")
            took = np.array([[_seconds(whole), _seconds(streamed)] for _ in range(ROUNDS)])
            rates = STEPS * experiment.training.batch / np.median(took[..., 0], 0)
            ratio, of_processor = np.median(took[:, 0] / took[:, 1], 0)
            print(
                f"{suffix:<8} {name:<26} {rates[0]:>10,.0f}/s {rates[1]:>10,.0f}/s {ratio:>6.2f} {of_processor:>20.2f}",
                flush=True,
            )


if __name__ == "__main__":
    torch.manual_seed(0)
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as place:
            main(Path(place))
