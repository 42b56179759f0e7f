"""Position of the pixels of an image in world coordinates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]

KEY = "placement"
"""Key of a placement in the metadata of cubes and labels."""
_MICROMETRES = {"nm": 1e-3, "um": 1.0, "mm": 1e3, "cm": 1e4, "m": 1e6}
_SPELLINGS = {
    "nanometer": "nm", "micrometer": "um", "µm": "um", "μm": "um", "micron": "um", "millimeter": "mm", "centimeter": "cm", "meter": "m",
}  # fmt: skip


OWN_UNITS = "own_units"
"""Key in the metadata of layers that napari shows in other units than those of their file: ``own`` and ``shown`` by
dimension, and the ``scale`` then."""


def units_of(layer: Any) -> list[str]:
    """Return the units of a layer's dimensions: those of its file, unless a person has given it others, or another scale."""
    units = [str(unit) for unit in getattr(layer, "units", None) or ()]
    known = (getattr(layer, "metadata", None) or {}).get(OWN_UNITS)
    if not isinstance(known, Mapping) or not np.array_equal(known["scale"], np.asarray(getattr(layer, "scale", ()))):
        return units
    if any(units[d] != shown for d, shown in known["shown"].items()):
        return units
    return [known["own"].get(d, unit) for d, unit in enumerate(units)]


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """Position of the pixels of an image.

    Parameters
    ----------
    matrix : ndarray of shape (d + 1, d + 1), float64
        From the index of a pixel to the world coordinates of its centre, homogeneous, over the d non-spectral dimensions.
    shape : tuple of d lengths
        Shape of the image, without its bands.
    units : tuple of d texts
        Units of the world along each dimension: ``"um"``, ``"mm"``, ``"nm"`` …, or ``"pixel"`` without a unit. Default: no units.
    """

    matrix: Matrix
    shape: tuple[int, ...]
    units: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        units = self.units if len(self.units) == len(self.shape) else ("pixel",) * len(self.shape)
        object.__setattr__(self, "units", tuple(_SPELLINGS.get(unit, unit) for unit in units))

    @classmethod
    def of_layer(cls, layer: Any, shape: Sequence[int], spectral: int | None = None) -> Self | None:
        """Return the placement of a napari layer, without its spectral dimension; None if it has none.

        Parameters
        ----------
        layer : with the attributes `scale`, `translate`, `rotate`, `shear`, `affine` and `units` of napari's layers, or some of them
        shape : shape of the layer's data
        spectral : the spectral dimension, which is left out
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
        units = units_of(layer)
        units = [units[d] for d in kept] if len(units) == count else []
        return cls(whole[np.ix_([*kept, -1], [*kept, -1])], tuple(shape[d] for d in kept), tuple(units))

    @classmethod
    def of_stage(cls, origin: Sequence[float], pixel_size: Sequence[float], unit: str, shape: Sequence[int]) -> Self | None:
        """Return the placement of an image from the centre of its first pixel (y, x) and its pixel size; for a stack, only in the plane."""
        count = len(shape)
        if count < 2:
            return None
        matrix = np.eye(count + 1)
        for place, (start, length) in enumerate(zip(origin, pixel_size, strict=True), count - 2):
            matrix[place, place], matrix[place, -1] = length, start
        return cls(matrix, tuple(shape), ("pixel",) * (count - 2) + (unit,) * 2)

    def in_units_of(self, other: Placement) -> Placement:
        """Return the same placement in the units of another; dimensions without a unit of length are compared by number, as in napari."""
        factors = [
            _MICROMETRES[own] / _MICROMETRES[wanted] if own in _MICROMETRES and wanted in _MICROMETRES else 1.0
            for own, wanted in zip(self.units, other.units, strict=True)
        ]
        matrix = np.array(self.matrix)
        matrix[:-1] *= np.array(factors)[:, None]
        return replace(self, matrix=matrix, units=other.units)

    @classmethod
    def from_json(cls, value: Any) -> Self | None:
        """Return what `to_json` wrote; None for anything else, since metadata can contain anything."""
        try:
            matrix = np.asarray(value["matrix"], np.float64)
            shape = tuple(int(length) for length in value["shape"])
            placement = cls(matrix, shape, tuple(str(unit) for unit in value.get("units", ())))
        except (TypeError, ValueError, KeyError, AttributeError):
            return None
        fits = matrix.shape == (len(shape) + 1,) * 2 and bool(np.isfinite(matrix).all()) and abs(np.linalg.det(matrix)) > 0
        return placement if fits else None

    def to_json(self) -> dict[str, Any]:
        """Return plain lists and text."""
        return {"matrix": self.matrix.tolist(), "shape": list(self.shape), "units": list(self.units)}

    @property
    def is_default(self) -> bool:
        """Whether it is napari's default for any array: pixels of size one, starting at zero."""
        return all(unit == "pixel" for unit in self.units) and bool(np.array_equal(self.matrix, np.eye(len(self.matrix))))

    @property
    def is_straight(self) -> bool:
        """Whether it is neither rotated, sheared nor mirrored."""
        linear = self.matrix[:-1, :-1]
        return bool(np.allclose(linear, np.diag(np.diag(linear)))) and bool((np.diag(linear) > 0).all())

    @property
    def pixel_size(self) -> tuple[float, ...]:
        """Length of a pixel along each dimension."""
        return tuple(float(length) for length in np.linalg.norm(self.matrix[:-1, :-1], axis=0))

    @property
    def words(self) -> str:
        """The pixel size with its unit, if it has one: ``"0.5 × 0.5 µm"``."""
        unit = "" if self.units[-1] == "pixel" else f" {self.units[-1].replace('um', 'µm')}"
        return " × ".join(f"{length:.4g}" for length in self.pixel_size[-2:]) + unit

    def cut(self, slices: Sequence[slice]) -> Placement:
        """Return the placement of a part of the image, given by one slice per dimension."""
        begin, step, lengths = zip(*(_span(s, length) for s, length in zip(slices, self.shape, strict=True)), strict=True)
        return self._moved(np.array(step, float), np.array(begin, float), lengths)

    def of_dimensions(self, kept: Sequence[int]) -> Placement:
        """Return the placement along some of the dimensions."""
        chosen = np.array([*kept, -1])
        return Placement(self.matrix[np.ix_(chosen, chosen)], tuple(self.shape[d] for d in kept), tuple(self.units[d] for d in kept))

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
    value = np.asarray(getattr(layer, name, otherwise), np.float64)
    return value if value.shape == otherwise.shape else otherwise


def _sheared(layer: Any, count: int) -> Matrix:
    """Return the matrix of napari's `shear`: the upper triangle as a list, or the whole matrix."""
    given = np.asarray(getattr(layer, "shear", ()), np.float64)
    if given.shape == (count, count):
        return given
    shear = np.eye(count)
    upper = np.triu_indices(count, 1)
    if given.shape == (len(upper[0]),):
        shear[upper] = given
    return shear


def _span(part: slice, length: int) -> tuple[int, int, int]:
    """Return first index, step and number of the indices of a slice."""
    start, stop, step = part.indices(length)
    return start, step, len(range(start, stop, step))


def placed(metadata: Mapping[str, Any], shape: Sequence[int]) -> Placement | None:
    """Return the placement that metadata define for an image of this shape (without bands); one of another shape is ignored."""
    placement = Placement.from_json(metadata.get(KEY)) if KEY in metadata else None
    return placement if placement is not None and placement.shape == tuple(shape) else None
