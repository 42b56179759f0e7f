"""Layers of samples and files, read in a thread while the window goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari import current_viewer

from napari_spectrai.experiment.card import read_card
from napari_spectrai.io import format_of
from napari_spectrai.io.labels import holds_labels, read_labels
from napari_spectrai.remedies import advising
from napari_spectrai.samples import sample
from napari_spectrai.widgets.dock import open_in_turns
from napari_spectrai.widgets.first_look import band_contrast
from napari_spectrai.widgets.layers import LayerData, label_options, layer_data, layers_from_file, opened_layer
from napari_spectrai.widgets.responsive import in_thread
from napari_spectrai.widgets.shared_units import agreeing
from napari_spectrai.widgets.warm_up import begin

_COLOURS = {"cartilage": "viridis", "microplastic": "viridis"}
"""Colormaps of samples, where they are not grey."""


def sample_layers(name: str) -> list[LayerData]:
    """Return the layers of a bundled data set."""
    viewer = _watched()
    return agreeing(viewer, in_thread(lambda: _pairs(name) if name == "raman_pairs" else _scene(name)))


def _pairs(name: str) -> list[LayerData]:
    pairs = sample(name)
    assert pairs.truth is not None  # noqa: S101
    return [layer_data(pairs.truth, colormap="viridis"), layer_data(pairs.cube, colormap="viridis")]


def _scene(name: str) -> list[LayerData]:
    scene = sample(name)
    colours: dict[str, Any] = {"colormap": _COLOURS[name]} if name in _COLOURS else {}
    layers = [opened_layer(scene.cube, **colours)]
    if name == "indian_pines":
        names = ["unlabelled", *scene.class_names.values()]
        options: dict[str, Any] = {
            "name": "Indian Pines · classes", "opacity": 0.5, "features": {"class": names}, "axis_labels": ("y", "x"),
            "metadata": {"class_names": dict(scene.class_names)},
        }  # fmt: skip
        layers.append((scene.labels, options, "labels"))
    return layers


def _watched() -> Any:
    """Return the viewer, if there is one, that shows the first band of a layer as soon as napari adds it."""
    begin()
    viewer = current_viewer()
    if viewer is not None:
        band_contrast(viewer)
    return viewer


def reader_of(path: str | list[str]) -> Callable[..., list[Any]] | None:
    """Return the reader of a spectral file, or None for another kind of file."""
    first = path[0] if isinstance(path, list) else path
    try:
        format_of(first)
    except ValueError:
        return None
    return read_files


def read_files(paths: str | list[str], **_: Any) -> list[LayerData]:
    """Return the layers of spectral files."""
    with advising("window"):
        return [layer for path in (paths if isinstance(paths, list) else [paths]) for layer in _layers(Path(path))]


def _layers(path: Path) -> list[LayerData]:
    viewer = _watched()
    return agreeing(viewer, in_thread(lambda: _from_file(path)))


def _from_file(path: Path) -> list[LayerData]:
    if holds_labels(path):
        labels = read_labels(path)
        return [(labels.data, label_options(labels), "labels")]
    return layers_from_file(path)


def open_models(paths: str | list[str], **_: Any) -> list[tuple[None]]:
    """Open the Predict dock and choose a model in it; no layer is added.

    Raises
    ------
    ValueError
        If the file is damaged or not a model, or if there is no window.
    """
    files = [Path(path) for path in (paths if isinstance(paths, list) else [paths])]
    for file in files:
        read_card(file)
    viewer = current_viewer()
    if viewer is None:
        raise ValueError(f"{files[0].name} is a model; choose it in the Predict dock, or in a script call predict(path, cube)")

    def choose(dock: Any) -> None:
        for file in files:
            dock.model = file

    open_in_turns(viewer, "Predict", choose)
    return [(None,)]
