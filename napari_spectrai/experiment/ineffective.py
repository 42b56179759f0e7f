"""Warnings about settings that have no effect on the given data."""

from __future__ import annotations

from collections.abc import Sequence

from napari_spectrai.cube import Cube
from napari_spectrai.experiment.document import Experiment


def without_effect(experiment: Experiment, cubes: Sequence[Cube]) -> list[str]:
    """Return a sentence for each augmentation without effect on these data, with the reason; values are not read."""
    if not experiment.augmentation:
        return []
    if experiment.network.classical:
        kinds = ", ".join(spec.title or spec.kind for spec in experiment.augmentation)
        return [f"{experiment.network.title} is fitted to the unchanged data: the augmentation ({kinds}), loss and epochs have no effect."]
    is_image, bands = any(cube.is_image for cube in cubes), min((len(cube.axis) for cube in cubes), default=2)
    patches = is_image and experiment.looks_around
    seen = f"{experiment.network.title} uses single spectra" if is_image else "these are spectra without neighbours"
    warnings = []
    for spec in experiment.augmentation:
        name = spec.title or spec.kind
        if spec.blends and experiment.training.batch == 1:
            warnings.append(f"{name} has no effect: it blends the samples of a batch, and training.batch is 1.")
        elif not spec.acts(patches=patches, bands=bands):
            why = "there is 1 band" if bands == 1 and spec.acts(patches=patches, bands=2) else seen
            why = why if not patches or bands == 1 else "its settings switch everything off"
            warnings.append(f"{name} has no effect: {why}.")
    return warnings
