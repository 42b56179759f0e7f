"""Size of the training data, from which settings and candidates are chosen."""

from __future__ import annotations

from dataclasses import dataclass


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

    def epochs(self, steps: int, batch: int, *, least: int, most: int) -> int:
        """Return the number of epochs that have about so many steps of `batch` samples, within bounds."""
        return max(least, min(most, round(steps * batch / max(1, self.samples))))
