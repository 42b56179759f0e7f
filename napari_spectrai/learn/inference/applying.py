"""Models that are about to be applied to a cube: resolved, checked against it, and brought onto one axis."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from napari_spectrai.cube import Cube, SpectralAxis
from napari_spectrai.experiment.card import ModelCard
from napari_spectrai.experiment.compatibility import Fit, another_scale
from napari_spectrai.experiment.obstacles import Applied, Onto, obstacles
from napari_spectrai.learn.applicability import Applicability, on_another_axis, unavailable
from napari_spectrai.learn.classical.stabilised import Denoiser
from napari_spectrai.learn.classical.unmixing import Unmixing
from napari_spectrai.learn.device import choose_device
from napari_spectrai.learn.inference.adjusted import with_settings
from napari_spectrai.learn.inference.chaining import called, on_axis_of
from napari_spectrai.learn.inference.empty_spectra import EmptySpectra, Shared
from napari_spectrai.learn.inference.sliding_window import SlidingWindow
from napari_spectrai.learn.mixture.blend import Blend
from napari_spectrai.learn.model import Model, ready
from napari_spectrai.placement import KEY as PLACEMENT
from napari_spectrai.preparation.doubtful_spectra import AT_A_GLANCE, doubtful_spectra
from napari_spectrai.preparation.missing import nothing_held
from napari_spectrai.preparation.sample_rows import seen
from napari_spectrai.runs.options import PredictOptions
from napari_spectrai.valid import held_by

LOOKED_AT = 2**25
"""Values of a cube, at most, in which a method without training looks for clusters or components: rows of pixels, evenly spread."""


@dataclass(frozen=True, slots=True, eq=False)
class Applying:
    """Models that are about to be applied to a cube on their axis.

    Attributes
    ----------
    source : Cube
        On the axis of the models.
    shaped : Cube
        An empty cube with the shape, the axis and the name of the result.
    window : SlidingWindow
    empty : EmptySpectra
    turn : callable
        Returns an array of that shape as the models fill it.
    components : Cube or None
        What a method has found in the cube.
    notes, found : list of str
    """

    source: Cube
    shaped: Cube
    window: SlidingWindow
    empty: EmptySpectra
    turn: Callable[[Any], Any]
    components: Cube | None
    notes: list[str]
    found: list[str]


def resolved(model: Model | str | Path, source: Cube, options: PredictOptions) -> tuple[list[Model], list[Model]]:
    """Return the models of a chain, and those whose results are averaged in its first place.

    Raises
    ------
    ValueError
        If they do not fit one another or the cube; it names every obstacle.
    """
    links = [
        _model(model, source, options.factor, options.settings),
        *(_model(one, source, options.factor, None) for one in options.then),
    ]
    models = [links[0], *(_model(one, source, options.factor, None) for one in options.ensemble)]
    averaged = [Applied(called(name, one), one.description) for name, one in zip((model, *options.ensemble), models, strict=True)]
    then = [Applied(called(name, one), one.description) for name, one in zip(options.then, links[1:], strict=True)]
    asked = {name: getattr(options, name) for name in ("tile", "views", "uncertainty", "resample")}
    if against := obstacles(averaged, then, Onto.of(source), **asked):
        raise ValueError("\n".join(one.words for one in against))
    return links, models


def applying(models: Sequence[Model], source: Cube, options: PredictOptions, shared: Shared | None = None) -> Applying:
    """Bring a cube onto the axis of models, and let methods find in all of it what they share between tiles.

    Parameters
    ----------
    shared : callable, optional
        Keeps what was found in the cube for other processes: given a name and a function that finds it, returns it.
    """
    card, given = models[0].description, source
    source, fit = on_axis_of(models[0], source, resample=options.resample)
    notes = _about(card, source, fit)
    compared, unlike = _compared(models[0], source, wanted=options.applicability)
    first, components = _with_components(models[0], source, shared)
    models = [_with_noise(model, source) for model in (first, *models[1:])]
    said = [model.network.said(model.preparation) for model in models if isinstance(model.network, Denoiser | Blend)]
    found = list(dict.fromkeys(filter(None, [*said, unlike])))
    shaped = shaped_as(models[0], given, source, fit)
    turn: Any = Turned if fit.turned and shaped.axis is given.axis else _as_it_is
    window = SlidingWindow(
        models, choose_device(options.device), options.tile, draws=options.uncertainty, views=options.views, applicability=compared
    )
    empty = EmptySpectra(source, models[0].preparation.steps, shared)
    return Applying(source, shaped, window, empty, turn, components, notes, found)


def _compared(model: Model, source: Cube, *, wanted: bool | None) -> tuple[Applicability | None, str]:
    """Return what compares the spectra of a cube with those of the training, or why nothing does.

    Raises
    ------
    ValueError
        If a comparison is wanted and there is none.
    """
    card = model.description
    if wanted is False:
        return None, ""
    if model.applicability is not None and (not card.experiment.any_axis or card.axis.mismatch(source.axis) is None):
        return model.applicability, ""
    why = unavailable(card.name) if model.applicability is None else on_another_axis(card.name)
    if wanted:
        raise ValueError(why)
    return None, why if card.is_trained else ""


def shaped_as(model: Model, given: Cube, source: Cube, fit: Fit) -> Cube:
    """Return an empty cube of the shape, axis, pixel size and name of the result; `given` is the source before it was on the model's axis.

    The same bands in another unit or order: the result is on the cube's own axis.
    """
    card = model.description
    name = f"{source.name} · {card.name}" if source.name else card.name
    shaped = _shaped(model, source, name)
    if fit.how != "renamed" or card.classes or card.axis.mismatch(card.truth_axis) is not None:
        return shaped
    return replace(shaped, axis=given.axis, metadata=_shaped(model, given, name).metadata)


class Turned:
    """An array to be written with its last dimension in the opposite order."""

    def __init__(self, array: Any) -> None:
        self.array, self.shape = array, array.shape

    def __setitem__(self, key: Any, values: Any) -> None:
        self.array[key] = values[..., ::-1]

    def __getitem__(self, key: Any) -> Any:
        return self.array[key][..., ::-1]


def _as_it_is(array: Any) -> Any:
    return array


def _about(card: ModelCard, source: Cube, fit: Fit) -> list[str]:
    """Return what to say of a cube on the model's axis before the model is applied."""
    notes = []
    if fit.step is not None:
        done = "resampled onto" if fit.step.interpolates else "cropped to"
        beyond = f"; {fit.extrapolated} of its bands were not measured and take the nearest value" if fit.extrapolated else ""
        notes.append(f"{source.name or 'The cube'!r} was {done} the model's axis ({card.axis.describe()}), which the result is on{beyond}.")
    notes += [note for step in card.experiment.preparation for note in step.notes(source)]
    doubtful = doubtful_spectra([source], "are treated", AT_A_GLANCE)
    return [*notes, *doubtful, *filter(None, [another_scale(card, source)])]


