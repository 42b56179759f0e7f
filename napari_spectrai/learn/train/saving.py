"""Models and checkpoint of a training: written after epochs, read to resume."""

from __future__ import annotations

import copy
import io
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from napari_spectrai.experiment import Experiment
from napari_spectrai.learn.applicability import Applicability
from napari_spectrai.learn.classical import Method
from napari_spectrai.learn.data.dataset import Dataset
from napari_spectrai.learn.model import Model
from napari_spectrai.learn.parallel.group import ProcessGroup
from napari_spectrai.learn.train import checkpoint
from napari_spectrai.learn.train.checkpoint import TrainingPosition
from napari_spectrai.runs import Event, RunFolder, Saved

PartScores = dict[str, dict[str, dict[str, float]]]
"""Scores by part, network or classical method, and metric."""


class Saver:
    """Writes the best and the last model of a training, and its checkpoint.

    Parameters
    ----------
    experiment : Experiment
    data : Dataset
    folder : RunFolder
    parts : dict
        What a checkpoint consists of, with ``state_dict`` and ``load_state_dict``; ``"average"`` is the network that is saved.
    generator : torch.Generator
        The generator of the augmentations.
    """

    def __init__(self, experiment: Experiment, data: Dataset, folder: RunFolder, parts: dict[str, Any], generator: torch.Generator) -> None:
        self.experiment, self.data, self.folder, self.parts, self.generator = experiment, data, folder, parts, generator

    @property
    def _average(self) -> nn.Module:
        network: nn.Module = self.parts["average"]
        return network

    def restored(self, place: TrainingPosition) -> TrainingPosition:
        """Restore the last checkpoint, and return its position; without one, return `place`, the beginning."""
        if self.folder.has_checkpoint:
            models = self.folder.last if self.folder.last.exists() else None
            try:
                place, note = checkpoint.load(self.folder.checkpoint, self.parts, self.generator, self.experiment, models=models)
            except checkpoint.OtherSettingsError as error:
                raise ValueError(
                    f"{self.folder.document} is not the one that the run began with: {error}. A resumed run keeps its settings: undo "
                    f"this, or start a new run, with training.start={self.folder.best} to go on from what was learnt"
                ) from error
            self.data.notes.extend([note] if note else [])
        self.folder.truncate(place.journal)
        return place

    def shared(self, group: ProcessGroup, place: tuple[int, int]) -> tuple[int, int]:
        """Take over the state of all parts and of the generator from process 0; return its `place`."""
        state = b""
        if group.leads:
            buffer = io.BytesIO()
            parts = {name: part.state_dict() for name, part in self.parts.items()}
            torch.save({"place": list(place), "parts": parts, "generator": self.generator.get_state()}, buffer)
            state = buffer.getvalue()
        state = group.shared(state)
        if group.leads:
            return place
        given = torch.load(io.BytesIO(state), map_location="cpu", weights_only=True)
        for name, part in self.parts.items():
            part.load_state_dict(given["parts"][name])
        self.generator.set_state(given["generator"])
        epoch, step = given["place"]
        return epoch, step

    def model(self, weights: dict[str, Tensor], methods: dict[str, Method], scores: PartScores) -> Model:
        """Return the model with these weights, classical methods and scores."""
        network = copy.deepcopy(self._average)  # not built again: that would draw from the random state
        network.load_state_dict(weights)
        return Model.of(
            network, self.data, self.experiment, self.folder.path.name, classical=methods, applicability=self._applicability, scores=scores
        )

    @cached_property
    def _applicability(self) -> Applicability | None:
        return Applicability.of_data(self.data)

    def save(self, place: TrainingPosition, methods: dict[str, Method], baselines: dict[str, dict[str, float]]) -> Iterator[Event]:
        """Write both models, then the checkpoint; record and yield what was written."""
        if place.best_weights:
            scores = {"validation": baselines | {"network": place.best_scores}}
            yield self.save_best(self.model(place.best_weights, methods, scores))
        self.model(self._average.state_dict(), methods, {}).save(self.folder.last)
        yield self._recorded("last", str(self.folder.last))
        place.journal = self.folder.journal_length
        checkpoint.save(self.folder.checkpoint, place, self.parts, self.generator, self.experiment)

    def save_best(self, model: Model) -> Event:
        """Write the best model, and return the recorded event."""
        model.save(self.folder.best)
        return self._recorded("best", str(self.folder.best))

    def _recorded(self, which: Any, path: str) -> Event:
        event = Saved(which, path)
        self.folder.append(event)
        return event
