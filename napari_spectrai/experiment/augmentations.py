"""Settings of the augmentations, which transform the training samples batch by batch."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from napari_spectrai.spec import Named, Registry


class AugmentationSpec(Named):
    """One augmentation."""

    of_patches: ClassVar[bool] = False
    """Whether it rotates or crops patches of images, and so has no effect with its default settings on single spectra."""
    of_neighbours: ClassVar[bool] = False
    """Whether it moves intensities between neighbouring bands, and so has no effect on a single band."""
    cuts: ClassVar[bool] = False
    """Whether it changes the size of patches, which a network that classifies a pixel from a window of fixed size cannot use."""
    blends: ClassVar[bool] = False
    """Whether it blends the samples of a batch, and so has no effect on a single sample."""

    def acts(self, *, patches: bool, bands: int) -> bool:
        """Whether it has an effect on batches of patches or of single spectra, with this number of bands."""
        return (patches or not self.of_patches) and (bands > 1 or not self.of_neighbours)


class Noise(AugmentationSpec):
    """Add Gaussian noise to the input; the truth is unchanged."""

    title: ClassVar = "Noise"
    kind: Literal["noise"] = "noise"
    implementation: ClassVar = "napari_spectrai.learn.train.augment:Noise"
    sigma: float = Field(
        0.2,
        gt=0,
        le=10,
        title="Standard deviation",
        description="standard deviation, in prepared intensities (of a spectrum with maximum 1)",
    )


class Mixup(AugmentationSpec):
    """Blend pairs of samples, input and truth alike (Zhang et al. 2018, arXiv:1710.09412)."""

    title: ClassVar = "Mixup"
    kind: Literal["mixup"] = "mixup"
    implementation: ClassVar = "napari_spectrai.learn.train.augment:Mixup"
    blends: ClassVar = True
    alpha: float = Field(
        0.4, gt=0, le=10, title="Beta distribution shape", description="shape of the Beta distribution of blending weights"
    )


class SpectralShift(AugmentationSpec):
    """Shift input and truth together along the axis, by a fraction of a band or several."""

    title: ClassVar = "Spectral shift"
    kind: Literal["spectral_shift"] = "spectral_shift"
    implementation: ClassVar = "napari_spectrai.learn.train.augment:SpectralShift"
    of_neighbours: ClassVar = True
    bands: float = Field(2.0, gt=0, le=1000, title="Largest shift (bands)", description="largest shift to either side, in bands")


class Flip(AugmentationSpec):
    """Mirror input and truth together. Spectra are mirrored only on request: no instrument measures them backwards."""

    title: ClassVar = "Flip"
    kind: Literal["flip"] = "flip"
    implementation: ClassVar = "napari_spectrai.learn.train.augment:Flip"
    of_patches: ClassVar = True
    probability: float = Field(0.5, gt=0, le=1, description="probability of each reflection")
    spatial: bool = Field(True, title="Flip patches", description="mirror patches up-down and left-right")
    spectral: bool = Field(False, title="Flip spectra", description="mirror the spectrum (default in spectrai)")

    def acts(self, *, patches: bool, bands: int) -> bool:
        """Whether it has an effect on batches of patches or of single spectra, with this number of bands."""
        return (self.spatial and patches) or (self.spectral and bands > 1)


class Rotate(AugmentationSpec):
    """Rotate square patches by 0, 90, 180 or 270 degrees, input and truth together."""

    title: ClassVar = "Rotate by quarter turns"
    kind: Literal["rotate"] = "rotate"
    implementation: ClassVar = "napari_spectrai.learn.train.augment:Rotate"
    of_patches: ClassVar = True


class RandomCrop(AugmentationSpec):
    """Crop a smaller patch at a random position, the same for input and truth."""

    title: ClassVar = "Random crop"
    kind: Literal["random_crop"] = "random_crop"
    implementation: ClassVar = "napari_spectrai.learn.train.augment:RandomCrop"
    of_patches: ClassVar = True
    cuts: ClassVar = True
    share: float = Field(
        0.75, gt=0, lt=1, title="Relative size", description="height and width of the cropped patch, as a fraction of the original"
    )


class Scaling(AugmentationSpec):
    """Multiply input and truth by a random factor, as laser power, focus and integration time do."""

    title: ClassVar = "Scaling"
    kind: Literal["scaling"] = "scaling"
    implementation: ClassVar = "napari_spectrai.learn.train.augment:Scaling"
    sigma: float = Field(0.1, gt=0, le=2, title="Standard deviation", description="standard deviation of the logarithm of the factor")


class Baseline(AugmentationSpec):
    """Add a random smooth curve (a cubic polynomial) to the input; the truth is unchanged."""

    title: ClassVar = "Baseline"
    kind: Literal["baseline"] = "baseline"
    implementation: ClassVar = "napari_spectrai.learn.train.augment:Baseline"
    size: float = Field(
        0.1, gt=0, le=10, title="Amplitude", description="standard deviation of each polynomial term, in prepared intensities"
    )


class Spikes(AugmentationSpec):
    """Add cosmic ray spikes to the input; the truth is unchanged."""

    title: ClassVar = "Spikes"
    kind: Literal["spikes"] = "spikes"
    implementation: ClassVar = "napari_spectrai.learn.train.augment:Spikes"
    rate: float = Field(0.5, gt=0, le=100, title="Spikes per spectrum", description="mean number of spikes per spectrum")
    height: float = Field(
        1.0, gt=0, le=100, title="Mean height", description="mean height, in prepared intensities (exponential distribution)"
    )


class Broadening(AugmentationSpec):
    """Convolve input and truth with a Gaussian of random width, as another slit or grating does."""

    title: ClassVar = "Broadening"
    kind: Literal["broadening"] = "broadening"
    implementation: ClassVar = "napari_spectrai.learn.train.augment:Broadening"
    of_neighbours: ClassVar = True
    bands: float = Field(
        1.5, gt=0, le=100, title="Largest width (bands)", description="largest standard deviation of the Gaussian, in bands"
    )


class BandDropout(AugmentationSpec):
    """Set random bands of the input to zero; the truth is unchanged."""

    title: ClassVar = "Band dropout"
    kind: Literal["band_dropout"] = "band_dropout"
    implementation: ClassVar = "napari_spectrai.learn.train.augment:BandDropout"
    share: float = Field(0.1, gt=0, lt=1, title="Probability", description="probability for each band")


class Poisson(AugmentationSpec):
    """Add shot noise to the input, with a variance proportional to the intensity; the truth is unchanged."""

    title: ClassVar = "Poisson noise"
    kind: Literal["poisson"] = "poisson"
    implementation: ClassVar = "napari_spectrai.learn.train.augment:Poisson"
    counts: float = Field(
        500.0, gt=0, le=1e9, title="Counts at intensity 1", description="counts at a prepared intensity of 1; no noise is added below zero"
    )


augmentations: Registry[AugmentationSpec] = Registry("augmentation")
