"""The model card, read from a model file without torch."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

from pydantic import ValidationError
from safetensors import SafetensorError, safe_open

from napari_spectrai import repr_html
from napari_spectrai.cube import SpectralAxis
from napari_spectrai.experiment.card_entries import AXES, CLASSES, PLAIN, ForeignFormatError, refuse_contradictions, refuse_incomplete
from napari_spectrai.experiment.document import Experiment
from napari_spectrai.experiment.metrics import AS_GIVEN, METRICS, units_of
from napari_spectrai.experiment.package import model_file
from napari_spectrai.labels import Class
from napari_spectrai.parsing import brief, parse_json
from napari_spectrai.spec import problems

KEY = "napari_spectrai"
MOST_BASELINES = 4
"""Number of the best classical methods listed by `lines`; the file contains all of them."""
FORMAT = 2
NO_TRAINING = "no data (a classical method)"
"""What a method that needs no training was trained on."""
APPLICABILITY = "applicability."
"""Prefix of the tensors of a model file with training spectra for comparison."""
PART_TITLES = {"map": "expected over the map"}
"""Titles of parts of the scores whose names are not clear."""


@dataclass(frozen=True, slots=True)
class ModelCard:
    """The description inside a model file.

    Attributes
    ----------
    name, date, versions : display name, date of creation, versions of the software
    experiment : Experiment
        The document of the training, with its fitted preparation.
    axis, truth_axis : SpectralAxis
        Axis of the input (before preparation) and of the output.
    trained_on : list of str
        The data, in words.
    scores : dict
        ``{"validation": {"network": {"mse": …}, "ridge": {…}}, "test": {…}}``
    classes : list of Class
        The classes in the order of the network's outputs; empty if the output is a cube.
    baselines : list of str
        The kinds of the classical methods kept in the file.
    intervals : dict
        90 % intervals of scores, laid out as `scores`, with a lower and an upper end for each.
    compared : list of dict
        The candidates of a cross-validation with out-of-fold scores, their spread over folds, and weights; see `runs.Compared`.
    notes : list of str
        What a reader must know to interpret the scores: their origin, classes without validation, their range of validity.
    temperature : float
        Divisor of the logits that calibrates the probabilities in validation.
    intensities : list of float
        The 1st, 50th and 99th percentile of the training magnitudes before preparation; empty if unknown.
    negative : float, optional
        Fraction of the training intensities before preparation that are negative.
    continues_empty : bool
        Whether the image is continued over spectra that are all zero, as over those with missing values, for what uses neighbouring
        pixels; False in files of earlier versions, which were trained with zeros there.
    """

    name: str
    experiment: Experiment
    axis: SpectralAxis
    truth_axis: SpectralAxis
    date: str
    trained_on: list[str] = field(default_factory=list)
    scores: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    classes: list[Class] = field(default_factory=list)
    baselines: list[str] = field(default_factory=list)
    temperature: float = 1.0
    intervals: dict[str, dict[str, dict[str, list[float]]]] = field(default_factory=dict)
    compared: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    intensities: list[float] = field(default_factory=list)
    negative: float | None = None
    continues_empty: bool = False

    @classmethod
    def now(cls, **fields: Any) -> Self:
        """Return a card with the date and the versions of the software as they are now; `fields` are the other attributes."""
        versions = {package: version(package) for package in ("napari-spectrai", "torch")}
        return cls(date=f"{datetime.now():%Y-%m-%d %H:%M}", versions=versions, continues_empty=True, **fields)

    @property
    def is_trained(self) -> bool:
        """Whether the model was trained on data; a classical method that needs no training has not."""
        return self.trained_on != [NO_TRAINING]

    @property
    def out(self) -> int:
        """Number of output values per pixel: bands, or classes."""
        return len(self.classes) or len(self.truth_axis)

    @property
    def scored_in(self) -> str:
        """Which intensities `scores` are computed on, in words: those of the data, or the prepared ones; empty for classes."""
        return "" if self.classes else prepared_intensities(self.experiment)

    def to_json(self) -> str:
        """Return the card as text for the file's header."""
        plain = asdict(self) | {
            "format": FORMAT,
            "experiment": self.experiment.model_dump(mode="json"),
            "axis": self.axis.to_json(),
            "truth_axis": self.truth_axis.to_json(),
        }
        return json.dumps(plain)

    @classmethod
    def from_json(cls, text: str, where: str = "") -> Self:
        """Read what `to_json` wrote; a ValueError that names `where` if anything in it is of another kind."""
        where = where or "the card"
        try:
            plain = parse_json(text, "it")
            if not isinstance(plain, dict):
                raise ValueError("it is no mapping")
            version = plain.pop("format", None)
            if version != FORMAT:
                raise ForeignFormatError(f"{where}: {_of_another_format(version)}")
            if "rivals" in plain:  # name of the key before version 0.2
                plain["baselines"] = plain.pop("rivals")
            refuse_incomplete(plain, where)
            experiment = Experiment.from_mapping(plain.pop("experiment"), "its experiment")
            given = AXES.validate_python({name: plain.pop(name) for name in ("axis", "truth_axis")})
            axes: dict[str, Any] = {name: SpectralAxis.from_json(axis) for name, axis in given.items()}  # type: ignore[arg-type]
            rest: dict[str, Any] = dict(PLAIN.validate_python({name: value for name, value in plain.items() if name != "classes"}))
            classes = [Class(c["value"], c["name"], c["colour"]) for c in CLASSES.validate_python(plain.pop("classes", []))]
            made = cls(experiment=experiment, classes=classes, **axes, **rest)
            refuse_contradictions(made)
        except ForeignFormatError:
            raise
        except ValidationError as error:
            first = problems(error)[0]
            raise ValueError(f"{where}: the description inside the model is damaged: {first}") from error
        except (KeyError, TypeError, AttributeError, ValueError, OverflowError, RecursionError) as error:
            reason = f"{type(error).__name__}: {error}" if isinstance(error, KeyError | TypeError | AttributeError) else str(error)
            raise ValueError(f"{where}: the description inside the model is damaged: {_first(reason)}") from error
        return made

    def lines(self) -> list[tuple[str, str]]:
        """Return (label, text) rows for people."""
        experiment = self.experiment
        rows = [
            ("Model", self.name or "unnamed"),
            ("Task", experiment.task.title),
            ("Spectra", self.axis.describe()),
            (
                "Method" if experiment.network.classical else "Network",
                f"{experiment.network.title}{' on top of ridge regression' if experiment.over_ridge else ''}",
            ),
            ("Preparation", ", ".join(step.title for step in experiment.preparation) or "none"),
            ("Trained on", "; ".join(self.trained_on) or "not recorded"),
            ("Date", self.date),
        ]
        if experiment.network.chooses:
            rows.insert(4, ("Chosen", experiment.network.describe()))
        if self.intensities:
            low, middle, high = self.intensities
            rows.insert(3, ("Intensities", f"{low:.3g} to {high:.3g}, half of them below {middle:.3g} (percentiles 1, 99 and 50)"))
        if self.classes:
            rows.insert(3, ("Classes", ", ".join(one.name for one in self.classes)))
        if experiment.task.enlarges > 1:
            rows.insert(3, ("Enlarges", f"{experiment.task.enlarges} times per side"))
        if experiment.task.target != "truth":
            rows.append(("Scored against", f"{experiment.task.target} (no truth was given)"))
        metric = experiment.task.metrics[0]
        for part, methods in self.scores.items():
            known = {method: values[metric] for method, values in methods.items() if metric in values and not math.isnan(values[metric])}
            baselines = [method for method in METRICS[metric].ranked(known) if method != "network"]
            shown = [m for m in ("network", *baselines[:MOST_BASELINES]) if m in known]
            ranges = {m: self.intervals.get(part, {}).get(m, {}).get(metric) for m in shown}
            scores = " · ".join(f"{method} {known[method]:.3g}{_range(ranges[method])}" for method in shown)
            if scores:
                rows.append((f"{METRICS[metric].title}, {PART_TITLES.get(part, part)}", scores))
        if self.scored_in and any(self.scores.values()):
            rows.append(("Scores", units_of([metric], intensities=self.scored_in)))
        return rows + [("Note", note) for note in self.notes]

    @property
    def brief(self) -> str:
        """Name, task, network and axis on one line."""
        return f"{self.name or 'unnamed'}: {self.experiment.task.title.lower()}, {self.experiment.network.title}, {self.axis.describe()}"

    def __repr__(self) -> str:
        return f"ModelCard({self.brief})"

    def _repr_html_(self) -> str:
        return repr_html.card("Model", self.name, self.lines()[1:])

    def __str__(self) -> str:
        return "\n".join(f"{label + ':':<18}{text}" for label, text in self.lines())


