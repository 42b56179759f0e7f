"""Estimates of duration and memory of a training on this machine, measured by a process that runs a few steps, and remembered."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

from platformdirs import user_cache_path

from napari_spectrai.cube import Cube, SpectralAxis
from napari_spectrai.experiment import Experiment
from napari_spectrai.files import write_text
from napari_spectrai.labels import in_short
from napari_spectrai.plan.folds import FOLDS
from napari_spectrai.plan.size import Extent
from napari_spectrai.plan.truths import Truth
from napari_spectrai.runs.folder import RunFolder
from napari_spectrai.runs.job import Job
from napari_spectrai.runs.scratch import job_folder

MOST_REMEMBERED = 300
SIZES = (100, 300, 1000, 3000)
"""Numbers of spectra that methods are fitted to, to extrapolate from the last two."""


@dataclass(frozen=True, slots=True)
class MethodTime:
    """How long a method takes to fit: `seconds` for `samples` spectra, growing with a power of their number.

    Attributes
    ----------
    name : str
        A classical method, or a candidate.
    seconds, samples, power : float, int, float
    most : int, optional
        Number of spectra that the method is fitted to at most. Default: all.
    again : float
        Share of the time that another fit takes, whose settings are those of the first.
    """

    name: str
    seconds: float
    samples: int
    power: float
    most: int | None = None
    again: float = 1.0

    def of(self, samples: int) -> float:
        """Return the seconds for another number of spectra."""
        return float(self.seconds * (max(1, min(samples, self.most or samples)) / self.samples) ** self.power)


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
    methods : list of MethodTime
        The classical methods that are fitted too, or the candidates that are compared; those that were timed.
    """

    seconds_per_step: float
    seconds_per_validated: float
    parameters: int
    process_bytes: int
    device: str
    precision: str
    where: str
    methods: list[MethodTime] = field(default_factory=list)

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Self:
        """Read what `asdict` made."""
        return cls(**{**plain, "methods": [MethodTime(**one) for one in plain["methods"]]})

    def seconds(self, experiment: Experiment, extent: Extent) -> float:
        """Return the training time of the network alone, or the time limit for comparing methods."""
        if experiment.network.chooses:
            return float(experiment.network.seconds)  # type: ignore[attr-defined]
        once = extent.steps * self.seconds_per_step + extent.validation * self.seconds_per_validated
        return experiment.training.epochs * once

    def by_method(self, experiment: Experiment, extent: Extent) -> dict[str, float]:
        """Return the seconds for each method.

        A candidate is fitted once for each fold, and once more on all samples; a baseline to the training samples, and if there are test
        samples, to the validation samples, too.
        """
        if experiment.network.chooses:
            folds = DRAWS if experiment.task.self_supervised else experiment.split.folds or FOLDS
            return {method.name: (1 + folds) * method.of(sum(extent.samples.values())) for method in self.methods}
        first = extent.samples.get("training", 1)
        both = first + extent.samples.get("validation", 0) if "test" in extent.samples else 0
        return {method.name: method.of(first) + (method.again * method.of(both) if both else 0.0) for method in self.methods}

    def in_all(self, experiment: Experiment, extent: Extent) -> float:
        """Return the seconds for everything: the network and its baselines, or the comparison of candidates within its time limit."""
        limit = self.seconds(experiment, extent)
        if experiment.network.chooses:
            return sum(self.compared(experiment, extent).values()) or limit
        return (0.0 if experiment.network.classical else limit) + sum(self.by_method(experiment, extent).values())

    def compared(self, experiment: Experiment, extent: Extent) -> dict[str, float]:
        """Return the seconds for each candidate that is compared within the time limit; others are left out."""
        limit = self.seconds(experiment, extent)
        found: dict[str, float] = {}
        for name, seconds in self.by_method(experiment, extent).items():
            if sum(found.values()) + seconds <= limit:
                found[name] = seconds
        return found

    def bytes(self, extent: Extent) -> int:
        """Return the memory that the training will use."""
        return self.process_bytes + extent.data_bytes

    def words(self, experiment: Experiment, extent: Extent) -> str:
        """Return time, memory and device in words."""
        memory = f"{self.bytes(extent) / 1e9:.2g} GB of memory"
        limit, total = self.seconds(experiment, extent), duration(self.in_all(experiment, extent))
        chooses = experiment.network.chooses
        parts = (self.compared if chooses else self.by_method)(experiment, extent)
        longest = max(parts, key=lambda name: parts[name], default="")
        share = (
            f", {duration(parts[longest])} of it for {longest}" if len(parts) > 1 and parts[longest] > MUCH * sum(parts.values()) else ""
        )
        if chooses:
            several = f"{len(parts)} methods" if len(parts) > 1 else "methods"
            out = [name for name in self.by_method(experiment, extent) if name not in parts]
            late = f"; no time for {in_short(out, 3)} within the limit of {duration(limit)}" if out else ""
            took = f"about {total}" if parts else f"up to {total}"
            return f"{took} to compare {several} by cross-validation{share}{late}; {memory}; {self.where}"
        if experiment.network.classical:
            return f"{f'about {total}{share}; ' if parts else ''}{memory}; {self.where}"
        own = duration(limit)
        if not parts:
            return f"about {own} for the network; {memory}; {self.where}"
        return f"about {total}: {own} for the network, {duration(sum(parts.values()))} for classical methods{share}; {memory}; {self.where}"


DRAWS = 2
"""Number of times that a denoiser is fitted to be compared without a truth."""
MUCH = 0.3
"""Share of the time of all methods from which the longest one is named."""


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
    def sizes(self) -> tuple[int, ...]:
        """The numbers of spectra to fit methods to: the first that all samples reach is the last, but two are needed."""
        samples = sum(self.extent.samples.values())
        return SIZES[: max(2, 1 + sum(size < samples for size in SIZES[:-1]))]

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
        if self.experiment.network.chooses:
            document["network"].pop("seconds", None)
        else:
            del document["training"]["start"]
        kept = {name: plain["extent"][name] for name in ("patch", "bands", "out")} | {"batch": self.batch, "sizes": self.sizes}
        versions = [_version("torch"), _version("napari-spectrai"), sorted(MethodTime.__dataclass_fields__)]
        key = json.dumps([document, kept, plain["axis"], plain["truth_axis"], plain["is_image"], *versions], sort_keys=True)
        return hashlib.sha1(key.encode(), usedforsecurity=False).hexdigest()[:16]


@cache
def _version(name: str) -> str:
    """Return the version of a distribution, which is read from a file."""
    return version(name)


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
        return [Estimate.from_json(known[question.key]) for question in questions]
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
    return [Estimate.from_json(plain) for plain in json.loads((folder.path / "answers.json").read_text(encoding="utf-8"))]
