"""Training of a denoiser without a truth: candidates are compared on data with added noise, and the best or a combination is kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from napari_spectrai.cube import Cube
from napari_spectrai.experiment import Experiment
from napari_spectrai.experiment.automatic import Automatic, Member
from napari_spectrai.experiment.candidates import Candidate, denoisers_for, denoisers_in_turn
from napari_spectrai.experiment.continuation import members_of
from napari_spectrai.experiment.data_size import Size
from napari_spectrai.learn.applicability import Applicability
from napari_spectrai.learn.automatic import choice
from napari_spectrai.learn.automatic.blind_selection import ADDED, BlindComparison
from napari_spectrai.learn.automatic.choice import losses_of
from napari_spectrai.learn.automatic.comparison import FoldOutcome
from napari_spectrai.learn.automatic.race import Race
from napari_spectrai.learn.classical.method import Method
from napari_spectrai.learn.data.assemble import assemble
from napari_spectrai.learn.mixture.blend import Blend
from napari_spectrai.learn.model import Model
from napari_spectrai.learn.scoring import intervals
from napari_spectrai.learn.train.removed import what_was_removed
from napari_spectrai.learn.train.snapshots import preview
from napari_spectrai.plan.partition import as_volume
from napari_spectrai.plan.remarks import remarks
from napari_spectrai.plan.subsets import TRAINING
from napari_spectrai.runs import Compared, Event, RunFolder, Started

SIGNAL = "noisy target"
"""What results are compared with: never a truth."""


class BlindChoice(Race):
    """Selection of a denoiser without a truth; `events` runs it.

    Parameters
    ----------
    experiment : Experiment
    cubes : as `gather` returns them
    folder : RunFolder
    """

    def __init__(self, experiment: Experiment, cubes: Sequence[Cube], folder: RunFolder) -> None:
        super().__init__(experiment, folder)
        self.cubes = list(cubes)
        self.base = [np.full(as_volume(cube), TRAINING, np.uint8) for cube in cubes]
        folder.keep_maps(self.base)
        self.data = assemble(experiment, self.cubes, [], self.base, validates=False)
        self.comparison = BlindComparison(self.data, self.seconds, self._stopping, self._laid_out, self.clock.now)
        self.rounds = len(self.comparison.posed)
        self.floor = self.comparison.floor
        image = next((cube for cube in cubes if cube.is_image), None)
        sides = None if image is None else (image.spatial_shape[-2], image.spatial_shape[-1])
        self.size = Size(sum(cube.count for cube in cubes), self.data.inputs.shape[-1], sides)
        how = (
            f"There is no truth: candidates see the data with {ADDED:g} times their noise added, and are compared with the data from which "
            "that noise is subtracted. The mean squared noise of that target is subtracted, so that scores estimate the error."
        )
        self.notes = [
            self.data.preparation.noise_in_words(self.comparison.drawn.model),
            *self.comparison.drawn.in_words(),
            how,
            *remarks(experiment, cubes, []),
            *self.data.notes,
        ]

    def _laid_out(self, candidate: Candidate) -> Any:
        """Return the data in patches, as the input of a network."""
        return assemble(candidate.experiment, self.cubes, [], self.base, validates=False)

    def candidates(self) -> list[Candidate]:
        """Return the candidates."""
        candidates = denoisers_for(self.experiment, self.size, members_of(self.experiment.training.start))
        self._simplicity = {candidate.name: place for place, candidate in enumerate(candidates)}
        return denoisers_in_turn(candidates)

    def started(self, candidates: Sequence[Candidate]) -> Started:
        """Return the first event."""
        count = sum(int(mask.sum()) for mask in self.comparison.shown)
        return Started(
            device=str(self.data.inputs.device), precision="fp32", training=count, validation=count, test=0, epochs=len(candidates),
            parameters=0, metric="mse", notes=self.notes,
        )  # fmt: skip

    def over(self, candidates: Sequence[Candidate]) -> Iterator[Any]:
        """Yield (candidate, finished draws), and outcomes."""
        return self.comparison.over(candidates)

    def _scores(self, output: torch.Tensor) -> tuple[dict[str, float], list[float], list[float]]:
        """Return the estimated squared error, that of each half of the blocks, and its interval."""
        held = self.comparison.held
        errors = losses_of(output, held).numpy() - self.floor
        halves = [float(errors[held.fold == fold].mean()) for fold in np.unique(held.fold)]
        ends = intervals.of_cubes({"mse": errors}, held.unit, least=-np.inf).get("mse", [])
        return {"mse": float(errors.mean())}, halves, ends

    def compared(self, outcome: FoldOutcome, weight: float = 0.0) -> Compared:
        """Return the event of a candidate that was compared or left out."""
        candidate = outcome.candidate
        if outcome.answers is None:
            return Compared(candidate.name, candidate.network.kind, seconds=outcome.seconds, note=outcome.note)
        scores, halves, ends = self._scores(outcome.answers.output)
        loss = float(losses_of(outcome.answers.output, self.comparison.held).mean())
        return Compared(candidate.name, candidate.network.kind, "spectra", scores, halves, ends, loss, outcome.seconds, weight)

    def model(self, outcomes: list[FoldOutcome]) -> tuple[Model, list[tuple[FoldOutcome, float]], list[Event]]:
        """Choose, fit on the original data, and return the model, its members with their weights, and previews."""
        held, spec = self.comparison.held, self.experiment.network
        assert isinstance(spec, Automatic)  # noqa: S101
        compared = self._simplest_first([o for o in outcomes if o.answers is not None])
        chosen = choice.choose([o.answers for o in compared if o.answers is not None], held, blend=spec.blend)
        self.notes.append(chosen.why)
        by_name = {outcome.candidate.name: outcome for outcome in compared}
        members = [by_name[name] for name in chosen.names]
        modules, kept = [], []
        for outcome, weight in zip(members, chosen.weights, strict=True):
            # a network that is trained once more may turn out worse than those that were compared: the mean of all is kept
            fitted = [self.comparison.fitted(outcome.candidate, self.data, lambda: False), *outcome.modules.values()]
            modules += fitted
            kept += [Member(network=outcome.candidate.network, weight=weight / len(fitted)) for _ in fitted]
            if len(fitted) > 1:
                self.notes.append(f"{outcome.candidate.name} is the mean of {len(fitted)} networks: those compared, and one of the data.")
        settings = spec.model_copy(update={"members": kept})
        bands = self.data.inputs.shape[-1]
        blend = Blend.of(settings, modules, bands, bands, classes=False)
        took = what_was_removed(self.experiment, self.data, blend.eval())
        rows, ranges = {}, {}
        for name, output in [*((o.candidate.name, o.answers.output) for o in compared if o.answers), ("network", chosen.output)]:
            rows[name], _, ends = self._scores(output)
            ranges[name] = {"mse": ends} if ends else {}
        baselines = {o.candidate.network.label: self._baseline(o) for o in compared if o.candidate.network.classical}
        weights = dict(zip(chosen.names, chosen.weights, strict=True))
        model = Model.of(
            blend, self.data, self.experiment.model_copy(update={"network": settings}), self.folder.path.name, classical=baselines,
            applicability=Applicability.of_data(self.data),
            scores={"validation": rows}, intervals={"validation": ranges}, notes=[*self.notes, *took],
            compared=[asdict(self.compared(o, weights.get(o.candidate.name, 0.0))) for o in outcomes],
        )  # fmt: skip
        return model, list(zip(members, chosen.weights, strict=True)), [self._shown(chosen.output)]

    def _baseline(self, outcome: FoldOutcome) -> Method:
        module = self.comparison.fitted(outcome.candidate, self.data, lambda: False)
        assert isinstance(module, Method)  # noqa: S101
        return module

    def _shown(self, output: torch.Tensor) -> Event:
        masks = self.comparison.shown
        seen = torch.cat([s.x[m] for s, m in zip(self.comparison.posed[0].noisier.scenes(), masks, strict=True)])
        middle = len(seen) // 2
        return preview(1, self.data.truth_axis, seen[middle], output[middle], self.comparison.held.truth[middle], SIGNAL)
