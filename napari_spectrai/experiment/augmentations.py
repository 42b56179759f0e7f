"""Settings of the augmentations: each makes new training spectra out of those at hand, a batch at a time."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from napari_spectrai.spec import Named, Registry


class AugmentationSpec(Named):
    """One augmentation."""

    of_patches: ClassVar[bool] = False
    """Whether it turns or cuts patches of images: as it is offered, it does nothing to single spectra."""
    of_neighbours: ClassVar[bool] = False
    """Whether it moves intensities between neighbouring bands, and does nothing to a single one."""
    cuts: ClassVar[bool] = False
    """Whether it changes the size of patches, which a network that tells a pixel by a window of its own size cannot see."""
    blends: ClassVar[bool] = False
    """Whether it blends the samples of a batch, and does nothing to a single one."""

    def acts(self, *, patches: bool, bands: int) -> bool:
        """Whether it changes anything: in batches of patches or of single spectra, of so many bands."""
        return (patches or not self.of_patches) and (bands > 1 or not self.of_neighbours)


class Noise(AugmentationSpec):
    """Add Gaussian noise to the input; the truth stays."""

    title: ClassVar = "Noise"
    kind: Literal["noise"] = "noise"
    implementation: ClassVar = "napari_spectrai.learn.train.augment:Noise"
    sigma: float = Field(0.2, gt=0, le=10, description="standard deviation, in prepared intensities (of a spectrum with maximum 1)")


class Mixup(AugmentationSpec):
    """Blend pairs of samples, input and truth alike (Zhang et al. 2018, arXiv:1710.09412)."""

    title: ClassVar = "Mixup"
    kind: Literal["mixup"] = "mixup"
    implementation: ClassVar = "napari_spectrai.learn.train.augment:Mixup"
    blends: ClassVar = True
    alpha: float = Field(0.4, gt=0, le=10, description="shape of the Beta distribution of blending weights")


class SpectralShift(AugmentationSpec):
    """Shift input and truth together along the axis, by a fraction of a band or several."""

    title: ClassVar = "Spectral shift"
    kind: Literal["spectral_shift"] = "spectral_shift"
    implementation: ClassVar = "napari_spectrai.learn.train.augment:SpectralShift"
    of_neighbours: ClassVar = True
    bands: float = Field(2.0, gt=0, le=1000, description="largest shift to either side, in bands")


class Flip(AugmentationSpec):
    """Mirror input and truth together. Of the spectrum only on request: no instrument measures it backwards."""

    title: ClassVar = "Flip"
    kind: Literal["flip"] = "flip"
    implementation: ClassVar = "napari_spectrai.learn.train.augment:Flip"
    of_patches: ClassVar = True
    probability: float = Field(0.5, gt=0, le=1, description="chance of each mirroring")
    spatial: bool = Field(True, description="mirror patches up-down and left-right")
    spectral: bool = Field(False, description="mirror the spectrum (as the seed system did by default)")

    def acts(self, *, patches: bool, bands: int) -> bool:
        """Whether it changes anything: in batches of patches or of single spectra, of so many bands."""
        return (self.spatial and patches) or (self.spectral and bands > 1)


class Rotate(AugmentationSpec):
    """Turn square patches by 0, 90, 180 or 270 degrees, input and truth together."""

    title: ClassVar = "Rotate by quarters"
    kind: Literal["rotate"] = "rotate"
    implementation: ClassVar = "napari_spectrai.learn.train.augment:Rotate"
    of_patches: ClassVar = True


class RandomCrop(AugmentationSpec):
    """Cut a smaller patch at a random place, the same of input and truth."""

    title: ClassVar = "Random crop"
    kind: Literal["random_crop"] = "random_crop"
    implementation: ClassVar = "napari_spectrai.learn.train.augment:RandomCrop"
    of_patches: ClassVar = True
    cuts: ClassVar = True
    share: float = Field(0.75, gt=0, lt=1, description="height and width of what is kept, as a share of the patch")


class Scaling(AugmentationSpec):
    """Multiply input and truth by a random factor: laser power, focus, integration time."""

    title: ClassVar = "Scaling"
    kind: Literal["scaling"] = "scaling"
    implementation: ClassVar = "napari_spectrai.learn.train.augment:Scaling"
    sigma: float = Field(0.1, gt=0, le=2, description="standard deviation of the logarithm of the factor")


class Baseline(AugmentationSpec):
    """Add a random smooth curve (a cubic polynomial) to the input; the truth stays."""

    title: ClassVar = "Baseline"
    kind: Literal["baseline"] = "baseline"
    implementation: ClassVar = "napari_spectrai.learn.train.augment:Baseline"
    size: float = Field(0.1, gt=0, le=10, description="standard deviation of each polynomial term, in prepared intensities")


class Spikes(AugmentationSpec):
    """Add cosmic ray spikes to the input; the truth stays."""

    title: ClassVar = "Spikes"
    kind: Literal["spikes"] = "spikes"
    implementation: ClassVar = "napari_spectrai.learn.train.augment:Spikes"
    rate: float = Field(0.5, gt=0, le=100, description="mean number of spikes a spectrum")
    height: float = Field(1.0, gt=0, le=100, description="mean height, in prepared intensities (exponentially distributed)")


class Broadening(AugmentationSpec):
    """Convolve input and truth with a Gaussian of random width: another slit, another grating."""

    title: ClassVar = "Broadening"
    kind: Literal["broadening"] = "broadening"
    implementation: ClassVar = "napari_spectrai.learn.train.augment:Broadening"
    of_neighbours: ClassVar = True
    bands: float = Field(1.5, gt=0, le=100, description="largest standard deviation of the Gaussian, in bands")


class BandDropout(AugmentationSpec):
    """Set random bands of the input to zero; the truth stays."""

    title: ClassVar = "Band dropout"
    kind: Literal["band_dropout"] = "band_dropout"
    implementation: ClassVar = "napari_spectrai.learn.train.augment:BandDropout"
    share: float = Field(0.1, gt=0, lt=1, description="chance of each band")


class Poisson(AugmentationSpec):
    """Add shot noise to the input, its variance proportional to the intensity; the truth stays."""

    title: ClassVar = "Poisson noise"
    kind: Literal["poisson"] = "poisson"
    implementation: ClassVar = "napari_spectrai.learn.train.augment:Poisson"
    counts: float = Field(500.0, gt=0, le=1e9, description="counts at a prepared intensity of 1; below zero there is none")


augmentations: Registry[AugmentationSpec] = Registry("augmentation")
