"""Settings of the losses."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, SerializeAsAny, model_validator

from napari_spectrai.experiment.data_size import ClassWeights
from napari_spectrai.spec import Named, Registry

CUBES = frozenset({"denoising", "calibration", "super_resolution"})
CLASSES = frozenset({"classification", "segmentation"})

POWERS = {"none": 0.0, "square_root": 0.5, "balanced": 1.0}
"""Powers of the frequency of a class by which its weight is divided, by the setting of a loss."""

losses: Registry[Any] = Registry("loss")


class LossSpec(Named):
    """A loss function, which training minimises."""

    tasks: ClassVar[frozenset[str]] = CUBES
    of_shape: ClassVar[bool] = False
    """Whether it depends only on the shape of spectra, which a single band does not have."""
    is_squared: ClassVar[bool] = False
    """Whether it grows with the square of the intensities, so that it can be given in squared units of the truth."""

    @property
    def terms(self) -> list[LossSpec]:
        """The losses that are added: this one alone, or the parts of a sum."""
        return [self]

    @property
    def class_power(self) -> float:
        """The power of the frequency of a class by which its weight is divided: the setting `weights` of a loss that has it."""
        return POWERS[getattr(self, "weights", "none")]


class MSE(LossSpec):
    """Mean squared error."""

    title: ClassVar = "Mean squared error"
    kind: Literal["mse"] = "mse"
    is_squared: ClassVar = True
    implementation: ClassVar = "napari_spectrai.learn.train.losses:mse"


class L1(LossSpec):
    """Mean absolute error."""

    title: ClassVar = "Mean absolute error (L1)"
    kind: Literal["l1"] = "l1"
    implementation: ClassVar = "napari_spectrai.learn.train.losses:l1"


class Charbonnier(LossSpec):
    """Smooth L1: the square root of squared error plus ε² (Charbonnier et al. 1994, doi:10.1109/ICIP.1994.413553)."""

    title: ClassVar = "Charbonnier"
    kind: Literal["charbonnier"] = "charbonnier"
    implementation: ClassVar = "napari_spectrai.learn.train.losses:charbonnier"
    epsilon: float = Field(1e-3, gt=0, le=1, description="error below which the loss is nearly quadratic, in prepared intensities")


class SpectralAngle(LossSpec):
    """Mean angle between spectrum and truth, in radians (Kruse et al. 1993, doi:10.1016/0034-4257(93)90013-N).

    It is independent of the intensities, so combine it with another loss (`sum`).
    """

    title: ClassVar = "Spectral angle"
    kind: Literal["spectral_angle"] = "spectral_angle"
    implementation: ClassVar = "napari_spectrai.learn.train.losses:spectral_angle"
    of_shape: ClassVar = True


class Derivative(LossSpec):
    """Mean absolute error of the first differences along the spectrum, which preserves the shape of peaks."""

    title: ClassVar = "L1 of the derivative"
    kind: Literal["derivative"] = "derivative"
    implementation: ClassVar = "napari_spectrai.learn.train.losses:derivative"
    of_shape: ClassVar = True


class _Classed(LossSpec):
    tasks: ClassVar = CLASSES
    weights: ClassWeights = Field(
        "none",
        title="Class weights",
        description="balanced: weight classes by the inverse of their frequency in the training labels; square_root: by that of its "
        "square root, between the overall accuracy and the mean recall",
    )


class CrossEntropy(_Classed):
    """Cross-entropy; unlabelled pixels are ignored."""

    title: ClassVar = "Cross-entropy"
    kind: Literal["cross_entropy"] = "cross_entropy"
    implementation: ClassVar = "napari_spectrai.learn.train.losses:cross_entropy"
    smoothing: float = Field(
        0.0,
        ge=0,
        lt=1,
        title="Label smoothing",
        description="label smoothing: fraction of each label distributed over all classes (Szegedy et al. 2016)",
    )


class BinaryCrossEntropy(_Classed):
    """Cross-entropy of each class against all others, from logits."""

    title: ClassVar = "Binary cross-entropy"
    kind: Literal["binary_cross_entropy"] = "binary_cross_entropy"
    implementation: ClassVar = "napari_spectrai.learn.train.losses:binary_cross_entropy"


class Focal(_Classed):
    """Cross-entropy with less weight on samples classified correctly (Lin et al. 2017, arXiv:1708.02002)."""

    title: ClassVar = "Focal"
    kind: Literal["focal"] = "focal"
    implementation: ClassVar = "napari_spectrai.learn.train.losses:focal"
    gamma: float = Field(2.0, ge=0, le=10, description="how strongly correctly classified samples are down-weighted; 0: cross-entropy")


class Dice(_Classed):
    """One minus the soft Dice overlap, mean over the classes of a batch (Milletari et al. 2016, arXiv:1606.04797)."""

    title: ClassVar = "Dice"
    kind: Literal["dice"] = "dice"
    implementation: ClassVar = "napari_spectrai.learn.train.losses:dice"


class Sum(LossSpec):
    """Weighted sum of two or more losses."""

    title: ClassVar = "Sum of losses"
    kind: Literal["sum"] = "sum"
    implementation: ClassVar = "napari_spectrai.learn.train.losses:added"
    tasks: ClassVar = CUBES | CLASSES
    parts: list[Annotated[SerializeAsAny[LossSpec], losses]] = Field(
        default_factory=list, title="Losses", description="the losses; empty: those of the task"
    )
    shares: list[Annotated[float, Field(ge=0, le=1e9)]] = Field(
        default_factory=list, title="Weights", description="weight of each loss; empty: 1"
    )

    @property
    def terms(self) -> list[LossSpec]:
        """The losses that are added."""
        return self.parts

    @property
    def class_power(self) -> float:
        """The greatest power of a term."""
        return max((part.class_power for part in self.parts), default=0.0)

    @model_validator(mode="after")
    def _fits(self) -> Sum:
        if self.shares and len(self.shares) != len(self.parts):
            raise ValueError(f"{len(self.shares)} weights for {len(self.parts)} losses; give one weight for each loss, or none")
        if self.shares and not any(self.shares):
            raise ValueError("all weights are 0, so nothing can be learnt; give at least one loss a weight above 0")
        if any(isinstance(part, Sum) for part in self.parts):
            raise ValueError("a sum contains another sum; list all losses in one sum")
        return self
