"""Estimates of duration and memory of a training on this machine, measured by a process that runs a few steps, and remembered."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

from platformdirs import user_cache_path

from napari_spectrai.cube import Cube, SpectralAxis
from napari_spectrai.experiment import Experiment
from napari_spectrai.files import write_text
from napari_spectrai.plan.size import Extent
from napari_spectrai.plan.truths import Truth
from napari_spectrai.runs.folder import RunFolder
from napari_spectrai.runs.job import Job
from napari_spectrai.runs.scratch import job_folder

MOST_REMEMBERED = 300


@dataclass(frozen=True, slots=True)
class Estimate:
    """Measurements of a few steps.

    Attributes
    ----------
    seconds_per_step, seconds_per_validated : float
        Seconds for one training step, and for validating one sample.
    parameters : int
    process_bytes : int
        Memory of the process with the network, one step and almost no data.
    device, precision : str
    where : str
        The device in words, and the reason if it is not a GPU.
    """

    seconds_per_step: float
    seconds_per_validated: float
    parameters: int
    process_bytes: int
    device: str
    precision: str
    where: str

    def seconds(self, experiment: Experiment, extent: Extent) -> float:
        """Return the training time of the network, without the classical methods, or the time limit for comparing methods."""
        if experiment.network.chooses:
            return float(experiment.network.seconds)  # type: ignore[attr-defined]
        once = extent.steps * self.seconds_per_step + extent.validation * self.seconds_per_validated
        return experiment.training.epochs * once

    def bytes(self, extent: Extent) -> int:
        """Return the memory that the training will use."""
        return self.process_bytes + extent.data_bytes

    def words(self, experiment: Experiment, extent: Extent) -> str:
        """Return time, memory and device in words."""
        memory = f"{self.bytes(extent) / 1e9:.2g} GB of memory"
        if experiment.network.chooses:
            took = duration(self.seconds(experiment, extent))
            return f"up to {took} to compare methods, then the chosen ones are fitted on all samples; {memory}; {self.where}"
        if experiment.network.classical:
            return f"{memory}; {self.where}"
        took = duration(self.seconds(experiment, extent))
        return f"about {took} for the network, {memory}; {self.where} ({self.precision}, {self.parameters:,} weights)"


def duration(seconds: float) -> str:
    """Return a duration in words, rounded as a person would say it."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.0f} days"


@dataclass(frozen=True, slots=True)
class Question:
    """A training to be estimated: its document, its size, and its axes."""

    experiment: Experiment
    extent: Extent
    axis: SpectralAxis
    truth_axis: SpectralAxis
    is_image: bool

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` reads."""
        document = self.experiment.model_dump(mode="json")
        axes = {"axis": self.axis.to_json(), "truth_axis": self.truth_axis.to_json(), "is_image": self.is_image}
        return {"experiment": document, "extent": asdict(self.extent)} | axes

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        axis, truth_axis = (SpectralAxis.from_json(plain[name]) for name in ("axis", "truth_axis"))
        return cls(Experiment.from_mapping(plain["experiment"]), Extent(**plain["extent"]), axis, truth_axis, bool(plain["is_image"]))

    @property
    def batch(self) -> int:
        """Number of samples in one step: at most those of an epoch."""
        shown = max(self.extent.samples.get("training", 1), self.experiment.data.samples or 1)
        return min(self.experiment.training.batch, shown)

    @property
    def key(self) -> str:
        """A hash of everything that affects the estimate; not of the length of the training and the amount of data."""
        plain = self.to_json()
        document = plain["experiment"]
        del (
            document["training"]["epochs"],
            document["training"]["batch"],
            document["training"]["ema"],
            document["training"]["seed"],
            document["training"]["memory"],
            document["name"],
            document["data"],
            document["split"],
        )
        kept = {name: plain["extent"][name] for name in ("patch", "bands", "out")} | {"batch": self.batch}
        key = json.dumps([document, kept, plain["axis"], plain["truth_axis"], plain["is_image"], version("torch")], sort_keys=True)
        return hashlib.sha1(key.encode(), usedforsecurity=False).hexdigest()[:16]


def questioned(experiment: Experiment, extent: Extent, cubes: Sequence[Cube], truths: Sequence[Truth]) -> Question:
    """Return the question for data of this kind."""
    truth_axis = next((truth.axis for truth in truths if isinstance(truth, Cube)), cubes[0].axis)
    return Question(experiment, extent, cubes[0].axis, truth_axis, any(cube.is_image for cube in cubes))


def _memory() -> Path:
    return user_cache_path("napari-spectrai", appauthor=False) / "estimates.json"


def remembered(questions: Sequence[Question]) -> list[Estimate] | None:
    """Return the answers to all questions if they were measured on this machine before; None if one is missing."""
    try:
        known = json.loads(_memory().read_text(encoding="utf-8"))
        return [Estimate(**known[question.key]) for question in questions]
    except (OSError, ValueError, KeyError, TypeError):  # never measured, or written by another version
        return None


def remember(questions: Sequence[Question], estimates: Sequence[Estimate]) -> None:
    """Save the answers for the next time."""
    try:
        known = json.loads(_memory().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    known |= {question.key: asdict(estimate) for question, estimate in zip(questions, estimates, strict=True)}
    _memory().parent.mkdir(parents=True, exist_ok=True)
    write_text(_memory(), json.dumps(dict(list(known.items())[-MOST_REMEMBERED:])), durable=False)


def prepare_estimate(questions: Sequence[Question]) -> Job:
    """Return the job, not yet started, that answers `questions`; `answers` reads its results."""
    with job_folder() as place:
        write_text(place.path / "asked.json", json.dumps([question.to_json() for question in questions]), durable=False)
    return Job(place, ["estimate", str(place.path / "asked.json"), "--run", str(place.path)])


def asked(folder: RunFolder) -> list[Question]:
    """Return the questions in a job's folder."""
    return [Question.from_json(plain) for plain in json.loads((folder.path / "asked.json").read_text(encoding="utf-8"))]


def answer(folder: RunFolder, estimates: Sequence[Estimate]) -> None:
    """Write the answers into a job's folder."""
    write_text(folder.path / "answers.json", json.dumps([asdict(estimate) for estimate in estimates]), durable=False)


def answers(folder: RunFolder) -> list[Estimate]:
    """Return the answers in a job's folder."""
    return [Estimate(**plain) for plain in json.loads((folder.path / "answers.json").read_text(encoding="utf-8"))]
