"""Training and prediction of a 1-D ResUNet against the published spectrai (0.1.4), in turns within one process, as a table.

Run ``.venv/bin/python benchmarks/peer.py``. The wheel is downloaded once, with pip, into the folder of `--peer` (default: the user's
cache), is unpacked there and not installed; what it imports from torchvision and tensorboard is replaced by stubs. Both networks have 500
bands and batches of 64; times are also given for equal arithmetic, since the peer's network has 0.786 GFLOP a spectrum. With
``--clock cpu``, processor seconds are measured on one thread: for a machine that others use as well.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import types
import warnings
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch
from platformdirs import user_cache_path
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import napari_spectrai as spectrai
from napari_spectrai.learn.model import Model

BANDS, BATCH = 500, 64
NETWORK = {"kind": "resunet", "dims": 1, "width": 64, "depth": 3, "convolutions": 2, "ridge": False, "activation": "relu", "norm": "batch"}


class Compose:
    """What the peer uses of torchvision."""

    def __init__(self, steps: list[Any]) -> None:
        self.steps = steps

    def __call__(self, sample: Any) -> Any:
        """Apply the steps in turn."""
        for step in self.steps:
            sample = step(sample)
        return sample


def peer_network(folder: Path) -> Any:
    """Download the peer, and return its network with the settings of its paper."""
    if not (folder / "spectrai").is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        wanted = ["--no-deps", "--ignore-requires-python", "-d", str(folder), "spectrai==0.1.4"]
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", *wanted], check=True)
        zipfile.ZipFile(next(folder.glob("spectrai-*.whl"))).extractall(folder)
    for name in ("torchvision", "torchvision.transforms", "torch.utils.tensorboard"):
        sys.modules[name] = types.ModuleType(name)
    sys.modules["torchvision"].transforms = sys.modules["torchvision.transforms"]  # type: ignore[attr-defined]
    sys.modules["torchvision.transforms"].Compose = Compose  # type: ignore[attr-defined]
    sys.modules["torch.utils.tensorboard"].SummaryWriter = object  # type: ignore[attr-defined]
    sys.path.insert(0, str(folder))
    from spectrai.initialise import initialise_network  # type: ignore[import-not-found]

    training = {"training_option": "Train From Scratch", "pretrained_network": "None", "pretrained_classes": 0}
    task, network = {"task": "Denoising", "classes": 0}, {
        "network": "ResUNet", "dimension": "2D", "activation": "ReLU", "normalization": "BatchNorm",
    }  # fmt: skip
    hyper = {"input_image_size": 16, "target_image_size": 16, "spectrum_length": BANDS, "batch_size": BATCH}
    return initialise_network(training, task, network, hyper, {"data_format": "Spectra"}, "None")


def our_model() -> Model:
    """Return our network of the same kind, trained for one short epoch."""
    spectra = np.random.default_rng(0).random((40, BANDS), np.float32)
    settings = {"task": "denoising", "network": NETWORK, "preparation": [], "training": {"batch": 16, "epochs": 1}}
    with tempfile.TemporaryDirectory() as folder:
        experiment = spectrai.Experiment.from_mapping(settings | {"split": {"method": "random", "validation": 0.2}})
        return spectrai.train(experiment, spectrai.as_cube(spectra), spectrai.as_cube(spectra**2), run=Path(folder) / "run")


def gflop(network: nn.Module, batch: torch.Tensor) -> float:
    """Return the arithmetic of one spectrum, in GFLOP."""
    with FlopCounterMode(display=False) as counted, torch.no_grad():
        network.eval()(batch)
    return float(counted.get_total_flops()) / 1e9


def step_of(network: nn.Module, batch: torch.Tensor) -> Callable[[], object]:
    """Return a training step: forward, loss, backward, Adam."""
    network.requires_grad_(True)  # the weights of a finished training are fixed
    optimiser = torch.optim.Adam(network.parameters(), 1e-4)

    def step() -> None:
        network.train()
        optimiser.zero_grad()
        (network(batch) - batch).abs().mean().backward()
        optimiser.step()

    return step


def in_turns(works: dict[str, Callable[[], object]], count: int, rounds: int, clock: Callable[[], float]) -> dict[str, list[float]]:
    """Return the rates of each work in each round but the first, in spectra a second."""
    rates: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds + 1):
        for name, work in works.items():
            began = clock()
            work()
            rates[name].append(count / (clock() - began))
    return {name: values[1:] for name, values in rates.items()}


def main() -> None:
    """Print the table."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--peer", type=Path, default=user_cache_path("napari-spectrai", appauthor=False) / "peer")
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--spectra", type=int, default=256)
    arguments.add_argument("--clock", choices=["wall", "cpu"], default="wall")
    options = arguments.parse_args()
    warnings.simplefilter("ignore")
    if options.clock == "cpu":
        torch.set_num_threads(1)
    clock = time.process_time if options.clock == "cpu" else time.perf_counter
    peer, model = peer_network(options.peer), our_model()
    spectra = np.random.default_rng(1).random((options.spectra, BANDS), np.float32)
    cube, batch = spectrai.as_cube(spectra), torch.from_numpy(spectra[:, None])
    arithmetic = {"peer": gflop(peer, batch[:1]), "ours": gflop(model.network, batch[:1, None])}

    def peer_predicts() -> None:
        with torch.no_grad():
            peer.eval()(batch)

    spectrai.predict(model, spectrai.as_cube(np.resize(spectra, (1280, BANDS))))  # measures the ways to compute it, once
    tables = {
        "prediction": in_turns(
            {"peer": peer_predicts, "ours": lambda: spectrai.predict(model, cube)}, options.spectra, options.rounds, clock
        ),
        "training step": in_turns(
            {"peer": step_of(peer, batch[:BATCH]), "ours": step_of(model.network, batch[:BATCH, None])}, BATCH, options.rounds, clock
        ),
    }
    print(f"{date.today()}, {platform.platform()}, torch {torch.__version__}, {torch.get_num_threads()} threads, {options.clock} time")
    print(f"{'':16}{'peer /s':>10}{'ours /s':>10}{'ratio':>8}{'lowest–highest':>18}{'at equal arithmetic':>22}")
    for name, rates in tables.items():
        ratios = [ours / theirs for theirs, ours in zip(rates["peer"], rates["ours"], strict=True)]
        ratio, fair = statistics.median(ratios), arithmetic["ours"] / arithmetic["peer"]
        theirs, ours = (statistics.median(rates[who]) for who in ("peer", "ours"))
        print(f"{name:16}{theirs:10.0f}{ours:10.0f}{ratio:8.2f}{f'{min(ratios):.2f}–{max(ratios):.2f}':>18}{ratio * fair:22.2f}")


if __name__ == "__main__":
    main()
