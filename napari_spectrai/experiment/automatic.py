"""Settings of the automatic choice: candidates are compared by cross-validation, and the best or a blend is kept."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, SerializeAsAny

from napari_spectrai.experiment.classical import ClassicalSpec
from napari_spectrai.experiment.losses import CLASSES
from napari_spectrai.experiment.network_spec import RESTORATION, NetworkSpec, networks
from napari_spectrai.spec import Spec


class Member(Spec):
    """One of the methods whose predictions an automatic model blends."""

    network: Annotated[SerializeAsAny[NetworkSpec], networks] = Field(description="the method, with its settings")
    weight: float = Field(1.0, ge=0, le=1, description="weight of its prediction in the blend")
    temperature: float = Field(1.0, ge=1e-6, le=1000, description="divides its scores, so that its probabilities are calibrated")
    sees: Literal["spectra", "shapes", "superpixels"] = Field(
        "spectra",
        description="spectra: as prepared; shapes: each spectrum also centred and divided by its standard deviation (SNV); "
        "superpixels: averaged over small regions of similar pixels",
    )

    @property
    def name(self) -> str:
        """Display name of the method."""
        return named(self.network, self.sees)


def named(network: NetworkSpec, sees: str) -> str:
    """Return the name of a method applied to the spectra, to their shapes, or to means over superpixels."""
    label = network.short_name
    return label + {"shapes": " (SNV)", "superpixels": " (superpixels)"}.get(sees, "")


class Automatic(ClassicalSpec):
    """The best of several methods and networks, or a blend of them, chosen by cross-validation.

    Candidates run in order of their cost until the time is used up. Folds keep together what may leak (files, groups, regions of an
    image), and lie as far from the training pixels as the pixels to predict do (Milà et al. 2022, doi:10.1111/2041-210X.13851). Calibrated
    predictions of classifiers are blended (stacking, Wolpert 1992, doi:10.1016/S0893-6080(05)80023-1) by out-of-fold likelihood; with few
    regions or spectra the simplest weigh most. Without `blend`, the best one is kept, or the simplest of those that the folds cannot
    distinguish from it. The chosen methods are fitted again on all samples.
    """

    title: ClassVar = "Automatic"
    label: ClassVar = "automatic"
    kind: Literal["automatic"] = "automatic"
    implementation: ClassVar = "napari_spectrai.learn.mixture.blend:Blend"
    tasks: ClassVar = RESTORATION | CLASSES
    learns: ClassVar = True
    chooses: ClassVar = True
    candidates: list[Annotated[SerializeAsAny[NetworkSpec], networks]] = Field(
        default_factory=list, json_schema_extra={"learnt": True},
        description="candidates to compare; empty: the methods and networks that suit the task and the size of the data",
    )  # fmt: skip
    seconds: float = Field(
        120.0,
        gt=0,
        le=1e6,
        title="Time limit (s)",
        description="time for the comparison, in seconds; candidates that would exceed it are left out and reported",
    )
    blend: bool = Field(
        True, title="Blend candidates", description="blend the predictions of several candidates if this lowers the out-of-fold loss"
    )
    smooth: bool = Field(
        True,
        title="Smooth class maps",
        description="smooth class probabilities of images along edges (guided filter) if this improves the out-of-fold score",
    )
    members: list[Member] = Field(
        default_factory=list, description="the chosen methods; set by the training", json_schema_extra={"learnt": True}
    )
    radius: int = Field(
        0,
        ge=0,
        le=64,
        description="radius of the guided filter, in pixels; 0: no filter; set by the training",
        json_schema_extra={"learnt": True},
    )

    @property
    def dims(self) -> int:
        """Largest number of dimensions that a member uses: 2 if one uses neighbouring pixels."""
        around = self.radius or any(member.sees == "superpixels" for member in self.members)
        return max([2 if around else 1, *(m.network.dimensionality for m in self.members)])

    @property
    def time_limit(self) -> float:
        """Time within which candidates are compared, in seconds."""
        return self.seconds

    @property
    def whole(self) -> bool:  # type: ignore[override]
        """Whether a member needs the whole image at once."""
        return any(member.network.whole or member.sees == "superpixels" for member in self.members)

    @property
    def any_axis(self) -> bool:  # type: ignore[override]
        """Whether the chosen methods can be applied to cubes on another axis."""
        return bool(self.members) and all(member.network.any_axis for member in self.members)

    @property
    def context(self) -> int:
        """Pixels to each side that may influence an output pixel."""
        return max((member.network.context for member in self.members), default=0) + 2 * self.radius

    @property
    def grid(self) -> int:
        """Tiles must start at multiples of this."""
        from math import lcm

        return lcm(*(member.network.grid for member in self.members))

    def describe(self) -> str:
        """Describe the chosen methods: ``"logistic 0.62 + SVM (SNV) 0.38"``."""
        if not self.members:
            return "not chosen yet"
        weights: dict[str, float] = {}
        for member in self.members:  # a network may be there several times, trained from other starting points
            weights[member.name] = weights.get(member.name, 0.0) + member.weight
        if len(weights) == 1:
            return next(iter(weights))
        return " + ".join(f"{name} {weight:.2f}" for name, weight in sorted(weights.items(), key=lambda item: -item[1]))
