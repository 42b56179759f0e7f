"""The precision of a training: given, or float32 unless bfloat16 is clearly faster here, measured once and remembered."""

from __future__ import annotations

import copy
import hashlib
import time

import torch
from torch import nn

from napari_spectrai.experiment import Experiment
from napari_spectrai.learn.device import choose_precision
from napari_spectrai.runs import RunFolder, Started, measured

GAIN = 1.2
"""How many times as fast as a step in float32 one in bfloat16 has to be."""
STEPS = 2
"""Number of steps for which each precision is timed after one to warm up; the shortest counts."""


def training_precision(experiment: Experiment, network: nn.Module, shape: tuple[int, ...], device: torch.device) -> tuple[str, list[str]]:
    """Return ``"fp32"`` or ``"bf16"``, and what to say of the choice.

    That the hardware has bfloat16 does not show that it is faster: some processors compute it at half the speed of float32.

    Parameters
    ----------
    experiment : Experiment
    network : nn.Module
        It stays as it is, and no random number is drawn.
    shape : tuple of int
        Of a training batch: (samples, y, x, λ).
    """
    possible = choose_precision(experiment.training, device, experiment.network)
    if experiment.training.precision != "auto" or possible == "fp32":
        return possible, []
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{measured.processor()} {torch.get_num_threads()}"
    text = f"training {where} {torch.__version__} {experiment.network.model_dump_json()} {shape}"
    key = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()[:16]
    seconds = measured.recalled(key)
    if not isinstance(seconds, dict) or set(seconds) != {"fp32", "bf16"}:
        seconds = {precision: step_seconds(network, shape, device, precision) for precision in ("fp32", "bf16")}
        measured.keep(key, seconds)
    chosen, other = ("bf16", "fp32") if GAIN * seconds["bf16"] < seconds["fp32"] else ("fp32", "bf16")
    times = f"{seconds[chosen]:.3g} s here, against {seconds[other]:.3g} s in {other}"
    return chosen, [f"Precision {chosen}: a step takes {times} (measured; set training.precision to choose)."]


def precision_before(folder: RunFolder) -> str | None:
    """Return the precision in which a run began, which it keeps when it is resumed; None if it has not started."""
    return next((event.precision for event in reversed(list(folder.events())) if isinstance(event, Started)), None)


def step_seconds(network: nn.Module, shape: tuple[int, ...], device: torch.device, precision: str, size: int = 0) -> float:
    """Return the time of a step with as many samples: forward and backward; `size`: of them, at once."""
    network = copy.deepcopy(network).to(device).train()
    batch = torch.linspace(0, 1, shape[-1], device=device).expand(shape).contiguous()
    took = []
    with torch.random.fork_rng():
        for _ in range(1 + STEPS):
            start = time.perf_counter()
            with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
                output = torch.cat([network(piece) for piece in batch.split(size or len(batch))])
            network.zero_grad()
            loss = output.float().square().mean()
            loss.backward()
            float(loss.detach())  # waits for the device
            took.append(time.perf_counter() - start)
    return min(took[1:])
