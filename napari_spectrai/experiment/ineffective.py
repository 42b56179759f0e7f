"""Settings of a document that change nothing on the data at hand: said, since nobody would see it otherwise."""

from __future__ import annotations

from collections.abc import Sequence

from napari_spectrai.cube import Cube
from napari_spectrai.experiment.document import Experiment


def without_effect(experiment: Experiment, cubes: Sequence[Cube]) -> list[str]:
    """Return a sentence for each augmentation that changes nothing on these data, with the reason; no value is read."""
    if not experiment.augmentation:
        return []
    if experiment.network.classical:
        kinds = ", ".join(spec.title or spec.kind for spec in experiment.augmentation)
        return [f"{experiment.network.title} learns from the data as they are: the augmentation ({kinds}), loss and epochs do nothing."]
    is_image, bands = any(cube.is_image for cube in cubes), min((len(cube.axis) for cube in cubes), default=2)
    patches = is_image and experiment.looks_around
    seen = f"{experiment.network.title} sees single spectra" if is_image else "these are spectra without neighbours"
    said = []
    for spec in experiment.augmentation:
        name = spec.title or spec.kind
        if spec.blends and experiment.training.batch == 1:
            said.append(f"{name} does nothing: it blends the samples of a batch, and training.batch is 1.")
        elif not spec.acts(patches=patches, bands=bands):
            why = "there is 1 band" if bands == 1 and spec.acts(patches=patches, bands=2) else seen
            why = why if not patches or bands == 1 else "its settings switch everything off"
            said.append(f"{name} does nothing: {why}.")
    return said
