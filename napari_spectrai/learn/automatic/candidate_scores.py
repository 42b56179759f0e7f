"""Scores and intervals of candidates and of the choice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from napari_spectrai.learn.automatic.choice import Choice, HeldOut, crossed, losses_of
from napari_spectrai.learn.automatic.comparison import FoldOutcome
from napari_spectrai.learn.automatic.fold_fit import Bench
from napari_spectrai.learn.scoring import intervals
from napari_spectrai.learn.scoring.spectrum_sums import of_spectra
from napari_spectrai.learn.train.snapshots import confusion, preview
from napari_spectrai.runs import Compared, Event


class Scoring:
    """Scores predictions of held-out samples.

    Parameters
    ----------
    bench : Bench
    held : HeldOut
    asked : for each fold, the held-out pixels of each cube, bool (z, y, x)
    """

    def __init__(self, bench: Bench, held: HeldOut, asked: Sequence[Sequence[Tensor]]) -> None:
        self.bench, self.held, self.asked = bench, held, asked
        self.task = bench.experiment.task.load()(bench.experiment, bench.base)
        self.names: tuple[str, ...] = tuple(bench.experiment.task.metrics)

    def scores(self, output: Tensor, truth: Tensor) -> dict[str, float]:
        """Return the task's scores."""
        return dict(self.task.scores(output.float(), truth))

    def intervals(self, output: Tensor, truth: Tensor, units: Any) -> dict[str, list[float]]:
        """Return the 90 % intervals of the scores that have one."""
        if self.bench.base.classes:
            return intervals.of_classes(output, truth, units, self.names)
        return of_spectra(output, truth, units, self.names, self.bench.base.truth_axis.values)

    @staticmethod
    def _single(outcome: FoldOutcome, held: HeldOut) -> Tensor:
        assert outcome.answers is not None  # noqa: S101
        return crossed([outcome.answers], held, blend=False).output

    def compared(self, outcome: FoldOutcome, weight: float = 0.0) -> Compared:
        """Return the event of a candidate that was compared or left out."""
        candidate, held = outcome.candidate, self.held
        spec = candidate.network
        name = spec.short_name if candidate.name == "network" else candidate.name  # a network of one's own choice
        if outcome.answers is None:
            return Compared(name, spec.kind, candidate.sees, seconds=outcome.seconds, note=outcome.note)
        output, first = self._single(outcome, held), self.names[0]
        by_fold = [self.scores(output[held.fold == n], held.truth[held.fold == n])[first] for n in np.unique(held.fold)]
        interval = self.intervals(output, held.truth, held.unit).get(first, [])
        loss = float(losses_of(output, held).mean())
        scores = self.scores(output, held.truth)
        return Compared(name, spec.kind, candidate.sees, scores, by_fold, interval, loss, outcome.seconds, weight)

    def validation(self, compared: Sequence[FoldOutcome], chosen: Choice) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return out-of-fold scores and intervals of all candidates and of the choice (``"network"``)."""
        rows, bands = {}, {}
        outputs = [(o.candidate.name, self._single(o, self.held)) for o in compared] if len(compared) > 1 else []
        for name, output in [*outputs, ("network", chosen.output)]:
            rows[name] = self.scores(output, self.held.truth)
            bands[name] = self.intervals(output, self.held.truth, self.held.unit)
        return rows, bands

    def shown(self, chosen: Choice) -> Iterator[Event]:
        """Yield previews of the choice: one held-out spectrum, or the confusion matrix of all held-out samples."""
        held, data = self.held, self.bench.base
        if data.classes:
            yield confusion(1, data.classes, chosen.output, held.truth)
            return
        middle = len(held.truth) // 2
        seen = torch.cat([scene.x[a] for masks in self.asked for scene, a in zip(data.scenes(), masks, strict=True)])
        yield preview(1, data.truth_axis, seen[middle], chosen.output[middle], held.truth[middle], self.bench.experiment.task.target)
