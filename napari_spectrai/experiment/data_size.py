"""Size of the training data, from which settings and candidates are chosen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ClassWeights = Literal["none", "square_root", "balanced"]


def class_weights(*, image: bool) -> ClassWeights:
    """Return the weights of classes, in the loss of networks and in the choice among methods, that suit an image or a set of spectra.

    Where spectra are measured one by one, the size of a class says how common it is. Equal weights of the spectra would give up rare
    classes, which lowers the mean recall, and equal weights of the classes large ones, which lowers the overall accuracy. The number of
    labelled pixels in an image only says how large a region was painted.
    """
    return "balanced" if image else "square_root"


@dataclass(frozen=True, slots=True)
class Size:
    """Size of the training data.

    Attributes
    ----------
    samples : int
        Number of labelled spectra or pixels, of pairs of spectra, or of whole images.
    bands : int
        Number of bands.
    sides : tuple of two ints, or None
        Height and width of the images; None for sets of spectra.
    """

    samples: int
    bands: int
    sides: tuple[int, int] | None = None

    @property
    def class_weights(self) -> ClassWeights:
        """The weights of classes that suit the data."""
        return class_weights(image=self.sides is not None)

    def epochs(self, steps: int, batch: int, *, least: int, most: int) -> int:
        """Return the number of epochs that have about so many steps of `batch` samples, within bounds."""
        return max(least, min(most, round(steps * batch / max(1, self.samples))))
