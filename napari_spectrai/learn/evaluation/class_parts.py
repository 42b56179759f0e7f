"""A part of an evaluation of classes: the confusion matrices of some pixels, whose sums are those of the whole."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
import zarr

from napari_spectrai.experiment.tasks import TaskSpec
from napari_spectrai.generators import drain
from napari_spectrai.io.zarr import CHECKED
from napari_spectrai.labels import Labels
from napari_spectrai.learn.evaluation.classes import ComparedLabels, scored_classes
from napari_spectrai.learn.evaluation.confusion import Classes, classes_of
from napari_spectrai.runs.evaluation import Evaluation
from napari_spectrai.runs.events import Progress
from napari_spectrai.runs.options import EvaluateOptions
from napari_spectrai.runs.part import Part
from napari_spectrai.runs.part_record import PartRecord

BLOCK = 2**22
"""Pixels that are counted at a time; fewer, where there would otherwise be fewer blocks than parts."""


def digest(labels: Labels) -> str:
    """Return a digest of the classes of all pixels, and of their names."""
    found = hashlib.sha256(f"{labels.shape} {labels.data.dtype} {json.dumps(sorted(labels.names.items()))}".encode())
    found.update(labels.data.tobytes())
    return found.hexdigest()


@dataclass(frozen=True, slots=True, eq=False)
class ClassCounts:
    """The results of an evaluation of classes, and how often each of their classes was counted for each of the truth."""

    spec: TaskSpec
    compared: ComparedLabels
    options: EvaluateOptions
    record: PartRecord
    classes: Classes

    @classmethod
    def of(cls, spec: TaskSpec, compared: ComparedLabels, options: EvaluateOptions, record: PartRecord) -> ClassCounts:
        """Return the counts of results that were compared with a truth; one part finds their classes, for all."""

        def search() -> dict[str, Any]:
            found = classes_of(compared.predicted, compared.truth, compared.scored)
            return {"values": found.values, "names": np.array(found.names, np.str_)}

        known = record.shared("classes", search)
        return cls(spec, compared, options, record, Classes(known["values"], [str(name) for name in known["names"]]))

    @property
    def arrays(self) -> list[str]:
        """The names of the arrays that its parts fill."""
        return [f"counts-{row}.zarr" for row in range(len(self.compared.predicted))]

    @property
    def blocks(self) -> list[slice]:
        """The pixels of each block, in the order of the array."""
        size = self.compared.truth.data.size
        count = max(self.record.count, math.ceil(size / BLOCK))
        return [slice(number * size // count, (number + 1) * size // count) for number in range(count)]

    def steps(self, part: Part) -> list[tuple[int, int]]:
        """Return result and block of what a part counts."""
        return [(row, number) for row in range(len(self.compared.predicted)) for number in part.share(len(self.blocks))]

    def run(self, part: Part, done: int, finished: Callable[[int], object]) -> Generator[Progress, None, None]:
        """Yield progress after each block."""
        todo, blocks, kept = self.steps(part), self.blocks, self._kept()
        scored, truth = self.compared.scored.reshape(-1), self.compared.truth.data.reshape(-1)
        results = [one.data.reshape(-1) for one in self.compared.predicted.values()]
        for count, (row, number) in enumerate(todo[done:], done + 1):
            place = blocks[number]
            where = scored[place]
            kept[row][number] = self.classes.counted(truth[place][where], results[row][place][where]).numpy().reshape(-1)
            finished(count)
            yield Progress(count, len(todo))

    def _kept(self) -> list[Any]:
        """Return the counts of each block, one array for each result."""
        cells = len(self.classes.values) ** 2
        create = partial(
            zarr.create_array, shape=(len(self.blocks), cells), chunks=(1, cells), dtype=np.int64, fill_value=0, compressors=CHECKED
        )  # fmt: skip
        return [self.record.array(name, create) for name in self.arrays]

    def evaluation(self) -> Evaluation:
        """Return the evaluation, once all parts are finished."""
        side = len(self.classes.values)
        sums = [torch.from_numpy(np.asarray(kept[:]).sum(0).reshape(side, side)) for kept in self._kept()]
        agreed = self.classes.agreement(
            self.compared.predicted, self.compared.truth, self.compared.scored, dict(zip(self.compared.predicted, sums, strict=True))
        )
        return drain(scored_classes(self.spec, self.compared, agreed, None, None, self.options))
