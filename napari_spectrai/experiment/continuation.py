"""Continuing from an earlier model: whether a training can start from it, and what it takes from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.experiment.automatic import Automatic, Member
from napari_spectrai.experiment.card import ModelCard, read_card
from napari_spectrai.labels import Class, in_short

if TYPE_CHECKING:
    from napari_spectrai.experiment.document import Experiment


def obstacle(card: ModelCard, experiment: Experiment, axis: SpectralAxis, classes: Sequence[Class] = ()) -> str:
    """Return why a training cannot continue from a model, in one sentence; an empty text if it can.

    A training continues with the task, method, preparation and bands of the model, and with its classes or more. A network starts from
    the weights of the model; the automatic choice compares only the methods that the model has chosen.

    Parameters
    ----------
    card : ModelCard
        The card of the model.
    experiment : Experiment
        The training.
    axis : SpectralAxis
        Axis of its input.
    classes : sequence of Class
        The classes of its labels; empty for other tasks.

    Returns
    -------
    str
    """
    return next(_obstacles(card, experiment, axis, classes), "")


def _obstacles(card: ModelCard, experiment: Experiment, axis: SpectralAxis, classes: Sequence[Class]) -> Iterator[str]:
    theirs, network = card.experiment, experiment.network
    if theirs.task.kind != experiment.task.kind:
        yield f"The last model is for another task ({theirs.task.title.lower()})."
    if theirs.network.kind != network.kind:
        yield f"The last model is of another kind ({theirs.network.title})."
        return
    if network.classical and not network.chooses:
        yield f"{network.title} is computed from all pixels in one go, without a starting point."
    if difference := card.axis.mismatch(axis):
        yield f"The last model was trained on other bands: these data have {difference}."
    lost = [one.name for one in card.classes if one.value not in {own.value for own in classes}]
    if lost:
        yield f"The last model knows classes without labels now: {in_short(lost)}."
    if network.chooses:
        if not isinstance(theirs.network, Automatic) or not theirs.network.members:
            yield "The last model has not chosen a method."
        return
    own = network.model_dump()
    changed = [name for name, value in theirs.network.model_dump().items() if own.get(name) != value]
    if changed:
        yield f"The last model has another {type(network).model_fields[changed[0]].title or changed[0].replace('_', ' ')}."
    if [step.kind for step in theirs.preparation] != [step.kind for step in experiment.preparation]:
        yield "The last model was trained on spectra with another preparation."


def members_of(path: Path | None) -> list[Member]:
    """Return the methods that an automatic model has chosen.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no model of the automatic choice.
    """
    if path is None:
        return []
    network = read_card(path).experiment.network
    if not isinstance(network, Automatic) or not network.members:
        raise ValueError(
            f"{path} contains a {network.title}, and the automatic choice continues only from a model of its own; set "
            f"network.kind={network.kind}, or clear training.start"
        )
    return list({(member.network.model_dump_json(), member.sees): member for member in network.members}.values())
