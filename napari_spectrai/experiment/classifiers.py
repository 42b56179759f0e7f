"""Settings of the classical classifiers of spectra, and of spectra averaged over a window of the image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from napari_spectrai.experiment.classical import ClassicalSpec
from napari_spectrai.experiment.data_size import Size
from napari_spectrai.experiment.losses import CLASSES
from napari_spectrai.experiment.network_spec import Purpose, View

MOST_FOR_SVM = 20_000
"""Number of samples up to which the support vector machine, whose cost grows with the square, is a candidate."""


class PixelClassifier(ClassicalSpec):
    """A classifier of spectra whose bands are standardised; `around` averages the spectra over a window of the image first."""

    tasks: ClassVar = CLASSES
    learns: ClassVar = True
    at_most: int = Field(
        20_000,
        ge=10,
        le=1_000_000,
        title="Largest training set",
        description="largest number of training spectra used; more are subsampled evenly within each class",
    )


class LogisticRegression(PixelClassifier):
    """Multinomial logistic regression with an L2 penalty chosen by cross-validation."""

    title: ClassVar = "Logistic regression"
    label: ClassVar = "logistic"
    kind: Literal["logistic_regression"] = "logistic_regression"
    is_linear: ClassVar = True
    implementation: ClassVar = "napari_spectrai.learn.classical.classify:LogisticRegression"

    @classmethod
    def candidacy(cls, purpose: Purpose, size: Size) -> Mapping[View, int]:
        """Return what it sees as a candidate, with its place in the order."""
        if purpose == "denoising":
            return {}
        views: dict[View, int] = {"spectra": 10, "shapes": 20}
        return views | ({"superpixels": 100} if purpose == "pixels" else {})


class MNFLogistic(PixelClassifier):
    """Logistic regression on minimum noise fraction components (Green et al. 1988, doi:10.1109/36.3001).

    The noise is estimated from differences between neighbouring pixels of the image, labelled or not.
    """

    title: ClassVar = "Logistic regression, MNF components"
    label: ClassVar = "MNF logistic"
    kind: Literal["mnf_logistic"] = "mnf_logistic"
    tasks: ClassVar = frozenset({"segmentation"})
    images: ClassVar = True
    is_linear: ClassVar = True
    implementation: ClassVar = "napari_spectrai.learn.classical.noise_fraction:MNFLogistic"

    @classmethod
    def candidacy(cls, purpose: Purpose, size: Size) -> Mapping[View, int]:
        """Return what it sees as a candidate, with its place in the order."""
        return {"spectra": 15, "shapes": 25} if purpose == "pixels" else {}


class PLSDA(PixelClassifier):
    """Partial least squares discriminant analysis (Barker & Rayens 2003, doi:10.1002/cem.785)."""

    title: ClassVar = "PLS-DA"
    label: ClassVar = "PLS-DA"
    kind: Literal["pls_da"] = "pls_da"
    implementation: ClassVar = "napari_spectrai.learn.classical.classify:PLSDA"
    components: int | None = Field(
        None, ge=1, le=256, title="Latent variables", description="latent variables; empty: chosen by cross-validation"
    )


class PCALDA(PixelClassifier):
    """Linear discriminant analysis of principal component scores (Fisher 1936, doi:10.1111/j.1469-1809.1936.tb02137.x)."""

    title: ClassVar = "PCA-LDA"
    label: ClassVar = "PCA-LDA"
    kind: Literal["pca_lda"] = "pca_lda"
    is_linear: ClassVar = True
    implementation: ClassVar = "napari_spectrai.learn.classical.classify:PCALDA"
    components: int | None = Field(
        None, ge=1, le=1024, title="Principal components", description="principal components; empty: chosen by cross-validation"
    )

    @classmethod
    def candidacy(cls, purpose: Purpose, size: Size) -> Mapping[View, int]:
        """Return what it sees as a candidate, with its place in the order."""
        return {} if purpose == "denoising" else {"spectra": 30}


class SVM(PixelClassifier):
    """Support vector machine with a Gaussian kernel (Cortes & Vapnik 1995, doi:10.1007/BF00994018)."""

    title: ClassVar = "Support vector machine"
    label: ClassVar = "SVM"
    kind: Literal["svm"] = "svm"
    cost_growth: ClassVar = 3
    implementation: ClassVar = "napari_spectrai.learn.classical.support_vectors:SVM"
    at_most: int = Field(
        6_000,
        ge=10,
        le=100_000,
        title="Largest training set",
        description="largest number of training spectra used; more are subsampled evenly within each class",
    )

    @classmethod
    def candidacy(cls, purpose: Purpose, size: Size) -> Mapping[View, int]:
        """Return what it sees as a candidate, with its place in the order."""
        if purpose == "denoising":
            return {}
        views: dict[View, int] = {"spectra": 40, "shapes": 50} if size.samples <= MOST_FOR_SVM else {}
        return views | ({"superpixels": 110} if purpose == "pixels" else {})


class RandomForest(PixelClassifier):
    """Random forest (Breiman 2001, doi:10.1023/A:1010933404324)."""

    title: ClassVar = "Random forest"
    label: ClassVar = "forest"
    kind: Literal["random_forest"] = "random_forest"
    cost_growth: ClassVar = 2
    implementation: ClassVar = "napari_spectrai.learn.classical.forest:RandomForest"
    trees: int = Field(200, ge=1, le=5000, description="number of trees")

    @classmethod
    def candidacy(cls, purpose: Purpose, size: Size) -> Mapping[View, int]:
        """Return what it sees as a candidate, with its place in the order."""
        return {} if purpose == "denoising" else {"spectra": 60}


class HydraRidge(PixelClassifier):
    """Competing random convolutions and a ridge classifier (Dempster et al. 2023, doi:10.1007/s10618-023-00939-3); 9 bands or more."""

    title: ClassVar = "Hydra and ridge"
    label: ClassVar = "Hydra"
    kind: Literal["hydra_ridge"] = "hydra_ridge"
    least_bands: ClassVar = 9
    implementation: ClassVar = "napari_spectrai.learn.classical.hydra:HydraRidge"
    at_most: int = Field(
        6_000,
        ge=10,
        le=100_000,
        title="Largest training set",
        description="largest number of training spectra used; more are subsampled evenly within each class",
    )
    groups: int = Field(
        16, ge=2, le=256, title="Kernel groups", description="groups of kernels, half of them on the first difference (the paper: 64)"
    )
    kernels: int = Field(8, ge=2, le=64, title="Kernels per group", description="number of competing kernels in a group")
    seed: int = Field(0, ge=0, le=2**31 - 1, description="seed of the kernels")


class LocalMeans(PixelClassifier):
    """A classifier of spectra averaged over a window of the image."""

    dimensions: ClassVar = (2,)
    images: ClassVar = True
    size: int = Field(7, ge=3, le=99, title="Window size", description="height and width of the averaged window, in pixels")

    @property
    def averaging_window(self) -> int:
        """Height and width of the window over which spectra are averaged."""
        return self.size

    @property
    def context(self) -> int:
        """Pixels to each side that may influence an output pixel."""
        return self.size // 2


class SVMLocalMeans(SVM, LocalMeans):
    """Support vector machine on spectra averaged over a window."""

    title: ClassVar = "Support vector machine, local means"
    label: ClassVar = "SVM (means)"
    kind: Literal["svm_local_means"] = "svm_local_means"  # type: ignore[assignment]

    @classmethod
    def candidacy(cls, purpose: Purpose, size: Size) -> Mapping[View, int]:
        """Return what it sees as a candidate, with its place in the order."""
        return {"spectra": 90} if purpose == "pixels" else {}


class RandomForestLocalMeans(RandomForest, LocalMeans):
    """Random forest on spectra averaged over a window."""

    title: ClassVar = "Random forest, local means"
    label: ClassVar = "forest (means)"
    kind: Literal["random_forest_local_means"] = "random_forest_local_means"  # type: ignore[assignment]

    @classmethod
    def candidacy(cls, purpose: Purpose, size: Size) -> Mapping[View, int]:
        """Return what it sees as a candidate, with its place in the order."""
        return {}


class PCALDALocalMeans(PCALDA, LocalMeans):
    """Linear discriminant analysis of principal component scores of spectra averaged over a window."""

    title: ClassVar = "PCA-LDA, local means"
    label: ClassVar = "PCA-LDA (means)"
    kind: Literal["pca_lda_local_means"] = "pca_lda_local_means"  # type: ignore[assignment]
    size: int = Field(9, ge=3, le=99, title="Window size", description="height and width of the averaged window, in pixels")

    @classmethod
    def candidacy(cls, purpose: Purpose, size: Size) -> Mapping[View, int]:
        """Return what it sees as a candidate, with its place in the order."""
        return {"spectra": 80} if purpose == "pixels" else {}


class LogisticLocalMeans(LogisticRegression, LocalMeans):
    """Logistic regression on spectra averaged over a window."""

    title: ClassVar = "Logistic regression, local means"
    label: ClassVar = "logistic (means)"
    kind: Literal["logistic_local_means"] = "logistic_local_means"  # type: ignore[assignment]

    @classmethod
    def candidacy(cls, purpose: Purpose, size: Size) -> Mapping[View, int]:
        """Return what it sees as a candidate, with its place in the order."""
        return {"spectra": 70} if purpose == "pixels" else {}
