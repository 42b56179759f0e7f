"""Settings of a training: optimiser, schedule, length, device."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, SerializeAsAny

from napari_spectrai.spec import Named, Registry, Spec


class OptimiserSpec(Named):
    """An optimiser of torch; its fields are the arguments of the optimiser."""

    lr: float = Field(1e-3, gt=0, le=10, title="Learning rate", description="learning rate (its maximum, if a schedule changes it)")
    weight_decay: float = Field(0.0, ge=0, le=1, description="weight decay (L2 penalty on the weights)")


class AdamW(OptimiserSpec):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019, arXiv:1711.05101)."""

    title: ClassVar = "AdamW"
    kind: Literal["adamw"] = "adamw"
    implementation: ClassVar = "torch.optim:AdamW"
    weight_decay: float = Field(0.01, ge=0, le=1, description="weight decay, decoupled from the gradient")


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
    momentum: float = Field(0.9, ge=0, lt=1, description="momentum: fraction of the previous step added to the next")


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
    momentum: float = Field(0.0, ge=0, lt=1, description="momentum: fraction of the previous step added to the next")


optimisers: Registry[OptimiserSpec] = Registry("optimiser")


class ScheduleSpec(Named):
    """A schedule of the learning rate; `implementation` makes torch's scheduler from the spec."""

    spans_training: ClassVar[bool] = False
    """Whether it depends on the number of epochs, so that these cannot be changed in a training that has started."""


class Constant(ScheduleSpec):
    """Constant learning rate."""

    title: ClassVar = "Constant"
    kind: Literal["constant"] = "constant"
    implementation: ClassVar = "napari_spectrai.learn.train.schedules:constant"


class OneCycle(ScheduleSpec):
    """Increase to the learning rate, then decrease almost to zero (Smith & Topin 2018, arXiv:1708.07120)."""

    title: ClassVar = "One cycle"
    kind: Literal["one_cycle"] = "one_cycle"
    spans_training: ClassVar = True
    implementation: ClassVar = "napari_spectrai.learn.train.schedules:one_cycle"
    rise: float = Field(
        0.3, gt=0, lt=1, title="Warm-up fraction", description="fraction of the training in which the learning rate increases"
    )


class Cosine(ScheduleSpec):
    """Decrease along half a cosine (Loshchilov & Hutter 2017, arXiv:1608.03983)."""

    title: ClassVar = "Cosine"
    kind: Literal["cosine"] = "cosine"
    spans_training: ClassVar = True
    implementation: ClassVar = "napari_spectrai.learn.train.schedules:cosine"
    floor: float = Field(
        0.0, ge=0, lt=1, title="Final rate (fraction)", description="final learning rate, as a fraction of the initial one"
    )


class StepDown(ScheduleSpec):
    """Multiply by a factor every fixed number of epochs."""

    title: ClassVar = "Steps"
    kind: Literal["step"] = "step"
    implementation: ClassVar = "napari_spectrai.learn.train.schedules:step_down"
    every: int = Field(30, ge=1, le=100_000, title="Epochs per step", description="epochs between steps")
    factor: float = Field(0.1, gt=0, lt=1, title="Factor per step", description="factor at each step")


class Multiplicative(ScheduleSpec):
    """Multiply by a factor after each epoch."""

    title: ClassVar = "Multiplicative"
    kind: Literal["multiplicative"] = "multiplicative"
    implementation: ClassVar = "napari_spectrai.learn.train.schedules:multiplicative"
    factor: float = Field(0.95, gt=0, le=1, title="Factor per epoch", description="factor per epoch")


class Cyclic(ScheduleSpec):
    """Cycle between two learning rates (Smith 2017, doi:10.1109/WACV.2017.58)."""

    title: ClassVar = "Cyclic"
    kind: Literal["cyclic"] = "cyclic"
    implementation: ClassVar = "napari_spectrai.learn.train.schedules:cyclic"
    floor: float = Field(0.1, ge=0, lt=1, title="Lowest rate (fraction)", description="lowest learning rate, as a fraction of the highest")
    half_period: float = Field(5.0, gt=0, le=10_000, title="Half period (epochs)", description="epochs from the lowest to the highest rate")


class Plateau(ScheduleSpec):
    """Multiply by a factor when validation has not improved for several epochs."""

    title: ClassVar = "Reduce on plateau"
    kind: Literal["plateau"] = "plateau"
    implementation: ClassVar = "napari_spectrai.learn.train.schedules:plateau"
    factor: float = Field(0.3, gt=0, lt=1, description="factor at each reduction")
    patience: int = Field(10, ge=0, le=100_000, title="Patience (epochs)", description="epochs without improvement before a reduction")


schedules: Registry[ScheduleSpec] = Registry("schedule")


class Training(Spec):
    """Length, optimiser, schedule and device of a training."""

    epochs: int = Field(100, ge=1, le=1_000_000, description="passes over the training data")
    batch: int = Field(32, ge=1, le=1_000_000, title="Batch size", description="spectra or patches per step")
    optimiser: Annotated[SerializeAsAny[OptimiserSpec], optimisers] = Field(AdamW(), description="how weights are updated")
    schedule: Annotated[SerializeAsAny[ScheduleSpec], schedules] = Field(OneCycle(), description="how the learning rate changes")
    ema: float = Field(
        0.995,
        ge=0,
        lt=1,
        title="Weight averaging",
        description="decay of the exponential moving average (EMA) of the weights; the averaged weights are validated and saved; 0: off",
    )
    keep: Literal["best", "last"] = Field(
        "best",
        title="Weights to keep",
        description="weights of the model: best: of the best validation epoch; last: of the last epoch (for few validation samples)",
    )
    patience: int = Field(
        0,
        ge=0,
        le=1_000_000,
        title="Early stopping patience",
        description="early stopping: epochs without improvement before training ends; 0: off",
    )
    clip: float = Field(1.0, ge=0, le=1e6, title="Gradient clipping", description="gradient clipping: largest norm of the gradient; 0: off")
    start: Path | None = Field(
        None,
        title="Pretrained model",
        description="a pretrained model file for fine-tuning; empty: random initial weights. The automatic choice compares only the "
        "methods that its model has chosen",
    )
    frozen: list[str] = Field(
        default_factory=list,
        title="Frozen layers",
        description="names of layers to freeze, with * as a wildcard: * for all but the last layer, down.* for an encoder",
    )
    seed: int = Field(0, ge=0, le=2**31 - 1, description="seed of weights, order and augmentation")
    device: Literal["auto", "cpu", "cuda", "mps"] = Field("auto", description="device to train on; auto: a GPU if there is one")
    devices: Annotated[int, Field(ge=1, le=4096)] | Literal["auto"] = Field(
        1,
        title="Number of devices",
        description="GPUs of this machine that share each batch, with a process for each; on a CPU: processes that share its cores; auto: "
        "all GPUs found",
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="auto: bf16 for convolutions where the hardware has it and is, by a measurement, at least 1.2 times as fast"
    )
    micro_batch: Annotated[int, Field(ge=1, le=1_000_000)] | Literal["auto"] = Field(
        "auto",
        title="Samples computed at once",
        description="samples of a batch that are computed at once; the gradients are summed, and a step is still that of the whole batch; "
        "auto: the fastest number on a CPU, by a measurement. Batch normalisation needs the whole batch at once",
    )
    memory: float | None = Field(
        None,
        gt=0,
        le=1_000_000,
        title="Memory for the data (GB)",
        description="memory that the data may take up, in GB; empty: half of what is free. Larger data are read from their files while "
        "training",
    )
