"""Size of a training: samples, steps and bytes, and its description."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_spectrai.cube import Cube
from napari_spectrai.experiment import Experiment
from napari_spectrai.experiment.ineffective import without_effect
from napari_spectrai.plan.folds import FOLDS, is_cross_validated
from napari_spectrai.plan.memory import memory_plan
from napari_spectrai.plan.partition import Division
from napari_spectrai.plan.subsets import TRAINING
from napari_spectrai.plan.truths import Truth


def an_epoch(experiment: Experiment, samples: int, patch: int, pixels: int, images: int = 1) -> int:
    """Return the number of samples in an epoch.

    Parameters
    ----------
    samples, patch : number of training samples, and their height and width
    pixels : number of distinct pixels in them
    images : number of images (planes) that they come from
    """
    if patch == 1 or experiment.network.around:
        return samples
    if experiment.data.samples is not None:
        return experiment.data.samples
    if experiment.data.per_image is not None:
        return experiment.data.per_image * images
    # patches overlap: an epoch shows each pixel about four times
    return min(samples, max(experiment.training.batch, 4 * pixels // patch**2))


def steps_of(drawn: int, batch: int) -> int:
    """Return the number of steps in an epoch of `drawn` samples: a last batch of one sample, without statistics, is merged."""
    return max(1, -(-drawn // batch) - (drawn % batch == 1 and batch > 1))


@dataclass(frozen=True, slots=True)
class Extent:
    """Size of a training.

    Attributes
    ----------
    samples : dict
        Number of samples of each part: spectra, or patches.
    patch : int
        Height and width of the patches in pixels; 1: single spectra.
    bands, out : int
        Number of input bands (before preparation), and of output bands or classes.
    steps : int
        Number of steps per epoch.
    data_bytes : int
        Memory of the prepared data, or of the part of them that is kept in memory.
    words : str
        Description, in one or two sentences.
    """

    samples: dict[str, int]
    patch: int
    bands: int
    out: int
    steps: int
    data_bytes: int
    words: str

    @property
    def validation(self) -> int:
        """Number of samples validated after each epoch."""
        return self.samples.get("validation", 0)


def extent(experiment: Experiment, cubes: Sequence[Cube], truths: Sequence[Truth], division: Division) -> Extent:
    """Compute the size of a training."""
    layout, counts = division.layout, division.counts()
    pixels = sum(int((m == TRAINING).sum()) for m in division.maps)
    images = sum(len(np.unique(corners[:, 0])) for corners in division.corners(TRAINING)) if experiment.data.per_image else 1
    drawn = an_epoch(experiment, counts.get("training", 0), layout.patch, pixels, images)
    bands = len(cubes[0].axis)
    cube_truths = [truth for truth in truths if isinstance(truth, Cube)]
    out = len(division.classes) or (len(cube_truths[0].axis) if cube_truths else bands)
    memory = memory_plan(experiment, cubes, truths, division)
    words = "\n".join(filter(None, [_words(experiment, cubes, division, counts), memory.words]))
    return Extent(counts, layout.patch, bands, out, steps_of(max(1, drawn), experiment.training.batch), memory.data_bytes, words)


def _words(experiment: Experiment, cubes: Sequence[Cube], division: Division, counts: dict[str, int]) -> str:
    spectra = sum(cube.count for cube in cubes)
    of = f"{_several(len(cubes), 'cube')}, " if len(cubes) > 1 else ""
    parts = [f"{of}{spectra:,} spectra × {cubes[0].axis.describe()}"]
    patch = division.layout.patch
    around = experiment.network.around
    what = f"patches of {patch} × {patch} pixels" if patch > 1 and not around else "images" if experiment.task.of_images else "spectra"
    if experiment.network.classical:
        what = "spectra"
    if is_cross_validated(experiment):
        held = sum(count for part, count in counts.items() if part != "test")
        counted = [f"{held:,} {what}, each held out once in up to {experiment.split.folds or FOLDS} folds"]
        counted += [f"{counts['test']:,} for test"] if "test" in counts else []
    else:
        counted = [f"{counts[part]:,} {what if n == 0 else ''}".strip() + f" for {part}" for n, part in enumerate(counts)]
    parts.append(", ".join(counted))
    if division.classes:
        parts.append(_classes(division))
    parts += without_effect(experiment, cubes)
    parts += division.notes
    return "\n".join(part for part in parts if part)


def _classes(division: Division) -> str:
    """Return the number of classes, and the rarest class."""
    counts = division.of_classes()
    rarest = int(np.argmin(counts))
    share = counts[rarest] / max(1, counts.sum())
    unlabelled = sum(int((marked == 0).sum()) for marked in division.marked)
    rest = f", {unlabelled:,} pixels unlabelled" if unlabelled else ""
    return f"{_several(len(counts), 'class')}, rarest {division.classes[rarest].name!r} {100 * share:.2g} %{rest}"


def _several(count: int, what: str) -> str:
    plural = f"{what}es" if what.endswith("s") else f"{what}s"
    return f"{count:,} {what if count == 1 else plural}"
