"""What a spectral image is: an array with λ last, and the axis that says where its bands lie."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.layer_axes import Layer, SpectralWarning, axis_position, guessed, spectral_dimension
from napari_spectrai.placement import KEY as PLACEMENT
from napari_spectrai.placement import Placement, placed

__all__ = ["QUANTITIES", "Cube", "FloatArray", "Layer", "SpectralAxis", "SpectralWarning", "as_cube", "spectral_dimension"]

FloatArray = npt.NDArray[np.floating[Any]]

QUANTITIES = {
    "nm": "wavelength",
    "um": "wavelength",
    "1/cm": "wavenumber",
    "eV": "energy",
    "m/z": "mass",
    "": "band",
}
"""The quantity on the axis, by its unit."""

_ALIASES = {
    "nanometer": "nm", "nanometers": "nm", "nanometre": "nm", "nanometres": "nm",
    "µm": "um", "μm": "um", "micron": "um", "microns": "um", "micrometer": "um",
    "micrometers": "um", "micrometre": "um", "micrometres": "um",
    "cm-1": "1/cm", "cm^-1": "1/cm", "cm⁻¹": "1/cm", "/cm": "1/cm", "wavenumber": "1/cm",
    "ev": "eV", "mz": "m/z", "band": "", "bands": "", "none": "", "unknown": "", "index": "",
}  # fmt: skip


def as_float32(values: Any, name: str = "") -> FloatArray:
    """Return values as float32 in memory; no copy when they already are.

    Raises
    ------
    ValueError
        If values exceed the range of float32, 3.4e38.
    """
    found = np.asarray(values)
    try:
        with np.errstate(over="raise"):
            return found.astype(np.float32, copy=False)
    except FloatingPointError as error:
        largest = float(np.abs(found[np.isfinite(found)]).max())
        raise ValueError(f"{name or 'the cube'!r} has values up to {largest:.2g}, above the 3.4e38 of float32; divide it first") from error


@dataclass(frozen=True, slots=True, eq=False)
class SpectralAxis:
    """Where each band lies.

    Parameters
    ----------
    values : array_like of shape (L,)
        Position of each band, kept exactly as given: they may descend, repeat or be unevenly spaced.
    unit : str
        ``"nm"``, ``"um"``, ``"1/cm"``, ``"eV"``, ``"m/z"`` or ``""`` for band numbers. Usual
        spellings (``"cm-1"``, ``"µm"``, ``"nanometers"``) are understood.

    Raises
    ------
    ValueError
        If there is no band, a position is not finite, or the unit is unknown.
    """

    values: npt.NDArray[np.float64]
    unit: str = ""

    def __post_init__(self) -> None:
        try:
            values = np.array(self.values, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(f"the positions of a spectral axis are numbers, one a band: {error}") from error
        if values.ndim != 1 or not values.size:
            raise ValueError(f"a spectral axis is a list of one or more positions, not an array of shape {values.shape}")
        if not np.isfinite(values).all():
            band = int(np.flatnonzero(~np.isfinite(values))[0])
            raise ValueError(f"the position of band {band} is {values[band]}; every band needs a finite position")
        given = "" if self.unit is None else str(self.unit).strip()
        unit = _ALIASES.get(given.lower(), given)
        if unit not in QUANTITIES:
            known = ", ".join(repr(known) for known in QUANTITIES)
            raise ValueError(f"unknown unit {self.unit!r} of a spectral axis; known: {known} (the last: band number)")
        values.setflags(write=False)
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "unit", unit)

    @classmethod
    def bands(cls, count: int) -> SpectralAxis:
        """Return band numbers 0 … count-1, for data whose file gives no positions."""
        return cls(np.arange(count, dtype=np.float64), "")

    def __len__(self) -> int:
        return int(self.values.size)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SpectralAxis):
            return NotImplemented
        return self.unit == other.unit and np.array_equal(self.values, other.values)

    def __hash__(self) -> int:
        return hash((self.unit, self.values.tobytes()))

    def __repr__(self) -> str:
        return f"SpectralAxis({self.describe()})"

    @property
    def quantity(self) -> str:
        """``"wavelength"``, ``"wavenumber"``, ``"energy"``, ``"mass"`` or ``"band"``."""
        return QUANTITIES[self.unit]

    @property
    def label(self) -> str:
        """Axis title for a plot, such as ``"Wavenumber (1/cm)"``."""
        if not self.unit:
            return "Band number"
        return f"{self.quantity.capitalize()} ({self.unit.replace('um', 'µm')})"

    @property
    def step(self) -> float | None:
        """The spacing if it is uniform (to a thousandth of itself) and not zero, else None."""
        if len(self) < 2:
            return None
        steps = np.diff(self.values)
        mean = float(steps.mean())
        return mean if mean and np.allclose(steps, mean, rtol=1e-3, atol=0) else None

    def describe(self) -> str:
        """Return one line for people: ``"394 bands, 924.2–1902.1 1/cm"``."""
        count = f"{len(self)} band{'s' if len(self) > 1 else ''}"
        if not self.unit:
            return f"{count}, no spectral axis given"
        return f"{count}, {self.values[0]:g}–{self.values[-1]:g} {self.unit}"

    def index(self, position: float) -> int:
        """Return the band nearest to `position` (the first of equals)."""
        if not math.isfinite(position):
            raise ValueError(f"position {position} is not finite; give one in {self.unit or 'band numbers'}")
        return int(np.abs(self.values - position).argmin())

    def window(self, low: float, high: float) -> npt.NDArray[np.intp]:
        """Return the indices of the bands from `low` to `high`, both included, in file order."""
        low, high = min(low, high), max(low, high)
        return np.flatnonzero((self.values >= low) & (self.values <= high))

    def take(self, bands: npt.ArrayLike | slice) -> SpectralAxis:
        """Return the axis of some bands, by index."""
        return SpectralAxis(self.values[bands if isinstance(bands, slice) else np.asarray(bands)], self.unit)

    def mismatch(self, other: SpectralAxis) -> str | None:
        """Say in words how `other` differs, or return None if it is the same axis.

        Positions may differ by a hundredth of the median band spacing, which absorbs a round trip through
        float32 and nothing a spectroscopist would see.
        """
        if len(self) != len(other):
            return f"{len(other)} bands where {len(self)} are expected"
        if self.unit != other.unit:
            return f"unit {other.unit or 'band number'!r} where {self.unit or 'band number'!r} is expected"
        difference = float(np.abs(self.values - other.values).max())
        spacing = float(np.median(np.abs(np.diff(self.values)))) if len(self) > 1 else 1.0
        if difference > 0.01 * spacing:
            return f"positions that differ by up to {difference:.4g} {self.unit}"
        return None

    def to_json(self) -> dict[str, Any]:
        """Return plain lists and text; `from_json` undoes it."""
        return {"values": self.values.tolist(), "unit": self.unit}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> SpectralAxis:
        """Read what `to_json` wrote."""
        return cls(np.asarray(value["values"], dtype=np.float64), str(value.get("unit", "")))


@dataclass(frozen=True, slots=True, eq=False)
class Cube:
    """A spectral image, or a set of spectra.

    Parameters
    ----------
    data : array of shape (..., y, x, L) or (n, L)
        NumPy, dask, Zarr or memory map; λ last. Not copied.
    axis : SpectralAxis, optional
        The L band positions; band numbers if the source gives none.
    pixel_size : (float, float), optional
        Height and width of a pixel, in `pixel_unit`.
    pixel_unit : str
        ``"um"``, ``"mm"``, …
    name, source, metadata
        What the data are called, where they came from, and what else the file said.

    Raises
    ------
    ValueError
        If the array has fewer than two dimensions, is empty, is not of real numbers, or its last length
        is not the axis's.
    """

    data: Any
    axis: SpectralAxis = None  # type: ignore[assignment]  # filled in at once
    pixel_size: tuple[float, float] | None = None
    pixel_unit: str = "pixel"
    name: str = ""
    source: Path | None = None
    metadata: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        data = self.data if hasattr(self.data, "shape") and hasattr(self.data, "dtype") else np.asarray(self.data)
        if len(data.shape) < 2:
            raise ValueError(
                f"a cube has shape (..., y, x, bands) or (spectra, bands), not {data.shape}; "
                "give one spectrum as an array of shape (1, bands)"
            )
        if 0 in data.shape:
            raise ValueError(f"a cube of shape {data.shape} holds no values")
        if data.dtype.kind not in "fiub":
            raise ValueError(f"a cube holds real numbers, not {data.dtype}; convert it first (e.g. its real part)")
        axis = self.axis if self.axis is not None else SpectralAxis.bands(data.shape[-1])
        if data.shape[-1] != len(axis):
            raise ValueError(
                f"the array's last dimension holds {data.shape[-1]} bands and the axis {len(axis)}; "
                f"bands are last: shape {data.shape} may need np.moveaxis"
            )
        if self.pixel_size is not None and not all(math.isfinite(size) and size > 0 for size in self.pixel_size):
            raise ValueError(f"pixel size {self.pixel_size} is not positive; leave it out if it is unknown")
        object.__setattr__(self, "data", data)
        object.__setattr__(self, "axis", axis)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array, bands last."""
        return tuple(self.data.shape)

    @property
    def spatial_shape(self) -> tuple[int, ...]:
        """Shape without the bands."""
        return self.shape[:-1]

    @property
    def is_image(self) -> bool:
        """Whether pixels have neighbours: False for a set of spectra."""
        return len(self.shape) > 2

    @property
    def count(self) -> int:
        """Number of spectra."""
        return math.prod(self.spatial_shape)

    def __repr__(self) -> str:
        shape = " × ".join(map(str, self.shape))
        return f"Cube({self.name or 'unnamed'}: {shape} {self.data.dtype}, {self.axis.describe()})"

    @property
    def placement(self) -> Placement | None:
        """Where the pixels lie: as the layer did that the cube came from, or by the stage coordinates of its file; None if unknown."""
        known = placed(self.metadata, self.spatial_shape)
        origin = self.metadata.get("origin")
        if known is not None or origin is None or self.pixel_size is None or PLACEMENT in self.metadata:
            return known
        return Placement.of_stage(origin, self.pixel_size, self.pixel_unit, self.spatial_shape)

    def __getitem__(self, key: Any) -> Cube:
        """Index the spatial dimensions; the bands stay whole. An integer keeps its dimension."""
        keys = key if isinstance(key, tuple) else (key,)
        if len(keys) > len(self.spatial_shape):
            raise IndexError(f"{len(keys)} indices for {len(self.spatial_shape)} spatial dimensions; bands stay whole")
        keys = tuple(slice(k, k + 1 or None) if isinstance(k, (int, np.integer)) else k for k in keys)
        return replace(self, data=self.data[keys], source=None, metadata=self._placed(keys))

    def _placed(self, keys: tuple[Any, ...]) -> Mapping[str, Any]:
        """Return the metadata of a part of the image, which begins elsewhere."""
        place = self.placement
        kept = {name: value for name, value in self.metadata.items() if name not in (PLACEMENT, "origin")}
        gap = next((number for number, part in enumerate(keys) if part is Ellipsis), None)
        if gap is not None:
            keys = keys[:gap] + (slice(None),) * (len(self.spatial_shape) - len(keys) + 1) + keys[gap + 1 :]
        keys += (slice(None),) * (len(self.spatial_shape) - len(keys))
        if place is None:
            return self.metadata
        if not all(isinstance(part, slice) for part in keys):
            return kept
        if "origin" in self.metadata and self.pixel_size is not None:
            begins = [part.indices(length)[0] for part, length in zip(keys[-2:], self.spatial_shape[-2:], strict=True)]
            pairs = zip(self.metadata["origin"], begins, self.pixel_size, strict=True)
            kept["origin"] = tuple(float(start) + begin * length for start, begin, length in pairs)
        return kept | {PLACEMENT: place.cut(keys).to_json()}

    def with_data(self, data: Any, *, axis: SpectralAxis | None = None, name: str | None = None) -> Cube:
        """Return a cube of the same place and pixel size with other values, no longer tied to the file.

        What the file said of single bands is dropped with another axis, and what is said of a prediction that made the values; with
        another number of pixels where it lies.
        """
        stale = {"prediction"} | ({"bad_bands"} if axis is not None and axis != self.axis else set())
        stale |= {PLACEMENT, "origin"} if np.shape(data)[:-1] != self.spatial_shape else set()
        metadata = {key: value for key, value in self.metadata.items() if key not in stale}
        name = self.name if name is None else name
        return replace(self, data=data, axis=self.axis if axis is None else axis, name=name, source=None, metadata=metadata)

    def numpy(self) -> FloatArray:
        """Return the values as float32 in memory; no copy when they already are.

        Raises
        ------
        ValueError
            If values exceed the range of float32, 3.4e38.
        """
        return as_float32(self.data, self.name)


