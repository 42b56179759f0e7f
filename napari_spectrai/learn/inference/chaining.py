"""Cubes brought onto the axis of a model, and the names of models for messages."""

from __future__ import annotations

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
        raise ValueError(fit.consent)
    return brought(cube, model.description, fit), fit
