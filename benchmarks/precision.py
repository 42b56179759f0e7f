"""What precision "auto" is worth on this machine: an epoch in fp32 against bf16, as a ratio in one run.

Run ``.venv/bin/python benchmarks/precision.py``.
"""

from __future__ import annotations

import platform
import tempfile
from pathlib import Path

import numpy as np
import torch

from napari_spectrai import Cube, Experiment, fit
from napari_spectrai.runs import Epoch

CASES = {
    "DeepeR's ResUNet, 400 × 500": (
        (400, 500),
        ("network=resunet", "network.width=64", "network.depth=2", "network.activation=prelu", "network.dense=3", "training.batch=20"),
    ),
    "UNet over the image, 128 × 128 × 60": (
        (128, 128, 60),
        ("network=unet", "network.dims=2", "data.patch=32", "split.gap=0", "training.batch=8", "preparation=[scale]"),
    ),
    "residual MLP over ridge, 4,000 × 500": ((4_000, 500), ("training.batch=64",)),
}


def seconds_an_epoch(shape: tuple[int, ...], settings: tuple[str, ...], precision: str) -> float:
    """Return the time of the second epoch, validation included."""
    rng = np.random.default_rng(0)
    clean = rng.random(shape, np.float32)
    noisy = clean + rng.normal(0, 0.1, shape).astype(np.float32)
    experiment = Experiment().override(*settings, "training.epochs=2", f"training.precision={precision}")
    with tempfile.TemporaryDirectory() as folder:
        run = fit(experiment, Cube(noisy), Cube(clean), run=Path(folder) / "run")
        return next(event.seconds for event in run if isinstance(event, Epoch) and event.epoch == 2)


def main() -> None:
    """Print the table."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{torch.get_num_threads()} CPU threads"
    print(platform.platform(), f"torch {torch.__version__}", device)
    for name, (shape, settings) in CASES.items():
        full, half = (seconds_an_epoch(shape, settings, precision) for precision in ("fp32", "bf16"))
        print(f"{name}: fp32 {full:.2f} s an epoch, bf16 {half:.2f} s, ratio {full / half:.2f}")


if __name__ == "__main__":
    main()
