"""Check whether a model fits its input, and find the preprocessing step that would make it fit."""

from __future__ import annotations

from dataclasses import dataclass

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.experiment.card import ModelCard
from napari_spectrai.experiment.compatibility import fit_axis
from napari_spectrai.preparation import Step


@dataclass(frozen=True, slots=True)
class Misfit:
    """What prevents applying the model, and the step that brings the axis onto the model's, if there is one."""

    words: str
    step: Step | None = None


def misfit(card: ModelCard, name: str, axis: SpectralAxis, *, is_image: bool) -> Misfit | None:
    """Return what prevents applying a model to a cube; None if it fits."""
    if card.experiment.looks_around and not is_image:
        return Misfit(f"{name!r} is a set of spectra, but this model needs images; choose an image.")
    fit = fit_axis(card, axis, name)
    return None if fit.fits else Misfit(f"{fit.words} {fit.remedy}".strip(), fit.step)


def misfits_chain(first: ModelCard, second: ModelCard, name: str) -> str:
    """Return why a second model cannot be applied to the result of the first; empty if it can."""
    if first.classes:
        return f"The first model outputs classes, which {name} cannot be applied to; remove the second model."
    difference = second.axis.mismatch(first.truth_axis)
    if difference is not None and not second.experiment.any_axis:
        return f"The output of the first model has {difference} for {name}; choose another second model."
    return ""


def misfits_ensemble(first: ModelCard, other: ModelCard) -> str:
    """Return why the results of two models cannot be averaged; empty if they can."""
    if first.experiment.task.kind != other.experiment.task.kind or first.experiment.task.enlarges != other.experiment.task.enlarges:
        return "another task"
    if first.axis.mismatch(other.axis) or first.truth_axis.mismatch(other.truth_axis):
        return "another axis"
    if [(one.value, one.name) for one in first.classes] != [(one.value, one.name) for one in other.classes]:
        return "other classes"
    return ""
