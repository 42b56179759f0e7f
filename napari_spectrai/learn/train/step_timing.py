"""Time a few steps of a training on synthetic data of the same kind, and measure its memory."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import psutil
import torch

from napari_spectrai.cube import Cube, SpectralAxis
from napari_spectrai.experiment import Experiment
from napari_spectrai.labels import Labels
from napari_spectrai.learn.data.assemble import assemble
from napari_spectrai.learn.train.trainer import Trainer
from napari_spectrai.plan.truths import Truth, gather
from napari_spectrai.runs import RunFolder
from napari_spectrai.runs.estimate import Estimate, Question

SECONDS = 1.5
"""Seconds for which steps are timed; at least two steps."""
MOST_STEPS = 20


def time_steps(question: Question) -> Estimate:
    """Run a few steps of a training and validate a few samples.

    Raises
    ------
    ValueError
        If the training could not be run either.
    """
    experiment = _alone(question)
    if experiment.network.classical:
        return Estimate(0.0, 0.0, 0, psutil.Process().memory_info().rss, "cpu", "fp32", "classical methods are computed on the CPU")
    cubes, truths = gather(experiment, *_made_up(question, experiment))
    with tempfile.TemporaryDirectory(prefix="napari-spectrai-") as place:
        training = Trainer(experiment, assemble(experiment, cubes, truths), RunFolder.create(experiment, f"{place}/run"))
        start = time.perf_counter()
        training.validator.cache_features(training.network)
        with_cached_features = (
            (time.perf_counter() - start) / sum(map(len, training.data.parts.values())) if training.validator.frozen_features else 0.0
        )
        step = _seconds_per_step(training)
        start = time.perf_counter()
        training.validator.outputs("validation", training.network.eval())
        validation = (time.perf_counter() - start) / len(training.data.parts["validation"])
        count = sum(p.numel() for p in training.network.parameters())
    # cached computations are distributed over the steps, so that one sum includes everything
    once = with_cached_features * sum(question.extent.samples.values()) / (question.experiment.training.epochs * question.extent.steps)
    device = str(training.device)
    return Estimate(step + once, validation, count, _bytes(training.device), device, training.precision, where(training.device))


def _alone(question: Question) -> Experiment:
    """Return the training without settings that depend on its own data."""
    experiment = question.experiment
    data = experiment.data.model_copy(update={"input": [], "truth": [], "groups": [], "parts": []})
    split = experiment.split.model_copy(update={"method": "auto", "test": 0.0, "gap": 0, "beside": False})
    # a schedule ends with the training, and more steps are timed here than a short training has
    epochs = max(experiment.training.epochs, MOST_STEPS + 1)
    training = experiment.training.model_copy(update={"epochs": epochs, "batch": question.batch, "memory": None, "start": None})
    return experiment.model_copy(update={"data": data, "split": split, "training": training})


def _made_up(question: Question, experiment: Experiment) -> tuple[list[Cube], list[Truth] | None]:
    """Return cubes for training and validation, just large enough for a batch, and their truths."""
    rng = np.random.default_rng(0)
    task, batch = experiment.task, experiment.training.batch
    factor = task.enlarges if task.needs_truth else 1
    patch = max(question.extent.patch, 1)
    shapes: Sequence[tuple[int, ...]]
    if task.of_images:
        shapes = [(64, 64)] * max(2 * question.extent.out, batch)
    elif not question.is_image:
        shapes = [(max(2 * batch, 2 * question.extent.out, 16),)]
    else:
        least = question.extent.out if task.classifies else 1
        side = patch + int(np.ceil(np.sqrt(max(batch, least))))
        shapes = [(side, side)]
    held: tuple[int, ...] = (64, 64) if task.of_images else (max(8, min(4 * batch, 256)),) if not question.is_image else (patch + 4,) * 2
    inputs, truths = [], []
    for number, (shape, part) in enumerate([*((shape, "training") for shape in shapes), (held, "validation")]):
        spectra = rng.random((*shape, len(question.axis)), dtype=np.float32) + np.float32(0.1)
        inputs.append(Cube(spectra, question.axis, name=f"synthetic {number}", metadata={"part": part}))
        truths.append(_truth(question, shape, factor, number, rng))
    if task.self_supervised:
        return inputs, None
    return inputs, truths


def _truth(question: Question, shape: tuple[int, ...], factor: int, number: int, rng: np.random.Generator) -> Any:
    if question.experiment.task.classifies:
        classes = max(2, question.extent.out)
        if question.experiment.task.of_images:
            return Labels(np.full(shape, number % classes + 1))
        return Labels((np.arange(int(np.prod(shape))) % classes + 1).reshape(shape))
    axis: SpectralAxis = question.truth_axis
    sides = (*shape[:-2], *(factor * side for side in shape[-2:])) if len(shape) > 1 else shape
    return Cube(rng.random((*sides, len(axis)), dtype=np.float32) + np.float32(0.1), axis, name=f"synthetic truth {number}")


def _seconds_per_step(training: Trainer) -> float:
    samples = training.validator.cached.parts["training"]
    order = torch.arange(training.settings.batch, device=samples.first.device) % len(samples)
    took: list[float] = []
    training.network.train()
    while len(took) < 3 or (sum(took) < SECONDS and len(took) < MOST_STEPS):
        start = time.perf_counter()
        float(training.learn(*training.validator.cached.batch(samples[order], training.device)))  # the value is waited for
        took.append(time.perf_counter() - start)
    return float(np.median(took[1:]))


def _bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.max_memory_reserved(device))
    try:
        import resource
    except ImportError:  # not on Windows
        return int(psutil.Process().memory_info().rss)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if os.uname().sysname == "Darwin" else 1024 * peak)


def where(device: torch.device) -> str:
    """Return a device in words, and the reason if it is not a GPU."""
    if device.type == "cuda":
        return f"GPU: {torch.cuda.get_device_name(device)}"
    if device.type == "mps":
        return "GPU: Apple, with MPS"
    cores = torch.get_num_threads()
    cpu = f"{cores} CPU core{'s' if cores > 1 else ''}"
    if torch.cuda.is_available() or torch.backends.mps.is_available():
        return f"{cpu}; there is a GPU, but the CPU was chosen"
    built = torch.version.cuda or torch.version.hip
    return f"{cpu}; no GPU: " + ("torch detects none" if built else "this version of torch supports the CPU only")
