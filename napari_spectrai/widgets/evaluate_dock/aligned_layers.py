"""Cut results and their truth to the pixels they share, as new layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from napari.layers import Image, Labels, Layer
from napari.viewer import Viewer

from napari_spectrai.label_conversion import as_labels
from napari_spectrai.labels import Labels as SpectralLabels
from napari_spectrai.plan.pairing import labels_on_truth, results_on_truth
from napari_spectrai.widgets.layers import add_cube, add_labels, as_cube


@dataclass(frozen=True, slots=True)
class Aligned:
    """Layers that show the same pixels; the source is included only where it could be cut in the same way."""

    results: list[Layer]
    truth: Layer
    source: Image | None = None


def aligned(viewer: Viewer, results: Sequence[Layer], truth: Layer, source: Image | None) -> Aligned:
    """Add layers of the pixels that results and truth share by position; the given layers stay unchanged.

    Raises
    ------
    ValueError
        If a result lies so that its pixels cannot be matched with those of the truth.
    """
    if isinstance(truth, Labels):
        predicted, known, _ = labels_on_truth({layer.name: as_labels(layer) for layer in results}, as_labels(truth))
        return Aligned([_added(viewer, predicted[layer.name], layer) for layer in results], _added(viewer, known, truth))
    cubes = {layer.name: as_cube(layer) for layer in results}
    cut, target, _ = results_on_truth(cubes, as_cube(truth))
    noisy = None
    if source is not None and source.data.shape == truth.data.shape:
        cut_source, _, _ = results_on_truth({"source": as_cube(source)}, target)
        if cut_source["source"].shape == target.shape:
            noisy = add_cube(viewer, cut_source["source"], name=f"{source.name} · aligned")
    made: list[Layer] = [add_cube(viewer, cut[layer.name], name=f"{layer.name} · aligned") for layer in results]
    return Aligned(made, add_cube(viewer, target, name=f"{truth.name} · aligned"), noisy)


def _added(viewer: Viewer, labels: SpectralLabels, like: Layer) -> Layer:
    layer = add_labels(viewer, labels, None, name=f"{like.name} · aligned")
    layer.metadata = {**like.metadata, **layer.metadata}
    return layer
