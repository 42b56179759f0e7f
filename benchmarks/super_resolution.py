"""Super-resolution of a hyperspectral scene: ``python benchmarks/super_resolution.py jasperRidge2_R198.mat``.

Learnt on the left 48 columns of Jasper Ridge, judged on the right 48 (96 rows), four columns apart. The coarse images are made by
antialiased bicubic reduction; MPSNR is the mean over the bands, each with its own range. Mean and range over the seeds.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from noisy_scene import scene

from napari_spectrai import Cube, Experiment, compare, predict, train
from napari_spectrai.learn.scoring.metrics import mpsnr, sam
from napari_spectrai.networks.upsampling import degraded

SEEDS = (0, 1, 2)


def main(path: str) -> None:
    """Print a table for each factor."""
    values = scene(Path(path)).astype(np.float32)
    left, right = Cube(values[:, :48].copy(), name="left"), Cube(values[:96, 52:].copy(), name="right")
    for factor in (2, 4, 8):
        rows: dict[str, list[tuple[float, float]]] = {}
        seconds = []
        for seed in SEEDS:
            experiment = Experiment.default("super_resolution", left).override(
                f"task.factor={factor}", f"data.patch={max(24, 4 * factor)}", f"training.seed={seed}", "training.device=cpu"
            )
            begun = time.perf_counter()
            with tempfile.TemporaryDirectory() as folder:
                model = train(experiment, left, run=Path(folder) / "run")
            seconds.append(time.perf_counter() - begun)
            for method, figures in compare(model, None, right).rows.items():
                rows.setdefault(method, []).append((figures["mpsnr"], figures["sam"]))
            coarse = Cube(degraded(torch.from_numpy(right.data[None]), factor)[0].numpy())
            turned = predict(model, coarse, views=True).result.data
            rows.setdefault("network, 8 views", []).append((mpsnr(turned, right.data), sam(turned, right.data)))
        print(f"\n×{factor}: seeds {', '.join(map(str, SEEDS))}; {np.mean(seconds):.0f} s a training")
        print(f"{'':<18}{'MPSNR, dB':>26}{'spectral angle, °':>26}")
        for method, figures in rows.items():
            columns = zip(*figures, strict=True)
            print(f"{method:<18}" + "".join(f"{f'{np.mean(c):.2f} ({min(c):.2f} to {max(c):.2f})':>26}" for c in columns))


if __name__ == "__main__":
    main(sys.argv[1])
