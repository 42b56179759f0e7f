"""Settings of the automatic choice: candidates compared by cross-validation, the best or their blend kept."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, SerializeAsAny

from napari_spectrai.experiment.classical import ClassicalSpec
from napari_spectrai.experiment.losses import CLASSES
from napari_spectrai.experiment.networks import RESTORATION, NetworkSpec, networks
from napari_spectrai.spec import Spec


class Member(Spec):
    """One of the methods whose answers an automatic model blends."""

    network: Annotated[SerializeAsAny[NetworkSpec], networks] = Field(description="the method, with its settings")
    weight: float = Field(1.0, ge=0, le=1, description="share of its answer in the blend")
    temperature: float = Field(
        1.0, gt=0, le=1000, description="divides its scores, so that its probabilities are as certain as they are correct"
    )
    sees: Literal["spectra", "shapes", "superpixels"] = Field(
        "spectra",
        description="spectra: as prepared; shapes: each spectrum also centred and divided by its standard deviation (SNV); "
        "superpixels: averaged over small regions of similar pixels",
    )

    @property
    def name(self) -> str:
        """What it is called beside others."""
        return named(self.network, self.sees)


def named(network: NetworkSpec, sees: str) -> str:
    """Return what a method is called that sees spectra as they are, their shapes, or means over superpixels."""
    label = str(getattr(network, "label", "") or network.title or network.kind)
    return label + {"shapes": " (SNV)", "superpixels": " (superpixels)"}.get(sees, "")


class Automatic(ClassicalSpec):
    """The best of several methods and networks, or a blend of them, chosen by cross-validation.

    Candidates run cheapest first until the time is used up. Folds keep together what may leak (files, groups, regions of an image), and
    lie as far from the training pixels as the pixels that will be predicted (Milà et al. 2022, doi:10.1111/2041-210X.13851). Of
    classifiers the calibrated answers are blended (stacking, Wolpert 1992, doi:10.1016/S0893-6080(05)80023-1): by out-of-fold likelihood,
    where with few regions or spectra the simplest weigh most. Without `blend` the best is kept, or the simplest of those that the folds
    cannot tell apart. What was chosen is fitted again on everything.
    """

    title: ClassVar = "Automatic"
    label: ClassVar = "automatic"
    kind: Literal["automatic"] = "automatic"
    implementation: ClassVar = "napari_spectrai.learn.automatic.blend:Blend"
    tasks: ClassVar = RESTORATION | CLASSES
    learns: ClassVar = True
    chooses: ClassVar = True
    candidates: list[Annotated[SerializeAsAny[NetworkSpec], networks]] = Field(
        default_factory=list, json_schema_extra={"learnt": True},
        description="what is compared; empty: the methods and networks that suit the task and the size of the data",
    )  # fmt: skip
    seconds: float = Field(
        120.0, gt=0, le=1e6, description="time for the comparison, in seconds: candidates that would need more are left out, and named"
    )
    blend: bool = Field(True, description="whether answers of several candidates may be blended, where that lowers the out-of-fold loss")
    smooth: bool = Field(
        True, description="whether class probabilities of images may be smoothed along edges (guided filter), where the folds favour it"
    )
    members: list[Member] = Field(
        default_factory=list, description="what was chosen; filled in by training", json_schema_extra={"learnt": True}
    )
    radius: int = Field(
        0,
        ge=0,
        le=64,
        description="radius of the guided filter, in pixels; 0: none; chosen by training",
        json_schema_extra={"learnt": True},
    )

    @property
    def dims(self) -> int:
        """How many dimensions its members look along at most: 2 where one sees neighbouring pixels."""
        around = self.radius or any(member.sees == "superpixels" for member in self.members)
        return max([2 if around else 1, *(getattr(m.network, "dims", m.network.dimensions[0]) for m in self.members)])

    @property
    def whole(self) -> bool:  # type: ignore[override]
        """Whether a member has to see an image in one piece."""
        return any(member.network.whole or member.sees == "superpixels" for member in self.members)

    @property
    def any_axis(self) -> bool:  # type: ignore[override]
        """Whether what was chosen may be applied to cubes on another axis."""
        return bool(self.members) and all(member.network.any_axis for member in self.members)

    @property
    def context(self) -> int:
        """Pixels to each side that may influence an output pixel."""
        return max((member.network.context for member in self.members), default=0) + 2 * self.radius

    @property
    def grid(self) -> int:
        """Tiles must begin at multiples of this."""
        from math import lcm

        return lcm(*(member.network.grid for member in self.members))

    def describe(self) -> str:
        """Return what was chosen, in words: ``"logistic 0.62 + SVM (SNV) 0.38"``."""
        if not self.members:
            return "not chosen yet"
        if len(self.members) == 1:
            return self.members[0].name
        return " + ".join(f"{m.name} {m.weight:.2f}" for m in sorted(self.members, key=lambda m: -m.weight))
