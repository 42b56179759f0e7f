"""Layers of the pixels that results and their truth share, where they lie apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from napari.layers import Image, Labels, Layer
from napari.viewer import Viewer

from napari_spectrai.labels import Labels as SpectralLabels
from napari_spectrai.labels import as_labels
from napari_spectrai.plan.pairing import labels_on_truth, results_on_truth
from napari_spectrai.widgets.layers import add_cube, add_labels, as_cube


@dataclass(frozen=True, slots=True)
class Aligned:
    """Layers that show the same pixels; the source only where it could be cut as the others were."""

    results: list[Layer]
    truth: Layer
    source: Image | None = None


def aligned(viewer: Viewer, results: Sequence[Layer], truth: Layer, source: Image | None) -> Aligned:
    """Add layers of what results and truth share by position; those given stay as they are.

    Raises
    ------
    ValueError
        If a result lies so that its pixels are not the truth's.
    """
    if isinstance(truth, Labels):
        told, known, _ = labels_on_truth({layer.name: as_labels(layer) for layer in results}, as_labels(truth))
        return Aligned([_added(viewer, told[layer.name], layer) for layer in results], _added(viewer, known, truth))
    cubes = {layer.name: as_cube(layer) for layer in results}
    cut, target, _ = results_on_truth(cubes, as_cube(truth))
    noisy = None
    if source is not None and source.data.shape == truth.data.shape:
        beside, _, _ = results_on_truth({"source": as_cube(source)}, target)
        if beside["source"].shape == target.shape:
            noisy = add_cube(viewer, beside["source"], name=f"{source.name} · aligned")
    made: list[Layer] = [add_cube(viewer, cut[layer.name], name=f"{layer.name} · aligned") for layer in results]
    return Aligned(made, add_cube(viewer, target, name=f"{truth.name} · aligned"), noisy)


def _added(viewer: Viewer, labels: SpectralLabels, like: Layer) -> Layer:
    layer = add_labels(viewer, labels, None, name=f"{like.name} · aligned")
    layer.metadata = {**like.metadata, **layer.metadata}
    return layer
