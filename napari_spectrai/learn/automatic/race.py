"""Common part of comparisons of candidates: control, events, and the final model."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Sequence
from typing import Any

from napari_spectrai.experiment import Experiment
from napari_spectrai.experiment.candidates import Candidate
from napari_spectrai.learn.automatic.comparison import FoldOutcome
from napari_spectrai.learn.automatic.fold_fit import Stopped
from napari_spectrai.learn.automatic.work_time import WorkTime
from napari_spectrai.learn.model import Model
from napari_spectrai.learn.stages import Stages, StageStopped, StoppedEarlyError
from napari_spectrai.plan.subsets import Map
from napari_spectrai.reports.run_report import concluded
from napari_spectrai.runs import Compared, Event, Finished, Fold, Paused, RunFolder, Saved, Started


class Race(ABC):
    """One comparison of candidates; `events` runs it.

    Parameters
    ----------
    experiment : Experiment
    folder : RunFolder
    """

    rounds: int
    """Number of folds, or of draws of noise."""
    notes: list[str]
    base: list[Map]
    """Which pixels are compared on (as training), and which belong to the test part."""

    def __init__(self, experiment: Experiment, folder: RunFolder) -> None:
        self.experiment, self.folder = experiment, folder
        self.clock = WorkTime()
        self.began = self.clock.now()
        self.seconds = experiment.network.time_limit or math.inf
        self.outcomes: list[FoldOutcome] = []
        self._simplicity: dict[str, int] = {}

    # ------------------------------------------------------------------ to be implemented by comparisons

    @abstractmethod
    def candidates(self) -> list[Candidate]:
        """Return the candidates."""

    @abstractmethod
    def started(self, candidates: Sequence[Candidate]) -> Started:
        """Return the first event."""

    @abstractmethod
    def over(self, candidates: Sequence[Candidate]) -> Iterator[Any]:
        """Yield (candidate, finished rounds), and outcomes."""

    @abstractmethod
    def compared(self, outcome: FoldOutcome, weight: float = 0.0) -> Compared:
        """Return the event of a candidate that was compared or left out."""

    @abstractmethod
    def model(self, outcomes: list[FoldOutcome]) -> tuple[Model, list[tuple[FoldOutcome, float]], list[Event]]:
        """Choose, refit, and return the model, its members with their weights, and previews."""

    # ------------------------------------------------------------------ what the choice is made from

    def _simplest_first(self, outcomes: Sequence[FoldOutcome]) -> list[FoldOutcome]:
        """Return outcomes from the simplest candidate on; they are compared in an order that depends on the time they take."""
        return sorted(outcomes, key=lambda outcome: self._simplicity.get(outcome.candidate.name, 0))

    def _cut_short(self) -> list[str]:
        """Return a sentence on the candidates that the time limit left out, if there are any."""
        late = [outcome.candidate.name for outcome in self.outcomes if outcome.late]
        if not late:
            return []
        words = (
            f"Not compared for lack of time: {', '.join(late)}. The time limit was {self.seconds:g} s (network.seconds); with a longer "
            "one, or on a less busy machine, another method may be chosen."
        )
        return [words]

    # ------------------------------------------------------------------ control

    def _stopping(self) -> bool:
        """Whether to stop now; asked while a fold is computed, where a pause is only recorded in the folder."""
        if self.folder.command() == "pause":
            self._record(Paused(True))
            self._wait()
            self._record(Paused(False))
        return self.folder.command() == "stop"

    def _pausing(self) -> Generator[Event, None, None]:
        if self.folder.command() == "pause":
            yield self._record(Paused(True))
            self._wait()
            yield self._record(Paused(False))

    def _wait(self) -> None:
        with self.clock.pause():
            while self.folder.command() == "pause":
                time.sleep(0.05)

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
        StoppedEarlyError
            If it was stopped before the first candidate was compared.
        """
        candidates = self.candidates()
        yield self._record(self.started(candidates))
        reason = yield from self._compare(candidates)
        compared = [outcome for outcome in self.outcomes if outcome.answers is not None]
        if compared:
            return (yield from self._conclude(reason))
        if reason == "stopped":
            yield concluded(self.folder, Finished("stopped", notes=["Stopped before any candidate was compared; there is no model yet."]))
            raise StoppedEarlyError("stopped before any candidate was compared; resume the run to start the comparison again")
        reasons = "; ".join(f"{outcome.candidate.name}: {outcome.note}" for outcome in self.outcomes)
        raise ValueError(f"no candidate could be fitted ({reasons}); add samples, or choose another network")

    def _compare(self, candidates: Sequence[Candidate]) -> Generator[Event, None, Any]:
        limited = self.seconds < float("inf")
        try:
            for step in self.over(candidates):
                if isinstance(step, FoldOutcome):
                    self.outcomes.append(step)
                    yield self._record(self.compared(step))
                else:
                    candidate, number = step
                    left = max(self.seconds - (self.clock.now() - self.began), 0.0) if limited else 0.0
                    place = candidates.index(candidate) + 1
                    yield self._record(Fold(candidate.name, number, self.rounds, place, len(candidates), left))
                yield from self._pausing()
        except Stopped:
            self.folder.consume_command()
            return "stopped"
        return "done"

    def _conclude(self, reason: Any) -> Generator[Event, None, Model]:
        stages = Stages(self.folder)
        self.notes += self._cut_short()
        try:
            model, members, shown = yield from stages.run("Fitting the chosen methods", lambda _: self.model(self.outcomes))
        except StageStopped as stopped:
            yield concluded(self.folder, Finished("stopped", notes=[f"Stopped during: {stopped.name}. There is no model yet."]))
            raise StoppedEarlyError("stopped before the chosen methods were fitted; resume the run to start the comparison again") from None
        for outcome, weight in members:
            yield self._record(self.compared(outcome, weight))
        for which, path in (("best", self.folder.best), ("last", self.folder.last)):
            model.save(path)
            yield self._record(Saved(which, str(path)))  # type: ignore[arg-type]
        yield from map(self._record, shown)
        card, count = model.description, len(self.outcomes)
        took = self.clock.now() - self.began
        ending = Finished(reason, count, count, card.scores, took, str(self.folder.best), notes=card.notes, intervals=card.intervals)
        yield concluded(self.folder, ending)
        return model
