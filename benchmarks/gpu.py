"""Training and prediction on one GPU, as a fraction of its matrix peak, and the case studies projected from it.

Run ``.venv/bin/python benchmarks/gpu.py`` on a machine with a GPU: under 8 minutes. ``--tiny`` takes seconds and runs on a CPU, too: it
shows that the script works; its figures mean nothing.

For each network there is a line for each precision, as it is and compiled (``torch.compile(mode="reduce-overhead")``, which records CUDA
graphs, since the shapes are fixed). Data are resident; a step is forward, backward and a fused AdamW, and nothing waits for the device
within the steps that are timed. The loss is the mean square, and augmentation is left out. The fastest line of a case study gives its
projected time, beside that of its paper.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from napari_spectrai import Experiment
from napari_spectrai.learn.model import built
from napari_spectrai.networks.inference import for_inference

PRECISIONS = {"fp32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
LIMIT = 420.0
"""Seconds after which no further line is measured."""


EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"


@dataclass(frozen=True)
class Study:
    """A training of a paper, as in `docs/examples`, and the samples of an epoch."""

    name: str
    experiment: Experiment
    side: int
    bands: int
    out: int
    samples: int
    paper: str

    @property
    def batch(self) -> int:
        """Samples of a step."""
        return self.experiment.training.batch

    def network(self) -> torch.nn.Module:
        """Return the network with random weights."""
        return built(self.experiment, self.bands, self.out, classes=self.experiment.task.classifies)


def studies(*, tiny: bool) -> list[Study]:
    """Return the three case studies; `tiny`: with networks and batches that take a moment on a CPU."""

    def study(name: str, document: str, side: int, bands: int, out: int, samples: int, paper: str) -> Study:
        experiment = Experiment.load(EXAMPLES / f"{document}.yml")
        if tiny:
            small = {"width": 8, "depth": 1, "groups": 1, "blocks": 1}
            known = {name: value for name, value in small.items() if hasattr(experiment.network, name)}
            experiment = experiment.model_copy(
                update={
                    "network": experiment.network.model_copy(update=known),
                    "training": experiment.training.model_copy(update={"batch": 2}),
                }
            )
            bands = min(bands, 24)
            out = min(out, bands)
        return Study(name, experiment, side, bands, out, samples, paper)

    return [
        study("DeepeR, denoising", "deeper_denoising", 1, 500, 500, 172_312, "26 h on a Titan V"),
        study("AeroRIT, segmentation", "aerorit_segmentation", 64, 51, 5, 3_127, "22 min on a Titan V"),
        # patches of 64 pixels, of which the network sees 8; 36 that do not overlap in each of 32 images for training
        study("HELICoiD, super-resolution", "helicoid_super_resolution", 8, 826, 826, 1_152, "17 h on a Titan V"),
    ]


def seconds(work: Callable[[], object], device: torch.device, least: float) -> float:
    """Return the time of one call, from as many as take `least` seconds, after three to warm up."""
    for _ in range(3):
        work()
    count = 1
    while True:
        wait(device)
        start = time.perf_counter()
        for _ in range(count):
            work()
        wait(device)
        took = time.perf_counter() - start
        if took >= least or count > 10_000:
            return took / count
        count *= 2


def wait(device: torch.device) -> None:
    """Wait until the device has finished."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def peak(device: torch.device, precision: str, least: float, side: int) -> float:
    """Return the rate of a matrix product, in FLOP/s."""
    a = torch.randn(side, side, device=device, dtype=PRECISIONS[precision])
    return 2 * side**3 / seconds(lambda: a @ a, device, least)


