"""The tasks that models can be trained for, with their defaults."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from pydantic import Field

from napari_spectrai.spec import Named, Registry, in_words


class TaskSpec(Named):
    """A task: its description, the kinds of its truth and result, its defaults, and the metrics it is scored with."""

    like: ClassVar[str] = ""
    """Kind of the task whose networks, losses, augmentations and defaults suit this one, too.

    Empty: denoising, or segmentation where the truth is labels.
    """
    truth: ClassVar[Literal["cube", "labels"]] = "cube"
    classifies: ClassVar[bool] = False
    """Whether truth and results are classes, not spectra; follows from `truth`."""
    metrics: ClassVar[tuple[str, ...]] = ()
    """Names of metrics; the first determines the best epoch."""
    extra_metrics: ClassVar[tuple[str, ...]] = ("mae", "ssim", "ergas", "peak_position", "peak_width")
    """Names of metrics that an evaluation of spectra reports, too."""
    network: ClassVar[str] = "residual_mlp"
    loss: ClassVar[str] = "mse"
    network_settings: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    """Settings of the default network that differ from its own defaults."""
    baselines: ClassVar[tuple[str, ...]] = ()
    """The classical baselines of a network, by kind."""
    candidates: ClassVar[tuple[str, ...]] = ()
    """Methods for pairs of spectra that the automatic choice compares, by kind, the simplest first."""
    uses_neighbours: ClassVar[bool] = False
    """Whether the class of a pixel of an image may be predicted from its neighbours, too."""
    classes_of_images: ClassVar[bool] = False
    """Whether whole images can have classes: it has a setting `of`."""
    scheme_without_truth: ClassVar[str] = ""
    """Value of its setting `learns_from` by default if there is no truth; empty: it has none."""

    @classmethod
    def __pydantic_init_subclass__(cls, **settings: Any) -> None:
        """Derive `classifies`, and `like` where it is not set."""
        super().__pydantic_init_subclass__(**settings)
        cls.classifies = cls.truth == "labels"
        cls.like = cls.like or ("segmentation" if cls.classifies else "denoising")

    def suits(self, kinds: Collection[str]) -> bool:
        """Whether what is made for tasks of these kinds suits this one."""
        return self.kind in kinds or self.like in kinds

    @property
    def needs_truth(self) -> bool:
        """Whether a truth is required for each input."""
        return True

    @property
    def self_supervised(self) -> bool:
        """Whether spectra are predicted that are not known: training has no truth."""
        return not self.classifies and not self.needs_truth

    @property
    def scheme(self) -> str:
        """What training pairs are made from: the setting `learns_from` of a task that has it, or ``"pairs"`` of input and truth."""
        return str(getattr(self, "learns_from", "pairs"))

    @property
    def no_label(self) -> int | None:
        """The label value without a class: the setting `unlabelled` of a task that has it; None: every value is a class."""
        value: int | None = getattr(self, "unlabelled", None)
        return value

    @property
    def several_factors(self) -> bool:
        """Whether a network is trained for several enlargement factors, if it can be."""
        return False

    @property
    def result_name(self) -> str:
        """Word that is added to the name of a cube to name its result."""
        return "predicted"

    @property
    def target(self) -> str:
        """What results are compared with, in messages: the truth, or its substitute if there is none."""
        return "truth"

    @property
    def enlarges(self) -> int:
        """Number of output pixels along each side of an input pixel."""
        return 1

    @property
    def same_axis(self) -> bool:
        """Whether the truth has the input's bands."""
        return not self.classifies

    @property
    def own_unit(self) -> bool:
        """Whether the truth has its own unit of intensity, in which results are returned and scored."""
        return False

    @property
    def of_images(self) -> bool:
        """Whether there is one class per image, not per pixel."""
        return False


class Denoising(TaskSpec):
    """Remove noise from spectra, trained on pairs of a short and a long acquisition, or on the noisy data alone.

    Without a truth, one part of the data is predicted from another whose noise is independent: odd and even bands in the subspace of the
    leading singular vectors (Noise2Noise, Lehtinen et al. 2018, arXiv:1803.04189), hidden bands (Noise2Self, Batson & Royer
    2019, arXiv:1901.11365), data with added noise and with the same noise subtracted (Recorrupted2Recorrupted, Pang et al.
    2021, doi:10.1109/CVPR46437.2021.00208), or a second acquisition passed as the truth.
    """

    title: ClassVar = "Denoising"
    kind: Literal["denoising"] = "denoising"
    implementation: ClassVar = "napari_spectrai.learn.train.tasks:Restoration"
    metrics: ClassVar = ("mse", "psnr", "sam")
    baselines: ClassVar = ("raw", "savitzky_golay", "whittaker", "wavelet", "pca", "svd_nlm", "ridge")
    candidates: ClassVar = ("raw", "savitzky_golay", "whittaker", "pca", "ridge")
    scheme_without_truth: ClassVar = "recorrupted"
    learns_from: Literal["pairs", "repeats", "bands", "masked", "recorrupted"] = Field(
        "pairs",
        title="Learn from",
        description="pairs: a clean truth; repeats: a second noisy acquisition as the truth; without a truth: bands (odd from even ones), "
        "masked (hidden bands from the others) or recorrupted (estimated noise added to the input and subtracted from the target)",
        json_schema_extra=in_words(
            pairs="a clean copy of each map",
            repeats="a second, equally noisy recording",
            bands="this map alone (odd and even bands)",
            masked="this map alone (hidden bands)",
            recorrupted="this map alone (added noise)",
        ),
    )

    @property
    def needs_truth(self) -> bool:
        """Whether a truth is required for each input."""
        return self.learns_from in ("pairs", "repeats")

    @property
    def result_name(self) -> str:
        """Word that is added to the name of a cube to name its result."""
        return "denoised"

    @property
    def target(self) -> str:
        """What results are compared with: a clean truth only in the case of pairs."""
        words = {"pairs": "truth", "bands": "held-out signal", "masked": "held-out signal"}
        return words.get(self.learns_from, "noisy target")