def as_cube(x: Cube | Layer | npt.ArrayLike, axis: SpectralAxis | None = None, *, position: int | None = None) -> Cube:
    """Return `x` as a cube, without copying its values.

    Parameters
    ----------
    x : Cube, array or napari layer
        A layer is told by its ``.data`` and ``.metadata``; its spectral dimension stands in
        ``metadata["spectral_axis"]`` or among its ``axis_labels``, else it is taken to lead, as napari shows it, with a
        warning. Where the layer lies (scale, translate, rotate, shear, affine) stays known, as the cube's `placement`.
    axis : SpectralAxis, optional
        The band positions, where `x` does not bring them.
    position : int, optional
        Which dimension is spectral; default: a layer's metadata says, else 0 for a layer and -1 for an array.

    Raises
    ------
    ValueError
        If the axis does not fit, or `position` is not a dimension of `x`.

    Warns
    -----
    SpectralWarning
        If a layer does not say which of its dimensions is spectral, and `position` does not, either.
    """
    if isinstance(x, Cube):
        # with another axis it is no longer what its file says
        return x if axis is None else replace(x, axis=axis, source=None)
    if not isinstance(x, Layer):
        array = x if hasattr(x, "shape") else np.asarray(x)
        if not array.shape:
            raise ValueError(f"{x!r:.60} is no cube; give a Cube, an array or a napari layer, or open a file with read(path)")
        return Cube(_spectral_last(array, -1 if position is None else position), axis)  # type: ignore[arg-type]
    return _layer_as_cube(x, axis, position)


