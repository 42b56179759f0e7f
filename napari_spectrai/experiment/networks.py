"""Settings of the networks. torch is imported only when one is built."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from napari_spectrai.experiment.losses import CLASSES
from napari_spectrai.spec import Named, Registry

RESTORATION = frozenset({"denoising", "calibration"})
SUPER_RESOLUTION = frozenset({"super_resolution"})
Norm = Literal["batch", "layer", "instance", "none"]
Activation = Literal["gelu", "relu", "prelu", "leaky_relu", "silu", "selu"]


class NetworkSpec(Named):
    """Settings of a network or of a classical method; `tasks` and `dimensions` say what it suits."""

    tasks: ClassVar[frozenset[str]] = frozenset()
    dimensions: ClassVar[tuple[int, ...]] = (1, 2, 3)
    classical: ClassVar[bool] = False
    """Whether it is a classical method: found in closed form, or without any learning."""
    chooses: ClassVar[bool] = False
    """Whether it chooses among others, in a time (`seconds`) that it is given, and without a truth among those that need none."""
    whole: ClassVar[bool] = False
    """Whether it has to see an image in one piece."""
    convolutional: ClassVar[bool] = True
    strided: ClassVar[bool] = False
    """Whether it has convolutions that skip positions, or 3-D ones whatever its dimensions."""
    any_axis: ClassVar[bool] = False
    """Whether a trained model may be applied to cubes on another axis."""
    frozen_features: ClassVar[bool] = False
    """Whether all that looks around comes before all that learns, as its `features`, so that these can be computed once."""
    any_factor: ClassVar[bool] = False
    """Whether its `forward` takes the factor by which to enlarge as ``times``, so that it can learn several together."""
    pools: ClassVar[bool] = False
    """Whether it gives one answer for all that it sees along its dimensions: a class, not a cube."""

    @property
    def has_dropout(self) -> bool:
        """Whether passes of a trained model with dropout differ, so that they give an uncertainty."""
        return float(getattr(self, "dropout", 0.0)) > 0

    @property
    def context(self) -> int:
        """Pixels to each side that may influence an output pixel; 0 for a network that sees single spectra."""
        return 0

    @property
    def grid(self) -> int:
        """Tiles must begin at multiples of this many pixels for results that do not depend on the tiling."""
        return 1

    @property
    def around(self) -> int:
        """Height and width of the window that a network sees to tell one pixel's class; 0: it answers for all it sees."""
        return 0


def looks_around(spec: NetworkSpec) -> bool:
    """Whether a network or method sees neighbouring pixels."""
    dims: int = getattr(spec, "dims", spec.dimensions[0])
    return dims > 1


class OverRidge(NetworkSpec):
    """A network that may start from the closed-form ridge map of the training pairs."""

    ridge: bool = Field(
        True,
        description="learn what the closed-form ridge map of the training pairs leaves over, starting at its error "
        "(denoising and calibration with a truth)",
    )
    alpha: float = Field(
        100.0, gt=0, le=1e9, description="strength of the ridge penalty, in squared prepared intensities summed over the spectra"
    )


class Stemmed(NetworkSpec):
    """A network over the image whose width need not follow the number of bands."""

    components: int = Field(
        0, ge=0, le=1024, description="principal components of the training spectra that the network sees; 0: all bands"
    )


