"""What keeps a model from a cube, or from another model; told by the names that a person knows them by."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from napari_spectrai.cube import Cube
from napari_spectrai.learn.model import Model
from napari_spectrai.preparation.axis import bringing


def called(given: Model | str | Path, model: Model) -> str:
    """Return what a person calls a model: its file, with the run's folder where all files are called alike."""
    if isinstance(given, Model) or not Path(given).exists():
        return repr(model.description.name)
    path = Path(given)
    return f"{path.parent.name}/{path.name}" if path.stem in ("best", "last") else path.name


def refuse_others(models: Sequence[Model], names: Sequence[str]) -> None:
    """Refuse an ensemble whose models do not give the same."""
    first = models[0].description
    for card, name in zip((model.description for model in models[1:]), names[1:], strict=True):
        difference = first.axis.mismatch(card.axis) or first.truth_axis.mismatch(card.truth_axis)
        if difference:
            raise ValueError(f"{name} cannot join {names[0]}: it has {difference}; average models of one axis")
        told = [(one.value, one.name) for one in card.classes]
        if told != [(one.value, one.name) for one in first.classes] or card.experiment.task.enlarges != first.experiment.task.enlarges:
            raise ValueError(
                f"{name} cannot join {names[0]}: it gives other classes, or enlarges by another factor; average models of one task"
            )


def refuse_other_axis(model: Model, cube: Cube) -> None:
    """Raise ValueError if the cube's axis is not the model's, with the remedy; a model that fits any axis has none to refuse."""
    difference = model.axis.mismatch(cube.axis)
    if difference is None or model.description.experiment.any_axis:
        return
    try:
        step = bringing(cube.axis, model.axis)
        how = "Resample.onto(model.axis)" if step.kind == "resample" else f"Crop(low={step.low!r}, high={step.high!r})"
        remedy = f"bring it onto the model's axis: preprocess(cube, [{how}])"
    except ValueError as error:
        remedy = f"it has other bands than the model was trained on, and resampling cannot help ({error})"
    raise ValueError(f"{cube.name or 'the cube'!r} has {difference} (the model: {model.axis.describe()}); {remedy}")
