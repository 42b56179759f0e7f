"""Progress of a training on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import rich.progress
from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeRemainingColumn

from napari_spectrai.experiment.metrics import METRICS
from napari_spectrai.runs import Compared, Epoch, Event, Failed, Finished, Fold, Progress, Stage, Started, Step


def in_digits(value: float) -> str:
    """Return a score with five digits, at whatever scale the data are."""
    return f"{value:.5f}" if value == 0 or 0.01 <= abs(value) < 1e5 else f"{value:.4g}"


class TrainingBar:
    """A progress bar of epochs with the losses, below the scores of the classical methods."""

    def __init__(self) -> None:
        self.console = Console(stderr=True)
        self._bar = rich.progress.Progress(
            SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[scores]}"),
            TimeRemainingColumn(), console=self.console,
        )  # fmt: skip
        self._task = self._bar.add_task("starting", total=None, scores="")
        self._epochs = 1
        self._printed: set[str] = set()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def show(self, event: Event) -> None:
        """Show an event."""
        if isinstance(event, Started):
            self._epochs = event.epochs
            self._bar.update(self._task, total=event.epochs, completed=event.resumed_after, description="training")
            self.console.print(
                f"{event.training:,} samples for training, {event.validation:,} for validation, {event.test:,} for the test; "
                f"{event.parameters:,} weights; {event.device}, {event.precision}"
            )
            self._say(event.notes)
            if event.baselines:
                scores = " · ".join(f"{name} {in_digits(value)}" for name, value in event.baselines.items())
                self.console.print(f"validation {METRICS[event.metric].title}: {scores}")
        elif isinstance(event, Step):
            done = event.epoch - 1 + event.step / event.steps
            self._bar.update(self._task, completed=done)
        elif isinstance(event, Epoch):
            scores = f"epoch {event.epoch}/{event.epochs}  training {in_digits(event.training)}  validation {in_digits(event.validation)}"
            self._bar.update(self._task, completed=event.epoch, scores=scores)
        elif isinstance(event, Fold):
            done = event.number - 1 + event.fold / event.folds
            left = f", {event.left:.0f} s left" if event.left else ""
            self._bar.update(self._task, completed=done, scores=f"{event.candidate}: fold {event.fold} of {event.folds}{left}")
        elif isinstance(event, Compared) and not event.weight:
            value = next(iter(event.scores.values()), None)
            ends = f" (90 % interval {event.interval[0]:.4g} to {event.interval[1]:.4g})" if event.interval else ""
            self.console.print(f"{event.name}: {event.note if value is None else f'{value:.4g}{ends}'}", markup=False, highlight=False)
        elif isinstance(event, Progress):
            self._bar.update(self._task, scores=f"second training on a block split: epoch {event.done}/{event.total}")
        elif isinstance(event, Stage):
            part = f" ({event.done + 1} of {event.total})" if event.total else ""
            self._bar.update(self._task, scores=f"{event.name}{part} …")
        elif isinstance(event, Finished | Failed):
            self._say(event.notes)

    def _say(self, notes: Sequence[str]) -> None:
        """Print notes that have not been printed before."""
        for note in notes:
            if note not in self._printed:
                self._printed.add(note)
                self.console.print(f"note: {note}", markup=False, highlight=False)
