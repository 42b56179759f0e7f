"""What can be learnt, and what suits each."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from napari_spectrai.spec import Named, Registry


class TaskSpec(Named):
    """A task: its words, what kind of truth it needs and gives, what it begins with and the figures it is judged by."""

    truth: ClassVar[Literal["cube", "labels"]] = "cube"
    metrics: ClassVar[tuple[str, ...]] = ()
    """Names of metrics, the first the one that decides which epoch is best."""
    network: ClassVar[str] = "residual_mlp"
    loss: ClassVar[str] = "mse"
    baselines: ClassVar[tuple[str, ...]] = ()
    """The classical methods a network has to beat, by kind."""

    @property
    def needs_truth(self) -> bool:
        """Whether a truth has to be given beside each input."""
        return True

    @property
    def target(self) -> str:
        """What a result is compared with, as people are told: the truth, or what stands for it where there is none."""
        return "truth"

    @property
    def enlarges(self) -> int:
        """Pixels of the result along each side of a pixel of the input."""
        return 1

    @property
    def same_axis(self) -> bool:
        """Whether the truth has the input's bands."""
        return self.truth == "cube"

    @property
    def own_unit(self) -> bool:
        """Whether the truth has intensities of its own unit, in which results come and are judged."""
        return False

    @property
    def of_images(self) -> bool:
        """Whether there is one answer for each image, not for each pixel."""
        return False


class Denoising(TaskSpec):
    """Turn noisy spectra into clean ones: from pairs of a short and a long acquisition, or from the noisy data alone.

    Without truth, one part of the data predicts another whose noise is independent: odd and even bands in the subspace of the
    leading singular vectors (Noise2Noise, Lehtinen et al. 2018, arXiv:1803.04189), hidden bands (Noise2Self, Batson & Royer
    2019, arXiv:1901.11365), the data with noise added from the data with that noise taken away (Recorrupted2Recorrupted, Pang et al.
    2021, doi:10.1109/CVPR46437.2021.00208), or a second acquisition given as the truth.
    """

    title: ClassVar = "Denoising"
    kind: Literal["denoising"] = "denoising"
    implementation: ClassVar = "napari_spectrai.learn.train.tasks:Restoration"
    metrics: ClassVar = ("mse", "psnr", "sam")
    baselines: ClassVar = ("raw", "savitzky_golay", "whittaker", "wavelet", "pca", "svd_nlm", "ridge")
    learns_from: Literal["pairs", "repeats", "bands", "masked", "recorrupted"] = Field(
        "pairs",
        description="pairs: a clean truth; repeats: a second noisy acquisition as the truth; without truth: bands (odd against even ones), "
        "masked (hidden bands from the others) or recorrupted (noise of the size found added to one side, taken from the other)",
    )

    @property
    def needs_truth(self) -> bool:
        """Whether a truth has to be given beside each input."""
        return self.learns_from in ("pairs", "repeats")

    @property
    def target(self) -> str:
        """What a result is compared with: a clean truth only where pairs are given."""
        words = {"pairs": "truth", "bands": "held-out signal", "masked": "held-out signal"}
        return words.get(self.learns_from, "noisy target")


class Calibration(TaskSpec):
    """Turn the spectra of one instrument into those of another, which may have other bands and another unit of intensity.

    Results come, and are judged, in the unit of the other instrument.
    """

    title: ClassVar = "Calibration"
    kind: Literal["calibration"] = "calibration"
    implementation: ClassVar = "napari_spectrai.learn.train.tasks:Restoration"
    metrics: ClassVar = ("mse", "psnr", "sam")
    baselines: ClassVar = ("raw", "gain_offset", "ds", "pds", "sst", "ridge")

    @property
    def own_unit(self) -> bool:
        """Whether the truth has intensities of its own unit, in which results come and are judged."""
        return True

    @property
    def same_axis(self) -> bool:
        """Whether the truth has the input's bands."""
        return False


class SuperResolution(TaskSpec):
    """Give an image more pixels: learnt from sharp images that are degraded on purpose, or from pairs."""

    title: ClassVar = "Super-resolution"
    kind: Literal["super_resolution"] = "super_resolution"
    implementation: ClassVar = "napari_spectrai.learn.train.tasks:SuperResolution"
    metrics: ClassVar = ("mpsnr", "mse", "sam")
    network: ClassVar = "rcan"
    loss: ClassVar = "l1"
    baselines: ClassVar = ("bicubic", "lanczos", "back_projection")
    factor: int = Field(2, ge=2, le=16, description="pixels of the result along each side of a pixel")
    learns_from: Literal["degraded", "pairs"] = Field(
        "degraded",
        description="degraded: the images given are sharp, and are made coarse by antialiased bicubic reduction; pairs: coarse and sharp",
    )

    practise: bool = Field(
        True, description="while learning from degraded images, enlarge by 2, 4 and 8 in turn: what helps one factor helps the others"
    )

    @property
    def needs_truth(self) -> bool:
        """Whether a truth has to be given beside each input."""
        return self.learns_from == "pairs"

    @property
    def enlarges(self) -> int:
        """Pixels of the result along each side of a pixel of the input."""
        return self.factor


class _Classes(TaskSpec):
    truth: ClassVar = "labels"
    metrics: ClassVar = ("average_accuracy", "overall_accuracy", "kappa", "f1", "miou", "calibration_error")
    loss: ClassVar = "cross_entropy"
    baselines: ClassVar = (
        "logistic_regression", "pls_da", "pca_lda", "svm", "random_forest", "logistic_local_means", "pca_lda_local_means",
        "svm_local_means", "random_forest_local_means", "kmeans", "nmf", "vca_fcls",
    )  # fmt: skip


class Classification(_Classes):
    """Tell the class of each spectrum, or of each image."""

    title: ClassVar = "Classification"
    kind: Literal["classification"] = "classification"
    implementation: ClassVar = "napari_spectrai.learn.train.tasks:Classes"
    network: ClassVar = "spectral_cnn"
    of: Literal["spectra", "images"] = Field("spectra", description="what has a class: each spectrum, or each image as a whole")
    unlabelled: int | None = Field(None, description="the number that means no class; empty: every number is a class")

    @property
    def of_images(self) -> bool:
        """Whether there is one answer for each image, not for each pixel."""
        return self.of == "images"


class Segmentation(_Classes):
    """Tell the class of each pixel, learnt from label images or a few strokes of a brush."""

    title: ClassVar = "Segmentation"
    kind: Literal["segmentation"] = "segmentation"
    implementation: ClassVar = "napari_spectrai.learn.train.tasks:Classes"
    network: ClassVar = "unet"
    unlabelled: int | None = Field(0, description="the number that means no class; empty: every number is a class")


tasks: Registry[TaskSpec] = Registry("task")
