"""What fits a task and the data at hand, and in words why the rest does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from napari_spectrai.experiment.augmentations import AugmentationSpec
from napari_spectrai.experiment.networks import NetworkSpec
from napari_spectrai.experiment.tasks import TaskSpec, tasks
from napari_spectrai.preparation.step import SpatialStep
from napari_spectrai.spec import Named

_OF_IMAGES = "resnet"
"""The network that the classes of whole images are begun with."""


def fits_images(cls: type[NetworkSpec]) -> bool:
    """Whether a kind can tell the class of whole images."""
    return (cls.pools and max(cls.dimensions) > 1) or means_of_images(cls)


def means_of_images(cls: type[NetworkSpec]) -> bool:
    """Whether a kind is a classical method that tells the class of an image by its mean spectrum."""
    return cls.classical and getattr(cls, "learns", False) and not getattr(cls, "images", False)


def without_truth(task: TaskSpec, cls: type[NetworkSpec]) -> bool:
    """Whether a kind is a classical method that has to learn from a truth which the task does not have."""
    learns = cls.classical and getattr(cls, "learns", False) and not cls.chooses
    return learns and task.truth == "cube" and not task.needs_truth


@dataclass(slots=True)
class Suitability:
    """Which kinds of network, loss, augmentation and step are worth offering.

    Attributes
    ----------
    task : TaskSpec
    is_image : bool
        Whether the data are images, not sets of spectra.
    looks_around : bool
        Whether the network that is chosen sees neighbouring pixels, of patches that could be turned.
    in_windows : bool
        Whether it tells each pixel by a window of its own size.
    learns : bool
        Whether it learns in steps, of batches that could be varied; a classical method does not.
    """

    task: TaskSpec
    is_image: bool = True
    looks_around: bool = True
    in_windows: bool = False
    learns: bool = True

    def why_not(self, cls: type[Named]) -> str:
        """Return why a kind is not offered, in words; nothing where it is."""
        suited = getattr(cls, "tasks", None)
        if suited is not None and self.task.kind not in suited:
            return "for " + " and ".join(tasks[kind].title.lower() for kind in tasks if kind in suited)
        if issubclass(cls, NetworkSpec):
            return self._network(cls)
        if issubclass(cls, AugmentationSpec):
            return self._augmentation(cls)
        if issubclass(cls, SpatialStep):
            return "looks at neighbouring pixels; apply it before, in the dock Preprocess"
        return ""

    def _network(self, cls: type[NetworkSpec]) -> str:
        if without_truth(self.task, cls):
            return "learns from pairs, and there is no truth"
        if self.task.of_images:
            return "" if fits_images(cls) else "tells the class of pixels, not of whole images"
        if not self.is_image and min(cls.dimensions) > 1:
            return "looks at images, and these are spectra without neighbours"
        return ""

    def _augmentation(self, cls: type[AugmentationSpec]) -> str:
        if not self.learns:
            return "varies the batches of a network, and a classical method learns from the data as they are"
        if cls.of_patches and not (self.is_image and self.looks_around):
            return f"turns and cuts patches of images, and {'this network sees single' if self.is_image else 'these are'} spectra"
        if cls.cuts and self.in_windows:
            return "cuts patches smaller, and this network tells each pixel by a window of a size of its own"
        return ""

    def instead(self, kinds: Sequence[str]) -> str:
        """Return which of the kinds that fit takes the place of one that does no longer."""
        return _OF_IMAGES if self.task.of_images and _OF_IMAGES in kinds else kinds[0]

    def start(self, cls: type[Named]) -> dict[str, Any]:
        """Return what differs from the kind's own defaults when it is chosen."""
        if not issubclass(cls, NetworkSpec) or "dims" not in cls.model_fields:
            return {}
        along = 1 in cls.dimensions
        pixels = self.task.truth == "labels" and not self.task.of_images and cls.pools
        return {"dims": 1} if along and (pixels or not self.is_image) else {"dims": 2} if self.task.of_images else {}
