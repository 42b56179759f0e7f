"""Memory of a training: whether its data are kept in memory, or read from their files while it trains."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import psutil

from napari_spectrai.cube import Cube
from napari_spectrai.experiment import Experiment
from napari_spectrai.files import size_words
from napari_spectrai.plan.partition import Division
from napari_spectrai.plan.subsets import TEST, TRAINING, VALIDATION
from napari_spectrai.plan.truths import Truth

SMALL = 2**29
"""Bytes of data that are always kept in memory where they fit, even if fewer would be read from the files."""
SHOWN = 4
"""How many times a block that is read shows each of its pixels in patches, where an epoch draws some of the patches only."""
AROUND = 1.5
"""Factor by which the pixels around a block, to which its patches extend, add to what is read."""
MOST_BUFFERED, MOST_IN_EXCERPT = 2**29, 2**29
"""Largest number of bytes of the shuffle buffer, and of the excerpt for validation, test and fits; more would change no result."""


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """Memory for the data of a training.

    Attributes
    ----------
    limit : int
        Bytes that the data may take up: `training.memory`, or half of what is free.
    needed : int
        Bytes of all prepared data, as float32, with the outputs of the validation.
    streams : bool
        Whether the training data are read from their files in every epoch, through a shuffle buffer.
    why : str
        Why they are, in words; empty if they are not.
    fitted_once : bool
        Whether a classical method is fitted, to the excerpt only.
    """

    limit: int
    needed: int
    streams: bool
    why: str = ""
    fitted_once: bool = False

    @property
    def buffer(self) -> int:
        """Bytes of the shuffle buffer, half of which is filled while the other half is trained on."""
        return min(MOST_BUFFERED, self.limit // 2)

    @property
    def excerpt(self) -> int:
        """Bytes of the excerpt that stays in memory: half for fits on training data, a quarter each for validation and test."""
        return min(MOST_IN_EXCERPT, self.limit // 4)

    @property
    def words(self) -> str:
        """Description in one sentence; empty if all data are kept in memory."""
        if not self.streams:
            return ""
        if self.fitted_once:
            return f"The method is fitted to an excerpt of the data, since {self.why}; training.memory sets the limit."
        return (
            f"The training data are read from their files in every epoch, through a shuffle buffer of {size_words(self.buffer)}, since "
            f"{self.why}; training.memory sets the limit."
        )

    @property
    def data_bytes(self) -> int:
        """Bytes that the data will take up."""
        # outputs of the validation are joined once: twice the output and its truth
        return self.buffer + 2 * self.excerpt if self.streams else self.needed


def memory_plan(experiment: Experiment, cubes: Sequence[Cube], truths: Sequence[Truth], division: Division) -> MemoryPlan:
    """Return whether the data of a training stay in memory.

    They are streamed if they exceed the limit; or if they are large, and all epochs together read less than all of them.
    """
    limit = limit_of(experiment)
    in_bytes = bytes_of_pixel(cubes, truths, experiment)
    pixels = sum(_stored(division, number) for number in range(len(cubes)))
    held_out = max(_count(division, part) for part in (VALIDATION, TEST))
    needed = in_bytes * pixels + 2 * in_bytes * held_out
    if not can_stream(experiment, division):
        return MemoryPlan(limit, needed, streams=False)
    if needed > limit:
        why = f"they take up {size_words(needed)}, more than the {size_words(limit)} allowed"
        return MemoryPlan(limit, needed, streams=True, why=why, fitted_once=experiment.network.classical)
    learnt, shown = _count(division, TRAINING), _shown(experiment, division)
    if in_bytes * pixels > SMALL and shown is not None and shown * AROUND / SHOWN < learnt:
        why = f"all epochs together show {shown / learnt:.2g} times the training pixels, so that less is read than with all of them"
        return MemoryPlan(limit, needed, streams=True, why=why)
    return MemoryPlan(limit, needed, streams=False)


def limit_of(experiment: Experiment) -> int:
    """Return the bytes that the data of a training may take up."""
    chosen = experiment.training.memory
    return int(psutil.virtual_memory().available // 2 if chosen is None else chosen * 1e9)


def bytes_of_pixel(cubes: Sequence[Cube], truths: Sequence[Truth], experiment: Experiment) -> int:
    """Return the bytes of an input pixel and its truth, as float32."""
    sharp = next((truth for truth in truths if isinstance(truth, Cube)), None)
    times = experiment.task.enlarges if experiment.task.needs_truth else 1
    return 4 * (cubes[0].shape[-1] + (0 if sharp is None else times**2 * sharp.shape[-1]))


def can_stream(experiment: Experiment, division: Division) -> bool:
    """Whether the training data can be read in parts: spectra, and patches inside their part, of tasks with cubes as output."""
    layout = division.layout
    network = experiment.network
    return not (experiment.task.classifies or layout.shared or layout.pixelwise or network.chooses)


def _stored(division: Division, number: int) -> int:
    """Return the number of pixels of a cube in rows that hold data: only these take up memory."""
    data = division.data[number]
    return int(data.any(2).sum()) * data.shape[2] if data.shape[2] > 1 else int(data.sum())


def _count(division: Division, part: int) -> int:
    return sum(int(np.count_nonzero(labels == part)) for labels in division.maps)


def _shown(experiment: Experiment, division: Division) -> int | None:
    """Return the number of pixels that all epochs together show; None if each shows all."""
    patch, data = division.layout.patch, experiment.data
    images = sum(math.prod(shape[:1]) for shape in division.shapes)
    drawn = data.samples or (data.per_image * images if data.per_image else None)
    return None if patch == 1 or drawn is None else experiment.training.epochs * drawn * patch**2


def refuse_too_large(experiment: Experiment, plan: MemoryPlan) -> None:
    """Refuse data that have to stay in memory and exceed what is free.

    Raises
    ------
    ValueError
    """
    free = int(psutil.virtual_memory().available)
    if plan.needed > max(free, plan.limit):
        title = experiment.network.title or experiment.network.kind
        raise ValueError(
            f"the prepared data take up {size_words(plan.needed)}, and {size_words(free)} of memory are free; {title} needs all of them in "
            "memory: crop or bin them (Preprocess), or train a network on spectra or patches, whose data are read in parts"
        )
