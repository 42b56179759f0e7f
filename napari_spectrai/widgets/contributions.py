"""Contributions of the manifest other than docks: sample data, readers and writers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from napari import current_viewer

from napari_spectrai.cube import Cube
from napari_spectrai.experiment.card import read_card
from napari_spectrai.io import format_of, write
from napari_spectrai.io.labels import holds_labels, read_labels, write_labels
from napari_spectrai.labels import Labels
from napari_spectrai.placement import KEY as PLACEMENT
from napari_spectrai.placement import Placement
from napari_spectrai.remedies import advising
from napari_spectrai.samples import sample
from napari_spectrai.widgets.dock import open_in_turns
from napari_spectrai.widgets.first_look import band_contrast
from napari_spectrai.widgets.layers import LayerData, as_cube, label_options, layer_data, layers_from_file, opened_layer
from napari_spectrai.widgets.responsive import in_thread
from napari_spectrai.widgets.warm_up import begin


def raman_pairs() -> list[LayerData]:
    """Return the Raman pairs as two layers: noisy spectra and, hidden below them, their truth."""
    begin()
    pairs = sample("raman_pairs")
    assert pairs.truth is not None  # noqa: S101
    return [layer_data(pairs.truth, colormap="viridis"), layer_data(pairs.cube, colormap="viridis")]


def cartilage() -> list[LayerData]:
    """Return the Raman map."""
    return [_first_seen(sample("cartilage").cube, colormap="viridis")]


def lambda_stack() -> list[LayerData]:
    """Return the lambda stack."""
    return [_first_seen(sample("lambda_stack").cube)]


def microplastic() -> list[LayerData]:
    """Return the FTIR map."""
    return [_first_seen(sample("microplastic").cube, colormap="viridis")]


def indian_pines() -> list[LayerData]:
    """Return the scene, and its classes as labels with names."""
    scene = sample("indian_pines")
    names = ["unlabelled", *scene.class_names.values()]
    options: dict[str, Any] = {
        "name": "Indian Pines · classes", "opacity": 0.5, "features": {"class": names}, "axis_labels": ("y", "x"),
        "metadata": {"class_names": dict(scene.class_names)},
    }  # fmt: skip
    return [_first_seen(scene.cube), (scene.labels, options, "labels")]


def _first_seen(cube: Cube, **more: Any) -> LayerData:
    """Return the layer of a cube that shows its first band as soon as napari adds it."""
    _watch()
    return opened_layer(cube, **more)


def _watch() -> None:
    begin()
    viewer = current_viewer()
    if viewer is not None:
        band_contrast(viewer)


def get_reader(path: str | list[str]) -> Callable[..., list[LayerData]] | None:
    """Return the reader of a spectral file, or None for another kind of file."""
    first = path[0] if isinstance(path, list) else path
    try:
        format_of(first)
    except ValueError:
        return None
    return _read


def _read(paths: str | list[str], **_: Any) -> list[LayerData]:
    with advising("window"):
        return [layer for path in (paths if isinstance(paths, list) else [paths]) for layer in _layers(Path(path))]


def _layers(path: Path) -> list[LayerData]:
    _watch()
    return in_thread(lambda: _from_file(path))


def _from_file(path: Path) -> list[LayerData]:
    if holds_labels(path):
        labels = read_labels(path)
        return [(labels.data, label_options(labels), "labels")]
    return layers_from_file(path)


def get_model_reader(path: str | list[str]) -> Callable[..., list[tuple[None]]]:
    """Return a reader that opens a model file in the Predict dock."""
    del path  # the manifest has checked its name
    return _read_model


def _read_model(paths: str | list[str], **_: Any) -> list[tuple[None]]:
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


def write_cube(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write one image layer as a spectral file, in the format of the suffix."""
    layer = SimpleNamespace(data=data, **{"metadata": {}, "name": "", "rgb": False} | meta | {"multiscale": False})
    return [str(write(as_cube(layer), path))]


def write_classes(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write one Labels layer with the names of its classes."""
    array, known = np.asarray(data), dict(meta.get("metadata", {}))
    if (lies := Placement.of_layer(SimpleNamespace(**meta), array.shape)) is not None:
        known[PLACEMENT] = lies.to_json()
    return [str(write_labels(Labels(array, known.get("class_names", {}), metadata=known), path))]