def _of_another_format(version: Any) -> str:
    """Say that a file has another format, and what can be done."""
    if isinstance(version, int) and version > FORMAT:
        return f"model format {brief(version)}, and this version reads {FORMAT}; update napari-spectrai"
    return f"model format {brief(version)}, and this version reads {FORMAT}; the file is damaged, or was not written by a release"


def _first(lines: str) -> str:
    """Return the first of many lines, and how many more there are."""
    first, *more = lines.splitlines() or [""]
    return f"{first[:500]} (and {len(more)} more)" if more else first[:500]


def _range(ends: list[float] | None) -> str:
    """Return ``" (0.71–0.90)"``, the 90 % interval of a score, or an empty text."""
    return f" ({ends[0]:.3g}–{ends[1]:.3g})" if ends else ""


def prepared_intensities(experiment: Experiment) -> str:
    """Describe the intensities that a training is scored on: those of the data, or the prepared ones."""
    if any(step.has_unit_of_truth for step in experiment.preparation):
        return "in the target's unit"
    steps = ", ".join(step.title for step in experiment.preparation)
    return f"prepared ({steps})" if steps else AS_GIVEN


def has_applicability(path: str | Path) -> bool:
    """Whether a model file contains training spectra for comparison, so that an applicability map can be computed."""
    try:
        with model_file(Path(path)) as opened, safe_open(opened, framework="numpy") as file:
            return any(name.startswith(APPLICABILITY) for name in file.keys())  # noqa: SIM118  # it is no mapping
    except (SafetensorError, OSError, ValueError):
        return False


def read_card(path: str | Path) -> ModelCard:
    """Read the card of a model file, without its weights and without torch.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is truncated, or not a model of napari-spectrai.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such model file")
    try:
        with model_file(path) as opened, safe_open(opened, framework="numpy") as file:
            metadata: dict[str, Any] = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        if path.suffix.lower() != ".safetensors" and isinstance(error, SafetensorError):
            raise ValueError(f"{path} is not a model file, whose name ends in .safetensors; choose one") from error
        raise ValueError(f"{path} is truncated or not a .safetensors file ({error}); copy it again, or choose another") from error
    if KEY not in metadata:
        raise ValueError(f"{path} is a .safetensors file but not a model of napari-spectrai; choose one saved by its training")
    return ModelCard.from_json(metadata[KEY], str(path))
