"""Examine on a thread what a training on the chosen data will be: its parts, its size in words, and what prevents it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from napari_spectrai.cube import Cube
from napari_spectrai.experiment import Experiment
from napari_spectrai.float_range import beyond_float32
from napari_spectrai.plan.partition import Division, divide
from napari_spectrai.plan.presets import PRESETS, applied
from napari_spectrai.plan.remedies import refuse_empty
from napari_spectrai.plan.size import Extent, extent
from napari_spectrai.plan.truths import gather
from napari_spectrai.runs.estimate import Estimate, Question, duration, questioned


@dataclass(frozen=True, slots=True)
class Examined:
    """A training before it starts."""

    experiment: Experiment
    division: Division
    extent: Extent
    question: Question
    """Question about time and memory."""
    presets: dict[str, Question]
    """The same question for the length of each preset."""


def examine(experiment: Experiment, cubes: Sequence[Cube], truths: Sequence[Any], usual: Experiment | None) -> Examined:
    """Split the data, count samples, and build the questions about time and memory.

    Raises
    ------
    ValueError
        If the data do not fit together, if a part or a class is left without samples, or if float32 cannot hold the intensities.
    """
    for cube in cubes:
        if beyond := beyond_float32(cube.data, cube.name):
            raise ValueError(beyond)
    inputs, targets = gather(experiment, list(cubes), list(truths))
    division = divide(experiment, inputs, targets)
    refuse_empty(experiment, division, list(division.counts()), inputs, targets)
    large = extent(experiment, inputs, targets, division)
    question = questioned(experiment, large, inputs, targets)
    others = {}
    if usual is not None:
        for kind in PRESETS:
            one = applied(experiment, usual, kind)
            others[kind] = questioned(one, extent(one, inputs, targets, division), inputs, targets)
    return Examined(experiment, division, large, question, others)


def times_of_presets(presets: Mapping[str, Question], estimates: Sequence[Estimate]) -> dict[str, str]:
    """Return how long each preset will take, in words."""
    return {
        kind: f"{'up to' if asked.experiment.network.chooses and not estimate.methods else 'about'} "
        f"{duration(estimate.in_all(asked.experiment, asked.extent))}"
        for (kind, asked), estimate in zip(presets.items(), estimates, strict=True)
    }
