"""What a run tells: frozen values, JSON both ways."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any, Literal, get_args

from pydantic import TypeAdapter

from napari_spectrai.parsing import parse_json


@dataclass(frozen=True, slots=True)
class Started:
    """Training begins: on what, with what, and against which classical figures (validation, same metric)."""

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


@dataclass(frozen=True, slots=True)
class Step:
    """A few steps further, at most ten times a second."""

    epoch: int
    step: int
    steps: int
    loss: float
    lr: float


@dataclass(frozen=True, slots=True)
class Epoch:
    """An epoch has ended. `left` is the expected time to the end, in seconds."""

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
    """One fixed validation spectrum: noisy, predicted, and the target; in prepared intensities. The last one is of the best epoch."""

    epoch: int
    unit: str
    positions: list[float]
    input: list[float]
    prediction: list[float]
    truth: list[float]
    target: str = "truth"
    """What `truth` is, in words: where there is none, the held-out signal or another noisy acquisition."""


@dataclass(frozen=True, slots=True)
class Patch:
    """One fixed window of an image, as rows of grey values 0 … 255 on the truth's scale; of classes their places in the table, from 1.

    `truth` is empty where there is none; `removed`, where no truth is known, is what the prediction took from the input, over its own range
    with 0 in the middle; `colours` (``"#rrggbb"``, or empty where none is told) are those of the classes; `where` says
    which band is shown.
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
    """How the pixels of a part are told apart: `matrix[i][j]` of class i were told as class j.

    At the end one for each part, of the best epoch.
    """

    epoch: int
    classes: list[str]
    matrix: list[list[int]]
    part: str = "validation"


@dataclass(frozen=True, slots=True)
class Saved:
    """A file is complete on disk."""

    which: Literal["best", "last", "checkpoint", "result"]
    path: str


@dataclass(frozen=True, slots=True)
class Paused:
    """The run has paused, or goes on."""

    paused: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """A prediction has got so far."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Fold:
    """A fold of a cross-validation is done: of which candidate, and how much time is left for the comparison, in seconds."""

    candidate: str
    fold: int
    folds: int
    number: int
    candidates: int
    left: float


@dataclass(frozen=True, slots=True)
class Compared:
    """A candidate of a cross-validation was compared with the others, or left out (`note` says why).

    Attributes
    ----------
    name, kind, sees : str
        The candidate; what it sees of the spectra.
    scores : dict
        Out-of-fold scores over all samples, each held out once.
    folds : list of float
        The first of the scores in each fold.
    interval : list of float
        A 90 % interval of the first of the scores, lower and upper end; empty where it could not be computed.
    loss : float
        Out-of-fold loss by which candidates are compared: negative log-likelihood of classes, or mean squared error.
    seconds : float
        Time for all folds.
    weight : float
        Share in the model that was kept, 0 before the choice.
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
    """The run has ended in order; `reason` ``"stopped"`` can be resumed. `notes` tell what went wrong beside it."""

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
    """The run has ended in an error: the cause in a sentence, the details for those who ask."""

    message: str
    details: str = ""
    notes: list[str] = field(default_factory=list)


Event = Started | Step | Epoch | Preview | Patch | Confusion | Saved | Paused | Progress | Fold | Compared | Finished | Failed
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
        raise ValueError(f"the journal is damaged or of another version: {line[:80]!r} tells no event that is known here") from error
    return event


@cache
def _validator(kind: str) -> TypeAdapter[Any]:
    return TypeAdapter(_KINDS[kind])
