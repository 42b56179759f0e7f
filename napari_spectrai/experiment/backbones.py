"""Settings of published networks: classifiers with global pooling, and encoder-decoders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from napari_spectrai.experiment.data_size import Size
from napari_spectrai.experiment.losses import CLASSES
from napari_spectrai.experiment.network_spec import RESTORATION, Activation, NetworkSpec, OverRidge, Purpose, Stemmed, View

DIMS = "1: along the spectrum, 2: over the image, 3: both"
PATCH = 32
"""Height and width of the patches of a denoising network, in pixels."""


class Pooling(Stemmed):
    """A network with global pooling: one class per spectrum with 1-D convolutions, one per image with 2-D or 3-D convolutions."""

    tasks: ClassVar = CLASSES
    pools: ClassVar = True
    strided: ClassVar = True
    dims: Literal[1, 2, 3] = Field(
        1, title="Dimensions", description="1: classify each spectrum; 2 and 3: classify a whole image, with 2-D or 3-D convolutions"
    )
    norm: Literal["batch", "instance", "group"] = Field("batch", description="normalisation after each convolution")


class ResNet(Pooling):
    """Residual network (He et al. 2016, doi:10.1109/CVPR.2016.90), as in MONAI."""

    title: ClassVar = "ResNet"
    kind: Literal["resnet"] = "resnet"
    implementation: ClassVar = "napari_spectrai.networks.backbones:ResNet"
    layers: Literal[18, 34, 50, 101, 152] = Field(18, description="number of layers: 18, 34, 50, 101 or 152, as in the paper")
    width: int = Field(64, ge=4, le=512, description="channels of the first stage (the paper: 64)")
    activation: Activation = Field("relu", description="non-linearity")


class DenseNet(Pooling):
    """Densely connected network (Huang et al. 2017, doi:10.1109/CVPR.2017.243), as in MONAI."""

    title: ClassVar = "DenseNet"
    kind: Literal["densenet"] = "densenet"
    implementation: ClassVar = "napari_spectrai.networks.backbones:DenseNet"
    layers: Literal[121, 169, 201] = Field(121, description="number of layers: 121, 169 or 201, as in the paper")
    growth: int = Field(32, ge=4, le=64, title="Growth rate", description="channels that each layer adds (the paper: 32)")
    dropout: float = Field(0.0, ge=0, lt=1, description="fraction of the channels dropped in each layer during training")
    activation: Activation = Field("relu", description="non-linearity")


class EfficientNet(Pooling):
    """Network whose width, depth and resolution are scaled together (Tan & Le 2019, arXiv:1905.11946), as in MONAI."""

    title: ClassVar = "EfficientNet"
    kind: Literal["efficientnet"] = "efficientnet"
    implementation: ClassVar = "napari_spectrai.networks.backbones:EfficientNet"
    variant: Literal["b0", "b1", "b2", "b3", "b4", "b5", "b6", "b7"] = Field("b0", description="size, from b0 (smallest) to b7")


class SegNet(Stemmed):
    """Encoder-decoder that unpools to the positions of the maxima (Badrinarayanan et al. 2017, doi:10.1109/TPAMI.2016.2644615)."""

    title: ClassVar = "SegNet"
    kind: Literal["segnet"] = "segnet"
    implementation: ClassVar = "napari_spectrai.networks.segnet:SegNet"
    tasks: ClassVar = CLASSES
    dims: Literal[1, 2, 3] = Field(2, title="Dimensions", description=DIMS)
    width: int = Field(
        32, ge=4, le=512, description="channels of the first level (the paper: 64); doubled at each deeper one, up to 8 times"
    )
    depth: int = Field(3, ge=1, le=6, description="number of poolings (the paper: 5)")
    convolutions: int = Field(2, ge=1, le=6, title="Convolutions per level", description="convolutions per level")
    norm: Literal["batch", "layer", "instance", "none"] = Field("batch", description="normalisation after each convolution")
    activation: Activation = Field("relu", description="non-linearity")

    @property
    def context(self) -> int:
        """Pixels to each side that may influence an output pixel."""
        # each convolution of size 3 extends by one pixel of its level, each level is twice as coarse; a maximum depends on its whole window
        return 0 if self.dims == 1 else (2 * self.convolutions + 1) * self.grid

    @property
    def grid(self) -> int:
        """Tiles must start at multiples of the deepest pooling."""
        return 1 if self.dims == 1 else int(2**self.depth)


class AttentionUNet(OverRidge, Stemmed):
    """UNet whose skip connections are gated by attention (Oktay et al. 2018, arXiv:1804.03999), as in MONAI."""

    title: ClassVar = "Attention UNet"
    kind: Literal["attention_unet"] = "attention_unet"
    implementation: ClassVar = "napari_spectrai.networks.backbones:AttentionUNet"
    strided: ClassVar = True
    tasks: ClassVar = RESTORATION | CLASSES
    dims: Literal[1, 2, 3] = Field(2, title="Dimensions", description=DIMS)
    width: int = Field(32, ge=4, le=512, description="channels of the first level; doubled at each deeper one")
    depth: int = Field(3, ge=1, le=5, description="number of halvings")
    dropout: float = Field(0.0, ge=0, lt=1, description="fraction of the channels dropped after each convolution during training")

    @property
    def context(self) -> int:
        """Pixels to each side that may influence an output pixel."""
        # two convolutions per level on the way down, three on the way up
        return 0 if self.dims == 1 else 5 * self.grid

    @property
    def grid(self) -> int:
        """Tiles must start at multiples of the deepest halving."""
        return 1 if self.dims == 1 else int(2**self.depth)


class SegResNet(OverRidge, Stemmed):
    """Residual encoder-decoder (Myronenko 2018, arXiv:1810.11654), as MONAI's SegResNetDS."""

    title: ClassVar = "SegResNet"
    kind: Literal["segresnet"] = "segresnet"
    implementation: ClassVar = "napari_spectrai.networks.backbones:SegResNet"
    strided: ClassVar = True
    tasks: ClassVar = RESTORATION | CLASSES
    dims: Literal[1, 2, 3] = Field(2, title="Dimensions", description=DIMS)
    width: int = Field(32, ge=8, le=512, description="channels of the first level; doubled at each deeper one")
    depth: int = Field(3, ge=1, le=5, description="number of halvings")
    blocks: int = Field(2, ge=1, le=8, title="Blocks per level", description="residual blocks per level of the encoder")

    @property
    def context(self) -> int:
        """Pixels to each side that may influence an output pixel."""
        return 0 if self.dims == 1 else (4 * self.blocks + 4) * self.grid

    @property
    def grid(self) -> int:
        """Tiles must start at multiples of the deepest halving."""
        return 1 if self.dims == 1 else int(2**self.depth)


