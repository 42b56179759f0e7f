"""Settings of the methods without labels, which find clusters, or the components of mixtures, in a cube."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from napari_spectrai.experiment.classical import ClassicalSpec
from napari_spectrai.experiment.losses import CLASSES
from napari_spectrai.labels import Class


class Unmixing(ClassicalSpec):
    """A method without labels. As a baseline or trained model, each component is named after the labels it coincides with most often."""

    tasks: ClassVar = CLASSES
    part: ClassVar[str] = "component"
    """Name for one of the clusters or components."""
    count: int = Field(
        5,
        ge=2,
        le=64,
        title="Number of components",
        description="number of clusters or components; with labels, at least two for each class",
    )
    seed: int = Field(0, ge=0, le=2**31 - 1, description="seed of the random choices")

    @property
    def finds(self) -> list[Class]:
        """The clusters or components, by number and name."""
        return [Class(number, f"{self.part} {number}") for number in range(1, self.count + 1)]


class KMeans(Unmixing):
    """K-means clusters by the Euclidean distance of the unscaled spectra (Lloyd 1982, doi:10.1109/TIT.1982.1056489)."""

    title: ClassVar = "K-means clusters"
    label: ClassVar = "k-means (named)"
    part: ClassVar = "cluster"
    kind: Literal["kmeans"] = "kmeans"
    implementation: ClassVar = "napari_spectrai.learn.classical.unmixing:KMeans"


class NMF(Unmixing):
    """Non-negative matrix factorisation (Lee & Seung 1999, doi:10.1038/44565); abundances are fractions of each spectrum's area.

    Bands with negative values are raised by their lowest values; what remains negative (a thousandth) is treated as zero.
    """

    title: ClassVar = "Non-negative matrix factorisation"
    label: ClassVar = "NMF (named)"
    kind: Literal["nmf"] = "nmf"
    implementation: ClassVar = "napari_spectrai.learn.classical.unmixing:NMF"


class VCA(Unmixing):
    """Endmembers by vertex component analysis (Nascimento & Bioucas-Dias 2005, doi:10.1109/TGRS.2005.844293).

    They are denoised pixels of the scene. Their abundances are non-negative and sum to one (fully constrained least squares,
    Heinz & Chang 2001, doi:10.1109/36.911111).
    """

    title: ClassVar = "Endmembers (VCA) and abundances"
    label: ClassVar = "VCA+FCLS (named)"
    kind: Literal["vca_fcls"] = "vca_fcls"
    implementation: ClassVar = "napari_spectrai.learn.classical.unmixing:VCA"
