"""How large a training is: samples, steps and bytes, and the words for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_spectrai.cube import Cube
from napari_spectrai.experiment import Experiment
from napari_spectrai.experiment.ineffective import without_effect
from napari_spectrai.plan.partition import Division
from napari_spectrai.plan.split import TRAINING
from napari_spectrai.plan.truths import Truth


def an_epoch(experiment: Experiment, samples: int, patch: int, pixels: int, images: int = 1) -> int:
    """Return how many samples an epoch shows.

    Parameters
    ----------
    samples, patch : how many there are to train on, and their height and width
    pixels : how many pixels they show
    images : from how many images (planes) they come
    """
    if patch == 1 or experiment.network.around:
        return samples
    if experiment.data.samples is not None:
        return experiment.data.samples
    if experiment.data.per_image is not None:
        return experiment.data.per_image * images
    # patches overlap: an epoch shows about four times as many pixels as there are
    return min(samples, max(experiment.training.batch, 4 * pixels // patch**2))


def steps_of(drawn: int, batch: int) -> int:
    """Return how many steps an epoch of `drawn` samples has: a last batch of one sample joins the one before, having no statistics."""
    return max(1, -(-drawn // batch) - (drawn % batch == 1 and batch > 1))


@dataclass(frozen=True, slots=True)
class Extent:
    """How large a training is.

    Attributes
    ----------
    samples : dict
        How many samples each part has: spectra, or patches.
    patch : int
        Their height and width in pixels; 1: single spectra.
    bands, out : int
        Bands that go in (before preparation), and bands or classes that come out.
    steps : int
        Steps an epoch.
    data_bytes : int
        What the prepared data take in memory.
    words : str
        All this in a sentence or two.
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
        """Samples judged after each epoch."""
        return self.samples.get("validation", 0)


def extent(experiment: Experiment, cubes: Sequence[Cube], truths: Sequence[Truth], division: Division) -> Extent:
    """Say how large a training is."""
    layout, counts = division.layout, division.counts()
    pixels = sum(int((m == TRAINING).sum()) for m in division.maps)
    images = sum(len(np.unique(corners[:, 0])) for corners in division.corners(TRAINING)) if experiment.data.per_image else 1
    drawn = an_epoch(experiment, counts.get("training", 0), layout.patch, pixels, images)
    bands = len(cubes[0].axis)
    cube_truths = [truth for truth in truths if isinstance(truth, Cube)]
    out = len(division.classes) or (len(cube_truths[0].axis) if cube_truths else bands)
    # as they are, prepared, and their truths twice as well; float32
    sizes = sum(place.size for place in division.places) * bands + sum(truth.count * truth.shape[-1] for truth in cube_truths)
    words = _words(experiment, cubes, division, counts)
    return Extent(counts, layout.patch, bands, out, steps_of(max(1, drawn), experiment.training.batch), 2 * 4 * sizes, words)


def _words(experiment: Experiment, cubes: Sequence[Cube], division: Division, counts: dict[str, int]) -> str:
    spectra = sum(cube.count for cube in cubes)
    of = f"{_several(len(cubes), 'cube')}, " if len(cubes) > 1 else ""
    said = [f"{of}{spectra:,} spectra × {cubes[0].axis.describe()}"]
    patch = division.layout.patch
    around = experiment.network.around
    bands = len(cubes[0].axis)
    what = f"patches of {patch}×{patch}×{bands}" if patch > 1 and not around else "images" if experiment.task.of_images else "spectra"
    if experiment.network.classical:
        what = "spectra"
    told = {"training": "train", "validation": "validate", "test": "test"}
    said.append(", ".join(f"{counts[part]:,} {what if n == 0 else ''}".strip() + f" {told[part]}" for n, part in enumerate(counts)))
    if division.classes:
        said.append(_classes(division))
    said += without_effect(experiment, cubes)
    said += division.notes
    return "\n".join(part for part in said if part)


def _classes(division: Division) -> str:
    """Return how many classes there are, and which is the rarest."""
    counts = division.of_classes()
    rarest = int(np.argmin(counts))
    share = counts[rarest] / max(1, counts.sum())
    unlabelled = sum(int((marked == 0).sum()) for marked in division.marked)
    rest = f", {unlabelled:,} pixels unlabelled" if unlabelled else ""
    return f"{_several(len(counts), 'class')}, rarest {division.classes[rarest].name!r} {100 * share:.2g} %{rest}"


def _several(count: int, what: str) -> str:
    plural = f"{what}es" if what.endswith("s") else f"{what}s"
    return f"{count:,} {what if count == 1 else plural}"
