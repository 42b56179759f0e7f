"""Settings of the augmentations: each makes new training spectra out of those at hand, a batch at a time."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from napari_spectrai.spec import Named, Registry


class AugmentationSpec(Named):
    """One augmentation."""


class Noise(AugmentationSpec):
    """Add Gaussian noise to the input; the truth stays."""

    title: ClassVar = "Noise"
    kind: Literal["noise"] = "noise"
    implementation: ClassVar = "napari_spectrai.learn.augment:Noise"
    sigma: float = Field(0.2, gt=0, le=10, description="standard deviation, in prepared intensities (of a spectrum with maximum 1)")


class Mixup(AugmentationSpec):
    """Blend pairs of samples, input and truth alike (Zhang et al. 2018, arXiv:1710.09412)."""

    title: ClassVar = "Mixup"
    kind: Literal["mixup"] = "mixup"
    implementation: ClassVar = "napari_spectrai.learn.augment:Mixup"
    alpha: float = Field(0.4, gt=0, le=10, description="shape of the Beta distribution of blending weights")


class SpectralShift(AugmentationSpec):
    """Shift input and truth together along the axis, by a fraction of a band or several."""

    title: ClassVar = "Spectral shift"
    kind: Literal["spectral_shift"] = "spectral_shift"
    implementation: ClassVar = "napari_spectrai.learn.augment:SpectralShift"
    bands: float = Field(2.0, gt=0, le=1000, description="largest shift to either side, in bands")


class Flip(AugmentationSpec):
    """Mirror input and truth together. Of the spectrum only on request: no instrument measures it backwards."""

    title: ClassVar = "Flip"
    kind: Literal["flip"] = "flip"
    implementation: ClassVar = "napari_spectrai.learn.augment:Flip"
    probability: float = Field(0.5, gt=0, le=1, description="chance of each mirroring")
    spatial: bool = Field(True, description="mirror patches up-down and left-right")
    spectral: bool = Field(False, description="mirror the spectrum (as the seed system did by default)")


augmentations: Registry[AugmentationSpec] = Registry("augmentation")
