"""View of a training: its curves, its status in words, and one validation spectrum."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from magicgui.widgets import CheckBox, Container
from napari.components import ViewerModel
from napari.utils import progress
from qtpy.compat import isalive
from qtpy.QtCore import QTimer
from superqt.utils import thread_worker

from napari_spectrai.experiment.metrics import METRICS
from napari_spectrai.runs import (
    Compared,
    Confusion,
    Epoch,
    Event,
    Failed,
    Finished,
    Fold,
    Patch,
    Paused,
    Preview,
    Progress,
    RunFolder,
    Saved,
    Stage,
    Started,
    Step,
)
from napari_spectrai.widgets.dock import message, say, text
from napari_spectrai.widgets.fold_box import FoldBox
from napari_spectrai.widgets.plot import CLASSICAL, SOURCE, Plot
from napari_spectrai.widgets.train_dock.compared_curves import ComparedCurves
from napari_spectrai.widgets.train_dock.previews import Previews
from napari_spectrai.widgets.train_dock.progress_words import (
    baselines_shown,
    best_so_far,
    candidate_line,
    clock,
    how_it_ended,
    how_it_stopped,
)

REDRAW = 0.5
"""Minimum seconds between redraws while only epochs, steps and previews arrive."""
_FREQUENT = (Epoch, Step, Saved, Preview, Patch, Confusion, Fold)


ACTIVITY = 1.0
"""Minimum seconds between two messages to napari's activity dock, each of which repaints the whole window."""


