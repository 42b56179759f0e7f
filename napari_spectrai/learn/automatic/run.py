"""A training by cross-validation: candidates compared, one or a blend chosen, refitted on everything, and saved as a model."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from typing import Any

import numpy as np

from napari_spectrai.cube import Cube
from napari_spectrai.experiment import Experiment
from napari_spectrai.experiment.automatic import Automatic
from napari_spectrai.experiment.candidates import Candidate, Size, candidates_for
from napari_spectrai.experiment.networks import looks_around
from napari_spectrai.learn.automatic import choice
from napari_spectrai.learn.automatic.bench import Bench, Stopped
from napari_spectrai.learn.automatic.comparison import Comparison, Outcome
from napari_spectrai.learn.automatic.refit import Refit
from napari_spectrai.learn.automatic.scoring import Scoring
from napari_spectrai.learn.automatic.smoothing import best_radius
from napari_spectrai.learn.model import Model
from napari_spectrai.plan.division import as_volume, divide, flatters, parts_of, pixel_groups
from napari_spectrai.plan.folds import Folds, folds_of
from napari_spectrai.plan.split import TEST, TRAINING, VALIDATION, Map
from napari_spectrai.plan.truths import Truth
from napari_spectrai.runs import Event, Finished, Fold, Paused, RunFolder, Saved, Started
from napari_spectrai.runs.report import concluded

LEAST_REACHED = 0.5
"""Share of the pixels to be predicted that the folds have to reach for neighbourhoods to be judged."""


class StoppedEarly(RuntimeError):
    """A cross-validation was stopped before there was anything to keep."""


def is_cross_validated(experiment: Experiment) -> bool:
    """Whether an experiment is trained by cross-validation: its network is ``automatic``, or its split asks for folds."""
    return isinstance(experiment.network, Automatic) or experiment.split.folds > 0


class CrossValidation:
    """One training by cross-validation; `events` runs it.

    Parameters
    ----------
    experiment : Experiment
    cubes, truths : as `gather` returns them
    folder : RunFolder
    """

    def __init__(self, experiment: Experiment, cubes: Sequence[Cube], truths: Sequence[Truth], folder: RunFolder) -> None:
        self.experiment, self.folder = experiment, folder
        self.began = time.monotonic()
        self.base = _base_maps(experiment, cubes, truths)
        folder.keep_maps(self.base)
        division = divide(experiment, cubes, truths, self.base)
        self.folds: Folds = folds_of(
            self.base, experiment.split, classes=division.marked or None, groups=pixel_groups(experiment, cubes, division.shapes),
            by_file=len(cubes) > 1,
        )  # fmt: skip
        self.bench = Bench(experiment, cubes, truths, self.base)
        network = experiment.network
        seconds = network.seconds if isinstance(network, Automatic) else float("inf")
        self.comparison = Comparison(self.bench, self.folds, self.base, seconds, self._stopping)
        image = next((cube for cube in cubes if cube.is_image), None)
        sides = None if image is None else (image.spatial_shape[-2], image.spatial_shape[-1])
        self.size = Size(len(self.comparison.held.truth), self.bench.base.inputs.shape[-1], sides)
        self.scoring = Scoring(self.bench, self.comparison.held, self.comparison.asked)
        self.outcomes: list[Outcome] = []
        self.notes = [f"{self.folds.words[0].upper()}{self.folds.words[1:]}.", *self.bench.base.notes]
        self._warn(cubes)

    def _warn(self, cubes: Sequence[Cube]) -> None:
        missing = self.comparison.not_validated()
        if missing:
            self.notes.append(
                f"Not validated: {', '.join(missing)}. All labels of such a class lie in one fold, so that no score speaks for it; "
                "label it in a second place."
            )
        if flatters(self.experiment, cubes):
            self.notes.append("Neighbouring pixels are held out at random: scores are optimistic. Use split.method=auto or blocks.")

    # ------------------------------------------------------------------ steering

    def _stopping(self) -> bool:
        while self.folder.command() == "pause":
            time.sleep(0.05)
        return self.folder.command() == "stop"

    def _pausing(self) -> Generator[Event, None, None]:
        if self.folder.command() == "pause":
            yield self._record(Paused(True))
            self._stopping()
            yield self._record(Paused(False))

    def _record(self, event: Event) -> Event:
        self.folder.append(event)
        return event

    # ------------------------------------------------------------------ events

    def events(self) -> Generator[Event, None, Model]:
        """Compare, choose, refit and save.

        Raises
        ------
        ValueError
            If no candidate could be fitted; with the reasons.
        StoppedEarly
            If it was stopped before the first candidate was compared.
        """
        candidates = self._candidates()
        count = len(self.comparison.held.truth)
        tested = sum(int((m == TEST).sum()) for m in self.base) if "test" in self.bench.base.parts else 0
        yield self._record(
            Started(
                device=str(self.bench.base.inputs.device), precision="fp32", training=count, validation=count, test=tested,
                epochs=len(candidates), parameters=0, metric=self.scoring.names[0], notes=self.notes,
            )
        )  # fmt: skip
        reason = yield from self._compare(candidates)
        compared = [outcome for outcome in self.outcomes if outcome.answers is not None]
        if compared:
            return (yield from self._conclude(compared, reason))
        if reason == "stopped":
            yield concluded(self.folder, Finished("stopped", notes=["Stopped before any candidate was compared; there is no model yet."]))
            raise StoppedEarly("stopped before any candidate was compared; resume the run to begin the comparison again")
        reasons = "; ".join(f"{outcome.candidate.name}: {outcome.note}" for outcome in self.outcomes)
        raise ValueError(f"no candidate could be fitted ({reasons}); add samples, or choose another network")

    def _candidates(self) -> list[Candidate]:
        network = self.experiment.network
        if not isinstance(network, Automatic):
            split = self.experiment.split.model_copy(update={"folds": 0, "beside": False})
            return [Candidate("network", self.experiment.model_copy(update={"split": split}))]
        found = candidates_for(self.experiment, self.size)
        if network.candidates or self.folds.reached >= LEAST_REACHED:
            return found
        self.notes.append(
            f"Only {100 * self.folds.reached:.0f} % of the pixels to be predicted lie as near to a label as held-out pixels lie to training "
            "pixels. Methods that average neighbours cannot be judged by that, and are left out; label further places to have them compared."
        )
        return [c for c in found if not looks_around(c.network) and c.sees != "superpixels"]

    def _compare(self, candidates: Sequence[Candidate]) -> Generator[Event, None, Any]:
        limited = self.comparison.seconds < float("inf")
        try:
            for step in self.comparison.over(candidates):
                if isinstance(step, Outcome):
                    self.outcomes.append(step)
                    yield self._record(self.scoring.compared(step))
                else:
                    candidate, number = step
                    left = max(self.comparison.left, 0.0) if limited else 0.0
                    place = candidates.index(candidate) + 1
                    yield self._record(Fold(candidate.name, number, self.folds.count, place, len(candidates), left))
                yield from self._pausing()
        except Stopped:
            self.folder.say("")
            return "stopped"
        return "done"

    def _conclude(self, compared: list[Outcome], reason: Any) -> Generator[Event, None, Model]:
        spec, held = self.experiment.network, self.comparison.held
        automatic = isinstance(spec, Automatic)
        chosen = choice.choose([o.answers for o in compared if o.answers is not None], held, blend=automatic and spec.blend)
        self.notes.append(chosen.why)
        by_name = {outcome.candidate.name: outcome for outcome in compared}
        members, radius = [by_name[name] for name in chosen.names], 0
        image = self.size.sides is not None and not self.experiment.task.of_images
        if automatic and spec.smooth and held.classes and image:
            radius, chosen, why = best_radius(self.comparison, members, chosen)
            self.notes += [why] if why else []
        refit = Refit(self.experiment, self.bench, self.base, self.folds, self.scoring)
        model = refit.model(self.outcomes, members, chosen, radius, self.notes, self.folder.path.name)
        for outcome, weight in zip(members, chosen.weights, strict=True):
            yield self._record(self.scoring.compared(outcome, weight))
        for which, path in (("best", self.folder.best), ("last", self.folder.last)):
            model.save(path)
            yield self._record(Saved(which, str(path)))  # type: ignore[arg-type]
        yield from map(self._record, self.scoring.shown(chosen))
        if reason != "stopped":
            self.folder.discard_data()
        card, count = model.description, len(self.outcomes)
        took = time.monotonic() - self.began
        ending = Finished(reason, count, count, card.scores, took, str(self.folder.best), notes=card.notes, intervals=card.intervals)
        yield concluded(self.folder, ending)
        return model


def _base_maps(experiment: Experiment, cubes: Sequence[Cube], truths: Sequence[Truth]) -> list[Map]:
    """Return which pixels are cross-validated (as training), and which are kept for the test."""
    split = experiment.split
    if parts_of(cubes) is None and not split.test:
        return [np.full(as_volume(cube), TRAINING, np.uint8) for cube in cubes]
    if parts_of(cubes) is None:  # the test part is drawn as a split without validation draws it
        held = split.model_copy(update={"validation": split.test, "test": 0.0})
        maps = divide(experiment.model_copy(update={"split": held}), cubes, truths).maps
        return [np.where(m == VALIDATION, TEST, m).astype(np.uint8) for m in maps]
    maps = divide(experiment, cubes, truths).maps
    return [np.where(m == VALIDATION, TRAINING, m).astype(np.uint8) for m in maps]
