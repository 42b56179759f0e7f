"""Settings of the losses."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from napari_spectrai.spec import Named, Registry


class LossSpec(Named):
    """A loss: what training makes small."""

    tasks: ClassVar[frozenset[str]] = frozenset({"denoising"})


class MSE(LossSpec):
    """Mean squared error."""

    title: ClassVar = "Mean squared error"
    kind: Literal["mse"] = "mse"
    implementation: ClassVar = "napari_spectrai.learn.losses:mse"


class L1(LossSpec):
    """Mean absolute error."""

    title: ClassVar = "Mean absolute error (L1)"
    kind: Literal["l1"] = "l1"
    implementation: ClassVar = "napari_spectrai.learn.losses:l1"


class Charbonnier(LossSpec):
    """Smooth L1: the square root of squared error plus ε² (Charbonnier et al. 1994, doi:10.1109/ICIP.1994.413553)."""

    title: ClassVar = "Charbonnier"
    kind: Literal["charbonnier"] = "charbonnier"
    implementation: ClassVar = "napari_spectrai.learn.losses:charbonnier"
    epsilon: float = Field(1e-3, gt=0, le=1, description="error below which the loss is nearly quadratic, in prepared intensities")


losses: Registry[LossSpec] = Registry("loss")
