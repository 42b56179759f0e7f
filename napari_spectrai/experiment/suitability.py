"""Which kinds of network, loss, augmentation and step fit a task and its data, and why the others do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from napari_spectrai.experiment.augmentations import AugmentationSpec
from napari_spectrai.experiment.network_spec import NetworkSpec
from napari_spectrai.experiment.tasks import TaskSpec, tasks
from napari_spectrai.preparation.step import SpatialStep
from napari_spectrai.spec import Named

_OF_IMAGES = "resnet"
"""Default network for the classification of whole images."""


def fits_images(cls: type[NetworkSpec]) -> bool:
    """Whether a kind can classify whole images."""
    return (cls.pools and max(cls.dimensions) > 1) or means_of_images(cls)


def means_of_images(cls: type[NetworkSpec]) -> bool:
    """Whether a kind is a classical method that classifies an image by its mean spectrum."""
    return cls.classical and cls.learns and not cls.images


def without_truth(task: TaskSpec, cls: type[NetworkSpec]) -> bool:
    """Whether a kind is a classical method that needs a truth which the task does not have."""
    learns = cls.classical and cls.learns and not cls.chooses
    return learns and task.self_supervised


@dataclass(slots=True)
class Suitability:
    """Determines which kinds of network, loss, augmentation and step are offered.

    Attributes
    ----------
    task : TaskSpec
    is_image : bool
        Whether the data are images, not sets of spectra.
    looks_around : bool
        Whether the chosen network uses neighbouring pixels, so that patches can be rotated.
    in_windows : bool
        Whether it classifies each pixel from a window of fixed size.
    learns : bool
        Whether it is trained in steps, on batches that can be augmented; a classical method is not.
    """

    task: TaskSpec
    is_image: bool = True
    looks_around: bool = True
    in_windows: bool = False
    learns: bool = True

    def why_not(self, cls: type[Named]) -> str:
        """Return why a kind is not offered, in words; empty if it is offered."""
        if cls.tasks is not None and not self.task.suits(cls.tasks):
            return "for " + " and ".join(tasks[kind].title.lower() for kind in tasks if kind in cls.tasks)
        if issubclass(cls, NetworkSpec):
            return self._network(cls)
        if issubclass(cls, AugmentationSpec):
            return self._augmentation(cls)
        if issubclass(cls, SpatialStep):
            return "uses neighbouring pixels; apply it first, in the Preprocess dock"
        return ""

    def _network(self, cls: type[NetworkSpec]) -> str:
        if without_truth(self.task, cls):
            return "needs pairs, but there is no truth"
        if self.task.of_images:
            return "" if fits_images(cls) else "classifies pixels, not whole images"
        if not self.is_image and (min(cls.dimensions) > 1 or cls.images):
            return "needs images, but these are spectra without neighbours"
        return ""

    def _augmentation(self, cls: type[AugmentationSpec]) -> str:
        if not self.learns:
            return "augments the batches of a network, but a classical method is fitted to the unchanged data"
        if cls.of_patches and not (self.is_image and self.looks_around):
            return f"rotates or crops patches of images, but {'this network uses single' if self.is_image else 'these are'} spectra"
        if cls.cuts and self.in_windows:
            return "reduces patches, but this network classifies each pixel from a window of fixed size"
        return ""

    def instead(self, kinds: Sequence[str]) -> str:
        """Return the kind that replaces one that no longer fits, out of those that do."""
        return _OF_IMAGES if self.task.of_images and _OF_IMAGES in kinds else kinds[0]

    def start(self, cls: type[Named]) -> dict[str, Any]:
        """Return the initial settings that differ from the kind's own defaults."""
        if not issubclass(cls, NetworkSpec) or "dims" not in cls.model_fields:
            return {}
        along = 1 in cls.dimensions
        pixels = self.task.classifies and not self.task.of_images and cls.pools
        return {"dims": 1} if along and (pixels or not self.is_image) else {"dims": 2} if self.task.of_images else {}