class Calibration(TaskSpec):
    """Convert spectra of one instrument to those of another, which may have other bands and another unit of intensity.

    Results are returned and scored in the unit of the other instrument.
    """

    title: ClassVar = "Calibration"
    like: ClassVar = "calibration"
    kind: Literal["calibration"] = "calibration"
    implementation: ClassVar = "napari_spectrai.learn.train.tasks:Restoration"
    metrics: ClassVar = ("mse", "psnr", "sam")
    baselines: ClassVar = ("raw", "gain_offset", "ds", "pds", "sst", "ridge")
    candidates: ClassVar = ("raw", "gain_offset", "ds", "pds", "sst", "ridge")

    @property
    def own_unit(self) -> bool:
        """Whether the truth has its own unit of intensity, in which results are returned and scored."""
        return True

    @property
    def result_name(self) -> str:
        """Word that is added to the name of a cube to name its result."""
        return "calibrated"

    @property
    def same_axis(self) -> bool:
        """Whether the truth has the input's bands."""
        return False


class SuperResolution(TaskSpec):
    """Increase the resolution of an image, trained on sharp images that are degraded, or on pairs."""

    title: ClassVar = "Super-resolution"
    like: ClassVar = "super_resolution"
    kind: Literal["super_resolution"] = "super_resolution"
    implementation: ClassVar = "napari_spectrai.learn.train.tasks:SuperResolution"
    metrics: ClassVar = ("mpsnr", "mse", "sam")
    network: ClassVar = "rcan"
    loss: ClassVar = "l1"
    baselines: ClassVar = ("bicubic", "lanczos", "back_projection")
    extra_metrics: ClassVar = ("mae", "ssim", "ergas")
    factor: int = Field(2, ge=2, le=16, description="number of output pixels along each side of an input pixel")
    learns_from: Literal["degraded", "pairs"] = Field(
        "degraded",
        title="Learn from",
        description="degraded: sharp images, degraded by antialiased bicubic downsampling; pairs: low-resolution images with sharp ones",
        json_schema_extra=in_words(degraded="these images alone, made coarser", pairs="sharper images of the same places"),
    )

    practise: bool = Field(
        True,
        title="Train on several factors",
        description="when training on degraded images, alternate between factors of 2, 4 and 8, which improves each of them",
    )

    @property
    def needs_truth(self) -> bool:
        """Whether a truth is required for each input."""
        return self.learns_from == "pairs"

    @property
    def several_factors(self) -> bool:
        """Whether a network is trained for several enlargement factors, if it can be."""
        return self.practise

    @property
    def enlarges(self) -> int:
        """Number of output pixels along each side of an input pixel."""
        return self.factor


class _Classes(TaskSpec):
    truth: ClassVar = "labels"
    metrics: ClassVar = ("average_accuracy", "overall_accuracy", "kappa", "f1", "miou", "calibration_error")
    loss: ClassVar = "cross_entropy"
    baselines: ClassVar[tuple[str, ...]] = (
        "logistic_regression", "pls_da", "pca_lda", "svm", "random_forest", "logistic_local_means", "pca_lda_local_means",
        "svm_local_means", "random_forest_local_means", "kmeans", "nmf", "vca_fcls",
    )  # fmt: skip


class Classification(_Classes):
    """Predict the class of each spectrum, or of each image."""

    title: ClassVar = "Classification"
    like: ClassVar = "classification"
    kind: Literal["classification"] = "classification"
    implementation: ClassVar = "napari_spectrai.learn.train.tasks:Classes"
    network: ClassVar = "spectral_cnn"
    classes_of_images: ClassVar = True
    of: Literal["spectra", "images"] = Field(
        "spectra", title="Classify", description="whether each spectrum or each whole image has a class"
    )
    unlabelled: int | None = Field(None, title="Unlabelled value", description="label value without a class; empty: every value is a class")

    @property
    def of_images(self) -> bool:
        """Whether there is one class per image, not per pixel."""
        return self.of == "images"


class Segmentation(_Classes):
    """Predict the class of each pixel, trained on label images or a few brush strokes."""

    title: ClassVar = "Segmentation"
    kind: Literal["segmentation"] = "segmentation"
    implementation: ClassVar = "napari_spectrai.learn.train.tasks:Classes"
    baselines: ClassVar[tuple[str, ...]] = ("logistic_regression", "mnf_logistic", *_Classes.baselines[1:])
    network: ClassVar = "unet"
    network_settings: ClassVar = MappingProxyType({"dims": 2, "components": 32})
    uses_neighbours: ClassVar = True
    unlabelled: int | None = Field(0, title="Unlabelled value", description="label value without a class; empty: every value is a class")


tasks: Registry[TaskSpec] = Registry("task")
