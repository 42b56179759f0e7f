"""Training by cross-validation: candidates are compared, one or a blend is chosen, refitted on all samples, and saved as a model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from napari_spectrai.cube import Cube
from napari_spectrai.experiment import Experiment
from napari_spectrai.experiment.automatic import Automatic
from napari_spectrai.experiment.candidates import Candidate, candidates_for, in_turn
from napari_spectrai.experiment.continuation import members_of
from napari_spectrai.experiment.data_size import Size
from napari_spectrai.experiment.network_spec import looks_around
from napari_spectrai.learn.automatic import choice
from napari_spectrai.learn.automatic.candidate_scores import Scoring
from napari_spectrai.learn.automatic.comparison import NOT_VALIDATED, Comparison, FoldOutcome
from napari_spectrai.learn.automatic.fold_fit import Bench
from napari_spectrai.learn.automatic.race import Race
from napari_spectrai.learn.automatic.refit import Refit
from napari_spectrai.learn.automatic.smoothing import best_radius
from napari_spectrai.learn.automatic.whole_regions import lower_for_regions
from napari_spectrai.learn.model import Model
from napari_spectrai.learn.scoring import intervals
from napari_spectrai.plan.folds import Folds, folds_of, validates
from napari_spectrai.plan.groups import pixel_groups
from napari_spectrai.plan.label_regions import are_larger, region_folds
from napari_spectrai.plan.partition import Division, as_volume, divide, is_optimistic, parts_of
from napari_spectrai.plan.remarks import remarks
from napari_spectrai.plan.repeats import contradicting, copies, first_occurrences
from napari_spectrai.plan.subsets import TEST, TRAINING, UNUSED, VALIDATION, Map
from napari_spectrai.plan.truths import Truth
from napari_spectrai.plan.unnamed_groups import unnamed_folds
from napari_spectrai.runs import Compared, Event, RunFolder, Started

LEAST_REACHED = 0.5
"""Minimum fraction of the pixels to predict within reach of the folds for methods with spatial context to be validated."""

LEAST_RADIUS = 3
"""Distance in pixels from which a superpixel may influence a pixel."""


class CrossValidation(Race):
    """One training by cross-validation; `events` runs it.

    Parameters
    ----------
    experiment : Experiment
    cubes, truths : as `gather` returns them
    folder : RunFolder
    """

    def __init__(self, experiment: Experiment, cubes: Sequence[Cube], truths: Sequence[Truth], folder: RunFolder) -> None:
        super().__init__(experiment, folder)
        self.base = _base_maps(experiment, cubes, truths)
        folder.keep_maps(self.base)
        division = divide(experiment, cubes, truths, self.base)
        self._remarks: list[str] = []
        self._regions: Folds | None = None
        self.folds: Folds = self._folds(cubes, division)
        self.bench = Bench(experiment, cubes, truths, self.base)
        self.comparison = Comparison(self.bench, self.folds, self.base, self.seconds, self._stopping, self.clock.now)
        self.rounds = self.folds.count
        image = next((cube for cube in cubes if cube.is_image), None)
        sides = None if image is None else (image.spatial_shape[-2], image.spatial_shape[-1])
        self.size = Size(len(self.comparison.held.truth), self.bench.base.inputs.shape[-1], sides)
        self.scoring = Scoring(self.bench, self.comparison.held, self.comparison.asked)
        self.notes = [
            f"{self.folds.words[0].upper()}{self.folds.words[1:]}.",
            *self._remarks,
            *remarks(experiment, cubes, truths),
            *self.bench.base.notes,
        ]
        self._warn(cubes)

    def _folds(self, cubes: Sequence[Cube], division: Division) -> Folds:
        """Return folds of files, groups or regions; within files or groups, if each class lies in one of them.

        Raises
        ------
        ValueError
            If no class can be validated.
        """
        split, given = self.experiment.split, pixel_groups(self.experiment, cubes, division.shapes)
        groups = given.numbers
        base, marked = self._once(cubes, division), division.marked
        predicted = [d & (m == 0) for d, m in zip(division.data, marked, strict=True)] if marked else None
        if groups is None and split.method == "auto":
            unnamed = unnamed_folds(cubes, base, split, marked, [one.name for one in division.classes])
            if unnamed is not None:
                self._remarks.append(unnamed[1])
                return unnamed[0]
        found = folds_of(base, split, classes=marked or None, groups=groups, predicted=predicted, by_file=len(cubes) > 1)
        if marked and groups is None and split.method == "auto" and len(cubes) == 1 and cubes[0].is_image:
            found = self._in_whole_regions(found, region_folds(base, split, marked, found))
        if not marked or validates(found, marked):
            self._remarks += [*filter(None, [given.divided(found.numbers)])]
            return found
        if split.method == "auto" and (groups is not None or len(cubes) > 1):
            within = folds_of(base, split, classes=marked, predicted=predicted)
            if validates(within, marked):
                self._remarks.append(
                    "Each class lies in one file or group, so that folds are within them: the scores do not say how well the model does on "
                    "other files; add a file of each class."
                )
                return within
        raise ValueError(NOT_VALIDATED)

    def _in_whole_regions(self, found: Folds, regions: Folds | None) -> Folds:
        """Return folds of whole labelled regions for a model for other images, else the usual ones; the others are scored, too."""
        if regions is not None and not len(found.ahead) and are_larger(regions, found):
            return regions
        self._regions = regions
        return found

    def _once(self, cubes: Sequence[Cube], division: Division) -> list[Map]:
        """Return the pixels of the comparison without spectra that are equal to an earlier one: in another fold, these would be known."""
        first = first_occurrences(cubes, division.shapes)
        if first is None:
            return division.maps
        known = division.maps
        if division.marked:  # a copy without a class cannot stand for one with a class
            known = [np.where(marked > 0, m, UNUSED).astype(np.uint8) for marked, m in zip(division.marked, known, strict=True)]
        repeated = copies(first, known)
        count = sum(int(one.sum()) for one in repeated)
        if count:
            words = "1 spectrum repeats an earlier one and is" if count == 1 else f"{count:,} spectra repeat an earlier one and are"
            self._remarks += [f"{words} left out of the cross-validation, so that none is known before it is predicted."]
        self._remarks += [*filter(None, [contradicting(first, division.marked)])]
        return [np.where(one, UNUSED, m).astype(np.uint8) for one, m in zip(repeated, division.maps, strict=True)]

    def _warn(self, cubes: Sequence[Cube]) -> None:
        missing = self.comparison.not_validated()
        if missing:
            self.notes.append(
                f"Not validated: {', '.join(missing)}. All labels of such a class are in one fold, so that it cannot be scored; "
                "label it in a second place."
            )
        self.notes += [words] if (words := intervals.lacking(self.comparison.held.unit)) else []
        if is_optimistic(self.experiment, cubes):
            self.notes.append("Neighbouring pixels are held out at random: scores are optimistic. Use split.method=auto or blocks.")

    def started(self, candidates: Sequence[Candidate]) -> Started:
        """Return the first event."""
        count = len(self.comparison.held.truth)
        tested = sum(int((m == TEST).sum()) for m in self.base) if "test" in self.bench.base.parts else 0
        return Started(
            device=str(self.bench.base.inputs.device), precision="fp32", training=count, validation=count, test=tested,
            epochs=len(candidates), parameters=0, metric=self.scoring.names[0], notes=self.notes,
        )  # fmt: skip

    def candidates(self) -> list[Candidate]:
        """Return the candidates."""
        network = self.experiment.network
        if not isinstance(network, Automatic):
            split = self.experiment.split.model_copy(update={"folds": 0, "beside": False})
            return [Candidate("network", self.experiment.model_copy(update={"split": split}))]
        candidates = candidates_for(self.experiment, self.size, members_of(self.experiment.training.start))
        self._simplicity = {candidate.name: place for place, candidate in enumerate(candidates)}
        candidates = self._narrow(in_turn(candidates, self.size))
        if network.candidates or self.folds.reached >= LEAST_REACHED:
            return candidates
        self.notes.append(
            f"Only {100 * self.folds.reached:.0f} % of the pixels to predict are as near to a label as held-out pixels are to "
            "training pixels. Methods that average neighbours cannot be validated in this way, and are left out; label more places to "
            "include them."
        )
        return [c for c in candidates if not looks_around(c.network) and c.sees != "superpixels"]

    def _narrow(self, candidates: list[Candidate]) -> list[Candidate]:
        """Return the candidates without those that see most of an image whose pixels are all labelled, which is for other images."""
        network, sides = self.experiment.network, self.size.sides
        if sides is None or len(self.folds.ahead) or len(self.base) > 1 or (isinstance(network, Automatic) and network.candidates):
            return candidates
        kept = [one for one in candidates if not one.uses_neighbours or 4 * max(LEAST_RADIUS, one.network.context) <= min(sides)]
        if len(kept) < len(candidates):
            self.notes.append(
                "All pixels are labelled, so that the model is for other images. Methods that average neighbours over more than a quarter "
                f"of this one ({sides[0]} × {sides[1]} pixels) to each side learn its layout, and are left out; train on a larger image, "
                "or on several, to include them."
            )
        return kept

    def over(self, candidates: Sequence[Candidate]) -> Iterator[Any]:
        """Yield (candidate, finished folds), and outcomes."""
        return self.comparison.over(candidates)

    def compared(self, outcome: FoldOutcome, weight: float = 0.0) -> Compared:
        """Return the event of a candidate that was compared or left out."""
        return self.scoring.compared(outcome, weight)

    def model(self, outcomes: list[FoldOutcome]) -> tuple[Model, list[tuple[FoldOutcome, float]], list[Event]]:
        """Choose, refit, and return the model, its members with their weights, and previews."""
        network, held = self.experiment.network, self.comparison.held
        spec = network if isinstance(network, Automatic) else None
        outcomes = self._simplest_first(outcomes)
        chosen = choice.choose([o.answers for o in outcomes if o.answers is not None], held, blend=spec is not None and spec.blend)
        if spec is not None:  # else there was nothing to choose from
            self.notes.append(chosen.why)
        by_name = {outcome.candidate.name: outcome for outcome in outcomes}
        members, radius = [by_name[name] for name in chosen.names], 0
        image = self.size.sides is not None and self.experiment.task.uses_neighbours
        if spec is not None and spec.smooth and held.classes and image:
            radius, chosen, why = best_radius(self.comparison, members, chosen)
            self.notes += [why] if why else []
        if self._regions is not None:
            usual = (self.scoring, outcomes, self.seconds, self._stopping, self.clock.now)
            lower = lower_for_regions(self.bench, self.base, self._regions, *usual)
            self.notes += [lower] if lower else []
        refit = Refit(self.experiment, self.bench, self.base, self.folds, self.scoring)
        model = refit.model(outcomes, members, chosen, radius, self.notes, self.folder.path.name)
        return model, list(zip(members, chosen.weights, strict=True)), list(self.scoring.shown(chosen))


def _base_maps(experiment: Experiment, cubes: Sequence[Cube], truths: Sequence[Truth]) -> list[Map]:
    """Return which pixels are cross-validated (as training), and which belong to the test part."""
    split = experiment.split
    if parts_of(cubes) is None and not split.test:
        return [np.full(as_volume(cube), TRAINING, np.uint8) for cube in cubes]
    if parts_of(cubes) is None:  # the test part is drawn as in a split without validation
        held = split.model_copy(update={"validation": split.test, "test": 0.0})
        maps = divide(experiment.model_copy(update={"split": held}), cubes, truths).maps
        return [np.where(m == VALIDATION, TEST, m).astype(np.uint8) for m in maps]
    maps = divide(experiment, cubes, truths).maps
    return [np.where(m == VALIDATION, TRAINING, m).astype(np.uint8) for m in maps]
