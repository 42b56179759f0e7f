"""What the settings of all networks and classical methods have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, get_args

from pydantic import Field

from napari_spectrai.experiment.data_size import Size
from napari_spectrai.spec import Named, Registry

RESTORATION = frozenset({"denoising", "calibration"})
SUPER_RESOLUTION = frozenset({"super_resolution"})
Norm = Literal["batch", "layer", "instance", "none"]
Purpose = Literal["spectra", "pixels", "denoising"]
"""What a candidate is for: classes of single spectra, classes of pixels that have neighbours, or denoising without a truth."""
View = Literal["spectra", "shapes", "superpixels"]
"""What a candidate sees; see `experiment.automatic.Member`."""
Activation = Literal["gelu", "relu", "prelu", "leaky_relu", "silu", "selu"]


class NetworkSpec(Named):
    """Settings of a network or a classical method; `tasks` and `dimensions` are those it can be used for."""

    tasks: ClassVar[frozenset[str]] = frozenset()
    dimensions: ClassVar[tuple[int, ...]] = (1, 2, 3)
    classical: ClassVar[bool] = False
    """Whether it is a classical method: fitted in closed form, or without any fitting."""
    chooses: ClassVar[bool] = False
    """Whether it chooses among other methods within a time limit (`seconds`); without a truth, among those that need none."""
    whole: ClassVar[bool] = False
    """Whether it needs the whole image at once."""
    convolutional: ClassVar[bool] = True
    strided: ClassVar[bool] = False
    """Whether it has dilated convolutions, or 3-D ones whatever its dimensions."""
    any_axis: ClassVar[bool] = False
    """Whether a trained model can be applied to cubes on another axis."""
    frozen_features: ClassVar[bool] = False
    """Whether the spatial part (its `features`) has no weights and comes first, so that its output can be cached."""
    any_factor: ClassVar[bool] = False
    """Whether its `forward` takes the enlargement factor as ``times``, so that it can be trained for several factors."""
    pools: ClassVar[bool] = False
    """Whether it uses global pooling: the output is one class, not a cube."""

    label: ClassVar[str] = ""
    """Name of its row in tables; empty: its title."""
    learns: ClassVar[bool] = True
    """Whether it needs training data."""
    images: ClassVar[bool] = False
    """Whether it is a classical method that uses neighbouring pixels, and so needs an image."""

    cost_growth: ClassVar[int] = 0
    """How fast its cost grows with the number of samples: −1 for not at all, 0 for linearly, larger numbers for faster."""

    @classmethod
    def candidacy(cls, purpose: Purpose, size: Size) -> Mapping[View, int]:
        """Return what it sees as a candidate of the automatic choice, with its place in the order: the simplest come first.

        Parameters
        ----------
        purpose : {"spectra", "pixels", "denoising"}
            Classes of single spectra, classes of pixels that have neighbours, or denoising without a truth.
        size : Size
            Size of the training data.

        Returns
        -------
        mapping of view to int
            Empty where it is no candidate.
        """
        return {}

    @classmethod
    def recipe(cls, size: Size, *, classifies: bool) -> dict[str, Any]:
        """Return the parts of a document that suit it as a candidate, by section.

        Parameters
        ----------
        size : Size
            Size of the training data.
        classifies : bool
            Whether the task is to predict classes.
        """
        return {}

    @property
    def short_name(self) -> str:
        """Name of its row in tables."""
        return self.label or self.title or self.kind

    @property
    def dimensionality(self) -> int:
        """1: it uses single spectra, 2: images, 3: both; the setting `dims` of a network that has it, or the first of `dimensions`."""
        return int(getattr(self, "dims", self.dimensions[0]))

    @property
    def can_use_single_spectra(self) -> bool:
        """Whether it uses images now, and single spectra with the setting ``dims=1``."""
        return self.dimensionality > 1 and 1 in self.dimensions and "dims" in type(self).model_fields

    @property
    def normalises_batches(self) -> bool:
        """Whether it has batch normalisation, which needs batches of two: the setting `norm` of a network that has it."""
        return bool(getattr(self, "norm", "") == "batch")

    @property
    def norm_of_samples(self) -> str:
        """The value of its setting `norm` that normalises each sample individually, also where few values are left of it."""
        return next(value for value in ("layer", "group") if value in get_args(type(self).model_fields["norm"].annotation))

    @property
    def subspace(self) -> int:
        """Number of components to which spectra are reduced: the setting `components` of a network that has it; 0: none."""
        return int(getattr(self, "components", None) or 0)

    @property
    def stem_components(self) -> int:
        """Number of principal components given to it instead of bands; 0: bands. Only a network over the image can have them."""
        return self.subspace if int(getattr(self, "dims", 2)) == 2 else 0

    @property
    def starts_from_ridge(self) -> bool:
        """Whether it can learn the residual of a ridge regression, and is to: the setting `ridge` of a network that has it."""
        return bool(getattr(self, "ridge", False))

    @property
    def time_limit(self) -> float | None:
        """Time within which it chooses among methods, in seconds; None: it does not choose."""
        return None

    @property
    def is_consistent(self) -> bool:
        """Whether an enlarged image stays consistent with the input: the setting `consistent` of a network that has it."""
        return bool(getattr(self, "consistent", False))

    @property
    def fits_enlargement(self) -> bool:
        """Whether images may be enlarged by a filter fitted to pairs: the setting `fitted` of a network that has it."""
        return bool(getattr(self, "fitted", False))

    @property
    def residual_weight(self) -> float:
        """Weight of what it adds to an enlarged image: the setting `strength` of a network that has it."""
        return float(getattr(self, "strength", 1.0))

    @property
    def averaging_window(self) -> int:
        """Height and width of the window over which a classifier averages spectra; 0: it does not."""
        return 0

    @property
    def has_dropout(self) -> bool:
        """Whether passes of a trained model with dropout differ, so that they give an uncertainty."""
        return float(getattr(self, "dropout", 0.0)) > 0

    @property
    def context(self) -> int:
        """Pixels to each side that may influence an output pixel; 0 for a network that uses single spectra."""
        return 0

    @property
    def grid(self) -> int:
        """Tiles must start at multiples of this many pixels for results that do not depend on the tiling."""
        return 1

    @property
    def setting_of_dimensions(self) -> str:
        """Setting that decides whether it uses neighbouring pixels: its own `dims`, or the choice of the network."""
        return "network.dims" if "dims" in type(self).model_fields else "network"

    def describe(self) -> str:
        """Return the methods that were chosen, in words; empty for a network that does not choose."""
        return ""

    @property
    def around(self) -> int:
        """Height and width of the window from which a network classifies one pixel; 0: it classifies its whole input."""
        return 0


def looks_around(spec: NetworkSpec) -> bool:
    """Whether a network or method uses neighbouring pixels."""
    return spec.dimensionality > 1


def needs_continued(spec: NetworkSpec) -> bool:
    """Whether pixels without data are replaced by the nearest ones with data in its input: classical methods of whole images omit them."""
    return looks_around(spec) and not (spec.classical and spec.whole)


class OverRidge(NetworkSpec):
    """A network that can start from the closed-form ridge regression of the training pairs."""

    ridge: bool = Field(
        True,
        title="Start from ridge regression",
        description="learn the residual of a ridge regression on the training pairs, starting at its error "
        "(denoising and calibration with a truth)",
    )
    alpha: float = Field(
        100.0, gt=0, le=1e9, title="Ridge penalty", description="ridge penalty, in squared prepared intensities summed over the spectra"
    )


class Stemmed(NetworkSpec):
    """A network over the image whose width can be independent of the number of bands."""

    components: int = Field(
        0,
        ge=0,
        le=1024,
        title="Principal components",
        description="number of principal components of the training spectra given to the network; 0: all bands",
    )


networks: Registry[NetworkSpec] = Registry("network")