class TrainingView(Container[Any]):
    """Curves, status and previews of one run, with the curves of other runs to compare."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._status = text("status")
        self._trouble = message()
        self.remark = text("remark")
        self._notes = text("notes")
        self.notes_fold = FoldBox("About this result", [self._notes])
        self.remark.visible = self.notes_fold.visible = False
        self._log = text("log")
        self._log_fold = FoldBox("Log", [self._log])
        self._log_fold.visible = False
        self.logarithmic = CheckBox(
            value=True,
            text="Logarithmic",
            name="logarithmic",
            visible=False,
            tooltip="use a logarithmic axis, where all values are positive, or a linear one",
        )
        self.curves = Plot(viewer, x="Epoch", y="Error", height=200, name="curves", logarithmic=True, counts=True)
        self.previews = Previews(viewer)
        self.preview, self.pictures = self.previews.spectrum, self.previews.pictures
        self.candidates = text("candidates")
        self.candidates.visible = False
        widgets = [
            self._status, self._trouble, self.remark, self.notes_fold, self._log_fold,
            self.curves, self.logarithmic, self.candidates, self.preview, self.pictures,
        ]  # fmt: skip
        super().__init__(widgets=widgets, labels=False, name="view")
        self.margins = (0, 0, 0, 0)
        self.curves.visible = self.preview.visible = False
        self._activity: Any = None
        self._activity_time = 0.0
        self._replaying: RunFolder | None = None
        self._compared = ComparedCurves(self.curves)
        self.logarithmic.changed.connect(lambda on: self.curves.scale(logarithmic=on))
        self._later = QTimer(self.native)
        self._later.setSingleShot(True)
        self._later.setInterval(round(1000 * REDRAW))
        self._later.timeout.connect(self.catch_up)
        self._reset()

    def _reset(self) -> None:
        self._epochs: list[Epoch] = []
        self._started: Started | None = None
        self._metric = METRICS["mse"]
        self._name = "mse"
        self._rate = 0.0
        self._later.stop()
        self._waiting: list[Event] = []
        self._shown_at = 0.0
        self._candidates: dict[str, Compared] = {}

    @property
    def status(self) -> str:
        """The status in words."""
        return str(self._status.value)

    def say(self, text: str) -> None:
        """Show a status."""
        self._status.value = text

    def begin(self, text: str) -> None:
        """Clear the view for a new or resumed run."""
        self._reset()
        self.curves.clear_curves()
        self.previews.clear()
        self._replaying = None
        self.curves.visible = self.preview.visible = True
        self.curves.titles(x="Epoch")
        self.candidates.value, self.candidates.visible = "", False
        self._log_fold.visible = False
        say(self._trouble, "")
        say(self.remark, "")
        self._note([])
        self.say(text)
        self._close_activity()
        self._activity = progress(total=0, desc="training")

    def show_events(self, events: Sequence[Event]) -> None:
        """Show new events with a short delay: a training with short epochs emits them faster than the window should be redrawn."""
        self._waiting += events
        if any(not isinstance(event, _FREQUENT) for event in events) or time.monotonic() - self._shown_at > REDRAW:
            self.catch_up()
        elif not self._later.isActive():
            self._later.start()

    def catch_up(self) -> None:
        """Show the waiting events: every epoch in the curve, which is drawn once, and the latest of the other kinds."""
        self._later.stop()
        events, self._waiting = self._waiting, []
        if events:
            self._shown_at = time.monotonic()
            self._show(events)

    def _show(self, events: Sequence[Event]) -> None:
        latest = {type(event): event for event in events}
        for event in events:
            if isinstance(event, Started):
                self._show_start(event)
            elif isinstance(event, Epoch):
                self._epochs.append(event)
        self._show_candidates([event for event in events if isinstance(event, Compared)])
        if self._epochs and {Started, Epoch} & latest.keys():  # the old curve of a resumed run arrives in one batch
            self._show_epochs()
        self.previews.show(events)
        match events[-1]:
            case Step() as step:
                self._show_step(step)
            case Fold() as fold:
                left = f" · {clock(fold.left)} left for the comparison" if fold.left else ""
                self.say(f"{fold.candidate}: fold {fold.fold} of {fold.folds} · candidate {fold.number} of {fold.candidates}{left}")
            case Progress(done=done, total=total):
                self.say(f"second training on a block split: epoch {done} of {total}")
            case Stage(name=name, done=done, total=total):
                self.say(f"{name} ({done + 1} of {total}) …" if total else f"{name} …")
            case Paused(paused=paused):
                self.say("paused" if paused else "resuming …")

    def _show_start(self, event: Started) -> None:
        self._started = event
        # a resumed run repeats the epochs after its checkpoint
        self._epochs = [epoch for epoch in self._epochs if epoch.epoch <= event.resumed_after]
        for name, colour in baselines_shown(event).items():
            if name in event.baselines:
                self.curves.curve(name, [1, max(2, event.epochs)], [event.baselines[name]] * 2, colour, dashed=True)
        self._name, self._metric = event.metric, METRICS[event.metric]
        inverted = self._metric.larger_is_better  # scores for which larger is better are drawn without the loss, whose scale differs
        self.logarithmic.visible = not inverted
        self.curves.scale(logarithmic=not inverted and self.logarithmic.value)
        self.curves.titles(y=self._metric.title if inverted else f"{self._metric.title} (scaled)")
        where = "GPU" if event.device.startswith("cuda") else "CPU" if event.device == "cpu" else event.device.upper()
        notes = "".join(f"\n{note}" for note in event.notes)
        self.say(f"{event.training:,} training samples, {event.validation:,} validation, {event.test:,} test · {where}{notes}")
        self._compared.draw(self._name)
        if self._activity is not None:
            self._activity.reset(total=event.epochs)
            self._activity.update(event.resumed_after)
            self._activity_time = time.monotonic()

    def _show_candidates(self, compared: Sequence[Compared]) -> None:
        """Draw the out-of-fold score of each candidate with its 90 % interval, and list the candidates."""
        if not compared:
            return
        self._candidates |= {event.name: event for event in compared}
        known = [(number, one) for number, one in enumerate(self._candidates.values(), 1) if self._name in one.scores]
        numbers = [float(number) for number, _ in known]
        self.curves.titles(x="Candidate", y=f"{self._metric.title}, out of fold")
        self.curves.curve("score", numbers, [one.scores[self._name] for _, one in known], self.curves.accent, width=2, points=True)
        ends = [(number, *one.interval) for number, one in known if one.interval]
        if ends:
            bars = np.array([[(number, low), (number, high), (np.nan, np.nan)] for number, low, high in ends]).reshape(-1, 2)
            self.curves.curve("90 % interval", bars[:, 0], bars[:, 1], CLASSICAL, width=2)
        self.candidates.value = "\n".join(
            candidate_line(number, one, self._name) for number, one in enumerate(self._candidates.values(), 1)
        )
        self.candidates.visible = True
        if self._activity is not None:
            self._activity.update(len(self._candidates) - self._activity.n)

    def _show_step(self, event: Step) -> None:
        if self._started is not None:
            self._rate = event.lr
            self.say(f"epoch {event.epoch} of {self._started.epochs} · step {event.step} of {event.steps}{self._best()}")

    def _best(self) -> str:
        return "" if self._started is None else best_so_far(self._started, self._epochs, self._metric, self._rate)

    def _show_epochs(self) -> None:
        event = self._epochs[-1]
        epochs = [epoch.epoch for epoch in self._epochs]
        if not self._metric.larger_is_better:  # the loss has the same scale as the score
            self.curves.curve("training", epochs, [epoch.training for epoch in self._epochs], SOURCE)
        self.curves.curve("validation", epochs, [epoch.validation for epoch in self._epochs], self.curves.accent, width=2)
        self.say(f"epoch {event.epoch} of {event.epochs}{self._best()}")
        if self._activity is not None and time.monotonic() - self._activity_time >= ACTIVITY:
            self._activity.update(event.epoch - self._activity.n)
            self._activity_time = time.monotonic()

    # ---------------------------------------------------------------- other runs

    def compare(self, path: str, name: str, epochs: list[int], values: list[float], metric: str, colour: str) -> str:
        """Draw the curve of another run in the same plot; return why it cannot be drawn, or an empty text."""
        if self._started is None and not self._compared and metric:  # the first curve determines the metric
            self._name, self._metric = metric, METRICS[metric]
            inverted = self._metric.larger_is_better
            self.logarithmic.visible, self.curves.visible = not inverted, True
            self.curves.scale(logarithmic=not inverted and self.logarithmic.value)
            self.curves.titles(y=self._metric.title)
        if metric != self._name:
            theirs = METRICS[metric].title if metric else "no epoch"
            return f"{name} is scored by {theirs}, but the curves here show {self._metric.title}; it is not drawn"
        self._compared.add(path, name, epochs, values, metric, colour)
        self._compared.draw(self._name)
        return ""

    def compare_no_more(self, path: str) -> None:
        """Remove the curve of another run."""
        self._compared.remove(path)
        self._compared.draw(self._name)

    def replay(self, folder: RunFolder) -> None:
        """Show the events of a run until now."""
        self.begin(f"reading {folder.path.name} …")
        self._close_activity()
        self._replaying = folder
        worker = thread_worker(lambda: [event for event in folder.events() if not isinstance(event, Step)], ignore_errors=True)()
        worker.returned.connect(lambda events: self._replayed(folder, events))
        worker.errored.connect(lambda error: self._not_replayed(folder, error))
        worker.start()

    def _not_replayed(self, folder: RunFolder, error: Exception) -> None:
        if self._replaying is folder and isalive(self.native):  # type: ignore[no-untyped-call]
            self.failed(str(error), "")

    def _replayed(self, folder: RunFolder, events: Sequence[Event]) -> None:
        if self._replaying is not folder or not isalive(self.native):  # type: ignore[no-untyped-call]
            return  # another run is shown by now, or the dock was closed
        self._replaying = None
        self.show_events(events) if events else self.say("no progress yet")
        if events and isinstance(events[-1], Finished | Failed):
            self.ended(events[-1])

    def ended(self, ending: Event) -> None:
        """Show how the run ended."""
        self.catch_up()
        self._close_activity()
        if isinstance(ending, Failed):
            self.failed("\n".join([ending.message, *ending.notes]), ending.details)
        elif isinstance(ending, Finished) and ending.reason == "stopped":
            self._note(ending.notes)
            self.say(how_it_stopped(ending.epoch or (self._epochs[-1].epoch if self._epochs else 0), len(self._candidates)))
        elif isinstance(ending, Finished):
            self._note(ending.notes)
            self.say(how_it_ended(ending, self._metric, sum(bool(one.scores) for one in self._candidates.values())))

    def warn(self, words: str) -> None:
        """Show a sentence on the run that has ended, such as that its score cannot be compared."""
        say(self.remark, words)

    def _note(self, notes: Sequence[str]) -> None:
        """Show how the result came about, under a heading."""
        self._notes.value, self.notes_fold.visible = "\n".join(notes), bool(notes)

    def failed(self, text: str, details: str) -> None:
        """Show what went wrong."""
        self._close_activity()
        self.say("failed")
        self._log.value = details
        self._log_fold.visible = bool(details)
        say(self._trouble, text)

    def _close_activity(self) -> None:
        if self._activity is not None:
            self._activity.close()
            self._activity = None
