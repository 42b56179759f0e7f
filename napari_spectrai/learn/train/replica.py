"""A process of a training that several share: it follows the orders of process 0 and writes no files."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch

from napari_spectrai.experiment import Experiment
from napari_spectrai.learn.data.dataset import Dataset
from napari_spectrai.learn.model import Model
from napari_spectrai.learn.parallel.group import Order, ProcessGroup
from napari_spectrai.learn.parallel.joining import take_device
from napari_spectrai.learn.stages import StoppedEarlyError
from napari_spectrai.learn.train.splitting import split_data
from napari_spectrai.learn.train.trainer import Trainer
from napari_spectrai.parsing import parse_json
from napari_spectrai.plan.memory import limit_of
from napari_spectrai.plan.truths import gather
from napari_spectrai.runs import RunFolder


@dataclass(frozen=True, slots=True)
class Task:
    """What the other processes receive from process 0 before a training.

    Attributes
    ----------
    experiment, reading : Experiment
        The training; and with the memory that each process may use for the data.
    folder : RunFolder
        Other processes read it, if they can, and write only the command to stop.
    resume : bool
    """

    experiment: Experiment
    reading: Experiment
    folder: RunFolder
    resume: bool

    @classmethod
    def of(cls, experiment: Experiment, folder: RunFolder, group: ProcessGroup, *, resume: bool) -> Task:
        """Return the task; the memory for the data is divided among the processes of a machine."""
        memory = limit_of(experiment) / 1e9 / group.rank.nearby
        training = experiment.training.model_copy(update={"memory": memory})
        return cls(experiment, experiment.model_copy(update={"training": training}), folder, resume)

    def send(self, group: ProcessGroup) -> None:
        """Let the other processes prepare themselves."""
        if group.size > 1:
            with group.ordered(Order.PREPARE):
                group.shared(self.to_json().encode())

    def to_json(self) -> str:
        """Return the task as JSON."""
        documents = {name: getattr(self, name).model_dump(mode="json") for name in ("experiment", "reading")}
        return json.dumps(documents | {"folder": str(self.folder.path), "resume": self.resume})

    @classmethod
    def from_json(cls, text: str) -> Task:
        """Read what `to_json` returned."""
        given = parse_json(text, "the task of process 0")
        experiment, reading = (Experiment.from_mapping(given[name]) for name in ("experiment", "reading"))
        return cls(experiment, reading, RunFolder(given["folder"]), bool(given["resume"]))


def report(group: ProcessGroup, training: Trainer) -> None:
    """Wait until the other processes are ready, too.

    Raises
    ------
    ValueError
        If one of them is not, with its reason.
    """
    with group.ordered(Order.REPORT):
        group.shared(training.precision.encode())
        errors = group.gathered("")
    for number, error in enumerate(errors):
        if error:
            raise ValueError(f"process {number} of {group.size}: {error}")
    training.data.notes.append(
        f"{group.size} processes train together; each computes its share of every batch of {training.settings.batch}."
    )


class Replica:
    """A process of a training that another one leads.

    Parameters
    ----------
    group : ProcessGroup
    cubes, truths : optional
        As for `fit`; default: the files that the experiment names.
    """

    def __init__(self, group: ProcessGroup, cubes: Any = None, truths: Any = None) -> None:
        self.group = group
        self._cubes, self._truths = cubes, truths
        self._task: Task | None = None
        self._data: Dataset | None = None
        self._training: Trainer | None = None
        self._error = ""
        self._batches: Any = None

    def ask_to_stop(self) -> None:
        """Ask process 0 to stop the training, which it does in order."""
        if self._task is not None:
            with suppress(OSError):  # of a machine that does not share the folder
                self._task.folder.say("stop")

    def run(self) -> Model:
        """Follow until process 0 ends the training; return the best model.

        Raises
        ------
        StoppedEarlyError
            If there is no model, or none that this machine can read.
        ProcessLostError
            If process 0 ends without a word.
        """
        while (order := self.group.listen())[0] is not Order.END:
            self._follow(*order)
        best = None if self._task is None else self._task.folder.best
        if best is None or not best.exists():
            raise StoppedEarlyError("process 0 ended the training, and there is no model that this process can read")
        return Model.load(best)

    def _follow(self, order: Order, value: float) -> None:
        if order is Order.PREPARE:
            self._prepare()
        elif order is Order.REPORT:
            self._report()
        else:
            assert self._training is not None  # noqa: S101
            self._train(self._training, order, value)

    def _prepare(self) -> None:
        task = Task.from_json(self.group.shared().decode())
        self._task, self._data, self._training, self._error = task, None, None, ""
        try:
            take_device(self.group.rank, task.experiment.training.device)
            inputs, targets = gather(task.experiment, self._cubes, self._truths)
            self._data = split_data(task.reading, inputs, targets, task.folder, resume=task.resume)
        except (ValueError, OSError, RuntimeError, MemoryError) as error:  # process 0 reports it
            self._error = str(error) or type(error).__name__

    def _report(self) -> None:
        precision = self.group.shared().decode()
        if self._data is not None and self._task is not None:
            try:
                self._training = Trainer(
                    self._task.experiment, self._data, self._task.folder, shown=False, group=self.group, precision=precision
                )
                self._training.validator.cache_features(self._training.network)
            except (ValueError, OSError, RuntimeError, MemoryError) as error:
                self._error = str(error) or type(error).__name__
        self.group.gathered(self._error)

    def _train(self, training: Trainer, order: Order, value: float) -> None:
        place = training.place
        if order is Order.BEGIN:
            training.share_state()
        elif order is Order.STEP:
            if self._batches is None:
                self._batches = training.batches.of_epoch(place.epoch, place.step, training.validator.cached, training.device)
                training.optimisation.train_mode()
            # dropout draws from here: masks of the processes differ, and those of a resumed run are the same again
            number = (training.settings.seed * 1_000_003 + place.epoch) * training.steps + place.step
            torch.manual_seed((number * self.group.size + self.group.rank.number) % 2**63)
            training.learn(*next(self._batches))
            place.step += 1
        elif order is Order.VALIDATE:
            training.validation_outputs()
        elif order is Order.ADVANCE:
            training.advance(value)
            self._batches = None
