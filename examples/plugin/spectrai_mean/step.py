"""A preprocessing step."""

from typing import ClassVar, Literal

import numpy as np

from napari_spectrai.cube import FloatArray, SpectralAxis
from napari_spectrai.preparation.step import Step


class DivideByMedian(Step):
    """Divide each spectrum by its median; spectra with a median of zero stay as they are."""

    title: ClassVar = "Divide by the median"
    kind: Literal["divide_by_median"] = "divide_by_median"

    def apply(self, spectra: FloatArray, axis: SpectralAxis) -> tuple[FloatArray, SpectralAxis]:
        """Return the divided spectra, of the same shape and type."""
        median = np.median(spectra, axis=-1, keepdims=True)
        return (spectra / np.where(median == 0, 1, median)).astype(spectra.dtype), axis
