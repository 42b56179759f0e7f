"""Load the results of a prediction from its folder and add them as layers next to the source."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from napari.layers import Image, Layer
from napari.layers import Labels as LabelsLayer
from napari.utils.colormaps import Colormap
from napari.viewer import Viewer

from napari_spectrai.cube import Cube
from napari_spectrai.experiment.card import ModelCard
from napari_spectrai.experiment.network_spec import networks
from napari_spectrai.io.labels import read_labels
from napari_spectrai.labels import Class, Colour, Labels
from napari_spectrai.widgets.in_hand import brush_kept
from napari_spectrai.widgets.job_queue import loaded
from napari_spectrai.widgets.layer_frame import LayerFrame, Region, add_above, add_classes_above, add_map_above
from napari_spectrai.widgets.layers import label_options, layer_data

AUTOMATIC = "automatic"
"""Kind of network whose name is left out of the names of layers."""
MOST_NAME = 28
"""Largest number of letters of a model's name in the names of layers."""


@dataclass(frozen=True, slots=True)
class Applied:
    """The model applied to a source, for the names and metadata of the resulting layers.

    Parameters
    ----------
    model : path of the file, or kind of the method
    name : display name
    card : card of the last model, which makes the result
    settings : settings as plain values
    replaces : models whose results on the source are brought up to date, whatever they are called; others only by their name
    """

    model: str
    name: str
    card: ModelCard
    settings: Mapping[str, Any]
    replaces: frozenset[str] = frozenset()

    @property
    def short(self) -> str:
        """The name, shortened for the layer list."""
        return self.name if len(self.name) <= MOST_NAME else self.name[: MOST_NAME - 1].rstrip() + "…"

    def metadata(self, source: str, role: str) -> dict[str, Any]:
        """Return the metadata of a result layer, read by the Evaluate dock."""
        made = {
            "model": self.model, "name": self.name, "task": self.card.experiment.task.kind, "source": source,
            "settings": dict(self.settings), "role": role,
        }  # fmt: skip
        return {"prediction": made}


@dataclass(frozen=True, slots=True)
class Outcome:
    """The results of a job, read into memory if they are small."""

    cube: Cube | None = None
    labels: Labels | None = None
    shares: Cube | None = None
    spread: Cube | None = None
    unlike: Cube | None = None
    """Dissimilarity of each spectrum from the training spectra, one band."""
    partly: bool = False


def read_outcome(folder: Path, card: ModelCard, *, stopped: bool) -> Outcome | None:
    """Read the results of a job; the finished tiles of a stopped one, or None if there are none."""
    if stopped:
        part = folder / "result-part.zarr"
        if not part.exists():
            return None
        cube = loaded(part)
        return Outcome(labels=_most_probable(cube, card.classes), shares=cube, partly=True) if card.classes else Outcome(cube, partly=True)
    deviation, unlike = (loaded(path) if (path := folder / f"result-{name}.zarr").exists() else None for name in ("sd", "applicability"))
    if not card.classes:
        return Outcome(loaded(folder / "result.zarr"), spread=deviation, unlike=unlike)
    labels = read_labels(folder / "result.zarr")
    shutil.rmtree(folder / "result.zarr")
    return Outcome(labels=labels, shares=loaded(folder / "result-probabilities.zarr"), spread=deviation, unlike=unlike)


