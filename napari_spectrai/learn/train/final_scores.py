"""Scores of a finished training: of the network and of the classical methods, on the validation and test samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from napari_spectrai.labels import Class
from napari_spectrai.learn.classical import Method
from napari_spectrai.learn.scoring import intervals
from napari_spectrai.learn.train.saving import PartScores
from napari_spectrai.learn.train.validation import MethodScores, Validator, crossed_temperature, temperature, tempered
from napari_spectrai.runs import Event

FEW_VALIDATED = 30
"""Number of validation samples below which cross-validation is recommended."""


@dataclass(slots=True)
class FinalScores:
    """Scores of the best weights of a training.

    Parameters
    ----------
    parts : dict
        Scores by part, network or classical method, and metric.
    intervals : dict
        90 % intervals by part, network or classical method, and metric.
    temperature : float
        Divisor of the logits of a classifier, fitted on the validation samples.
    previews : list of Event
        A spectrum, or the confusion matrix of each part.
    notes : list of str
        Sentences on classes without validation samples, and on too few samples.
    """

    parts: PartScores
    intervals: dict[str, dict[str, Any]] = field(default_factory=dict)
    temperature: float = 1.0
    previews: list[Event] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def final_scores(validator: Validator, network: Any, methods: Mapping[str, Method], baselines: MethodScores, epoch: int) -> FinalScores:
    """Return the scores of a network with its best weights, and of the classical methods.

    Parameters
    ----------
    validator : Validator
    network : torch.nn.Module
    methods : mapping of str to Method
        Fitted classical methods, scored on the test samples if there are any.
    baselines : MethodScores
        Scores of the classical methods on the validation samples.
    epoch : int
        The epoch of the weights.
    """
    data = validator.data
    known = {"validation": baselines}
    if "test" in data.parts:
        known["test"] = validator.baseline_scores("test", methods)
    result = FinalScores({})
    for part, others in known.items():
        rows = result.parts[part] = dict(others.rows)
        output, truth = validator.outputs(part, network)
        if data.classes and part == "validation":
            result.temperature = temperature(output, truth)
            result.notes += few_validated(data.classes, truth)
            output = crossed_temperature(output, truth, validator.units(part))
        elif data.classes:
            output = tempered(output, result.temperature)
        units = validator.units(part)
        result.notes += [words] if (words := intervals.lacking(units, f"{part} score")) else []
        rows["network"] = validator.task.scores(output, truth)
        result.intervals[part] = others.intervals | {"network": validator.intervals(output, truth, units)}
        if data.classes or part == "validation":
            result.previews.append(validator.shown(epoch, output, truth, part))
    return result


def few_validated(classes: Sequence[Class], truth: Tensor) -> list[str]:
    """Return sentences on classes that have no validation samples, and on few samples, of which `truth` holds the index of the class."""
    held = torch.bincount(truth.flatten(), minlength=len(classes)).tolist()
    missing = [one.name for one, count in zip(classes, held, strict=True) if not count]
    notes = []
    if missing:
        notes.append(
            f"Not validated: {', '.join(missing)}. These classes have no validation samples; set split.folds=5 to hold out each once."
        )
    if len(truth) < FEW_VALIDATED:
        notes.append(f"Only {len(truth)} validation samples; set split.folds=5 for scores from all of them.")
    return notes
