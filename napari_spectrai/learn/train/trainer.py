"""The training loop: batches, steps, epochs, saves; controlled through the run folder, reported as events."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator
from dataclasses import replace
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from napari_spectrai.experiment import Experiment
from napari_spectrai.experiment.metrics import METRICS
from napari_spectrai.learn import classical
from napari_spectrai.learn.classical import Method
from napari_spectrai.learn.data.dataset import Dataset
from napari_spectrai.learn.device import accelerator, choose_device
from napari_spectrai.learn.model import Model
from napari_spectrai.learn.parallel.group import ALONE, Order, ProcessGroup
from napari_spectrai.learn.stages import Say, Stages, StageStopped
from napari_spectrai.learn.train.batches import Batches
from napari_spectrai.learn.train.checkpoint import TrainingPosition
from napari_spectrai.learn.train.computing import Computing
from napari_spectrai.learn.train.final_scores import FinalScores, final_scores
from napari_spectrai.learn.train.initialise import check_steps, freeze, initialise
from napari_spectrai.learn.train.optimisation import Optimisation
from napari_spectrai.learn.train.previews import Previews
from napari_spectrai.learn.train.removed import what_was_removed
from napari_spectrai.learn.train.saving import Saver
from napari_spectrai.learn.train.second_training import SecondTraining
from napari_spectrai.learn.train.snapshots import WatchedWindow
from napari_spectrai.learn.train.validation import MethodScores, Validator
from napari_spectrai.reports.run_report import concluded
from napari_spectrai.runs import Epoch, Event, Finished, Paused, RunFolder, Started, Step

SAVE_SECONDS = 2.0
"""Minimum seconds between saves of a fast training; a killed run loses at most this time, or one epoch."""
STEP_SECONDS = 0.25
"""Minimum seconds between `Step` events, and between checks of the control file."""
LONG_EPOCH_SECONDS = 60.0
"""Maximum seconds between saves, also within an epoch."""


Reason = Literal["done", "stopped", "early"]
"""Why a training ended."""


class Trainer:
    """Training of one network; `events` runs it.

    Parameters
    ----------
    experiment : Experiment
    data : Dataset
    folder : RunFolder
    shown : bool
        Whether there are previews.
    group : ProcessGroup
        The processes that train together. Of them, process 0 runs `events`, and `replica` follows in the others.
    precision : str
        The precision that process 0 has chosen; empty: it is chosen here.
    """

    def __init__(
        self,
        experiment: Experiment,
        data: Dataset,
        folder: RunFolder,
        *,
        shown: bool = True,
        group: ProcessGroup = ALONE,
        precision: str = "",
    ) -> None:
        self.group = group
        self.settings = settings = experiment.training
        self.experiment, self.folder, self.place = experiment, folder, TrainingPosition()
        self.device = choose_device(settings.device)
        torch.manual_seed(settings.seed)
        self.data = data = data.to(self.device)
        network = initialise(experiment, data, pretrained=not folder.has_checkpoint)
        still = freeze(network, settings.frozen)
        computing = Computing(experiment, data, folder, group, self.device)
        self.precision = precision or computing.precision(network)
        self.accelerator = accelerator(self.device, self.precision)
        self.batches = Batches(experiment, data)
        self.steps = self.batches.steps
        check_steps(network, experiment, data, self.batches.drawn, self.steps)
        self.micro_batch = computing.samples_at_once(network, still, self.precision, self.steps * settings.epochs)
        self.optimisation = Optimisation(
            experiment, network, self.accelerator, self.steps, still, labels=bool(data.classes), group=group, micro_batch=self.micro_batch
        )
        self.network, self.average = self.optimisation.network, self.optimisation.average
        self.task = experiment.task.load()(experiment, data)
        self.metric = METRICS[self.task.names[0]]
        self.place.best = self.metric.worst
        self.saver = Saver(experiment, data, folder, self.optimisation.parts, self.optimisation.generator)
        self.validator = Validator(experiment, self.task, data, self.accelerator)
        self.previews = Previews(self.validator, WatchedWindow(experiment, data)) if shown else None
        self.block_score: SecondTraining | None = None
        """Trains once more on another split; its scores are reported as the part ``"blocks"``."""
        self.stages = Stages(folder)
        self.classical: dict[str, Method] = {}
        self.baselines = MethodScores()
        self._total = torch.zeros((), device=self.device)
        self._saved_at = self._looked_at = 0.0
        self._clock = time.monotonic()

    # ------------------------------------------------------------------ state

    def restore(self) -> None:
        """Restore the last checkpoint; without one, start at the beginning."""
        self.place = self.saver.restored(self.place)
        self.average.updates = self.place.epoch * self.steps + self.place.step

    def share_state(self) -> None:
        """Let all processes start with the weights, the state of the optimiser and the position of process 0."""
        if self.group.size > 1:
            self.place.epoch, self.place.step = self.saver.shared(self.group, (self.place.epoch, self.place.step))

    def _recorded(self, event: Event) -> Event:
        self.folder.append(event)
        return event

    def _save(self, *, force: bool = False) -> Iterator[Event]:
        if not force and time.monotonic() - self._saved_at < SAVE_SECONDS:
            return
        place = self.place
        place.loss = float(self._total) if place.step else 0.0
        place.seconds += time.monotonic() - self._clock
        self._clock = time.monotonic()
        yield from self.saver.save(place, self.classical, self.baselines.rows)
        self._saved_at = time.monotonic()

    # ------------------------------------------------------------------ events

    def events(self) -> Generator[Event, None, Model]:
        """Train to the end, or until stopped."""
        self.validator.cache_features(self.network)
        # scored as the network is, tuned on training rows only
        yield from self._fit_baselines()
        yield self._recorded(self._started())
        with self.group.ordered(Order.BEGIN):
            self.share_state()
        reason: Reason = "done"
        try:
            while self.place.epoch < self.settings.epochs:
                stopped = (yield from self._handle_command()) or (yield from self._epoch())
                if stopped:
                    reason = "stopped"
                    break
                if self.settings.patience and self.place.epoch - self.place.best_epoch >= self.settings.patience:
                    reason = "early"
                    break
        except (GeneratorExit, KeyboardInterrupt):
            for _ in self._save(force=True):
                pass
            raise
        yield from self._save(force=True)
        rows = None
        if self.block_score is not None and reason != "stopped":
            for event in self.block_score:
                yield self._recorded(event)
            rows = self.block_score.rows
            if self.block_score.stopped:
                reason = "stopped"
                self.folder.consume_command()
        return (yield from self._finished(reason, rows))

    def _fit_baselines(self) -> Generator[Event, None, None]:
        """Fit and score the classical methods.

        Raises
        ------
        StageStopped
            If the run was asked to stop meanwhile.
        """

        def work(say: Say) -> tuple[dict[str, Method], MethodScores]:
            methods = classical.fit_baselines(self.experiment, self.data, "training", say=say)
            say("Scoring classical methods")
            return methods, self.validator.baseline_scores("validation", methods)

        self.classical, self.baselines = yield from self.stages.run("Fitting classical methods", work)

    def _started(self) -> Started:
        parts = self.data.parts
        return Started(
            device=str(self.device), precision=self.precision,
            training=self.data.training_samples, validation=len(parts["validation"]), test=len(parts.get("test", ())),
            epochs=self.settings.epochs, parameters=sum(p.numel() for p in self.network.parameters()),
            metric=self.task.names[0], baselines={name: row[self.task.names[0]] for name, row in self.baselines.rows.items()},
            notes=self.data.notes, resumed_after=self.place.epoch, micro_batch=self.micro_batch,
        )  # fmt: skip

    def epochs(self) -> Generator[Event, None, None]:
        """Train to the last epoch without validation and saving; `average` has the weights."""
        self.validator.cache_features(self.network)
        self._saved_at = math.inf
        while self.place.epoch < self.settings.epochs:
            if (yield from self._steps()):
                return
            self._refuse_divergence(float(self._total) / self.steps)
            self.place.epoch, self.place.step, self.place.loss = self.place.epoch + 1, 0, 0.0
            self.optimisation.end_epoch()

    @property
    def _shown_loss(self) -> float:
        return float(self._total) * float(self.task.loss_unit)

    def _epoch(self) -> Generator[Event, None, bool]:
        """Run the rest of one epoch and validate it; return whether it was stopped."""
        began = time.monotonic()
        if (yield from self._steps()):
            return True
        mean = self._shown_loss / self.steps
        self._refuse_divergence(mean)
        yield from self._validate(mean, began)
        return False

    def _steps(self) -> Generator[Event, None, bool]:
        """Run the rest of the steps of one epoch; return whether it was stopped."""
        place = self.place
        batches = self.batches.of_epoch(place.epoch, place.step, self.validator.cached, self.device)
        self._total.fill_(place.loss)
        self.optimisation.train_mode()
        while place.step < self.steps:
            batch = next(batches)
            with self.group.ordered(Order.STEP):
                self._total += self.learn(*batch)
            place.step += 1
            if time.monotonic() - self._looked_at > STEP_SECONDS:
                self._looked_at = time.monotonic()
                mean = self._shown_loss / place.step
                self._refuse_divergence(mean)
                yield self._recorded(Step(place.epoch + 1, place.step, self.steps, mean, self.optimisation.rate))
                if (yield from self._handle_command()):
                    return True
                if time.monotonic() - self._saved_at > LONG_EPOCH_SECONDS:
                    yield from self._save()
        return False

    def learn(self, inputs: Tensor, truths: Tensor | None) -> Tensor:
        """Take one step on a batch, and return its loss."""
        pair = self.task.make_pair(inputs, truths, self.optimisation.generator, learning=True)
        return self.optimisation.step(pair, self.task.loss, self.validator.forward)

    def _validate(self, training: float, began: float) -> Iterator[Event]:
        place, rate = self.place, self.optimisation.rate
        with self.group.ordered(Order.VALIDATE):
            output, truth = self.validation_outputs()
        scores = self.task.scores(output, truth)
        value = scores[self.task.names[0]]
        with self.group.ordered(Order.ADVANCE, value):
            self.advance(value)
        best = self.metric.is_better(value, place.best)
        if best:
            place.best, place.best_epoch, place.best_scores = value, place.epoch, scores
            place.best_weights = {name: tensor.detach().cpu().clone() for name, tensor in self.average.module.state_dict().items()}
        took = time.monotonic() - began
        left = took * (self.settings.epochs - place.epoch)
        # recorded before the save, so that a resumed run starts after it; yielded after the save, so that its files exist
        event = self._recorded(Epoch(place.epoch, self.settings.epochs, training, value, scores, rate, best, took, left))
        saved = list(self._save(force=place.epoch == 1))
        yield event
        yield from saved
        if self.previews is not None:
            for shown in self.previews.of(place, output, truth, self.average.module, last=place.epoch == self.settings.epochs):
                yield self._recorded(shown)

    def validation_outputs(self) -> tuple[Tensor, Tensor]:
        """Return the outputs of the averaged network for the validation samples, and their truths."""
        for module in (self.network, self.average.module):  # processors of different kinds may round differently
            self.group.copy(module)
        return self.validator.outputs("validation", self.average.module, self.group)

    def advance(self, score: float) -> None:
        """Go on to the next epoch, after one with this validation score."""
        self.place.epoch, self.place.step, self.place.loss = self.place.epoch + 1, 0, 0.0
        self.optimisation.end_epoch(score, self.metric)

    def _handle_command(self) -> Generator[Event, None, bool]:
        """Carry out the command in the control file; return whether to stop."""
        if self.folder.command() == "pause":
            yield from self._save(force=True)
            yield self._recorded(Paused(True))
            while self.folder.command() == "pause":
                time.sleep(0.05)
            self._clock = time.monotonic()
            if self.folder.command() != "stop":
                yield self._recorded(Paused(False))
        if self.folder.command() != "stop":
            return False
        self.folder.consume_command()
        return True

    def _finished(self, reason: Reason, blocks: dict[str, dict[str, float]] | None = None) -> Generator[Event, None, Model]:
        place = self.place
        if not place.best_weights or self.settings.keep == "last":  # stopped within the first epoch: the present weights are the best
            place.best_weights = {name: tensor.detach().cpu().clone() for name, tensor in self.average.module.state_dict().items()}
            place.best_epoch = place.epoch
        self.average.module.load_state_dict(place.best_weights)
        if reason != "stopped" and self.settings.keep == "best":
            reason = yield from self._refit_baselines(reason)
        final = final_scores(self.validator, self.average.module, self.classical, self.baselines, place.best_epoch)
        final.parts |= {"blocks": blocks} if blocks else {}
        model = self._final_model(final)
        yield self.saver.save_best(model)
        for event in final.previews:
            yield self._recorded(event)
        notes = [*(self.block_score.notes if self.block_score is not None else []), *model.description.notes]
        ending = Finished(
            reason, place.epoch, place.best_epoch, final.parts, place.seconds, str(self.folder.best), notes=notes, intervals=final.intervals
        )
        yield concluded(self.folder, ending)
        return model

    def _refit_baselines(self, reason: Reason) -> Generator[Event, None, Reason]:
        """Fit the classical methods on the validation rows, too, as the network used them to choose its best epoch."""
        again = partial(classical.fit_baselines, self.experiment, self.data, "training", "validation", before=self.classical)
        try:
            self.classical = yield from self.stages.run("Fitting classical methods", lambda say: again(say=say))
        except StageStopped:  # those of before are kept
            return "stopped"
        return reason

    def _final_model(self, final: FinalScores) -> Model:
        model = self.saver.model(self.place.best_weights, self.classical, final.parts)
        notes = [*what_was_removed(self.experiment, self.data, self.average.module), *final.notes]
        return replace(model, description=replace(model.description, temperature=final.temperature, intervals=final.intervals, notes=notes))

    def _refuse_divergence(self, loss: float) -> None:
        if not math.isfinite(loss):
            exact = "training.precision=fp32, or " if self.precision == "bf16" else ""
            raise FloatingPointError(
                f"the loss became {loss} in epoch {self.place.epoch + 1}; start a new run with {exact}a lower "
                f"training.optimiser.lr ({self.settings.optimiser.lr:g})"
            )
