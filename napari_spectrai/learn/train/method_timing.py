"""Time the classical methods that a network is compared with, and the candidates of an automatic choice, on synthetic data."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
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
from napari_spectrai.learn.classical.method import Method
from napari_spectrai.learn.data.assemble import assemble
from napari_spectrai.learn.data.dataset import Dataset
from napari_spectrai.learn.train.step_timing import time_steps
from napari_spectrai.plan.subsets import TRAINING
from napari_spectrai.runs.estimate import MethodTime, Question

BUDGET = 6.0
"""Seconds of processor time in which methods are timed; after it, each remaining one is fitted to a few spectra only."""
_POWERS = 1.0, 2.0
"""Smallest and largest power of the number of spectra that the time of a method is taken to grow with: few spectra show too small a one."""


def method_times(question: Question) -> list[MethodTime]:
    """Return how long each method takes to fit; those that do not suit the data, or for which no time is left, are omitted.

    All methods are fitted to a few spectra; then those that will take the longest are fitted to more.

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
    timings: dict[str, _Timing] = {}
    of_networks: dict[str, MethodTime] = {}
    data: dict[int, Dataset] = {}
    order = []
    for name, spec in _methods(question):
        late = time.process_time() > end
        if late and (time.process_time() > end + BUDGET or not isinstance(spec, ClassicalSpec)):
            continue
        try:
            if isinstance(spec, ClassicalSpec):
                timing = _Timing(name, spec, question, data)
                for count in question.sizes[: 1 if late else 2]:
                    timing.measure(count)
                timings[name] = timing
            else:
                of_networks[name] = _of_network(name, replace(question, experiment=spec))
            order.append(name)
        except (ArithmeticError, ValueError, RuntimeError):  # a method that cannot be fitted to such data is left out of the training, too
            continue
    samples = sum(question.extent.samples.values())
    for count in question.sizes[2:]:
        for timing in sorted(timings.values(), key=lambda one: -one.time.of(samples)):
            if timing.last < count and time.process_time() + timing.time.of(count) < end:
                timing.measure(count)
    return [of_networks[name] if name in of_networks else timings[name].time for name in order]


class _Timing:
    """Fits of one method to more and more synthetic spectra; `data` are those made so far."""

    def __init__(self, name: str, spec: ClassicalSpec, question: Question, data: dict[int, Dataset]) -> None:
        self._name, self._spec, self._question, self._data = name, spec, question, data
        self._took: dict[int, float] = {}
        self._again = 1.0

    @property
    def last(self) -> int:
        """The largest number of spectra so far."""
        return max(self._took)

    def measure(self, count: int) -> None:
        """Fit to a number of spectra, and once more with the settings that this has chosen."""
        self._data.setdefault(count, _synthetic(self._question, count))
        first = not self._took
        method, self._took[count] = self._seconds(count)
        if first:  # which loads what the method needs
            self._took[count] = min(self._took[count], self._seconds(count)[1])
        if method.chosen:
            self._again = min(1.0, self._seconds(count, method.chosen)[1] / self._took[count])

    def _seconds(self, count: int, chosen: Mapping[str, Any] | None = None) -> tuple[Method, float]:
        """Return a fitted method and the time it took: of one thread, however busy the machine, or of several."""
        wall, processor = time.perf_counter(), time.process_time()
        method = fitted(self._spec, self._data[count], "training", chosen=chosen)
        return method, max(min(time.perf_counter() - wall, time.process_time() - processor), 1e-4)

    @property
    def time(self) -> MethodTime:
        """What was measured; the power is that of the last three fits, as one alone may vary."""
        counts = list(self._took)[-3:]
        least, most = _POWERS
        power = least
        if len(counts) > 1:
            power = float(np.polyfit(np.log(counts), np.log([self._took[count] for count in counts]), 1)[0])
        largest = getattr(self._spec, "at_most", None)
        return MethodTime(self._name, self._took[self.last], self.last, min(max(power, least), most), largest, self._again)


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
    spectra = rng.random((*shape, len(question.axis)), dtype=np.float32) + np.float32(0.1)
    truths: list[Any] = []
    if experiment.task.classifies:
        classes = max(2, question.extent.out)
        members = (np.arange(math.prod(shape)) * classes // math.prod(shape)).reshape(shape)
        truths = [Labels(members + 1)]
        # classes that overlap a little, however many bands there are
        spectra += (rng.random((classes, len(question.axis)), dtype=np.float32) * np.float32(2 / math.sqrt(len(question.axis))))[members]
    cube = Cube(spectra, question.axis, name="synthetic")
    if not experiment.task.classifies and not experiment.task.self_supervised:
        axis = question.truth_axis
        truths = [Cube(rng.random((*shape, len(axis)), dtype=np.float32) + np.float32(0.1), axis, name="synthetic truth")]
    plane = np.full((1, *shape) if question.is_image else (1, *shape, 1), TRAINING, np.uint8)
    return assemble(_plain(experiment), [cube], truths, [plane], validates=False)


def _plain(experiment: Experiment) -> Experiment:
    """Return the experiment without a start model and without files."""
    data = experiment.data.model_copy(update={"input": [], "truth": [], "groups": [], "parts": []})
    return experiment.model_copy(update={"data": data, "training": experiment.training.model_copy(update={"start": None})})
