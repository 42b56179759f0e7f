"""Assemble a data set from cubes and truths: split, then pool them in memory, or stream what is larger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from napari_spectrai.cube import Cube
from napari_spectrai.experiment import Experiment
from napari_spectrai.learn.data.dataset import Dataset
from napari_spectrai.learn.data.labelled import around_labels
from napari_spectrai.learn.data.pooling import parts_in, pool
from napari_spectrai.learn.data.streaming import stream
from napari_spectrai.learn.stages import Say, silent
from napari_spectrai.plan.memory import memory_plan, refuse_too_large
from napari_spectrai.plan.partition import Division, divide
from napari_spectrai.plan.patches import padded
from napari_spectrai.plan.subsets import Map
from napari_spectrai.plan.truths import Truth


def assemble(
    experiment: Experiment,
    cubes: Sequence[Cube],
    truths: Sequence[Truth],
    maps: Sequence[Map] | None = None,
    *,
    validates: bool = True,
    say: Say = silent,
) -> Dataset:
    """Split, prepare and pool. `maps` (of a resumed run, or a cross-validation) replaces a new split; `validates`: all parts are required.

    Of data larger than memory, an excerpt is pooled, and the data set has a `stream` of training batches; of labelled images, the windows
    around the labels are pooled. `say` reports what is being read.

    Raises
    ------
    ValueError
        If no pixel holds data, a part has no samples, or a class no training samples; with the remedy. If data that have to stay in
        memory do not fit.
    """
    division = divide(experiment, cubes, truths, maps)
    plan = memory_plan(experiment, cubes, truths, division)
    if plan.streams and validates:
        return stream(experiment, cubes, truths, division, plan, say)
    if division.marked and validates and plan.needed > plan.limit and not experiment.task.of_images:
        return around_labels(experiment, cubes, truths, division, plan)
    refuse_too_large(experiment, plan)
    return pool(experiment, cubes, truths, division, validates=validates)


def rearranged(experiment: Experiment, data: Dataset, division: Division) -> Dataset:
    """Return the same prepared data with another split; a class may be without training samples.

    Raises
    ------
    ValueError
        If the split leaves no training samples.
    """
    parts = parts_in(division)
    if "training" not in parts:
        raise ValueError("a fold leaves no training samples; label more places, or set a smaller split.folds")
    padded_maps = [padded(m, place, edge=False).ravel() for m, place in zip(division.maps, data.places, strict=True)]
    labels = torch.from_numpy(np.concatenate(padded_maps)).to(data.labels.device)
    return replace(data, parts=parts, maps=division.maps, labels=labels, notes=[]).to(data.inputs.device)