class UNet(OverRidge, Stemmed):
    """Encoder-decoder with skip connections (Ronneberger et al. 2015, doi:10.1007/978-3-319-24574-4_28)."""

    title: ClassVar = "UNet"
    kind: Literal["unet"] = "unet"
    implementation: ClassVar = "napari_spectrai.networks.unet:UNet"
    tasks: ClassVar = RESTORATION | CLASSES
    dims: Literal[1, 2, 3] = Field(1, description="1: along the spectrum, 2: over the image, 3: both")
    width: int = Field(32, ge=4, le=512, description="channels of the first level; doubled at each deeper one")
    depth: int = Field(3, ge=1, le=6, description="number of poolings")
    convolutions: int = Field(2, ge=1, le=6, description="convolutions a level")
    norm: Norm = Field("batch", description="normalisation after each convolution")
    activation: Activation = Field("gelu", description="non-linearity")
    dropout: float = Field(0.0, ge=0, lt=1, description="share of channels dropped at the deepest level while training")
    dense: int = Field(0, ge=0, le=6, description="fully connected layers over the spectrum at the end (1-D only; DeepeR: 3)")
    slim: bool = Field(
        False,
        description="the deepest level is as wide as the one above it, and each level on the way up ends as narrow as the next one",
    )
    last_kernel: Literal[1, 3, 5, 7] = Field(1, description="pixels or bands that the last convolution sees along each side")
    shared_slope: bool = Field(False, description="one activation for the whole network: PReLU learns a single slope, not one per layer")
    over_bands: Literal["mean", "learnt"] = Field(
        "mean", description="how classes are told from answers along the spectrum (dims 1 and 3): by their mean, or by a learnt map"
    )

    @property
    def widths(self) -> list[int]:
        """Channels of each level, from the first to the deepest."""
        deepest = self.depth - 1 if self.slim else self.depth
        return [self.width * 2 ** min(level, deepest) for level in range(self.depth + 1)]

    @property
    def _per_level(self) -> int:
        return self.convolutions + 1

    @property
    def context(self) -> int:
        """Pixels to each side that may influence an output pixel."""
        if self.dims == 1:
            return 0
        # each convolution of 3 reaches one pixel of its level; each level is twice as coarse
        per_level = self._per_level
        reach = self.last_kernel // 2 + sum(2 * per_level * 2**level for level in range(self.depth)) + per_level * 2**self.depth
        reach += 2**self.depth - 1  # the pooling windows themselves
        rounded: int = -(-reach // self.grid) * self.grid
        return rounded

    @property
    def grid(self) -> int:
        """Tiles must begin at multiples of the deepest pooling."""
        return 1 if self.dims == 1 else int(2**self.depth)


class ResUNet(UNet):
    """UNet of residual blocks.

    ``width=64, depth=2, convolutions=3, activation="prelu", dense=3`` is the network of DeepeR
    (Horgan et al. 2021, doi:10.1021/acs.analchem.1c02178).
    """

    title: ClassVar = "ResUNet"
    kind: Literal["resunet"] = "resunet"  # type: ignore[assignment]
    convolutions: int = Field(3, ge=1, le=6, description="convolutions a residual block")
    after_sum: int = Field(0, ge=0, le=4, description="convolutions after each residual sum")

    @property
    def _per_level(self) -> int:
        return self.convolutions + 1 + self.after_sum


class ResidualMLP(OverRidge):
    """Fully connected layers on each spectrum and its ridge estimate; their output is added to the latter."""

    title: ClassVar = "Residual MLP"
    kind: Literal["residual_mlp"] = "residual_mlp"
    implementation: ClassVar = "napari_spectrai.networks.mlp:ResidualMLP"
    tasks: ClassVar = RESTORATION
    dimensions: ClassVar = (1,)
    convolutional: ClassVar = False
    width: int = Field(256, ge=8, le=8192, description="units of each hidden layer")
    depth: int = Field(2, ge=1, le=8, description="number of hidden layers")
    dropout: float = Field(0.0, ge=0, lt=1, description="share of units dropped while training")


class RCAN(Stemmed):
    """Residual channel attention (Zhang et al. 2018, doi:10.1007/978-3-030-01234-2_18): fixed width, enlarging at the end.

    Its output is added to the input, enlarged by bicubic interpolation and back-projection where it has to be, and begins at zero.
    """

    title: ClassVar = "RCAN"
    kind: Literal["rcan"] = "rcan"
    implementation: ClassVar = "napari_spectrai.networks.rcan:RCAN"
    tasks: ClassVar = SUPER_RESOLUTION | {"denoising"}
    any_factor: ClassVar = True
    dims: Literal[1, 2, 3] = Field(2, description="1: along the spectrum, 2: over the image, 3: both; super-resolution needs 2 or 3")
    width: int = Field(48, ge=8, le=512, description="channels (the paper: 64)")
    groups: int = Field(2, ge=1, le=20, description="residual groups (the paper: 10)")
    blocks: int = Field(2, ge=1, le=40, description="attention blocks a group (the paper: 20)")
    reduction: int = Field(4, ge=1, le=64, description="by how much the attention narrows the channels (the paper: 16)")
    local: bool = Field(
        True, description="attention from a neighbourhood of 15 pixels rather than the whole image, so that tiles do not show"
    )
    activation: Activation = Field("relu", description="non-linearity")
    dropout: float = Field(0.1, ge=0, lt=1, description="share of channels dropped in the input and in each block while training")
    consistent: bool = Field(
        True,
        description="what the network adds to an enlarged image vanishes when that is made coarse again: it cannot alter what is known",
    )
    strength: float = Field(
        0.6, gt=0, le=1, description="share of what the network adds to an enlarged image that is kept when it is applied; 1: all of it"
    )

    @property
    def context(self) -> int:
        """Pixels to each side that may influence an output pixel."""
        if self.dims == 1:
            return 0
        per_block = 2 + (7 if self.local else 0)
        return max(self.groups * (self.blocks * per_block + 1) + 4, 32)  # back-projection and consistency reach nearly as far


class SpectralCNN(NetworkSpec):
    """Residual convolutions along the spectrum that begin as the identity (ReZero, Bachlechner et al. 2021, arXiv:2003.04887)."""

    title: ClassVar = "Spectral CNN"
    kind: Literal["spectral_cnn"] = "spectral_cnn"
    implementation: ClassVar = "napari_spectrai.networks.spectral:SpectralCNN"
    tasks: ClassVar = CLASSES
    dimensions: ClassVar = (1,)
    pools: ClassVar = True
    width: int = Field(32, ge=4, le=512, description="channels of the first stage")
    stages: int = Field(3, ge=1, le=8, description="stages, each half as long and up to twice as wide as the one before")
    blocks: int = Field(2, ge=1, le=16, description="residual blocks a stage")
    kernel: int = Field(7, ge=3, le=63, description="bands a convolution sees")
    dropout: float = Field(0.2, ge=0, lt=1, description="share of features dropped before the last layer while training")


class SpectralMLP(Stemmed):
    """Fully connected layers on the standardised bands (or whitened component scores) of each spectrum."""

    title: ClassVar = "Spectral MLP"
    kind: Literal["spectral_mlp"] = "spectral_mlp"
    implementation: ClassVar = "napari_spectrai.networks.local_means:SpectralMLP"
    tasks: ClassVar = CLASSES
    dimensions: ClassVar = (1,)
    convolutional: ClassVar = False
    width: int = Field(1024, ge=8, le=4096, description="units of each hidden layer")
    depth: int = Field(3, ge=1, le=8, description="number of hidden layers")
    dropout: float = Field(0.3, ge=0, lt=1, description="share of units dropped while training")
    noise: float = Field(0.02, ge=0, le=10, description="noise added while training, in standard deviations of each band")


class LocalMeansMLP(Stemmed):
    """Fully connected layers on whitened component scores, averaged over windows of several sizes around each pixel.

    It learns from few labels in seconds, since most of what it needs to know of neighbours is their mean.
    """

    title: ClassVar = "Local means MLP"
    kind: Literal["local_means_mlp"] = "local_means_mlp"
    implementation: ClassVar = "napari_spectrai.networks.local_means:LocalMeansMLP"
    tasks: ClassVar = frozenset({"segmentation"})
    dimensions: ClassVar = (2,)
    convolutional: ClassVar = False
    frozen_features: ClassVar = True
    components: int = Field(30, ge=1, le=1024, description="principal components that the network sees, each of variance one")
    smallest: int = Field(3, ge=1, le=63, description="height and width of the smallest window, in pixels")
    largest: int = Field(29, ge=1, le=63, description="height and width of the largest window, in pixels")
    windows: int = Field(4, ge=1, le=8, description="number of windows, evenly spread between the two")
    width: int = Field(256, ge=8, le=4096, description="units of each hidden layer")
    depth: int = Field(2, ge=1, le=8, description="number of hidden layers")
    dropout: float = Field(0.5, ge=0, lt=1, description="share of units dropped while training")
    noise: float = Field(0.1, ge=0, le=10, description="noise added to the means while training, in their standard deviations")

    @property
    def sizes(self) -> list[int]:
        """The windows, odd."""
        count = self.windows
        steps = [self.smallest + (self.largest - self.smallest) * number / max(1, count - 1) for number in range(count)]
        return sorted({round(step) // 2 * 2 + 1 for step in steps})

    @property
    def context(self) -> int:
        """Pixels to each side that may influence an output pixel."""
        return self.around // 2

    @property
    def around(self) -> int:
        """Height and width of the window that the network sees to tell one pixel's class."""
        return max(self.sizes)


networks: Registry[NetworkSpec] = Registry("network")