def cut_out(outcome: Outcome | None, region: Region | None, seen: Region | None) -> Outcome | None:
    """Cut an outcome to the requested part, where more was processed so that the part equals that of the whole."""
    if outcome is None or region is None or seen is None or region == seen:
        return outcome

    def cut(array: Any, *, ends: int) -> tuple[Any, ...]:
        sides = array.shape[-2 - ends : array.ndim - ends]
        times = [length // (stop - start) for length, (start, stop) in zip(sides, seen, strict=True)]
        pairs = zip(times, region, seen, strict=True)
        inner = [slice((start - first) * each, (stop - first) * each) for each, (start, stop), (first, _) in pairs]
        return (..., *inner, *[slice(None)] * ends)

    def of(cube: Cube | None) -> Cube | None:  # each has its own number of pixels
        return None if cube is None else cube.with_data(cube.data[cut(cube.data, ends=1)])

    labels = outcome.labels
    classes = None if labels is None else replace(labels, data=labels.data[cut(labels.data, ends=0)])
    return replace(
        outcome, cube=of(outcome.cube), labels=classes, shares=of(outcome.shares), spread=of(outcome.spread), unlike=of(outcome.unlike)
    )


def _most_probable(shares: Cube, classes: Sequence[Class]) -> Labels:
    """Return the most probable class of each pixel; pixels without a result get a number that is no class, 0 if it is free."""
    values = np.array([one.value for one in classes])
    missing = 0 if 0 not in values else int(values.max()) + 1
    probabilities = shares.numpy()
    known = np.isfinite(probabilities.sum(-1))
    predicted = np.where(known, values[np.where(known[..., None], probabilities, 0).argmax(-1)], missing)
    names = {one.value: one.name for one in classes}
    return Labels(predicted, names if missing == 0 else names | {missing: "not reached"})


def show_outcome(viewer: Viewer, outcome: Outcome, applied: Applied, frame: LayerFrame) -> str:
    """Add the layers of an outcome next to their source, or bring those of an earlier model of that name up to date; return a message."""
    with brush_kept(viewer):
        return _shown(viewer, outcome, applied, frame)


def _shown(viewer: Viewer, outcome: Outcome, applied: Applied, frame: LayerFrame) -> str:
    frame, card = frame.now(viewer), applied.card
    chosen = applied.name == networks[AUTOMATIC].title  # which says nothing, and napari leaves out the middle of long names
    end = ("" if chosen else f" by {applied.short}") + (" (part)" if outcome.partly else "")

    def lay(cube: Cube, what: str, role: str, *, alike: bool) -> Layer:
        """Add a cube, visible if it is the result; or bring the one of a model that this one continues up to date."""
        metadata = applied.metadata(frame.name, role)
        known = _replaced(viewer, Image, "", metadata, layer_data(cube)[0], applied.replaces)
        if known is not None:
            return cast("Layer", known)
        layer = add_above(viewer, cube, frame, f"{frame.name} · {what}{end}", alike=alike)
        layer.metadata.update(metadata)
        layer.visible = role == "result"
        return layer

    if outcome.unlike is not None and outcome.unlike.is_image:
        _add_applicability(viewer, outcome.unlike, applied, frame, end)
    if outcome.spread is not None and outcome.labels is None:
        lay(outcome.spread, "uncertainty", "uncertainty", alike=False)
    if outcome.labels is None:
        assert outcome.cube is not None  # noqa: S101
        # on the axis of another instrument, intensities differ, too
        layer = lay(outcome.cube, _done(card), "result", alike=card.axis.mismatch(card.truth_axis) is None)
    else:
        pairs = ((outcome.spread, "uncertainty", "uncertainty"), (outcome.shares, "probability", "probabilities"))
        for cube, what, role in () if card.experiment.task.of_images else pairs:
            if cube is not None and cube.is_image and cube.shape[-1] == len(card.classes):
                _add_maps(viewer, cube, what, role, applied, frame, outcome.partly)
            elif cube is not None:
                lay(cube, role, role, alike=False)
        colours: dict[int, Colour] = {one.value: one.colour for one in card.classes if one.colour is not None}
        labels = replace(outcome.labels, colours=colours, name="")
        what = "predicted" if chosen else "classes"  # "classes" alone are those of a truth
        metadata, name = applied.metadata(frame.name, "result"), f"{frame.name} · {what}{end}"
        known = _replaced(viewer, LabelsLayer, name, metadata, labels.data, applied.replaces)
        layer = add_classes_above(viewer, labels, frame, name, metadata=metadata) if known is None else _recoloured(known, labels)
        if outcome.labels.data.size == 1 and outcome.shares is not None and not outcome.partly:  # a single image
            (one,) = (known for known in card.classes if known.value == outcome.labels.data.flat[0])
            return f"{one.name} ({float(outcome.shares.numpy().max()):.0%})"
    if outcome.partly:
        empty = "NaN" if not card.classes else "'not reached'" if any(one.value == 0 for one in card.classes) else "0"
        return f"the finished part is in layer {layer.name!r}, with {empty} elsewhere"
    extra = (("uncertainty", outcome.spread), ("probabilities", outcome.shares), ("applicability", outcome.unlike))
    hidden = [what for what, there in extra if there is not None and (what != "applicability" or there.is_image)]
    if card.experiment.task.of_images and "probabilities" in hidden:
        hidden.remove("probabilities")
    return f"layer {layer.name!r}" + (f", and hidden layers with its {_and(hidden)}" if hidden else "")


def _add_maps(viewer: Viewer, cube: Cube, what: str, role: str, applied: Applied, frame: LayerFrame, partly: bool) -> None:  # noqa: FBT001
    """Add a hidden 2-D layer for each class: a layer with classes on an axis would change the sliders of the source.

    Its name ends with the class, since napari shortens long names in their middle.
    """
    values = cube.numpy()
    for number, one in enumerate(applied.card.classes):
        name, metadata = (
            f"{frame.name} · {what} · {one.name}{' (part)' if partly else ''}",
            applied.metadata(frame.name, role) | {"spectral": False},
        )
        metadata["prediction"] |= {"class": one.value, "layer": name}
        if _replaced(viewer, Image, name, metadata, values[..., number], applied.replaces) is None:
            add_map_above(
                viewer, values[..., number], frame, name, metadata=metadata, colormap=_shades(one), visible=False,
                contrast_limits=(0.0, 1.0) if what == "probability" else _limits(values),
            )  # fmt: skip


def _add_applicability(viewer: Viewer, cube: Cube, applied: Applied, frame: LayerFrame, end: str) -> None:
    """Add a hidden 2-D layer of the dissimilarity from the training spectra, with the colour of the threshold in its middle."""
    name, metadata = f"{frame.name} · applicability{end}", applied.metadata(frame.name, "applicability") | {"spectral": False}
    values = cube.numpy()[..., 0]
    if _replaced(viewer, Image, name, metadata, values, applied.replaces) is None:
        colours = Colormap([(0.13, 0.4, 0.67, 1), (0.97, 0.97, 0.97, 1), (0.7, 0.09, 0.17, 1)], name="spectrai applicability")
        add_map_above(viewer, values, frame, name, metadata=metadata, colormap=colours, visible=False, contrast_limits=(0.0, 2.0))


def _and(words: Sequence[str]) -> str:
    """Return words as an enumeration."""
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def _shades(one: Class) -> Any:
    """Return a colormap from black to the colour of a class."""
    if one.colour is None:
        return "viridis"
    code = "".join(f"{round(255 * part):02x}" for part in one.colour[:3])  # a long name would widen the window by napari's layer controls
    return Colormap([(0, 0, 0, 1), one.colour], name=f"class {code}")


def _limits(values: Any) -> tuple[float, float]:
    high = float(np.nanmax(values, initial=0.0))
    return 0.0, high if high > 0 else 1.0


def _recoloured(layer: LabelsLayer, labels: Labels) -> LabelsLayer:
    """Give a layer the names and colours of the classes of other labels."""
    options = label_options(labels)
    layer.metadata = {**layer.metadata, "class_names": options["metadata"]["class_names"]}
    for attribute, value in options.items():
        if attribute in ("features", "colormap"):
            setattr(layer, attribute, value)
    return layer


def _replaced(viewer: Viewer, kind: type[Any], name: str, metadata: dict[str, Any], data: Any, replaces: frozenset[str]) -> Any:
    """Bring the result of an earlier model up to date and return its layer, or None if there is none.

    It is a layer of that name by a model of the same name, or by one of the models that are replaced.
    """
    new = metadata["prediction"]

    def alike(made: Mapping[str, Any], *keys: str) -> bool:
        return all(made.get(key) == new.get(key) for key in keys)

    def same(layer: Layer) -> bool:
        made = layer.metadata.get("prediction", {})
        if not isinstance(layer, kind) or layer.data.shape != data.shape:
            return False
        if made.get("model") in replaces and alike(made, "task", "source", "role", "class"):
            return True
        return bool(layer.name == name and alike(made, "name", "task", "source", "role"))

    known = next((layer for layer in viewer.layers if same(layer)), None)
    if known is not None:
        if known.name == known.metadata["prediction"].get("layer") and new.get("layer"):  # after a class was renamed
            known.name = new["layer"]
        known.data = data
        known.metadata = {**known.metadata, **metadata}
    return known


def _done(card: ModelCard) -> str:
    """Return what was done to a cube, in one word."""
    if card.experiment.task.enlarges > 1:
        return f"{card.experiment.task.enlarges} × enlarged"
    return card.experiment.task.result_name
