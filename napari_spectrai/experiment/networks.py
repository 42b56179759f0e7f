"""Settings of the networks. torch is imported only when a network is built."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from napari_spectrai.experiment.data_size import Size
from napari_spectrai.experiment.losses import CLASSES
from napari_spectrai.experiment.network_spec import (
    RESTORATION,
    SUPER_RESOLUTION,
    Activation,
    Norm,
    OverRidge,
    Purpose,
    Stemmed,
    View,
)

FEW = 20_000
"""Number of labelled pixels above which a convolutional network outperforms one on local means."""


class UNet(OverRidge, Stemmed):
    """Encoder-decoder with skip connections (Ronneberger et al. 2015, doi:10.1007/978-3-319-24574-4_28)."""

    title: ClassVar = "UNet"
    kind: Literal["unet"] = "unet"
    cost_growth: ClassVar = 4
    implementation: ClassVar = "napari_spectrai.networks.unet:UNet"
    residual: ClassVar[bool] = False
    """Whether its levels are residual blocks."""
    tasks: ClassVar = RESTORATION | CLASSES
    dims: Literal[1, 2, 3] = Field(1, title="Dimensions", description="1: along the spectrum, 2: over the image, 3: both")
    width: int = Field(32, ge=4, le=512, description="channels of the first level; doubled at each deeper one")
    depth: int = Field(3, ge=1, le=6, description="number of poolings")
    convolutions: int = Field(2, ge=1, le=6, title="Convolutions per level", description="convolutions per level")
    norm: Norm = Field("batch", description="normalisation after each convolution")
    activation: Activation = Field("gelu", description="non-linearity")
    dropout: float = Field(0.0, ge=0, lt=1, description="fraction of the channels dropped at the deepest level during training")
    dense: int = Field(
        0, ge=0, le=6, title="Dense layers", description="fully connected layers over the spectrum at the end (1-D only; DeepeR: 3)"
    )
    slim: bool = Field(
        False,
        title="Narrow levels",
        description="the deepest level has the width of the level above, and each decoder level ends with the width of the next one",
    )
    last_kernel: Literal[1, 3, 5, 7] = Field(
        1, title="Last kernel size", description="kernel size of the last convolution, in pixels or bands"
    )
    shared_slope: bool = Field(
        False,
        title="Shared activation",
        description="share one activation in the whole network: PReLU then learns a single slope instead of one per layer",
    )
    over_bands: Literal["mean", "learnt"] = Field(
        "mean",
        title="Pooling over bands",
        description="how outputs along the spectrum (dims 1 and 3) are combined into classes: by their mean, or by a trained linear map",
    )

    @classmethod
    def candidacy(cls, purpose: Purpose, size: Size) -> Mapping[View, int]:
        """Return what it sees as a candidate, with its place in the order."""
        return {"spectra": 140} if purpose == "pixels" and size.samples > FEW else {}

    @classmethod
    def recipe(cls, size: Size, *, classifies: bool) -> dict[str, Any]:
        """Return the parts of a document that suit it as a candidate."""
        if not classifies:
            return {}
        return {
            "network": {"dims": 2, "width": 32, "depth": 2, "dropout": 0.3, "components": min(32, size.bands)},
            "data": {"patch": max(4, min(48, *(size.sides or (48, 48)))), "samples": 64},
            "augmentation": ["flip", "rotate"],
            "training": {"batch": 8, "epochs": 60, "keep": "last"},
            "loss": {"kind": "cross_entropy", "weights": "balanced"},
        }

    @property
    def widths(self) -> list[int]:
        """Number of channels of each level, from the first to the deepest."""
        deepest = self.depth - 1 if self.slim else self.depth
        return [self.width * 2 ** min(level, deepest) for level in range(self.depth + 1)]

    @property
    def _per_level(self) -> int:
        return self.convolutions

    @property
    def context(self) -> int:
        """Pixels to each side that may influence an output pixel."""
        if self.dims == 1:
            return 0
        # each convolution of size 3 extends by one pixel of its level; each level is twice as coarse
        per_level = self._per_level
        reach = self.last_kernel // 2 + sum(2 * per_level * 2**level for level in range(self.depth)) + per_level * 2**self.depth
        reach += 2**self.depth - 1  # the pooling windows themselves
        rounded: int = -(-reach // self.grid) * self.grid
        return rounded

    @property
    def grid(self) -> int:
        """Tiles must start at multiples of the deepest pooling."""
        return 1 if self.dims == 1 else int(2**self.depth)


class ResUNet(UNet):
    """UNet of residual blocks.

    ``width=64, depth=2, convolutions=3, activation="prelu", dense=3`` is the network of DeepeR
    (Horgan et al. 2021, doi:10.1021/acs.analchem.1c02178).
    """

    title: ClassVar = "ResUNet"
    kind: Literal["resunet"] = "resunet"  # type: ignore[assignment]
    residual: ClassVar = True
    convolutions: int = Field(3, ge=1, le=6, title="Convolutions per block", description="convolutions per residual block")
    after_sum: int = Field(0, ge=0, le=4, title="Convolutions after sums", description="convolutions after each residual sum")

    @classmethod
    def candidacy(cls, purpose: Purpose, size: Size) -> Mapping[View, int]:
        """Return what it sees as a candidate, with its place in the order."""
        return {}

    @classmethod
    def recipe(cls, size: Size, *, classifies: bool) -> dict[str, Any]:
        """Return the parts of a document that suit it as a candidate."""
        return {}

    @property
    def _per_level(self) -> int:
        return self.convolutions + 1 + self.after_sum


class ResidualMLP(OverRidge):
    """Fully connected layers on each spectrum and its ridge estimate, to which their output is added."""

    title: ClassVar = "Residual MLP"
    kind: Literal["residual_mlp"] = "residual_mlp"
    implementation: ClassVar = "napari_spectrai.networks.mlp:ResidualMLP"
    tasks: ClassVar = RESTORATION
    dimensions: ClassVar = (1,)
    convolutional: ClassVar = False
    width: int = Field(256, ge=8, le=8192, description="units of each hidden layer")
    depth: int = Field(2, ge=1, le=8, description="number of hidden layers")
    dropout: float = Field(0.0, ge=0, lt=1, description="fraction of the units dropped during training")

    @classmethod
    def recipe(cls, size: Size, *, classifies: bool) -> dict[str, Any]:
        """Return the parts of a document that suit it as a candidate."""
        batch = 32 if size.samples <= 5_000 else 256
        return {
            "augmentation": [{"kind": "noise", "sigma": 0.02}, {"kind": "mixup", "alpha": 0.4}],
            "training": {"batch": batch, "epochs": size.epochs(3600, batch, least=5, most=150), "keep": "last"},
        }


class RCAN(Stemmed):
    """Residual channel attention (Zhang et al. 2018, doi:10.1007/978-3-030-01234-2_18): fixed width, with the enlargement at the end.

    Its output starts at zero and is added to the input, which is enlarged by bicubic interpolation and back-projection if necessary.
    """

    title: ClassVar = "RCAN"
    kind: Literal["rcan"] = "rcan"
    implementation: ClassVar = "napari_spectrai.networks.rcan:RCAN"
    tasks: ClassVar = SUPER_RESOLUTION | {"denoising"}
    any_factor: ClassVar = True
    dims: Literal[1, 2, 3] = Field(
        2, title="Dimensions", description="1: along the spectrum, 2: over the image, 3: both; super-resolution needs 2 or 3"
    )
    width: int = Field(48, ge=8, le=512, description="channels (the paper: 64)")
    groups: int = Field(2, ge=1, le=20, title="Residual groups", description="residual groups (the paper: 10)")
    blocks: int = Field(2, ge=1, le=40, title="Blocks per group", description="attention blocks per group (the paper: 20)")
    reduction: int = Field(4, ge=1, le=64, description="factor by which the attention reduces the channels (the paper: 16)")
    local: bool = Field(
        True,
        title="Local attention",
        description="attention over a neighbourhood of 15 pixels instead of the whole image, so that tiles leave no seams",
    )
    activation: Activation = Field("relu", description="non-linearity")
    dropout: float = Field(0.1, ge=0, lt=1, description="fraction of the channels dropped in the input and in each block during training")
    consistent: bool = Field(
        True,
        title="Consistency with the input",
        description="keep the result consistent with the low-resolution input: the part added by the network vanishes when degraded",
    )
    fitted: bool = Field(
        True,
        title="Fitted enlargement",
        description="with pairs, enlarge by a filter fitted to them where its error is lower than that of back-projection, as for "
        "noisy inputs; results are then not consistent with the input",
    )
    strength: float = Field(
        0.6,
        gt=0,
        le=1,
        title="Residual weight",
        description="weight of the part added by the network to the enlarged image in predictions; 1: all of it",
    )

    @property
    def context(self) -> int:
        """Pixels to each side that may influence an output pixel."""
        if self.dims == 1:
            return 0
        per_block = 2 + (7 if self.local else 0)
        return max(self.groups * (self.blocks * per_block + 1) + 4, 32)  # back-projection and consistency have nearly this range
