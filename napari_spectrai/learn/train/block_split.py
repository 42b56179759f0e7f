"""A second training on spatial blocks, so that a random split that leaks is reported with an unbiased score."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence

from napari_spectrai.cube import Cube
from napari_spectrai.experiment import Experiment
from napari_spectrai.learn.data.assemble import assemble
from napari_spectrai.learn.data.dataset import Dataset
from napari_spectrai.learn.train.trainer import Trainer
from napari_spectrai.plan.partition import is_optimistic
from napari_spectrai.plan.split_data import BLOCK
from napari_spectrai.plan.truths import Truth
from napari_spectrai.runs import Epoch, Event, Finished, Progress, RunFolder

VALIDATION, TEST = 0.05, 0.3
"""Fractions of the blocks."""


def is_needed(experiment: Experiment, cubes: Sequence[Cube], data: Dataset) -> bool:
    """Whether the split leaks, and the scene is large enough for blocks."""
    split = experiment.split
    has_room = any(min(place.shape[1:]) > 2 * (split.block or BLOCK) for place in data.places)
    return split.beside and has_room and is_optimistic(experiment, cubes)


class BlockScore:
    """Trains an experiment a second time, on scattered blocks; iterate over its progress, then read `rows`.

    Attributes
    ----------
    rows : dict or None
        The scores of the network and of the classical methods on the test blocks; None if it was stopped, or if the scene is too small,
        or a class lies in a single block.
    notes : list of str
        Why there are no rows.
    """

    def __init__(self, experiment: Experiment, cubes: Sequence[Cube], truths: Sequence[Truth], folder: RunFolder) -> None:
        blocks = {"method": "blocks", "validation": VALIDATION, "test": TEST, "gap": 0, "context": "shared", "beside": False}
        self.experiment = experiment.model_copy(update={"split": experiment.split.model_copy(update=blocks)})
        self.cubes, self.truths, self.outer = cubes, truths, folder
        self.rows: dict[str, dict[str, float]] | None = None
        self.notes: list[str] = []
        self.stopped = False

    def __iter__(self) -> Iterator[Event]:
        try:
            data = assemble(self.experiment, self.cubes, self.truths)
        except ValueError as error:
            self.notes.append(f"The score on a block split could not be computed: {error}")
            return
        place = self.outer.path / "blocks"
        shutil.rmtree(place, ignore_errors=True)
        try:
            inner = RunFolder.create(self.experiment, place)
            inner.keep_maps(data.split)
            for event in Trainer(self.experiment, data, inner).events():
                if self.outer.command() == "stop":
                    self.stopped = True
                    return
                if isinstance(event, Epoch):
                    yield Progress(event.epoch, event.epochs)
                elif isinstance(event, Finished):
                    self.rows = event.scores["test"]
        except (ArithmeticError, MemoryError, OSError, RuntimeError, ValueError) as error:  # the training itself succeeded
            self.notes.append(f"The score on a block split could not be computed: {error}")
        finally:
            shutil.rmtree(place, ignore_errors=True)
