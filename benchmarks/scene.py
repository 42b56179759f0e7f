"""Memory of a large scene, and a training killed in its middle: ``python benchmarks/scene.py [predict] [train] [--rows 1973]``.

``predict`` applies a small segmentation network to a cube of 1973 × 3975 × 51 values on disk by the command line, and prints how much more
memory that process takes than one that predicts a small image. ``train`` streams a training from ENVI files, kills the process
(signal 9) after an epoch, resumes it, and compares the curve with that of a training that nobody killed.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

from napari_spectrai import Cube, Experiment, write
from napari_spectrai.runs import Epoch, RunFolder

COMMAND = (sys.executable, "-m", "napari_spectrai")
SHAPE = (1973, 3975, 51)


def envi(path: Path, shape: tuple[int, int, int], seed: int) -> Path:
    """Write a float32 cube of repeated random rows, and return its header."""
    rows, columns, bands = shape
    some = np.random.default_rng(seed).random((16, columns, bands), np.float32) + 0.5
    with path.with_suffix(".img").open("wb") as file:
        for row in range(rows):
            file.write(some[row % 16].tobytes())
    header = f"ENVI\nsamples = {columns}\nlines = {rows}\nbands = {bands}\ndata type = 4\ninterleave = bip\nbyte order = 0\n"
    path.write_text(header)
    return path


def model(folder: Path) -> Path:
    """Train a network for a moment, and return its file."""
    rng = np.random.default_rng(0)
    write(Cube(rng.random((192, 192, SHAPE[2]), np.float32) + 0.5), folder / "small.npz")
    labels = np.broadcast_to(np.arange(1, 4, dtype=np.uint8).repeat(64), (192, 192))
    np.savez(folder / "labels.npz", labels=labels, class_names=["", "a", "b", "c"])
    settings = (
        f"data.input=[{folder / 'small.npz'}]", f"data.truth=[{folder / 'labels.npz'}]", "task=segmentation", "data.patch=16",
        "data.samples=16", "network={kind: unet, dims: 2, width: 8, depth: 2}", "training.epochs=1", "training.batch=8",
        "training.device=cpu", "preparation=[scale]", "loss=cross_entropy", "split.validation=0.3",
    )  # fmt: skip
    document = Experiment().override(*settings).save(folder / "small.yml")
    subprocess.run([*COMMAND, "train", document, "--run", folder / "small"], check=True, stdout=subprocess.DEVNULL)
    return RunFolder(folder / "small").best


def applied(network: Path, source: Path, result: Path) -> tuple[float, float]:
    """Predict by the command line; return the seconds, and the most memory of the process's own (no pages of mapped files), in GB."""
    begun, most = time.monotonic(), 0.0
    with subprocess.Popen([*COMMAND, "predict", network, source, "-o", result], stdout=subprocess.DEVNULL) as child:
        process = psutil.Process(child.pid)
        while child.poll() is None:
            with contextlib.suppress(psutil.Error):
                memory = process.memory_info()
                most = max(most, (memory.rss - memory.shared) / 1e9)
            time.sleep(0.05)
    if child.returncode:
        raise RuntimeError(f"predict ended with {child.returncode}")
    return time.monotonic() - begun, most


def predict(folder: Path, rows: int) -> None:
    """Print the memory and time of a prediction to Zarr, against those of a small image."""
    network = model(folder)
    small = applied(network, folder / "small.npz", folder / "small.zarr")
    scene = applied(network, envi(folder / "scene.hdr", (rows, *SHAPE[1:]), 0), folder / "scene.zarr")
    print(
        f"{rows} × {SHAPE[1]} × {SHAPE[2]} to Zarr: {scene[0]:.0f} s, {scene[1]:.2f} GB; "
        f"192 × 192 × {SHAPE[2]}: {small[0]:.0f} s, {small[1]:.2f} GB; {scene[1] - small[1]:.2f} GB more"
    )


def curve(run: RunFolder) -> list[tuple[int, float, float]]:
    """Return the losses of each epoch."""
    return [(event.epoch, event.training, event.validation) for event in run.events() if isinstance(event, Epoch)]


def train(folder: Path) -> None:
    """Print whether a streamed training that was killed equals one that was not."""
    noisy, clean = (envi(folder / f"{name}.hdr", (300, 300, 100), seed) for seed, name in enumerate(("noisy", "clean")))
    settings = (
        f"data.input=[{noisy}]", f"data.truth=[{clean}]", "network={kind: residual_mlp, width: 32}", "training.epochs=4",
        "training.memory=0.05", "training.device=cpu", "split={method: contiguous, validation: 0.1}", "preparation=[scale]",
    )  # fmt: skip
    document = Experiment().override(*settings).save(folder / "streamed.yml")
    whole, killed = RunFolder(folder / "whole"), RunFolder(folder / "killed")
    subprocess.run([*COMMAND, "train", document, "--run", whole.path], check=True, stdout=subprocess.DEVNULL)
    with subprocess.Popen([*COMMAND, "train", document, "--run", killed.path], stdout=subprocess.DEVNULL) as child:
        while child.poll() is None and not (killed.journal.exists() and curve(killed)):
            time.sleep(0.05)
        child.kill()
    known = len(curve(killed))
    subprocess.run([*COMMAND, "train", killed.path, "--resume"], check=True, stdout=subprocess.DEVNULL)
    same = curve(killed) == curve(whole)
    print(
        f"streamed training killed in epoch {known + 1} of 4 and resumed: {'the same losses' if same else 'OTHER LOSSES'} {curve(killed)}"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("what", nargs="*", default=["predict", "train"])
    parser.add_argument("--rows", type=int, default=SHAPE[0])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        if "predict" in options.what:
            predict(Path(made), options.rows)
        if "train" in options.what:
            train(Path(made))
