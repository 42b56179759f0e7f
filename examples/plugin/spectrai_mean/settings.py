"""Settings of the network, without torch."""

from typing import ClassVar, Literal

from pydantic import Field

from napari_spectrai.experiment.network_spec import NetworkSpec


class MeanCNN(NetworkSpec):
    """A convolution over the image, then a layer on each pixel: the shortest network with spatial context."""

    title: ClassVar = "Mean CNN"
    kind: Literal["mean_cnn"] = "mean_cnn"
    implementation: ClassVar = "spectrai_mean.network:MeanCNN"
    tasks: ClassVar = frozenset({"denoising", "classification", "segmentation"})
    dimensions: ClassVar = (2,)  # over the image; (1,) for a network of single spectra
    width: int = Field(32, ge=4, le=512, description="channels")

    @property
    def context(self) -> int:
        """Pixels to each side that may influence an output pixel, so that tiles leave no seams in a result."""
        return 1
