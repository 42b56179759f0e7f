"""Where the pixels of an image lie in the world."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]

KEY = "placement"
"""Where a placement stands in the metadata of cubes and labels."""
_MICROMETRES = {"nm": 1e-3, "um": 1.0, "mm": 1e3, "cm": 1e4, "m": 1e6}
_SPELLINGS = {
    "nanometer": "nm", "micrometer": "um", "µm": "um", "μm": "um", "micron": "um", "millimeter": "mm", "centimeter": "cm", "meter": "m",
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """Where the pixels of an image lie.

    Parameters
    ----------
    matrix : ndarray of shape (d + 1, d + 1), float64
        From the index of a pixel to the place of its centre in the world, homogeneous, over the d dimensions that are not spectral.
    shape : tuple of d lengths
        Of the image, without its bands.
    units : tuple of d texts
        Of the world along each dimension: ``"um"``, ``"mm"``, ``"nm"`` …, or ``"pixel"`` where it has none. Default: none.
    """

    matrix: Matrix
    shape: tuple[int, ...]
    units: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        units = self.units if len(self.units) == len(self.shape) else ("pixel",) * len(self.shape)
        object.__setattr__(self, "units", tuple(_SPELLINGS.get(unit, unit) for unit in units))

    @classmethod
    def of_layer(cls, layer: Any, shape: Sequence[int], spectral: int | None = None) -> Self | None:
        """Return where a napari layer lies, without its spectral dimension; None where it does not say.

        Parameters
        ----------
        layer : with the attributes `scale`, `translate`, `rotate`, `shear`, `affine` and `units` of napari's layers, or some of them
        shape : of the layer's data
        spectral : which dimension is left out
        """
        count = len(shape)
        scale = np.asarray(getattr(layer, "scale", ()), np.float64)
        if scale.shape != (count,):
            return None
        whole = np.eye(count + 1)
        whole[:-1, :-1] = _part(layer, "rotate", np.eye(count)) @ _sheared(layer, count) @ np.diag(scale)
        whole[:-1, -1] = _part(layer, "translate", np.zeros(count))
        affine = getattr(layer, "affine", None)
        matrix = np.asarray(getattr(affine, "affine_matrix", affine if affine is not None else np.eye(count + 1)), np.float64)
        whole = (matrix if matrix.shape == whole.shape else np.eye(count + 1)) @ whole
        kept = [d for d in range(count) if spectral is None or d != spectral % count]
        units = [str(unit) for unit in getattr(layer, "units", None) or ()]
        units = [units[d] for d in kept] if len(units) == count else []
        return cls(whole[np.ix_([*kept, -1], [*kept, -1])], tuple(shape[d] for d in kept), tuple(units))

    @classmethod
    def of_stage(cls, origin: Sequence[float], pixel_size: Sequence[float], unit: str, shape: Sequence[int]) -> Self | None:
        """Return where an image lies whose first pixel's centre (y, x) and pixel size a file gives; of a stack only in the plane."""
        count = len(shape)
        if count < 2:
            return None
        matrix = np.eye(count + 1)
        for place, (start, length) in enumerate(zip(origin, pixel_size, strict=True), count - 2):
            matrix[place, place], matrix[place, -1] = length, start
        return cls(matrix, tuple(shape), ("pixel",) * (count - 2) + (unit,) * 2)

    def beside(self, other: Placement) -> Placement:
        """Return the same place in the units of another; where one of both has no length there, numbers are compared, as napari does."""
        factors = [
            _MICROMETRES[own] / _MICROMETRES[wanted] if own in _MICROMETRES and wanted in _MICROMETRES else 1.0
            for own, wanted in zip(self.units, other.units, strict=True)
        ]
        matrix = np.array(self.matrix)
        matrix[:-1] *= np.array(factors)[:, None]
        return replace(self, matrix=matrix, units=other.units)

    @classmethod
    def from_json(cls, value: Any) -> Self | None:
        """Return what `to_json` wrote; None for anything else, since anybody may put anything into metadata."""
        try:
            matrix = np.asarray(value["matrix"], np.float64)
            shape = tuple(int(length) for length in value["shape"])
            found = cls(matrix, shape, tuple(str(unit) for unit in value.get("units", ())))
        except (TypeError, ValueError, KeyError, AttributeError):
            return None
        fits = matrix.shape == (len(shape) + 1,) * 2 and bool(np.isfinite(matrix).all()) and abs(np.linalg.det(matrix)) > 0
        return found if fits else None

    def to_json(self) -> dict[str, Any]:
        """Return plain lists and text."""
        return {"matrix": self.matrix.tolist(), "shape": list(self.shape), "units": list(self.units)}

    @property
    def is_default(self) -> bool:
        """Whether nobody has placed it: pixels of one by one, beginning at zero, as napari shows any array."""
        return all(unit == "pixel" for unit in self.units) and bool(np.array_equal(self.matrix, np.eye(len(self.matrix))))

    @property
    def pixel_size(self) -> tuple[float, ...]:
        """Length of a pixel along each dimension."""
        return tuple(float(length) for length in np.linalg.norm(self.matrix[:-1, :-1], axis=0))

    @property
    def words(self) -> str:
        """The pixel size and, where it has one, its unit: ``"0.5 × 0.5 µm"``."""
        unit = "" if self.units[-1] == "pixel" else f" {self.units[-1].replace('um', 'µm')}"
        return " × ".join(f"{length:.4g}" for length in self.pixel_size[-2:]) + unit

    def cut(self, slices: Sequence[slice]) -> Placement:
        """Return the placement of a part of the image, given by one slice for each dimension."""
        begin, step, lengths = zip(*(_span(s, length) for s, length in zip(slices, self.shape, strict=True)), strict=True)
        return self._moved(np.array(step, float), np.array(begin, float), lengths)

    def divided(self, times: Sequence[float]) -> Placement:
        """Return the placement of an image of the same extent with so many times as many pixels along each dimension."""
        factors = np.array(times, float)
        lengths = tuple(round(length * n) for length, n in zip(self.shape, factors, strict=True))
        return self._moved(1 / factors, 0.5 / factors - 0.5, lengths)

    def _moved(self, step: Matrix, begin: Matrix, shape: Sequence[int]) -> Placement:
        within = np.eye(len(self.matrix))
        within[:-1, :-1], within[:-1, -1] = np.diag(step), begin
        return replace(self, matrix=self.matrix @ within, shape=tuple(shape))


def _part(layer: Any, name: str, otherwise: Matrix) -> Matrix:
    found = np.asarray(getattr(layer, name, otherwise), np.float64)
    return found if found.shape == otherwise.shape else otherwise


def _sheared(layer: Any, count: int) -> Matrix:
    """Return the matrix of napari's `shear`: the upper triangle as a list, or whole."""
    given = np.asarray(getattr(layer, "shear", ()), np.float64)
    if given.shape == (count, count):
        return given
    shear = np.eye(count)
    upper = np.triu_indices(count, 1)
    if given.shape == (len(upper[0]),):
        shear[upper] = given
    return shear


def _span(part: slice, length: int) -> tuple[int, int, int]:
    """Return first index, step and number of the indices that a slice takes."""
    start, stop, step = part.indices(length)
    return start, step, len(range(start, stop, step))


def placed(metadata: Mapping[str, Any], shape: Sequence[int]) -> Placement | None:
    """Return the placement that metadata give an image of this shape (without bands); one of another shape is not its own."""
    found = Placement.from_json(metadata.get(KEY)) if KEY in metadata else None
    return found if found is not None and found.shape == tuple(shape) else None
