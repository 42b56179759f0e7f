"""The type that carries every spectral image: an array with the bands last, and the axis that gives their positions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai import cube_metadata, repr_html
from napari_spectrai.cube_indexing import expanded
from napari_spectrai.float_range import FloatArray, as_float32
from napari_spectrai.placement import KEY as PLACEMENT
from napari_spectrai.placement import Placement, placed
from napari_spectrai.spectral_axis import SpectralAxis, as_axis

__all__ = ["Cube", "FloatArray", "SpectralAxis"]

DIMENSIONS = ("t", "z", "y", "x")
"""Names of the spatial dimensions of images, the last of them first to be used."""


def as_array(x: Any) -> Any:
    """Return an array of NumPy or like it as it is, a tensor of torch as an array, with the same memory where possible, else an array."""
    if hasattr(x, "detach") and hasattr(x, "cpu"):
        tensor = x.detach().cpu()
        return np.asarray(tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor)
    return x if hasattr(x, "shape") and hasattr(x, "dtype") else np.asarray(x)


@dataclass(frozen=True, slots=True, eq=False)
class Cube:
    """A spectral image, or a set of spectra: an array with the bands last, and the positions of the bands.

    A cube behaves as a NumPy array where that is a matter of reading: ``np.asarray(cube)``, ``cube.shape``, ``len(cube)``, iteration and
    indexing. It has no arithmetic: compute with ``cube.data`` or `numpy`, and keep axis and place with `with_data`.

    Parameters
    ----------
    data : array_like of shape (..., y, x, L) or (n, L)
        NumPy, dask or Zarr array, or memory map. It is not copied, and a lazy one is not read.
    axis : SpectralAxis or array_like of shape (L,), optional
        The positions of the bands. Plain numbers are positions without a unit; ``(values, "nm")`` gives them one. Default: band numbers.
    pixel_size : (float, float), optional
        Height and width of a pixel, in `pixel_unit`; unknown by default.
    pixel_unit : str, default "pixel"
        ``"um"``, ``"mm"``, …
    name : str, default ""
        What layers, tables and messages call the data.
    source : Path, optional
        The file that holds exactly these values on this axis, so that another process can read them instead of a copy.
    metadata : mapping, optional
        Anything else that the file says. Indexing and `with_data` keep what remains true.

    Raises
    ------
    ValueError
        If the array has fewer than two dimensions, is empty, does not hold real numbers, or its last length is not the axis's.

    See Also
    --------
    as_cube : cubes from napari layers, xarray, HyperSpy and pandas objects.
    read : cubes from files.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_spectrai import Cube
    >>> cube = Cube(np.zeros((4, 5, 3), "float32"), axis=([500, 510, 520], "nm"), name="dark")
    >>> cube
    Cube(dark: 4 × 5 × 3 float32, 3 bands, 500–520 nm)
    >>> cube[1:3].shape, cube.crop(505, 520).axis.values.tolist()
    ((2, 5, 3), [510.0, 520.0])
    """

    data: Any
    axis: SpectralAxis = None  # type: ignore[assignment]  # filled in at once
    pixel_size: tuple[float, float] | None = None
    pixel_unit: str = "pixel"
    name: str = ""
    source: Path | None = None
    metadata: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        data = as_array(self.data)
        if len(data.shape) < 2:
            raise ValueError(
                f"a cube has shape (..., y, x, bands) or (spectra, bands), not {data.shape}; "
                "give one spectrum as an array of shape (1, bands)"
            )
        if 0 in data.shape:
            raise ValueError(f"a cube of shape {data.shape} holds no values")
        if data.dtype.kind not in "fiub":
            remedy = "take one of its fields" if data.dtype.names else "convert it first (e.g. its real part)"
            raise ValueError(f"a cube holds real numbers, not {data.dtype}; {remedy}")
        axis = as_axis(self.axis, int(data.shape[-1]))
        if data.shape[-1] != len(axis):
            raise ValueError(
                f"the array's last dimension holds {data.shape[-1]} bands and the axis {len(axis)}; "
                f"bands are last: shape {data.shape} may need np.moveaxis"
            )
        if self.pixel_size is not None and not all(math.isfinite(size) and size > 0 for size in self.pixel_size):
            raise ValueError(f"pixel size {self.pixel_size} is not positive; leave it out if it is unknown")
        object.__setattr__(self, "data", data)
        object.__setattr__(self, "axis", axis)

    def __reduce__(self) -> tuple[Any, ...]:
        values = {one.name: getattr(self, one.name) for one in fields(self)}  # a mapping proxy cannot be pickled
        return _restored, (values | {"metadata": dict(self.metadata)},)

    # ---------------------------------------------------------------- as an array

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array, bands last."""
        return tuple(int(length) for length in self.data.shape)

    @property
    def ndim(self) -> int:
        """Number of dimensions, the bands included."""
        return len(self.data.shape)

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""
        found: np.dtype[Any] = np.dtype(self.data.dtype)
        return found

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of the dimensions: ``("y", "x", "band")``, ``("spectrum", "band")`` and so on."""
        return (*(DIMENSIONS[-(self.ndim - 1) :] if self.is_image else ("spectrum",)), "band")

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:  # noqa: FBT001 (NumPy's protocol)
        values = self.data
        if copy is False and not isinstance(values, np.ndarray):
            raise ValueError("this cube is read when it is needed, so its values cannot be had without a copy; use np.asarray(cube)")
        return np.array(values, dtype=dtype, copy=copy if isinstance(values, np.ndarray) else None)

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[Cube]:
        return (self[number] for number in range(len(self)))

    def __getitem__(self, key: Any) -> Cube:
        """Return a part as NumPy would, with its axis and place; an integer keeps its dimension, so that a part of an image is an image.

        Raises
        ------
        IndexError
            If there are more indices than dimensions, or one lies outside.
        """
        *pixels, bands = expanded(key, self.shape, self.dims)
        if not isinstance(bands, slice) or bands != slice(None):
            whole = all(isinstance(part, slice) and part == slice(None) for part in pixels)
            return self._bands(bands) if whole else self[(*pixels, slice(None))][..., bands]
        keys = tuple(pixels)
        metadata = cube_metadata.of_pixels(self.metadata, self.placement, keys, self.spatial_shape, self.pixel_size)
        return replace(self, data=self.data[keys], source=None, metadata=metadata)

    def _bands(self, bands: Any) -> Cube:
        """Return some bands; bad bands keep their marks."""
        numbers = np.arange(len(self.axis))[bands]
        if not numbers.size:
            raise IndexError(f"no band is left of the {len(self.axis)} ({self.axis.describe()})")
        metadata = cube_metadata.of_bands(self.metadata, numbers)
        return replace(self, data=self.data[..., bands], axis=self.axis.take(bands), source=None, metadata=metadata)

    def isel(self, **indices: Any) -> Cube:
        """Return a part by the names of its dimensions, as xarray does.

        Parameters
        ----------
        **indices : int, slice or sequence of int
            For each of `dims` that is to be cut; an integer keeps its dimension.

        Examples
        --------
        >>> import napari_spectrai as spectrai
        >>> spectrai.sample("cartilage").cube.isel(y=slice(0, 4), band=[0, 10]).shape
        (4, 35, 2)
        """
        unknown = [name for name in indices if name not in self.dims]
        if unknown:
            raise IndexError(f"there is no dimension {unknown[0]!r}; known: {', '.join(self.dims)}")
        return self[tuple(indices.get(name, slice(None)) for name in self.dims)]

    def crop(self, low: float, high: float) -> Cube:
        """Return the bands from `low` to `high`, both included, in the unit of the axis; a view where they lie side by side.

        Parameters
        ----------
        low, high : float
            Positions in the unit of the axis.

        Returns
        -------
        Cube

        Raises
        ------
        ValueError
            If no band lies there.
        """
        bands = self.axis.window(low, high)
        if not bands.size:
            raise ValueError(f"no band lies from {low:g} to {high:g}; the cube has {self.axis.describe()}")
        whole = bands[-1] - bands[0] + 1 == bands.size
        return self._bands(slice(int(bands[0]), int(bands[-1]) + 1) if whole else bands)

    def to_xarray(self) -> Any:
        """Return an ``xarray.DataArray`` with the positions of the bands as the coordinate ``"band"``, named by their quantity.

        Raises
        ------
        ImportError
            If xarray is not installed.
        """
        try:
            import xarray
        except ImportError as error:
            raise ImportError("to_xarray needs xarray, which is not installed: pip install xarray") from error
        coordinates: dict[str, Any] = {"band": ("band", self.axis.values, {"units": self.axis.unit, "long_name": self.axis.quantity})}
        if self.pixel_size is not None and self.is_image:
            for name, length, step in zip(("y", "x"), self.shape[-3:-1], self.pixel_size, strict=True):
                coordinates[name] = (name, np.arange(length) * step, {"units": self.pixel_unit})
        return xarray.DataArray(self.data, dims=self.dims, coords=coordinates, name=self.name or None)

    # ---------------------------------------------------------------- as a spectral image

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

    def _repr_html_(self) -> str:
        size = f"{self.pixel_size[0]:g} × {self.pixel_size[1]:g} {self.pixel_unit}" if self.pixel_size is not None else "unknown"
        rows = [
            ("Shape", f"{' × '.join(map(str, self.shape))} ({', '.join(self.dims)}), {self.dtype}"),
            ("Bands", self.axis.describe()),
            ("Pixel size", size),
            ("File", self.source.name if self.source is not None else ""),
        ]
        return repr_html.card(
            "Cube", self.name, [row for row in rows if row[1]], repr_html.curve(self.axis.values, repr_html.mean_spectrum(self.data))
        )

    @property
    def placement(self) -> Placement | None:
        """Where the pixels lie, from the layer that the cube came from or the stage coordinates of its file; None if unknown."""
        known = placed(self.metadata, self.spatial_shape)
        origin = self.metadata.get("origin")
        if known is not None or origin is None or self.pixel_size is None or PLACEMENT in self.metadata:
            return known
        return Placement.of_stage(origin, self.pixel_size, self.pixel_unit, self.spatial_shape)

    def with_data(self, data: Any, *, axis: SpectralAxis | None = None, name: str | None = None) -> Cube:
        """Return a cube of the same place and pixel size with other values, no longer tied to the file.

        Parameters
        ----------
        data : array of shape (..., y, x, L) or (n, L)
            With another number of pixels, the place is dropped.
        axis : SpectralAxis, optional
            Where the bands of `data` lie; with another axis than the cube's, marks of bad bands are dropped. Default: the cube's.
        name : str, optional
            Default: the cube's.

        Returns
        -------
        Cube
        """
        metadata = cube_metadata.of_other_values(
            self.metadata, same_axis=axis is None or axis == self.axis, same_pixels=np.shape(data)[:-1] == self.spatial_shape
        )
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


def _restored(values: dict[str, Any]) -> Cube:
    return Cube(**values)
