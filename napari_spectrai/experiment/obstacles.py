"""Why models cannot be applied to a cube, or results not be evaluated: determined here alone, raised by functions, shown by docks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from napari_spectrai.cube import Cube, SpectralAxis
from napari_spectrai.experiment.card import ModelCard
from napari_spectrai.experiment.compatibility import fit_axis, with_bands_of
from napari_spectrai.experiment.tasks import TaskSpec
from napari_spectrai.preparation import Step

NO_SOURCE = "The classical methods of a model are applied to the source; give the source (source=), or no model."


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One reason why models cannot be applied.

    Attributes
    ----------
    words : str
        What does not fit, and the remedy.
    step : Step or None
        The step that brings the cube onto the axis of the first model.
    """

    words: str
    step: Step | None = None


@dataclass(frozen=True, slots=True)
class Applied:
    """A model to be applied, under the name shown to the user."""

    name: str
    card: ModelCard


@dataclass(frozen=True, slots=True)
class Onto:
    """The cube that models are applied to.

    Attributes
    ----------
    name : str
    axis : SpectralAxis
    is_image : bool
        Whether pixels have neighbours.
    """

    name: str
    axis: SpectralAxis
    is_image: bool

    @classmethod
    def of(cls, cube: Cube) -> Onto:
        """Return the properties of a cube that decide."""
        return cls(cube.name or "the cube", cube.axis, cube.is_image)


def obstacles(
    averaged: Sequence[Applied],
    followers: Sequence[Applied],
    onto: Onto,
    *,
    tile: int | None = None,
    views: bool = False,
    uncertainty: bool = False,
    resample: bool = False,
) -> list[Obstacle]:
    """Return why models cannot be applied to a cube; nothing if they can.

    Parameters
    ----------
    averaged : sequence of Applied
        The model, and those whose results are averaged with its own.
    followers : sequence of Applied
        Models that are applied to the result, one after another.
    onto : Onto
    tile, views, uncertainty, resample
        As for `napari_spectrai.predict`.
    """
    found = [*_of_ensemble(averaged)]
    links = [list(averaged), *([one] for one in followers)]
    for number, link in enumerate(links):
        first = link[0]
        found += _of_axis(first, onto, resample=resample, first=not number)
        found += _of_neighbours(link, onto, views=views)
        found += _of_tile(link, tile)
        last = number == len(links) - 1
        if not last and first.card.classes:
            found.append(Obstacle(f"{first.name} gives classes, which {links[number + 1][0].name} cannot take; let it be the last model."))
            break
        if last and uncertainty and len(link) == 1 and not first.card.experiment.network.has_dropout:
            found.append(
                Obstacle(
                    f"{first.name} has no dropout to draw an uncertainty from; train it with network.dropout above 0, or give an ensemble "
                    "(of a chain, the last model needs the dropout)."
                )
            )
        onto = replace(onto, name=f"the result of {first.name}", axis=_result_axis(first.card, onto.axis))
    return found


def _of_ensemble(averaged: Sequence[Applied]) -> Iterator[Obstacle]:
    first = averaged[0]
    for other in averaged[1:]:
        if words := differs(first.card, other.card):
            yield Obstacle(
                f"{other.name} cannot be averaged with {first.name}: it has {words}; choose models of one task, axis and classes."
            )


def differs(first: ModelCard, other: ModelCard) -> str:
    """Return why the results of two models cannot be averaged; nothing if they can."""
    axis = first.axis.mismatch(other.axis) or first.truth_axis.mismatch(other.truth_axis)
    if axis:
        return axis
    if [(one.value, one.name) for one in first.classes] != [(one.value, one.name) for one in other.classes]:
        return "other classes"
    if first.experiment.task.enlarges != other.experiment.task.enlarges:
        return f"another factor, {other.experiment.task.enlarges} for {first.experiment.task.enlarges} times as many pixels per side"
    return ""


def _of_axis(model: Applied, onto: Onto, *, resample: bool, first: bool) -> Iterator[Obstacle]:
    fit = fit_axis(model.card, onto.axis, onto.name)
    if fit.how == "never":
        yield Obstacle(f"{fit.words} {fit.remedy}")
    elif fit.how == "step" and not resample:
        yield Obstacle(fit.consent, fit.step if first else None)


def _of_neighbours(link: Sequence[Applied], onto: Onto, *, views: bool) -> Iterator[Obstacle]:
    around = any(one.card.experiment.looks_around for one in link)
    if around and not onto.is_image:
        yield Obstacle(
            f"{onto.name!r} is a set of spectra, and {link[0].name} uses neighbouring pixels; give an image of shape (y, x, bands)."
        )
    if views and not around:
        yield Obstacle(
            f"Rotated views are for models that use neighbouring pixels, and {link[0].name} sees single spectra; omit the views."
        )


def _of_tile(link: Sequence[Applied], tile: int | None) -> Iterator[Obstacle]:
    least = least_tile([one.card for one in link])
    if tile is not None and tile < least:
        context = max(one.card.experiment.network.context for one in link)
        yield Obstacle(
            f"Tiles of {tile} pixels would leave seams, since {link[0].name} sees {context} pixels to each side; choose {least} or more, "
            "or omit the tile for an automatic choice."
        )


def least_tile(cards: Iterable[ModelCard]) -> int:
    """Return the smallest height and width of a tile that leaves no seams, for models that are averaged; 1 where any size does."""
    known = list(cards)
    specs = [card.experiment.network for card in known]
    around = any(spec.context for spec in specs) or any(card.experiment.looks_around for card in known)
    if any(spec.whole for spec in specs) or not around:
        return 1
    return 2 * (2 * max(spec.context for spec in specs) + math.lcm(*(spec.grid for spec in specs)))


def _result_axis(card: ModelCard, axis: SpectralAxis) -> SpectralAxis:
    own = card.axis.mismatch(card.truth_axis) is None and fit_axis(card, axis, "").how in ("same", "renamed")
    return axis if card.experiment.any_axis or own else card.truth_axis


# ---------------------------------------------------------------- evaluation


def different_cubes(result: Cube, truth: Cube, name: str = "the result") -> str:
    """Return why a result cannot be compared with a truth value by value; nothing if it can."""
    if result.shape != truth.shape:
        why = f"{name} has shape {result.shape} and the truth {truth.shape}"
        return f"{why}; they must show the same pixels and bands; crop or resample one of them"
    difference = truth.axis.mismatch(with_bands_of(truth.axis, result).axis)
    if difference and result.axis.unit and truth.axis.unit:
        return f"{name} has {difference} (the truth: {truth.axis.describe()}); resample one of them"
    return ""


def model_obstacle(card: ModelCard, task: TaskSpec, source: Onto | None) -> str:
    """Return why the classical methods of a model cannot be rows of an evaluation; nothing if they can."""
    if source is None:
        return NO_SOURCE
    if card.experiment.task.classifies != task.classifies:
        kind = card.experiment.task.title.lower()
        return f"The model is for {kind}, and the results are evaluated as {task.title.lower()}; choose a model of that kind, or none."
    fit = fit_axis(card, source.axis, source.name)
    return "" if fit.fits else f"{fit.words} Choose another source, or no model."
