"""Checks whether a model can be combined with a cube or another model; messages use display names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from napari_spectrai.cube import Cube
from napari_spectrai.experiment.compatibility import Fit, brought, fit_axis
from napari_spectrai.learn.model import Model


def called(given: Model | str | Path, model: Model) -> str:
    """Return the display name of a model: its file, with the run's folder if all files have the same name."""
    if isinstance(given, Model) or not Path(given).exists():
        return repr(model.description.name)
    path = Path(given)
    return f"{path.parent.name}/{path.name}" if path.stem in ("best", "last") else path.name


def refuse_others(models: Sequence[Model], names: Sequence[str]) -> None:
    """Refuse an ensemble whose models have different outputs."""
    first = models[0].description
    for card, name in zip((model.description for model in models[1:]), names[1:], strict=True):
        difference = first.axis.mismatch(card.axis) or first.truth_axis.mismatch(card.truth_axis)
        if difference:
            raise ValueError(f"{name} cannot join {names[0]}: it has {difference}; average models of one axis")
        classes = [(one.value, one.name) for one in card.classes]
        if classes != [(one.value, one.name) for one in first.classes] or card.experiment.task.enlarges != first.experiment.task.enlarges:
            raise ValueError(
                f"{name} cannot join {names[0]}: it has other classes, or enlarges by another factor; average models of one task"
            )


def on_axis_of(model: Model, cube: Cube, *, resample: bool) -> tuple[Cube, Fit]:
    """Return a cube on a model's axis, and how: another unit or order is converted, and interpolation requires consent.

    Raises
    ------
    ValueError
        If it cannot be converted, or `resample` is False and it would have to be changed; with the remedy.
    """
    name = cube.name or "the cube"
    fit = fit_axis(model.description, cube.axis, name)
    if fit.how == "never":
        raise ValueError(f"{fit.words} {fit.remedy}")
    if fit.how == "step" and not resample:
        assert fit.step is not None  # noqa: S101
        done = "Crop" if fit.step.kind == "crop" else "Resample"
        raise ValueError(f"{fit.words} {done} it with predict(model, cube, resample=True), or --resample on the command line.")
    return brought(cube, model.description, fit), fit
