"""Settings of the classical methods, used as baselines of networks and as methods in their own right.

A setting left empty is tuned on the training data or, without a truth, by the rule in its description.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from napari_spectrai.experiment.data_size import Size
from napari_spectrai.experiment.network_spec import RESTORATION, SUPER_RESOLUTION, NetworkSpec, Purpose, View
from napari_spectrai.labels import Class

DENOISING = frozenset({"denoising"})


class ClassicalSpec(NetworkSpec):
    """A classical method. `label` is the name of its row in tables; `learns` is whether it needs training data."""

    classical: ClassVar = True
    convolutional: ClassVar = False
    dimensions: ClassVar = (1,)
    learns: ClassVar = False
    least_bands: ClassVar[int] = 1
    least_spectra: ClassVar[int] = 1
    """Minimum numbers of bands and training spectra."""

    without_truth: ClassVar[bool] = False
    """Whether it denoises data without a truth."""
    uses_noise: ClassVar[bool] = False
    """Whether it takes an estimate of the noise, which is made once for all such methods."""
    is_linear: ClassVar[bool] = False
    """Whether it is one of the simplest classifiers, which a mixture favours as long as few units are evidence for others."""

    @property
    def finds(self) -> list[Class]:
        """The classes or components that it finds without labels, by number and name; empty if it needs training or returns cubes."""
        return []


class DenoiserSpec(ClassicalSpec):
    """A classical method that denoises, optionally inside a variance-stabilising transform."""

    tasks: ClassVar = DENOISING
    without_truth: ClassVar = True
    uses_noise: ClassVar = True
    stabilise: Literal["auto", "never", "always"] = Field(
        "auto",
        title="Variance stabilisation",
        description="apply a variance-stabilising transform for photon noise before, and its unbiased inverse after (generalised Anscombe "
        "transform); auto: if the data show such noise",
    )


class Raw(ClassicalSpec):
    """The unchanged input; on other bands, it is interpolated linearly."""

    title: ClassVar = "Nothing (raw)"
    label: ClassVar = "raw"
    kind: Literal["raw"] = "raw"
    implementation: ClassVar = "napari_spectrai.learn.classical.spectral_smoothing:Raw"
    tasks: ClassVar = RESTORATION
    without_truth: ClassVar = True

    @classmethod
    def candidacy(cls, purpose: Purpose, size: Size) -> Mapping[View, int]:
        """Return what it sees as a candidate, with its place in the order."""
        return {"spectra": 0} if purpose == "denoising" else {}


class SavitzkyGolay(DenoiserSpec):
    """Local polynomial smoothing (Savitzky & Golay 1964, doi:10.1021/ac60214a047)."""

    title: ClassVar = "Savitzky–Golay"
    label: ClassVar = "Savitzky–Golay"
    kind: Literal["savitzky_golay"] = "savitzky_golay"
    least_bands: ClassVar = 5
    implementation: ClassVar = "napari_spectrai.learn.classical.spectral_smoothing:SavitzkyGolay"
    window: int | None = Field(
        None,
        ge=3,
        le=999,
        title="Window (bands)",
        description="bands of the window, odd; empty: tuned on the training data (9 without a truth)",
    )
    order: int | None = Field(
        None,
        ge=0,
        le=9,
        title="Polynomial order",
        description="order of the polynomial, below the window; empty: tuned on the training data (2 without a truth)",
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.window is not None and self.window % 2 == 0:
            raise ValueError(f"window of {self.window} bands is even; choose {self.window - 1} or {self.window + 1}")
        if self.window is not None and self.order is not None and self.order >= self.window:
            raise ValueError(f"order {self.order} needs a window of more than {self.order} bands, not {self.window}")
        return self

    @classmethod
    def candidacy(cls, purpose: Purpose, size: Size) -> Mapping[View, int]:
        """Return what it sees as a candidate, with its place in the order."""
        return {"spectra": 10} if purpose == "denoising" and size.bands >= cls.least_bands else {}


class Whittaker(DenoiserSpec):
    """Penalised least squares (Eilers 2003, doi:10.1021/ac034173t)."""

    title: ClassVar = "Whittaker"
    label: ClassVar = "Whittaker"
    kind: Literal["whittaker"] = "whittaker"
    least_bands: ClassVar = 5
    implementation: ClassVar = "napari_spectrai.learn.classical.spectral_smoothing:Whittaker"
    smoothness: float | None = Field(
        None,
        gt=0,
        le=1e12,
        description="weight of the second differences; empty: tuned on the training data (by cross-validation without a truth)",
    )

    @classmethod
    def candidacy(cls, purpose: Purpose, size: Size) -> Mapping[View, int]:
        """Return what it sees as a candidate, with its place in the order."""
        return {"spectra": 20} if purpose == "denoising" and size.bands >= cls.least_bands else {}


class Wavelet(DenoiserSpec):
    """Soft shrinkage of wavelet coefficients along the spectrum (Donoho & Johnstone 1994, doi:10.1093/biomet/81.3.425)."""

    title: ClassVar = "Wavelet shrinkage"
    label: ClassVar = "wavelet"
    kind: Literal["wavelet"] = "wavelet"
    least_bands: ClassVar = 5
    implementation: ClassVar = "napari_spectrai.learn.classical.spectral_smoothing:Wavelet"
    family: str = Field("sym8", title="Wavelet", description="name of the wavelet, as in PyWavelets")
    threshold: float | None = Field(
        None,
        ge=0,
        le=100,
        description="in noise standard deviations (of the finest level); empty: tuned on the training data (without a truth sqrt(2 ln L))",
    )

    @classmethod
    def candidacy(cls, purpose: Purpose, size: Size) -> Mapping[View, int]:
        """Return what it sees as a candidate, with its place in the order."""
        return {"spectra": 30} if purpose == "denoising" and size.bands >= cls.least_bands else {}


class PCA(DenoiserSpec):
    """Projection onto the first principal components of the noisy training spectra."""

    title: ClassVar = "PCA"
    label: ClassVar = "PCA"
    kind: Literal["pca"] = "pca"
    implementation: ClassVar = "napari_spectrai.learn.classical.linear:PCA"
    learns: ClassVar = True
    components: int | None = Field(
        None, ge=1, le=1024, title="Principal components", description="number of components kept; empty: tuned on the training data"
    )


class Ridge(ClassicalSpec):
    """The closed-form linear map from input to truth (Hoerl & Kennard 1970, doi:10.1080/00401706.1970.10488634)."""

    title: ClassVar = "Ridge regression"
    label: ClassVar = "ridge"
    kind: Literal["ridge"] = "ridge"
    least_spectra: ClassVar = 4
    implementation: ClassVar = "napari_spectrai.learn.classical.linear:Ridge"
    tasks: ClassVar = RESTORATION
    learns: ClassVar = True
    alpha: float | None = Field(
        None,
        gt=0,
        le=1e12,
        title="Ridge penalty",
        description="penalty; empty: tuned by leave-one-out cross-validation, or on the last tenth of many spectra",
    )


class SVDNLM(DenoiserSpec):
    """Non-local means on the eigenimages of a scene.

    The leading singular vectors of the whitened scene span its spectra (as in FastHyDe, Zhuang & Bioucas-Dias 2018,
    doi:10.1109/JSTARS.2018.2796570); each eigenimage is denoised by non-local means (Buades et al. 2005,
    doi:10.1109/CVPR.2005.38) with its own noise level.
    """

    title: ClassVar = "SVD and non-local means"
    label: ClassVar = "SVD+NLM"
    kind: Literal["svd_nlm"] = "svd_nlm"
    implementation: ClassVar = "napari_spectrai.learn.classical.subspace:SVDNLM"
    dimensions: ClassVar = (2,)
    images: ClassVar = True
    whole: ClassVar = True
    components: int | None = Field(
        None, ge=1, le=256, title="Subspace dimension", description="dimension of the subspace; empty: all components above the noise level"
    )
    strength: float = Field(0.8, gt=0, le=5, description="strength of the non-local means, in noise standard deviations")
    patch: int = Field(5, ge=3, le=15, title="Patch size", description="height and width of the compared patches, in pixels")
    search: int = Field(10, ge=2, le=64, title="Search distance", description="largest distance of a compared patch, in pixels")

    @classmethod
    def candidacy(cls, purpose: Purpose, size: Size) -> Mapping[View, int]:
        """Return what it sees as a candidate, with its place in the order."""
        return {"spectra": 40} if purpose == "denoising" and size.sides is not None and min(size.sides) > 2 else {}


class NLBayes(DenoiserSpec):
    """Non-local Bayes (Lebrun, Buades & Morel 2013, doi:10.1137/120874989) on all eigenimages of a scene jointly.

    Similar patches of all eigenimages are modelled by a Gaussian, with which each is filtered; repeated with the estimate as guide.
    """

    title: ClassVar = "SVD and non-local Bayes"
    label: ClassVar = "NL-Bayes"
    kind: Literal["nl_bayes"] = "nl_bayes"
    implementation: ClassVar = "napari_spectrai.learn.classical.subspace:NLBayes"
    dimensions: ClassVar = (2,)
    images: ClassVar = True
    whole: ClassVar = True
    components: int | None = Field(
        None, ge=1, le=64, title="Subspace dimension", description="dimension of the subspace; empty: all components above the noise level"
    )
    patch: int = Field(3, ge=2, le=8, title="Patch size", description="height and width of the patches, in pixels")
    search: int = Field(15, ge=2, le=64, title="Search distance", description="largest distance of a similar patch, in pixels")
    similar: int = Field(80, ge=8, le=1000, title="Similar patches", description="number of similar patches")
    passes: int = Field(3, ge=1, le=10, description="number of passes, each guided by the previous estimate")

    @classmethod
    def candidacy(cls, purpose: Purpose, size: Size) -> Mapping[View, int]:
        """Return what it sees as a candidate, with its place in the order."""
        return {"spectra": 50} if purpose == "denoising" and size.sides is not None and min(size.sides) > 2 else {}


class Bicubic(ClassicalSpec):
    """Bicubic interpolation (Keys 1981, doi:10.1109/TASSP.1981.1163711)."""

    title: ClassVar = "Bicubic"
    label: ClassVar = "bicubic"
    kind: Literal["bicubic"] = "bicubic"
    implementation: ClassVar = "napari_spectrai.learn.classical.interpolation:Bicubic"
    tasks: ClassVar = SUPER_RESOLUTION
    dimensions: ClassVar = (2,)
    images: ClassVar = True

    @property
    def context(self) -> int:
        """Pixels to each side that may influence an output pixel."""
        return 3


class BackProjection(Bicubic):
    """Bicubic interpolation, corrected until its degradation equals the input (Irani & Peleg 1991, doi:10.1016/1049-9652(91)90045-L)."""

    title: ClassVar = "Back-projection"
    label: ClassVar = "back-projection"
    kind: Literal["back_projection"] = "back_projection"  # type: ignore[assignment]
    implementation: ClassVar = "napari_spectrai.learn.classical.interpolation:BackProjection"

    @property
    def context(self) -> int:
        """Pixels to each side that may influence an output pixel."""
        return 32


class Lanczos(Bicubic):
    """Windowed sinc interpolation over three lobes (Duchon 1979)."""

    title: ClassVar = "Lanczos"
    label: ClassVar = "Lanczos"
    kind: Literal["lanczos"] = "lanczos"  # type: ignore[assignment]
    implementation: ClassVar = "napari_spectrai.learn.classical.interpolation:Lanczos"

    @property
    def context(self) -> int:
        """Pixels to each side that may influence an output pixel."""
        return 4
