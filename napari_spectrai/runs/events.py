"""Events of a run: frozen values that convert to JSON and back."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any, Literal, get_args

from pydantic import TypeAdapter

from napari_spectrai.parsing import parse_json


@dataclass(frozen=True, slots=True)
class Started:
    """The training has started; describes data, device and settings, with the scores of the classical methods (validation, same metric)."""

    device: str
    precision: str
    training: int
    validation: int
    test: int
    epochs: int
    parameters: int
    metric: str = "mse"
    baselines: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    resumed_after: int = 0
    micro_batch: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """Progress within an epoch, at most ten times a second."""

    epoch: int
    step: int
    steps: int
    loss: float
    lr: float


@dataclass(frozen=True, slots=True)
class Epoch:
    """An epoch has ended. `left` is the estimated time to the end, in seconds."""

    epoch: int
    epochs: int
    training: float
    validation: float
    metrics: dict[str, float]
    lr: float
    best: bool
    seconds: float
    left: float


@dataclass(frozen=True, slots=True)
class Preview:
    """One fixed validation spectrum: noisy, predicted, and the target, in prepared intensities. The last one is of the best epoch."""

    epoch: int
    unit: str
    positions: list[float]
    input: list[float]
    prediction: list[float]
    truth: list[float]
    target: str = "truth"
    """Description of `truth`: without a truth it is the held-out signal or another noisy acquisition."""


@dataclass(frozen=True, slots=True)
class Patch:
    """One fixed window of an image, as rows of grey values 0 … 255 on the truth's scale; of classes, their indices from 1.

    `truth` is empty if there is none. `removed` is set without a truth: what the prediction took from the input, over its own range
    with 0 in the middle. `colours` (``"#rrggbb"``, or empty if undefined) are those of the classes. `where` names
    the band shown.
    """

    epoch: int
    input: list[list[int]]
    prediction: list[list[int]]
    truth: list[list[int]]
    colours: list[str]
    where: str
    target: str = "truth"
    removed: list[list[int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Confusion:
    """Confusion matrix of a part: `matrix[i][j]` is the number of samples of class i predicted as class j.

    At the end there is one for each part, of the best epoch.
    """

    epoch: int
    classes: list[str]
    matrix: list[list[int]]
    part: str = "validation"


@dataclass(frozen=True, slots=True)
class Saved:
    """A file was written completely."""

    which: Literal["best", "last", "checkpoint", "result"]
    path: str


@dataclass(frozen=True, slots=True)
class Paused:
    """The run has paused, or resumed."""

    paused: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of a prediction."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Stage:
    """What a training does before its first epoch and after the last, while that takes long.

    Attributes
    ----------
    name : str
        In words, such as "Fitting classical methods: ridge".
    done, total : int
        Number of parts of the stage that are done; `total` is 0 if they cannot be counted.
    """

    name: str
    done: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True)
class Fold:
    """A fold of a cross-validation is done: its candidate, and the remaining time of the comparison, in seconds."""

    candidate: str
    fold: int
    folds: int
    number: int
    candidates: int
    left: float


@dataclass(frozen=True, slots=True)
class Compared:
    """A candidate of a cross-validation was compared with the others, or left out (`note` gives the reason).

    Attributes
    ----------
    name, kind, sees : str
        The candidate; `sees` is its view of the spectra.
    scores : dict
        Out-of-fold scores over all samples, each held out once.
    folds : list of float
        The first score in each fold.
    interval : list of float
        A 90 % interval of the first score, lower and upper end; empty if it could not be computed.
    loss : float
        Out-of-fold loss used to compare candidates: negative log-likelihood for classes, else mean squared error.
    seconds : float
        Time for all folds, in seconds.
    weight : float
        Weight in the chosen model, 0 before the choice.
    """

    name: str
    kind: str
    sees: str = "spectra"
    scores: dict[str, float] = field(default_factory=dict)
    folds: list[float] = field(default_factory=list)
    interval: list[float] = field(default_factory=list)
    loss: float = 0.0
    seconds: float = 0.0
    weight: float = 0.0
    note: str = ""


@dataclass(frozen=True, slots=True)
class Finished:
    """The run has ended normally; with the `reason` ``"stopped"`` it can be resumed. `notes` report minor problems."""

    reason: Literal["done", "early", "stopped"]
    epoch: int = 0
    best_epoch: int = 0
    scores: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    seconds: float = 0.0
    model: str = ""
    notes: list[str] = field(default_factory=list)
    intervals: dict[str, dict[str, dict[str, list[float]]]] = field(default_factory=dict)
    """90 % intervals, laid out as `scores`, with a lower and an upper end for each."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The run has ended with an error: its cause in one sentence, and details for debugging."""

    message: str
    details: str = ""
    notes: list[str] = field(default_factory=list)


Event = Started | Step | Epoch | Preview | Patch | Confusion | Saved | Paused | Progress | Stage | Fold | Compared | Finished | Failed
_KINDS: dict[str, type[Any]] = {kind.__name__: kind for kind in get_args(Event)}


def to_json(event: Event) -> str:
    """Return the event as one line of JSON."""
    return json.dumps({"event": type(event).__name__} | asdict(event))


def from_json(line: str) -> Event:
    """Read what `to_json` wrote."""
    try:
        plain = parse_json(line, "a line of the journal")
        kind = _KINDS[plain.pop("event")]
        if not plain.keys() <= kind.__dataclass_fields__.keys():
            raise KeyError(next(iter(plain.keys() - kind.__dataclass_fields__.keys())))
        event: Event = _validator(kind.__name__).validate_python(plain)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"the journal is damaged or of another version: {line[:80]!r} is not a known event") from error
    return event


@cache
def _validator(kind: str) -> TypeAdapter[Any]:
    return TypeAdapter(_KINDS[kind])
