"""The training loop: batches, steps, epochs, saves; controlled through the run folder, reported as events."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Generator, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from napari_spectrai.experiment import Experiment
from napari_spectrai.experiment.metrics import METRICS
from napari_spectrai.learn import classical
from napari_spectrai.learn.classical import Method
from napari_spectrai.learn.data.dataset import Dataset
from napari_spectrai.learn.data.sampling_order import in_turn, planes_of
from napari_spectrai.learn.device import accelerator, choose_device
from napari_spectrai.learn.model import Model
from napari_spectrai.learn.stages import Say, Stages, StageStopped
from napari_spectrai.learn.train import checkpoint
from napari_spectrai.learn.train.augment import Chain
from napari_spectrai.learn.train.checkpoint import TrainingPosition
from napari_spectrai.learn.train.ema import EMA
from napari_spectrai.learn.train.initialise import freeze, initialise, refuse_single
from napari_spectrai.learn.train.precision import precision_before, training_precision
from napari_spectrai.learn.train.previews import Previews
from napari_spectrai.learn.train.removed import what_was_removed
from napari_spectrai.learn.train.snapshots import WatchedWindow
from napari_spectrai.learn.train.validation import Validator, crossed_temperature, temperature, tempered
from napari_spectrai.plan.size import an_epoch, steps_of
from napari_spectrai.reports.run_report import concluded
from napari_spectrai.runs import Epoch, Event, Finished, Paused, RunFolder, Saved, Started, Step

SAVE_SECONDS = 2.0
"""Minimum seconds between saves of a fast training; a killed run loses at most this time, or one epoch."""
STEP_SECONDS = 0.25
"""Minimum seconds between `Step` events, and between checks of the control file."""
FEW_VALIDATED = 30
"""Number of validation samples below which cross-validation is recommended."""
LONG_EPOCH_SECONDS = 60.0
"""Maximum seconds between saves, also within an epoch."""


class SecondTraining(Protocol):
    """Another training after this one: iterated over for its progress, it has scores or says why there are none."""

    rows: dict[str, dict[str, float]] | None
    notes: list[str]
    stopped: bool

    def __iter__(self) -> Iterator[Event]:
        """Train, and yield progress."""


class Trainer:
    """Training of one network; `events` runs it."""

    def __init__(self, experiment: Experiment, data: Dataset, folder: RunFolder, *, shown: bool = True) -> None:
        self.settings = settings = experiment.training
        self.experiment, self.folder, self.place = experiment, folder, TrainingPosition()
        self.device = choose_device(settings.device)
        torch.manual_seed(settings.seed)
        self.data = data = data.to(self.device)
        network = initialise(experiment, data, pretrained=not checkpoint.is_there(folder.checkpoint))
        self._still = freeze(network, settings.frozen)
        self.precision = self._precision(network)
        self.accelerator = accelerator(self.device, self.precision)
        optimiser = experiment.training.optimiser
        arguments = optimiser.model_dump(exclude={"kind"})
        self.network, self.optimiser = self.accelerator.prepare(network, optimiser.load()(network.parameters(), **arguments))
        self.average = EMA(self.network, settings.ema)
        samples = data.parts["training"]
        self.images = planes_of(samples, data.places)
        images = len(self.images.unique()) if data.stream is None else data.stream.images
        self.drawn = an_epoch(experiment, data.training_samples, samples.patch, data.training_pixels, images)
        if samples.patch == 1 or experiment.network.around or experiment.task.of_images:  # a patch contains many values
            refuse_single(network, experiment, self.drawn)
        self.steps = steps_of(self.drawn, settings.batch)
        if self.steps < 4:
            data.notes.append(
                f"Only {self.steps} step{'s' if self.steps > 1 else ''} per epoch ({self.drawn} samples, batch {settings.batch}); "
                "lower training.batch for more."
            )
        schedule = settings.schedule
        self.schedule, self.pace = schedule.load()(schedule, self.optimiser.optimizer, self.steps, settings.epochs)
        self.task = experiment.task.load()(experiment, data)
        self.metric = METRICS[self.task.names[0]]
        self.place.best = self.metric.worst
        self.augment = Chain(experiment.augmentation, labels=bool(data.classes))
        self.generator = torch.Generator(self.device).manual_seed(settings.seed)
        self.validator = Validator(experiment, self.task, data, self.accelerator)
        self.previews = Previews(self.validator, WatchedWindow(experiment, data)) if shown else None
        self.block_score: SecondTraining | None = None
        """Trains once more on another split; its scores are reported as the part ``"blocks"``."""
        self.stages = Stages(folder)
        self.classical: dict[str, Method] = {}
        self.baselines: dict[str, dict[str, float]] = {}
        self._total = torch.zeros((), device=self.device)
        self._saved_at = self._looked_at = 0.0
        self._clock = time.monotonic()

    def _precision(self, network: nn.Module) -> str:
        """Return the precision of the run: the one it began with, or the one that is chosen here."""
        began = precision_before(self.folder) if checkpoint.is_there(self.folder.checkpoint) else None
        if began is not None:
            return began
        samples = self.data.parts["training"]
        shape = (max(2, min(self.settings.batch, len(samples))), samples.patch, samples.patch, len(self.data.prepared_axis))
        precision, notes = training_precision(self.experiment, network, shape, self.device)
        self.data.notes.extend(notes)
        return precision

    # ------------------------------------------------------------------ state

    @property
    def _parts(self) -> dict[str, Any]:
        return {"network": self.network, "average": self.average.module, "optimiser": self.optimiser, "schedule": self.schedule}

    def restore(self) -> None:
        """Restore the last checkpoint; without one, start at the beginning."""
        if checkpoint.is_there(self.folder.checkpoint):
            models = self.folder.last if self.folder.last.exists() else None
            self.place, note = checkpoint.load(self.folder.checkpoint, self._parts, self.generator, models=models)
            self.data.notes.extend([note] if note else [])
            self.average.updates = self.place.epoch * self.steps + self.place.step
        self.folder.truncate(self.place.journal)

    def _recorded(self, event: Event) -> Event:
        self.folder.append(event)
        return event

    def _model(self, weights: dict[str, Tensor], scores: dict[str, dict[str, dict[str, float]]]) -> Model:
        network = copy.deepcopy(self.average.module)  # not built again: that would draw from the random state
        network.load_state_dict(weights)
        return Model.of(network, self.data, self.experiment, self.folder.path.name, classical=self.classical, scores=scores)

    def _save(self, *, force: bool = False) -> Iterator[Event]:
        if not force and time.monotonic() - self._saved_at < SAVE_SECONDS:
            return
        place = self.place
        place.loss = float(self._total) if place.step else 0.0
        place.seconds += time.monotonic() - self._clock
        self._clock = time.monotonic()
        if place.best_weights:
            scores = {"validation": self.baselines | {"network": place.best_scores}}
            self._model(place.best_weights, scores).save(self.folder.best)
            yield self._recorded(Saved("best", str(self.folder.best)))
        self._model(self.average.module.state_dict(), {}).save(self.folder.last)
        yield self._recorded(Saved("last", str(self.folder.last)))
        place.journal = self.folder.journal_length
        checkpoint.save(self.folder.checkpoint, place, self._parts, self.generator)
        self._saved_at = time.monotonic()

    # ------------------------------------------------------------------ events

    def events(self) -> Generator[Event, None, Model]:
        """Train to the end, or until stopped."""
        self.validator.cache_features(self.network)
        # scored as the network is, tuned on training rows only
        yield from self._fit_baselines()
        yield self._recorded(self._started())
        reason = "done"
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

        def work(say: Say) -> tuple[dict[str, Method], dict[str, dict[str, float]]]:
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
            metric=self.task.names[0], baselines={name: row[self.task.names[0]] for name, row in self.baselines.items()},
            notes=self.data.notes, resumed_after=self.place.epoch,
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
            if self.pace == "epoch":
                self.schedule.step()

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
        batches = self._batches()
        self._total.fill_(place.loss)
        self.network.train()
        for module in self._still:
            module.eval()
        while place.step < self.steps:
            self._total += self._learn(*next(batches))
            place.step += 1
            if time.monotonic() - self._looked_at > STEP_SECONDS:
                self._looked_at = time.monotonic()
                mean = self._shown_loss / place.step
                self._refuse_divergence(mean)
                yield self._recorded(Step(place.epoch + 1, place.step, self.steps, mean, self._rate()))
                if (yield from self._handle_command()):
                    return True
                if time.monotonic() - self._saved_at > LONG_EPOCH_SECONDS:
                    yield from self._save()
        return False

    def _batches(self) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Yield the inputs and truths of the rest of the steps of one epoch."""
        first, size = self.place.step, self.settings.batch
        if self.data.stream is not None:
            sizes = [size] * (self.steps - first - 1) + [self.drawn - (self.steps - 1) * size]
            yield from self.data.stream.batches(self.place.epoch, self.drawn, sizes, self.device)
            return
        data, order = self.validator.cached, self._order(self.place.epoch)
        for step in range(first, self.steps):
            chosen = order[step * size : None if step == self.steps - 1 else (step + 1) * size]
            yield data.batch(data.parts["training"][chosen], self.device)

    def _learn(self, inputs: Tensor, truths: Tensor | None) -> Tensor:
        """Take one step, and return its loss."""
        pair = self.task.make_pair(inputs, truths, self.generator, learning=True)
        x, y = self.augment(pair.x, pair.y, self.generator) if self.augment.parts else (pair.x, pair.y)
        with self.accelerator.autocast():
            output = self.validator.forward(self.network, x) if pair.times is None else self.network(x, times=pair.times)
        loss: Tensor = self.task.loss(output.float(), replace(pair, x=x, y=y))
        self.optimiser.zero_grad()
        self.accelerator.backward(loss)
        if self.settings.clip:
            self.accelerator.clip_grad_norm_(self.network.parameters(), self.settings.clip)
        self.optimiser.step()
        if self.pace == "step":
            self.schedule.step()
        self.average.update(self.network)
        return loss.detach()

    def _validate(self, training: float, began: float) -> Iterator[Event]:
        place, rate = self.place, self._rate()
        output, truth = self.validator.outputs("validation", self.average.module)
        scores = self.task.scores(output, truth)
        value = scores[self.task.names[0]]
        place.epoch, place.step, place.loss = place.epoch + 1, 0, 0.0
        best = self.metric.is_better(value, place.best)
        if best:
            place.best, place.best_epoch, place.best_scores = value, place.epoch, scores
            place.best_weights = {name: tensor.detach().cpu().clone() for name, tensor in self.average.module.state_dict().items()}
        if self.pace != "step":
            self.schedule.step(*([-value if self.metric.larger_is_better else value] if self.pace == "metric" else []))
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

    def _finished(self, reason: Any, blocks: dict[str, dict[str, float]] | None = None) -> Generator[Event, None, Model]:
        place = self.place
        if not place.best_weights or self.settings.keep == "last":  # stopped within the first epoch: the present weights are the best
            place.best_weights = {name: tensor.detach().cpu().clone() for name, tensor in self.average.module.state_dict().items()}
            place.best_epoch = place.epoch
        self.average.module.load_state_dict(place.best_weights)
        scores = {"validation": dict(self.baselines)}
        if reason != "stopped" and self.settings.keep == "best":
            # the final baselines may also use the validation rows, as the network did to choose its best epoch
            again = partial(classical.fit_baselines, self.experiment, self.data, "training", "validation", before=self.classical)
            try:
                self.classical = yield from self.stages.run("Fitting classical methods", lambda say: again(say=say))
            except StageStopped:  # those of before are kept
                reason = "stopped"
        if "test" in self.data.parts:
            scores["test"] = self.validator.baseline_scores("test", self.classical)
        shown, warmth, ranges = [], 1.0, {}
        for part, rows in scores.items():
            output, truth = self.validator.outputs(part, self.average.module)
            if self.data.classes and part == "validation":
                warmth = temperature(output, truth)
                output = crossed_temperature(output, truth, self.validator.units(part))
            elif self.data.classes:
                output = tempered(output, warmth)
            rows["network"] = self.task.scores(output, truth)
            ranges[part] = {"network": self.validator.intervals(part, output, truth)}
            if self.data.classes or part == "validation":
                shown.append(self.validator.shown(place.best_epoch, output, truth, part))
        scores |= {"blocks": blocks} if blocks else {}
        took = what_was_removed(self.experiment, self.data, self.average.module)
        model = self._model(place.best_weights, scores)
        model = replace(
            model, description=replace(model.description, temperature=warmth, intervals=ranges, notes=[*took, *self._validated()])
        )
        model.save(self.folder.best)
        yield self._recorded(Saved("best", str(self.folder.best)))
        for event in shown:
            yield self._recorded(event)
        if reason != "stopped":
            self.folder.discard_data()
        notes = [*(self.block_score.notes if self.block_score is not None else []), *model.description.notes]
        ending = Finished(
            reason, place.epoch, place.best_epoch, scores, place.seconds, str(self.folder.best), notes=notes, intervals=ranges
        )
        yield concluded(self.folder, ending)
        return model

    def _validated(self) -> list[str]:
        """Return sentences on classes without validation samples, and on too few samples."""
        if not self.data.classes:
            return []
        _, truth = self.validator.outputs("validation", self.average.module)
        held = torch.bincount(truth.flatten(), minlength=len(self.data.classes)).tolist()
        missing = [one.name for one, count in zip(self.data.classes, held, strict=True) if not count]
        notes = []
        if missing:
            notes.append(
                f"Not validated: {', '.join(missing)}. These classes have no validation samples; set split.folds=5 to hold out each once."
            )
        if len(truth) < FEW_VALIDATED:
            notes.append(f"Only {len(truth)} validation samples; set split.folds=5 for scores from all of them.")
        return notes

    # ------------------------------------------------------------------ order

    def _order(self, epoch: int) -> Tensor:
        generator = torch.Generator().manual_seed(self.settings.seed * 1_000_003 + epoch)
        order = torch.randperm(len(self.data.parts["training"]), generator=generator)
        if self.experiment.data.per_image is not None:
            order = in_turn(order, self.images)
        if self.drawn > len(order):  # few patches are used several times
            order = order.repeat(-(-self.drawn // len(order)))
        return order[: self.drawn].to(self.data.parts["training"].first.device)

    def _rate(self) -> float:
        return float(self.optimiser.param_groups[0]["lr"])

    def _refuse_divergence(self, loss: float) -> None:
        if not math.isfinite(loss):
            exact = "training.precision=fp32, or " if self.precision == "bf16" else ""
            raise FloatingPointError(
                f"the loss became {loss} in epoch {self.place.epoch + 1}; start a new run with {exact}a lower "
                f"training.optimiser.lr ({self.settings.optimiser.lr:g})"
            )