class Restormer(Stemmed):
    """Transformer with attention between channels (Zamir et al. 2022, doi:10.1109/CVPR52688.2022.00564), as in MONAI.

    The attention spans the whole image, which therefore cannot be split into tiles.
    """

    title: ClassVar = "Restormer"
    kind: Literal["restormer"] = "restormer"
    implementation: ClassVar = "napari_spectrai.networks.backbones:Restormer"
    strided: ClassVar = True
    tasks: ClassVar = frozenset({"denoising"})
    dimensions: ClassVar = (2, 3)
    whole: ClassVar = True
    dims: Literal[2, 3] = Field(2, title="Dimensions", description="2: over the image, 3: over the image and along the spectrum")
    width: int = Field(24, ge=8, le=256, description="channels of the first level (the paper: 48); doubled at each deeper one")
    depth: int = Field(2, ge=1, le=3, description="number of halvings (the paper: 3)")
    blocks: int = Field(1, ge=1, le=8, title="Blocks per level", description="transformer blocks per level (the paper: 4 to 8)")
    refinement: int = Field(2, ge=1, le=8, title="Refinement blocks", description="transformer blocks at the end (the paper: 4)")


class EigenimageCNN(NetworkSpec):
    """Convolutions on single eigenimages scaled to unit noise, so that a trained model can denoise images of any sensor.

    The subspace is that of FastHyDe (Zhuang & Bioucas-Dias 2018, doi:10.1109/JSTARS.2018.2796570), computed for each image.
    """

    title: ClassVar = "Eigenimage CNN"
    kind: Literal["eigenimage_cnn"] = "eigenimage_cnn"
    implementation: ClassVar = "napari_spectrai.networks.eigenimages:EigenimageCNN"
    tasks: ClassVar = frozenset({"denoising"})
    dimensions: ClassVar = (2,)
    whole: ClassVar = True
    any_axis: ClassVar = True
    components: int = Field(
        0, ge=0, le=256, title="Subspace dimension", description="dimension of the subspace; 0: all components above the noise level"
    )
    width: int = Field(32, ge=4, le=256, description="channels")
    depth: int = Field(6, ge=1, le=20, description="layers between the first and the last")

    @classmethod
    def candidacy(cls, purpose: Purpose, size: Size) -> Mapping[View, int]:
        """Return what it sees as a candidate, with its place in the order."""
        return {"spectra": 60} if purpose == "denoising" and size.bands >= 5 and size.sides is not None and min(size.sides) >= PATCH else {}

    @classmethod
    def recipe(cls, size: Size, *, classifies: bool) -> dict[str, Any]:
        """Return the parts of a document that suit it as a candidate."""
        return {
            "data": {"patch": PATCH, "samples": 64},
            "augmentation": ["flip", "rotate"],
            "training": {"batch": 8, "epochs": 25, "keep": "last"},
        }


class SSFTT(Stemmed):
    """Spectral-spatial feature tokenisation transformer for pixels (Sun et al. 2022, doi:10.1109/TGRS.2022.3144158).

    A 3-D and a 2-D convolution over a window around each pixel, whose features are pooled into a few tokens.
    """

    title: ClassVar = "SSFTT"
    kind: Literal["ssftt"] = "ssftt"
    implementation: ClassVar = "napari_spectrai.networks.tokens:SSFTT"
    strided: ClassVar = True
    tasks: ClassVar = frozenset({"segmentation"})
    dimensions: ClassVar = (2,)
    components: int = Field(
        30,
        ge=5,
        le=256,
        title="Principal components",
        description="number of principal components given to the network, each scaled to unit variance",
    )
    window: int = Field(
        13,
        ge=7,
        le=63,
        title="Window size",
        description="height and width of the window around a pixel; an even number counts as the next odd one",
    )
    width: int = Field(64, ge=8, le=512, description="number of features per pixel and per token")
    tokens: int = Field(4, ge=1, le=64, title="Number of tokens", description="number of tokens")
    heads: int = Field(4, ge=1, le=32, title="Attention heads", description="number of attention heads")
    depth: int = Field(1, ge=1, le=8, description="number of transformer layers")
    dropout: float = Field(0.1, ge=0, lt=1, description="fraction of the features dropped during training")

    @property
    def context(self) -> int:
        """Pixels to each side that may influence an output pixel."""
        return self.around // 2

    @property
    def around(self) -> int:
        """Height and width of the window from which the network classifies one pixel."""
        return self.window | 1
