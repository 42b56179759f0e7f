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


@dataclass(slots=True)
class Offer:
    """Which kinds of network, loss, augmentation and step are worth offering.

    Attributes
    ----------
    task : TaskSpec
    is_image : bool
        Whether the data are images, not sets of spectra.
    """

    task: TaskSpec
    is_image: bool = True

    def why_not(self, cls: type[Named]) -> str:
        """Return why a kind is not offered, in words; nothing where it is."""
        suited = getattr(cls, "tasks", None)
        if suited is not None and self.task.kind not in suited:
            return "for " + " and ".join(tasks[kind].title.lower() for kind in tasks if kind in suited)
        if issubclass(cls, NetworkSpec):
            return self._network(cls)
        if issubclass(cls, AugmentationSpec) and cls.of_patches and not self.is_image:
            return "turns and cuts patches of images"
        if issubclass(cls, SpatialStep):
            return "looks at neighbouring pixels; apply it before, in the dock Preprocess"
        return ""

    def _network(self, cls: type[NetworkSpec]) -> str:
        if self.task.of_images:
            fits = cls.pools and max(cls.dimensions) > 1
            return "" if fits or cls.classical else "tells the class of pixels, not of whole images"
        if not self.is_image and not cls.classical and min(cls.dimensions) > 1:
            return "looks at images, and these are spectra without neighbours"
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