def _model(model: Model | str | Path, source: Cube, factor: int, settings: Mapping[str, Any] | None) -> Model:
    """Return a model that was given, lies in a file, or is a classical method of that name."""
    named = isinstance(model, str) and "." not in model and "/" not in model and not Path(model).exists()
    if named:
        return ready(str(model), source.axis, factor=factor, settings=settings)
    loaded = model if isinstance(model, Model) else Model.load(model)
    return with_settings(loaded, settings) if settings else loaded


def _with_components(model: Model, source: Cube, shared: Shared | None = None) -> tuple[Model, Cube | None]:
    """Return the model with the components that it finds in a cube, if it does so, and those components."""
    network = model.network
    if not isinstance(network, Unmixing) or network.has_learnt:
        return model, None

    def look() -> Unmixing:
        spectra = torch.from_numpy(np.ascontiguousarray(seen(source, LOOKED_AT))).flatten(0, -2)
        held = held_by(spectra.numpy())
        if not held.count:
            raise ValueError(nothing_held([source], [held]))
        return network.found_in(spectra)

    if shared is None:
        found = look()
    else:
        kept = shared("components", lambda: {name: tensor.cpu().numpy() for name, tensor in look().named_buffers()})
        found = copy.deepcopy(network)
        found.learn({name: torch.from_numpy(values) for name, values in kept.items()})
    components = Cube(found.components.numpy(), source.axis, name=f"{source.name} · {model.description.name}".lstrip(" ·"))
    return replace(model, network=found), components


def _with_noise(model: Model, source: Cube) -> Model:
    """Return the model with the noise that a classical denoiser looks for in the whole cube, so that tiles and planes share it."""
    network = model.network
    if not isinstance(network, Denoiser | Blend) or (isinstance(network, Denoiser) and network.has_learnt):
        return model
    if isinstance(network, Blend) and not network.looks_for_noise:
        return model
    spectra, _, _ = model.preparation.apply(seen(source), source.axis)
    return replace(model, network=network.found_in(spectra))


def _shaped(model: Model, source: Cube, name: str) -> Cube:
    """Return an empty cube of the shape, axis and pixel size of the result."""
    card, times = model.description, model.description.experiment.task.enlarges
    spatial = source.spatial_shape
    if card.experiment.task.of_images:
        spatial = spatial[:-2] or (1,)
    elif times > 1:
        spatial = (*spatial[:-2], spatial[-2] * times, spatial[-1] * times)
    axis = SpectralAxis.bands(card.out) if card.classes else card.truth_axis
    if card.experiment.any_axis:
        axis = source.axis
    size = source.pixel_size
    metadata = {key: value for key, value in source.metadata.items() if key != "prediction"}
    if times > 1 and (lies := source.placement) is not None:
        metadata[PLACEMENT] = lies.divided([*[1] * (len(spatial) - 2), times, times]).to_json()
    if size is not None and times > 1:
        size = (size[0] / times, size[1] / times)
        if "origin" in metadata:  # the centre of the first pixel moves into its corner
            metadata["origin"] = tuple(
                float(start) - length * (times - 1) / 2 for start, length in zip(metadata["origin"], size, strict=True)
            )
    if card.classes:
        metadata = {key: value for key, value in metadata.items() if key != "bad_bands"} | {
            "class_names": {one.value: one.name for one in card.classes}
        }
    empty = np.broadcast_to(np.float32(0), (*spatial, len(axis)))
    return replace(source, data=empty, axis=axis, name=name, source=None, pixel_size=size, metadata=metadata)
