"""How to train: optimiser, schedule, length, device."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, SerializeAsAny

from napari_spectrai.spec import Named, Registry, Spec


class OptimiserSpec(Named):
    """An optimiser of torch; its fields are the optimiser's arguments."""

    lr: float = Field(1e-3, gt=0, le=10, description="learning rate (its peak, where a schedule varies it)")
    weight_decay: float = Field(0.0, ge=0, le=1, description="pull of the weights towards zero")


class AdamW(OptimiserSpec):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019, arXiv:1711.05101)."""

    title: ClassVar = "AdamW"
    kind: Literal["adamw"] = "adamw"
    implementation: ClassVar = "torch.optim:AdamW"
    weight_decay: float = Field(0.01, ge=0, le=1, description="pull of the weights towards zero")


class Adam(OptimiserSpec):
    """Adam (Kingma & Ba 2015, arXiv:1412.6980)."""

    title: ClassVar = "Adam"
    kind: Literal["adam"] = "adam"
    implementation: ClassVar = "torch.optim:Adam"


class SGD(OptimiserSpec):
    """Stochastic gradient descent with momentum."""

    title: ClassVar = "SGD"
    kind: Literal["sgd"] = "sgd"
    implementation: ClassVar = "torch.optim:SGD"
    momentum: float = Field(0.9, ge=0, lt=1, description="share of the last step kept in the next")


class Adagrad(OptimiserSpec):
    """Adagrad (Duchi et al. 2011)."""

    title: ClassVar = "Adagrad"
    kind: Literal["adagrad"] = "adagrad"
    implementation: ClassVar = "torch.optim:Adagrad"


class RMSprop(OptimiserSpec):
    """RMSprop (Tieleman & Hinton 2012)."""

    title: ClassVar = "RMSprop"
    kind: Literal["rmsprop"] = "rmsprop"
    implementation: ClassVar = "torch.optim:RMSprop"
    momentum: float = Field(0.0, ge=0, lt=1, description="share of the last step kept in the next")


optimisers: Registry[OptimiserSpec] = Registry("optimiser")


class ScheduleSpec(Named):
    """How the learning rate changes; `implementation` makes torch's scheduler from the spec."""


class Constant(ScheduleSpec):
    """The same learning rate throughout."""

    title: ClassVar = "Constant"
    kind: Literal["constant"] = "constant"
    implementation: ClassVar = "napari_spectrai.learn.train.schedules:constant"


class OneCycle(ScheduleSpec):
    """Up to the learning rate and down to nearly nothing (Smith & Topin 2018, arXiv:1708.07120)."""

    title: ClassVar = "One cycle"
    kind: Literal["one_cycle"] = "one_cycle"
    implementation: ClassVar = "napari_spectrai.learn.train.schedules:one_cycle"
    rise: float = Field(0.3, gt=0, lt=1, description="share of the training in which the rate rises")


class Cosine(ScheduleSpec):
    """Down along half a cosine (Loshchilov & Hutter 2017, arXiv:1608.03983)."""

    title: ClassVar = "Cosine"
    kind: Literal["cosine"] = "cosine"
    implementation: ClassVar = "napari_spectrai.learn.train.schedules:cosine"
    floor: float = Field(0.0, ge=0, lt=1, description="last learning rate, as a share of the first")


class StepDown(ScheduleSpec):
    """Multiplied by a factor every so many epochs."""

    title: ClassVar = "Steps"
    kind: Literal["step"] = "step"
    implementation: ClassVar = "napari_spectrai.learn.train.schedules:step_down"
    every: int = Field(30, ge=1, le=100_000, description="epochs between steps")
    factor: float = Field(0.1, gt=0, lt=1, description="factor at each step")


class Multiplicative(ScheduleSpec):
    """Multiplied by a factor after each epoch."""

    title: ClassVar = "Multiplicative"
    kind: Literal["multiplicative"] = "multiplicative"
    implementation: ClassVar = "napari_spectrai.learn.train.schedules:multiplicative"
    factor: float = Field(0.95, gt=0, le=1, description="factor an epoch")


class Cyclic(ScheduleSpec):
    """Up and down between two rates (Smith 2017, doi:10.1109/WACV.2017.58)."""

    title: ClassVar = "Cyclic"
    kind: Literal["cyclic"] = "cyclic"
    implementation: ClassVar = "napari_spectrai.learn.train.schedules:cyclic"
    floor: float = Field(0.1, ge=0, lt=1, description="lowest learning rate, as a share of the highest")
    half_period: float = Field(5.0, gt=0, le=10_000, description="epochs from lowest to highest")


class Plateau(ScheduleSpec):
    """Multiplied by a factor whenever validation has not improved for some epochs."""

    title: ClassVar = "Reduce on plateau"
    kind: Literal["plateau"] = "plateau"
    implementation: ClassVar = "napari_spectrai.learn.train.schedules:plateau"
    factor: float = Field(0.3, gt=0, lt=1, description="factor at each reduction")
    patience: int = Field(10, ge=0, le=100_000, description="epochs without improvement before a reduction")


schedules: Registry[ScheduleSpec] = Registry("schedule")


class Training(Spec):
    """Length, optimiser, schedule and machine of a training."""

    epochs: int = Field(100, ge=1, le=1_000_000, description="passes over the training data")
    batch: int = Field(32, ge=1, le=1_000_000, description="spectra or patches a step")
    optimiser: Annotated[SerializeAsAny[OptimiserSpec], optimisers] = Field(AdamW(), description="how weights are updated")
    schedule: Annotated[SerializeAsAny[ScheduleSpec], schedules] = Field(OneCycle(), description="how the learning rate changes")
    ema: float = Field(0.995, ge=0, lt=1, description="decay of the running mean of the weights that is judged and kept; 0: off")
    keep: Literal["best", "last"] = Field(
        "best", description="which weights become the model: of the epoch best in validation, or of the last (where few samples validate)"
    )
    patience: int = Field(0, ge=0, le=1_000_000, description="epochs without improvement before training ends; 0: never")
    clip: float = Field(1.0, ge=0, le=1e6, description="largest norm of the gradient; 0: unlimited")
    start: Path | None = Field(None, description="a model file to begin with (transfer learning); empty: new weights")
    frozen: list[str] = Field(
        default_factory=list,
        description="names of weights that stay as they are, * for anything: all but the last layer with *, an encoder with down.*",
    )
    seed: int = Field(0, ge=0, le=2**31 - 1, description="seed of weights, order and augmentation")
    device: Literal["auto", "cpu", "cuda", "mps"] = Field("auto", description="where to train; auto: a GPU if there is one")
    precision: Literal["auto", "fp32", "bf16"] = Field("auto", description="auto: bf16 for convolutions where the hardware is fast at it")
