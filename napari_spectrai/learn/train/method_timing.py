"""Time the classical methods that a network is compared with, and the candidates of an automatic choice, on synthetic data."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from napari_spectrai.cube import Cube
from napari_spectrai.experiment import Experiment
from napari_spectrai.experiment.candidates import candidates_for, denoisers_for
from napari_spectrai.experiment.classical import ClassicalSpec
from napari_spectrai.experiment.continuation import members_of
from napari_spectrai.experiment.data_size import Size
from napari_spectrai.experiment.network_spec import networks
from napari_spectrai.labels import Labels
from napari_spectrai.learn.classical import fitted
from napari_spectrai.learn.data.assemble import assemble
from napari_spectrai.learn.data.dataset import Dataset
from napari_spectrai.learn.train.step_timing import time_steps
from napari_spectrai.plan.subsets import TRAINING
from napari_spectrai.runs.estimate import MethodTime, Question

SMALL, LARGE = 100, 300
"""Numbers of spectra that methods are fitted to."""
BUDGET = 8.0
"""Seconds of processor time after which no further method is timed."""
_STEEPEST = 2.0
"""Largest power of the number of spectra that the time of a method is taken to grow with."""


def method_times(question: Question) -> list[MethodTime]:
    """Return how long each method takes to fit; those that do not suit the data, or for which no time is left, are omitted.

    Parameters
    ----------
    question : Question

    Returns
    -------
    list of MethodTime
        Of the baselines of a network, or of the candidates of an automatic choice.
    """
    task = question.experiment.task
    if task.of_images or task.enlarges > 1:
        return []
    end = time.process_time() + BUDGET
    data: dict[int, Dataset] = {}
    found: list[MethodTime] = []
    for name, spec in _methods(question):
        if time.process_time() > end:
            break
        try:
            if not isinstance(spec, ClassicalSpec):
                found.append(_of_network(name, replace(question, experiment=spec)))
                continue
            took = []
            for count in (SMALL, LARGE):
                data.setdefault(count, _synthetic(question, count))
                began = time.process_time()  # other programs would make the power that it grows with uncertain
                fitted(spec, data[count], "training")
                took.append(max(time.process_time() - began, 1e-4))
            power = min(max(math.log(took[1] / took[0]) / math.log(LARGE / SMALL), 0.0), _STEEPEST)
            found.append(MethodTime(name, took[1], LARGE, power))
        except (ArithmeticError, ValueError, RuntimeError):  # a method that cannot be fitted to such data is left out of the training, too
            continue
    return found


def _methods(question: Question) -> Iterator[tuple[str, Any]]:
    """Yield the methods by name: the settings of a classical one, or the experiment of a network."""
    experiment = question.experiment
    if not experiment.network.chooses:
        yield from ((spec.label, spec) for spec in map(networks.parse, experiment.task.baselines) if isinstance(spec, ClassicalSpec))
        return
    samples = sum(question.extent.samples.values())
    size = Size(samples, len(question.axis), (64, 64) if question.is_image else None)
    earlier = members_of(experiment.training.start)
    candidates = denoisers_for(experiment, size, earlier) if experiment.task.self_supervised else candidates_for(experiment, size, earlier)
    for candidate in candidates:
        yield candidate.name, candidate.network if candidate.network.classical else candidate.experiment


def _of_network(name: str, question: Question) -> MethodTime:
    samples = max(1, sum(question.extent.samples.values()))
    training, drawn = question.experiment.training, question.experiment.data.samples
    steps = training.epochs * max(1.0, (drawn or samples) / training.batch)
    return MethodTime(name, time_steps(question).seconds_per_step * steps, samples, 0.0 if drawn else 1.0)


def _synthetic(question: Question, count: int) -> Dataset:
    """Return synthetic data with about `count` spectra for training."""
    rng = np.random.default_rng(0)
    shape: Sequence[int] = (round(math.sqrt(count)),) * 2 if question.is_image else (count,)
    experiment = question.experiment
    cube = Cube(rng.random((*shape, len(question.axis)), dtype=np.float32) + np.float32(0.1), question.axis, name="synthetic")
    truths: list[Any] = []
    if experiment.task.classifies:
        classes = max(2, question.extent.out)
        truths = [Labels((np.arange(math.prod(shape)) % classes + 1).reshape(shape))]
    elif not experiment.task.self_supervised:
        axis = question.truth_axis
        truths = [Cube(rng.random((*shape, len(axis)), dtype=np.float32) + np.float32(0.1), axis, name="synthetic truth")]
    plane = np.full((1, *shape) if question.is_image else (1, *shape, 1), TRAINING, np.uint8)
    return assemble(_plain(experiment), [cube], truths, [plane], validates=False)


def _plain(experiment: Experiment) -> Experiment:
    """Return the experiment without a start model and without files."""
    data = experiment.data.model_copy(update={"input": [], "truth": [], "groups": [], "parts": []})
    return experiment.model_copy(update={"data": data, "training": experiment.training.model_copy(update={"start": None})})
