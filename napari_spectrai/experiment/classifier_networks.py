"""Settings of the networks that classify spectra, or pixels with their neighbours. torch is imported only when a network is built."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from napari_spectrai.experiment.data_size import Size
from napari_spectrai.experiment.losses import CLASSES
from napari_spectrai.experiment.network_spec import (
    NetworkSpec,
    Purpose,
    Stemmed,
    View,
)

WIDE = 1_000
"""Number of bands from which a network on all bands takes too long to be compared."""


class SpectralCNN(NetworkSpec):
    """Residual convolutions along the spectrum that start as the identity (ReZero, Bachlechner et al. 2021, arXiv:2003.04887)."""

    title: ClassVar = "Spectral CNN"
    kind: Literal["spectral_cnn"] = "spectral_cnn"
    implementation: ClassVar = "napari_spectrai.networks.spectral:SpectralCNN"
    tasks: ClassVar = CLASSES
    dimensions: ClassVar = (1,)
    pools: ClassVar = True
    width: int = Field(32, ge=4, le=512, description="channels of the first stage")
    stages: int = Field(3, ge=1, le=8, description="number of stages, each half as long and up to twice as wide as the previous one")
    blocks: int = Field(2, ge=1, le=16, title="Blocks per stage", description="residual blocks per stage")
    kernel: int = Field(7, ge=3, le=63, title="Kernel size", description="kernel size of the convolutions, in bands")
    dropout: float = Field(0.2, ge=0, lt=1, description="fraction of the features dropped before the last layer during training")


class SpectralMLP(Stemmed):
    """Fully connected layers on the standardised bands (or whitened component scores) of each spectrum."""

    title: ClassVar = "Spectral MLP"
    kind: Literal["spectral_mlp"] = "spectral_mlp"
    cost_growth: ClassVar = 2
    implementation: ClassVar = "napari_spectrai.networks.local_means:SpectralMLP"
    tasks: ClassVar = CLASSES
    dimensions: ClassVar = (1,)
    convolutional: ClassVar = False
    width: int = Field(1024, ge=8, le=4096, description="units of each hidden layer")
    depth: int = Field(3, ge=1, le=8, description="number of hidden layers")
    dropout: float = Field(0.3, ge=0, lt=1, description="fraction of the units dropped during training")
    noise: float = Field(0.02, ge=0, le=10, description="noise added during training, in standard deviations of each band")

    @classmethod
    def candidacy(cls, purpose: Purpose, size: Size) -> Mapping[View, int]:
        """Return what it sees as a candidate, with its place in the order."""
        return {"spectra": 120} if purpose != "denoising" and size.bands <= WIDE else {}

    @classmethod
    def recipe(cls, size: Size, *, classifies: bool) -> dict[str, Any]:
        """Return the parts of a document that suit it as a candidate."""
        batch = 32 if size.samples <= 2_000 else 256
        return {
            "network": {"width": 256 if size.samples <= 2_000 else 1024},
            "loss": {"kind": "cross_entropy", "smoothing": 0.05, "weights": size.class_weights},
            "training": {
                "batch": batch, "epochs": size.epochs(1500, batch, least=5, most=300), "ema": 0.98, "keep": "last",
                "schedule": {"kind": "one_cycle", "rise": 0.2}, "optimiser": {"kind": "adamw", "weight_decay": 0.05},
            },
        }  # fmt: skip


class LocalMeansMLP(Stemmed):
    """Fully connected layers on whitened component scores, averaged over windows of several sizes around each pixel.

    It can be trained with few labels in seconds, since the mean of the neighbours carries most of the spatial information.
    """

    title: ClassVar = "Local means MLP"
    kind: Literal["local_means_mlp"] = "local_means_mlp"
    cost_growth: ClassVar = -1
    implementation: ClassVar = "napari_spectrai.networks.local_means:LocalMeansMLP"
    tasks: ClassVar = frozenset({"segmentation"})
    dimensions: ClassVar = (2,)
    convolutional: ClassVar = False
    frozen_features: ClassVar = True
    components: int = Field(
        30,
        ge=1,
        le=1024,
        title="Principal components",
        description="number of principal components given to the network, each scaled to unit variance",
    )
    smallest: int = Field(3, ge=1, le=63, title="Smallest window", description="height and width of the smallest window, in pixels")
    largest: int = Field(29, ge=1, le=63, title="Largest window", description="height and width of the largest window, in pixels")
    windows: int = Field(
        4, ge=1, le=8, title="Number of windows", description="number of window sizes, evenly spaced from smallest to largest"
    )
    width: int = Field(256, ge=8, le=4096, description="units of each hidden layer")
    depth: int = Field(2, ge=1, le=8, description="number of hidden layers")
    dropout: float = Field(0.5, ge=0, lt=1, description="fraction of the units dropped during training")
    noise: float = Field(0.1, ge=0, le=10, description="noise added to the means during training, in their standard deviations")

    @classmethod
    def candidacy(cls, purpose: Purpose, size: Size) -> Mapping[View, int]:
        """Return what it sees as a candidate, with its place in the order."""
        return {"spectra": 130} if purpose == "pixels" else {}

    @classmethod
    def recipe(cls, size: Size, *, classifies: bool) -> dict[str, Any]:
        """Return the parts of a document that suit it as a candidate."""
        batch = max(8, min(512, size.samples // 4))
        return {
            "loss": {"kind": "cross_entropy", "smoothing": 0.1, "weights": size.class_weights},
            "training": {
                "batch": batch, "epochs": size.epochs(800, batch, least=10, most=200), "ema": 0.98, "keep": "last",
                "schedule": {"kind": "one_cycle", "rise": 0.2}, "optimiser": {"kind": "adamw", "lr": 3e-3, "weight_decay": 0.05},
            },
        }  # fmt: skip

    @property
    def sizes(self) -> list[int]:
        """The window sizes, odd."""
        count = self.windows
        steps = [self.smallest + (self.largest - self.smallest) * number / max(1, count - 1) for number in range(count)]
        return sorted({round(step) // 2 * 2 + 1 for step in steps})

    @property
    def context(self) -> int:
        """Pixels to each side that may influence an output pixel."""
        return self.around // 2

    @property
    def around(self) -> int:
        """Height and width of the window from which the network classifies one pixel."""
        return max(self.sizes)
