"""What a training on the chosen data would be, found out on a thread: its parts, its size in words, and what stands against it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from napari_spectrai.cube import Cube
from napari_spectrai.experiment import Experiment
from napari_spectrai.plan.division import Division, divide, refuse_empty, wanted_parts
from napari_spectrai.plan.extent import Extent, extent
from napari_spectrai.plan.presets import PRESETS, preset
from napari_spectrai.plan.truths import gather
from napari_spectrai.runs.estimate import Estimate, Question, duration, questioned


@dataclass(frozen=True, slots=True)
class Examined:
    """A training before it begins."""

    experiment: Experiment
    division: Division
    extent: Extent
    question: Question
    usual: Question
    """On time and memory: of the training as it is set, and of the settings that suit the data, for the presets."""


def examine(experiment: Experiment, cubes: Sequence[Cube], truths: Sequence[Any], usual: Experiment | None) -> Examined:
    """Divide the data, count, and say what to ask.

    Raises
    ------
    ValueError
        If the data do not fit together, or leave a part or a class without samples.
    """
    inputs, targets = gather(experiment, list(cubes), list(truths))
    division = divide(experiment, inputs, targets)
    refuse_empty(experiment, division, list(division.counts()), wanted_parts(experiment, inputs))
    large = extent(experiment, inputs, targets, division)
    question = questioned(experiment, large, inputs, targets)
    other = question
    if usual is not None:
        other = questioned(usual, extent(usual, inputs, targets, divide(usual, inputs, targets)), inputs, targets)
    return Examined(experiment, division, large, question, other)


def times_of_presets(usual: Question, estimate: Estimate) -> dict[str, str]:
    """Return how long each preset will take, in words."""
    lengths = {kind: estimate.seconds(preset(usual.experiment, kind), usual.extent) for kind in PRESETS}
    return {kind: f"about {duration(seconds)}" for kind, seconds in lengths.items()}
