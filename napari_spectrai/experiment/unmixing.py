"""Settings of the methods that need no labels: they find clusters, or the components of mixtures, in the cube itself."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from napari_spectrai.experiment.classical import ClassicalSpec
from napari_spectrai.experiment.losses import CLASSES
from napari_spectrai.labels import Class


class Unmixing(ClassicalSpec):
    """A method without labels. Beside a network, or trained as one, each component is named by the labels it meets most often."""

    tasks: ClassVar = CLASSES
    part: ClassVar[str] = "component"
    """What one of those is called that it finds."""
    count: int = Field(5, ge=2, le=64, description="how many are found; where there are labels, at least two for each class")
    seed: int = Field(0, ge=0, le=2**31 - 1, description="seed of the random choices")

    @property
    def finds(self) -> list[Class]:
        """What it tells apart without labels, by number and name."""
        return [Class(number, f"{self.part} {number}") for number in range(1, self.count + 1)]


class KMeans(Unmixing):
    """Clusters around means, by the Euclidean distance of the spectra as they are (Lloyd 1982, doi:10.1109/TIT.1982.1056489)."""

    title: ClassVar = "K-means clusters"
    label: ClassVar = "k-means (named)"
    part: ClassVar = "cluster"
    kind: Literal["kmeans"] = "kmeans"
    implementation: ClassVar = "napari_spectrai.learn.classical.unmixing:KMeans"


class NMF(Unmixing):
    """Non-negative matrix factorisation (Lee & Seung 1999, doi:10.1038/44565); the shares are those of each spectrum's area.

    Bands that go below zero are raised by their lowest values; what then still lies below (a thousandth) counts as zero.
    """

    title: ClassVar = "Non-negative matrix factorisation"
    label: ClassVar = "NMF (named)"
    kind: Literal["nmf"] = "nmf"
    implementation: ClassVar = "napari_spectrai.learn.classical.unmixing:NMF"


class VCA(Unmixing):
    """Endmembers by vertex component analysis (Nascimento & Bioucas-Dias 2005, doi:10.1109/TGRS.2005.844293).

    They are pixels of the scene, freed of noise. Their abundances are at least zero and add to one (fully constrained least squares,
    Heinz & Chang 2001, doi:10.1109/36.911111).
    """

    title: ClassVar = "Endmembers (VCA) and abundances"
    label: ClassVar = "VCA+FCLS (named)"
    kind: Literal["vca_fcls"] = "vca_fcls"
    implementation: ClassVar = "napari_spectrai.learn.classical.unmixing:VCA"
