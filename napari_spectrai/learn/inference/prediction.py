"""What a prediction returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai import repr_html
from napari_spectrai.cube import Cube
from napari_spectrai.labels import NO_DATA, Class, Labels, unlabelled


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Prediction:
    """The result of a model for a cube.

    Attributes
    ----------
    result : Cube, or integer array of shape (..., y, x)
        A cube in the intensities of the source; or the number of each pixel's class, as in the labels of the training data.
    probabilities : Cube or None
        Of the classes (last dimension), for tasks that have them.
    uncertainty : Cube or None
        Standard deviation over passes with dropout, if it was asked for: of the result, or of the probabilities.
    classes : list of Class
        Number, name and colour of each class; empty where a cube comes out.
    components : Cube or None
        The spectra (k, λ) of clusters or components, by methods that find such in the cube; in the order of the classes.
    applicability : Cube or None
        How unlike the training spectra each spectrum is (one band, the dissimilarity index divided by its threshold): above 1, the scores
        of the model do not hold. None where the model file contains no training spectra for comparison.
    notes : list of str
        What to beware of in the result, in sentences: how many spectra held no data, intensities of another scale, another axis. `predict`
        also warns of it.
    found : list of str
        What methods found in the cube and went by, in sentences: its noise; and how networks were computed, where this was measured.

    Examples
    --------
    >>> import napari_spectrai as spectrai
    >>> spectrai.predict("wavelet", spectrai.sample("cartilage").cube)
    Prediction(Cube(Cartilage · Wavelet shrinkage: 25 × 35 × 300 float32, 300 bands, 602–1798 1/cm))

    Notes
    -----
    Where the source holds no data (`napari_spectrai.valid`), a cube keeps what is there (zero or NaN), a pixel has no class (0, or a
    number that is no class where 0 is one), and probabilities and uncertainty are NaN.
    """

    result: Any
    probabilities: Cube | None = None
    uncertainty: Cube | None = None
    classes: list[Class] = field(default_factory=list)
    components: Cube | None = None
    notes: list[str] = field(default_factory=list)
    applicability: Cube | None = None
    found: list[str] = field(default_factory=list)

    def __repr__(self) -> str:
        more = [name for name in ("probabilities", "uncertainty", "components", "applicability") if getattr(self, name) is not None]
        return f"Prediction({', '.join([repr(self.labels if self.classes else self.result), *more])})"

    def _repr_html_(self) -> str:
        shown = self.labels if self.classes else self.result
        more = [name for name in ("probabilities", "uncertainty", "components", "applicability") if getattr(self, name) is not None]
        rows = [("Also", ", ".join(more))] if more else []
        rows += [("Note", note) for note in (*self.notes, *self.found)]
        return repr_html.card("Prediction", "", rows, "" if shown is None else shown._repr_html_())

    @property
    def labels(self) -> Labels | None:
        """The result as labels with names and colours, where classes come out."""
        if not self.classes or self.probabilities is None:
            return None
        names = {one.value: one.name for one in self.classes}
        free = unlabelled(self.classes)
        if free and (self.result == free).any():
            names[free] = NO_DATA
        colours = {one.value: one.colour for one in self.classes if one.colour is not None}
        return Labels(self.result, names, colours, name=self.probabilities.name)


def labels_of(probabilities: Cube, classes: list[Class]) -> npt.NDArray[np.int64]:
    """Return the number of the most probable class of each pixel; that of no class where probabilities are NaN."""
    values = np.array([one.value for one in classes])
    data = probabilities.data
    known = np.asarray(np.isfinite(data[..., 0]))
    labels: npt.NDArray[np.int64] = np.where(known, values[np.asarray(data.argmax(-1))], unlabelled(classes))
    return labels
