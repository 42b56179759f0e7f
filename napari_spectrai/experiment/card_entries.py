"""What the entries of a model card may hold, individually and together: claims of a file, checked before anything is computed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, NotRequired

import numpy as np
from pydantic import AfterValidator, ConfigDict, Field, Strict, TypeAdapter
from typing_extensions import TypedDict

from napari_spectrai.experiment.losses import losses
from napari_spectrai.experiment.network_spec import networks
from napari_spectrai.experiment.tasks import tasks
from napari_spectrai.labels import UNKNOWN
from napari_spectrai.parsing import brief
from napari_spectrai.preparation import Preparation
from napari_spectrai.preparation.step import steps
from napari_spectrai.spec import Registry

if TYPE_CHECKING:
    from napari_spectrai.experiment.card import ModelCard

REQUIRED = ("name", "date", "experiment", "axis", "truth_axis")
REQUIRED_OF_EXPERIMENT = ("task", "preparation", "network")
"""Sections of the experiment that decide what a model computes: their defaults would give other results."""
ROUNDED = 1e-4
"""Step to which the weights of a blend are rounded."""

Texts = Annotated[list[Annotated[str, Field(max_length=10_000)]], Field(max_length=10_000)]
Scores = dict[str, dict[str, dict[str, float]]]
Share = Annotated[float, Field(ge=0, le=1)]
Pair = Annotated[list[float], Field(min_length=2, max_length=2)]


def _percentiles(values: list[float]) -> list[float]:
    """Return percentiles of magnitudes, or no values, unchanged."""
    if values and (len(values) != 3 or not all(map(math.isfinite, values)) or values != sorted(values) or values[0] < 0):
        raise ValueError(f"{brief(values)} are not three percentiles of magnitudes, in ascending order")
    return values


class _Plain(TypedDict):
    """Entries of a card that are stored unchanged."""

    __pydantic_config__ = ConfigDict(strict=True, extra="forbid")  # type: ignore[misc]

    name: Annotated[str, Field(max_length=1000)]
    date: Annotated[str, Field(max_length=100)]
    trained_on: NotRequired[Texts]
    scores: NotRequired[Scores]
    versions: NotRequired[dict[str, str]]
    baselines: NotRequired[Annotated[Texts, Field(max_length=100)]]
    temperature: NotRequired[Annotated[float, Field(ge=1e-6, lt=1e6)]]
    intervals: NotRequired[dict[str, dict[str, dict[str, Pair]]]]
    compared: NotRequired[Annotated[list[dict[str, Any]], Field(max_length=1000)]]
    notes: NotRequired[Texts]
    intensities: NotRequired[Annotated[list[float], AfterValidator(_percentiles)]]
    negative: NotRequired[Annotated[float, Field(ge=0, le=1)] | None]
    continues_empty: NotRequired[bool]


class _Class(TypedDict):
    """A class as it is stored in a card."""

    __pydantic_config__ = ConfigDict(strict=True)  # type: ignore[misc]

    value: Annotated[int, Field(ge=-(2**31), lt=2**31)]
    name: Annotated[str, Field(max_length=1000)]
    colour: Annotated[tuple[Share, Share, Share, Share] | None, Strict(False)]


class _Axis(TypedDict):
    """A spectral axis as it is stored in a card."""

    __pydantic_config__ = ConfigDict(strict=True)  # type: ignore[misc]

    values: list[float]
    unit: Annotated[str, Field(max_length=100)]


class _Axes(TypedDict):
    """The axes of a card."""

    axis: _Axis
    truth_axis: _Axis


PLAIN = TypeAdapter(_Plain)
CLASSES = TypeAdapter(Annotated[list[_Class], Field(max_length=100_000)])
AXES = TypeAdapter(_Axes)


class ForeignFormatError(ValueError):
    """A model file of another version, or of a package that is not installed."""


def refuse_incomplete(plain: Mapping[str, Any], where: str) -> None:
    """Refuse a card without what decides the results, or with kinds that no installed package defines.

    Raises
    ------
    ValueError
        With what is missing, and what can be done.
    """
    experiment = plain.get("experiment")
    inner = experiment if isinstance(experiment, dict) else {}
    missing = [name for name in REQUIRED if name not in plain]
    missing += [f"experiment.{name}" for name in REQUIRED_OF_EXPERIMENT if name not in inner]
    if missing:
        raise ValueError(f"it has no {missing[0]}")
    prepared = inner["preparation"] if isinstance(inner["preparation"], list) else []
    registries: list[tuple[Registry[Any], list[Any]]] = [
        (tasks, [inner["task"]]), (networks, [inner["network"]]), (losses, [inner.get("loss")]), (steps, prepared),
    ]  # fmt: skip
    for registry, given in registries:
        kinds = [one.get("kind") if isinstance(one, dict) else one for one in given]
        unknown = [kind for kind in kinds if isinstance(kind, str) and not registry.knows(kind)]
        if unknown:
            what = f"{registry.what} {brief(unknown[0])}"
            raise ForeignFormatError(f"{where}: the model uses the {what}, which no installed package defines; install the one that does")


def refuse_contradictions(card: ModelCard) -> None:
    """Refuse a card whose entries cannot all be true.

    Raises
    ------
    ValueError
        With the contradiction.
    """
    for check in (_of_classes, _of_network, _of_baselines, _of_axes):
        if words := check(card):
            raise ValueError(words)


def _of_classes(card: ModelCard) -> str:
    task, values = card.experiment.task, [one.value for one in card.classes]
    if task.classifies != bool(values):
        return f"its task is {task.title.lower()}, and it has {'no' if task.classifies else len(values)} classes"
    if len({*values}) < len(values):
        return f"{len(values)} classes have {len({*values})} different numbers"
    reserved = [value for value in values if value in (UNKNOWN, task.no_label)]
    return f"a class has the number {reserved[0]}, which means unlabelled" if reserved else ""


def _of_network(card: ModelCard) -> str:
    network: Any = card.experiment.network
    if not network.chooses:
        return ""
    if not network.members:
        return f"{network.title} has no chosen methods; it was not trained"
    total = sum(member.weight for member in network.members)
    if abs(total - 1) > ROUNDED * len(network.members):
        return f"the weights of its {len(network.members)} methods add up to {total:.3g} and not to 1"
    return ""


def _of_baselines(card: ModelCard) -> str:
    for kind in card.baselines:
        known = networks[kind] if networks.knows(kind) else None
        if known is None or not known.classical or known.chooses or not card.experiment.task.suits(known.tasks):
            return f"{brief(kind)} is no classical method for {card.experiment.task.title.lower()}"
    return ""


def _of_axes(card: ModelCard) -> str:
    """Return why the preparation does not fit the axis, or the axis of the results is not the one that it gives."""
    unfitted = [step.title for step in card.experiment.preparation if not step.is_fitted]
    if unfitted:
        return f"its preparation step {unfitted[0]!r} has not been fitted"
    try:
        with np.errstate(all="ignore"):
            given = Preparation(tuple(card.experiment.preparation)).axis_after(card.axis)
    except ValueError as error:
        return f"its preparation does not fit its axis: {error}"
    if card.experiment.task.same_axis and (words := given.mismatch(card.truth_axis)):
        return f"its results have {words}, {card.truth_axis.describe()}, where its preparation gives {given.describe()}"
    return ""