def _layer_as_cube(layer: Layer, axis: SpectralAxis | None, position: int | None) -> Cube:
    data = layer.data[0] if getattr(layer, "multiscale", False) else layer.data
    place = spectral_dimension(layer)
    if axis is None and axis_position(layer, data.shape) is not None and position in (None, place):
        axis = SpectralAxis.from_json(layer.metadata["spectral_axis"])
    if position is None:
        position = place if place is not None else guessed(layer, data.shape)
    if getattr(layer, "rgb", False) and data.shape[-1] == 4:
        warnings.warn(
            "the fourth channel of a colour image is its opacity, which is no band and is left out", SpectralWarning, stacklevel=3
        )
        data = data[..., :3]
    last = _spectral_last(data, position)
    lies = Placement.of_layer(layer, data.shape, position)
    name = str(getattr(layer, "name", ""))
    scale = [float(s) for s in getattr(layer, "scale", ())]
    units = [str(unit) for unit in getattr(layer, "units", ()) or ()]
    if len(scale) == len(data.shape):
        del scale[position]
        if len(units) == len(data.shape):
            del units[position]
    sized = len(scale) >= 2 and bool(units) and units[-1] != "pixel"
    # a layer may have been painted on, cut or turned since it was opened; only untouched lazy data are surely what the file holds
    file = layer.metadata.get("spectral_file")
    untouched = isinstance(file, Mapping) and file.get("array") == getattr(data, "name", None) and position == 0
    source = Path(str(file["path"])) if untouched and axis is not None and file["axis"] == hash(axis) else None  # type: ignore[index]
    return Cube(
        last,
        axis,  # type: ignore[arg-type]
        pixel_size=(scale[-2], scale[-1]) if sized else None,
        pixel_unit={"micrometer": "um", "millimeter": "mm", "nanometer": "nm"}.get(units[-1], units[-1]) if sized else "pixel",
        name=name,
        source=source,
        metadata=MappingProxyType(_without_axis(layer.metadata) | _lying(lies, position % len(data.shape))),
    )


def _lying(lies: Placement | None, position: int) -> dict[str, Any]:
    """Return where a layer lies, as metadata, with the dimension of its bands where that is not the first, for marks made over it."""
    found = {} if lies is None else {PLACEMENT: lies.to_json()}
    return found | ({"spectral_position": position} if position else {})


def _without_axis(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in metadata.items() if key not in ("spectral_axis", "spectral_file", "spectral_position", PLACEMENT)}


def _spectral_last(data: Any, position: int) -> Any:
    dimensions = len(data.shape)
    if not -dimensions <= position < dimensions:
        raise ValueError(f"dimension {position} does not exist in an array of shape {tuple(data.shape)}")
    if position % dimensions == dimensions - 1:
        return data
    if isinstance(data, np.ndarray):
        return np.moveaxis(data, position, -1)
    order: Sequence[int] = [d for d in range(dimensions) if d != position % dimensions] + [position % dimensions]
    if hasattr(data, "transpose"):
        return data.transpose(order)
    import dask.array as da  # a Zarr array cannot be transposed in place; dask views it

    return da.from_array(data).transpose(order)