def gflop(network: torch.nn.Module, batch: torch.Tensor) -> float:
    """Return the arithmetic of a forward pass, in GFLOP."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(batch)
    return counter.get_total_flops() / 1e9


def training(network: torch.nn.Module, batch: torch.Tensor, precision: str, *, compiled: bool) -> Callable[[], object]:
    """Return a training step on resident data."""
    fused = {"fused": True} if batch.device.type == "cuda" else {}
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-4, **fused)
    forward = torch.compile(network, mode="reduce-overhead") if compiled else network
    scaler = torch.amp.GradScaler(batch.device.type, enabled=precision == "fp16" and batch.device.type == "cuda")

    def step() -> None:
        with torch.autocast(batch.device.type, PRECISIONS[precision], enabled=precision in ("bf16", "fp16")):
            output = forward(batch)
        loss = output.float().square().mean()
        optimiser.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimiser)
        scaler.update()

    return step


def prediction(network: torch.nn.Module, batch: torch.Tensor, precision: str, *, compiled: bool) -> Callable[[], object]:
    """Return a prediction of resident data."""
    ready = for_inference(network.eval(), packed=precision == "fp32")
    forward = torch.compile(ready, mode="reduce-overhead") if compiled else ready

    def step() -> torch.Tensor:
        kind = batch.device.type
        with torch.inference_mode(), torch.autocast(kind, PRECISIONS[precision], enabled=precision in ("bf16", "fp16")):
            return forward(batch)

    return step


def lines(study: Study, device: torch.device, peaks: dict[str, float], least: float, until: float, *, compile_too: bool) -> float:
    """Print the lines of a study; return the best number of samples trained on per second."""
    best = 0.0
    batch = torch.rand(study.batch, study.side, study.side, study.bands, device=device)
    for precision, limit in peaks.items():
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision != "fp32"
        for compiled in (False, True) if compile_too else (False,):
            if time.monotonic() > until:
                print(f"{study.name}: {precision} left out, the time is over")
                continue
            torch.manual_seed(0)
            network = study.network().to(device)
            work = gflop(network, batch)
            rates = []
            for kind, passes in ((training, 3), (prediction, 1)):
                took = seconds(kind(network, batch, precision, compiled=compiled), device, least)
                rates.append((study.batch / took, 100 * passes * work * 1e9 / took / limit))
            best = max(best, rates[0][0])
            way = "compiled" if compiled else "as it is"
            (learnt, of_training), (predicted, of_prediction) = rates
            print(
                f"{study.name:<28}{precision:<6}{way:<10}{work / study.batch:8.3f} GFLOP   "
                f"training {learnt:10,.1f}/s ({of_training:4.1f} %)   prediction {predicted:10,.1f}/s ({of_prediction:4.1f} %)",
                flush=True,
            )
            torch.compiler.reset()
    return best


def main() -> None:
    """Print the table and the projections."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="small networks, also on a CPU")
    tiny = parser.parse_args().tiny
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cpu" and not tiny:
        parser.error("torch finds no GPU here; --tiny runs on the CPU")
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or platform.machine()
    least, until = (0.02, float("inf")) if tiny else (2.0, time.monotonic() + LIMIT)
    print(f"{time.strftime('%Y-%m-%d')}, {name}, torch {torch.__version__}")
    peaks = {}
    for precision in PRECISIONS if device.type == "cuda" else ("fp32", "bf16"):
        torch.backends.cuda.matmul.allow_tf32 = precision != "fp32"
        peaks[precision] = peak(device, precision, least, 256 if tiny else 8192)
    print("matrix product, TFLOP/s: " + ", ".join(f"{precision} {rate / 1e12:.2f}" for precision, rate in peaks.items()))
    projected = []
    for study in studies(tiny=tiny):
        rate = lines(study, device, peaks, least, until, compile_too=device.type == "cuda")
        if rate:
            epochs = study.experiment.training.epochs
            minutes = study.samples * epochs / rate / 60
            projected.append(f"{study.name}: {study.samples:,} samples, {epochs} epochs: {minutes:,.1f} min; paper: {study.paper}")
    print("\nprojected:", *projected, sep="\n  ")


if __name__ == "__main__":
    main()
