"""Cubes from the objects of other libraries: xarray, HyperSpy and pandas."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.cube import Cube
from napari_spectrai.layer_axes import SPECTRAL_NAMES
from napari_spectrai.notices import say_note
from napari_spectrai.placement import KEY as PLACEMENT
from napari_spectrai.placement import Placement
from napari_spectrai.spectral_axis import SpectralAxis
from napari_spectrai.units import Unit, quantity_of, unit_of, usual_unit

_ACROSS, _DOWN = ("x", "lon", "longitude", "column", "columns", "easting"), ("y", "lat", "latitude", "row", "rows", "northing")
"""Names of the dimensions of an image."""
_WITH_UNIT = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(\D.{0,15})")
"""A position and its unit, as the title of a column."""


def is_data_array(x: Any) -> bool:
    """Whether an object is an xarray.DataArray, or like one."""
    return hasattr(x, "dims") and hasattr(x, "coords") and hasattr(x, "data")


def from_data_array(x: Any, axis: Any, position: int | None) -> Cube:
    """Return a DataArray as a cube; see `as_cube`."""
    dims = [str(name) for name in x.dims]
    place = position if position is not None else _spectral_place(x, dims)
    name = dims[place]
    if axis is None:
        axis = _coordinate(x, x.dims[place])
    others = [dim for dim in x.dims if str(dim) != name]
    data, plane = spectral_last(x.data, place), plane_of(x, others)
    size, unit = (None, "pixel") if plane.placement is None else (plane.placement.pixel_size[-2:], plane.placement.units[-1])
    return Cube(
        data.swapaxes(-3, -2) if plane.turned else data, axis, pixel_size=None if size is None else (size[0], size[1]), pixel_unit=unit,
        name=str(x.name or ""), metadata=MappingProxyType({str(key): value for key, value in x.attrs.items()} | plane.metadata),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Plane:
    """The last two spatial dimensions of a DataArray.

    Attributes
    ----------
    turned : bool
        Whether x comes before y, so that they have to be exchanged.
    placement : Placement or None
        Where pixels lie, y before x, if the coordinates are evenly spaced.
    """

    turned: bool = False
    placement: Placement | None = None

    @property
    def metadata(self) -> dict[str, Any]:
        """Metadata of a cube or labels: the place of the first pixel, or the whole placement where a coordinate descends."""
        if self.placement is None:
            return {}
        if not self.placement.is_straight:
            return {PLACEMENT: self.placement.to_json()}
        return {"origin": tuple(float(start) for start in self.placement.matrix[-3:-1, -1])}


def plane_of(x: Any, dims: Sequence[Any]) -> Plane:
    """Return what the names and coordinates of the spatial dimensions of a DataArray say about the last two."""
    if len(dims) < 2:
        return Plane()
    turned = str(dims[-2]).lower() in _ACROSS and str(dims[-1]).lower() in _DOWN
    plane = [*dims[-2:]][:: -1 if turned else 1]
    steps = [_even_step(x.coords[dim].values) if dim in x.coords and x.coords[dim].ndim == 1 else None for dim in plane]
    if any(step is None for step in steps):
        return Plane(turned)
    matrix = np.eye(len(dims) + 1)
    for place, (dim, step) in enumerate(zip(plane, steps, strict=True), len(dims) - 2):
        matrix[place, place], matrix[place, -1] = step, float(x.coords[dim].values[0])
    units = ["pixel"] * (len(dims) - 2) + [str(x.coords[dim].attrs.get("units", "pixel")) for dim in plane]
    return Plane(turned, Placement(matrix, tuple(x.sizes[dim] for dim in (*dims[:-2], *plane)), tuple(units)))


def only_variable(x: Any) -> Any:
    """Return the only variable of a Dataset that has a spectral dimension."""
    spectral = []
    for name, variable in x.data_vars.items():
        try:
            _spectral_place(variable, [str(dim) for dim in variable.dims])
        except ValueError:
            continue
        spectral.append(str(name))
    if len(spectral) != 1:
        held = ", ".join(map(repr, spectral or map(str, x.data_vars))) or "nothing"
        what = (
            f"{len(spectral)} variables with a spectral dimension" if spectral else "no variable with a dimension that is known as spectral"
        )
        raise ValueError(f"this Dataset holds {what} ({held}); give one of them, as dataset[name]")
    return x[spectral[0]]


def _coordinate(x: Any, dim: Any) -> SpectralAxis | None:
    """Return the positions along a dimension: those of its own name, unless they only count bands next to others that name a quantity."""
    along = {name: one for name, one in x.coords.items() if one.dims == (dim,) and np.asarray(one.values).dtype.kind in "fiu"}
    named = [name for name in along if name != dim and quantity_of(str(name))]
    if dim in along and not (len(named) == 1 and _counts(along[dim].values)):
        return _with_unit(along[dim], dim)
    if len(named) > 1:
        raise ValueError(
            f"{', '.join(map(repr, map(str, named)))} all give positions along {dim!r}; drop all but one (x.drop_vars(…)), or give the "
            "positions with as_cube(x, axis=…)"
        )
    if named:
        return _with_unit(along[named[0]], named[0])
    return SpectralAxis(np.asarray(x.coords[dim].values)) if dim in x.coords else None


def _with_unit(coordinate: Any, name: Any) -> SpectralAxis:
    values = np.asarray(coordinate.values, np.float64)
    words = [coordinate.attrs.get(key) for key in ("units", "unit", "long_name")]
    unit = next((unit for word in (*words, name) if word and (unit := unit_of(str(word)))), None)
    return _positions(values, unit, str(name))


def _positions(values: npt.NDArray[np.float64], unit: Unit | None, name: str) -> SpectralAxis:
    """Return an axis, whose unit follows from its name and values if it is not given, with a note where it is not the usual one."""
    if unit is None and (unit := usual_unit(quantity_of(name), values)) is not None and (unit.name == "um" or unit.factor != 1):
        say_note(
            f"{name!r} has no unit; by its values it is in {'µm' if unit.factor == 1 else 'm'}. If that is wrong, give as_cube(x, axis=…)"
        )
    return SpectralAxis(values) if unit is None else SpectralAxis(values * unit.factor if unit.factor != 1 else values, unit.name)


def _counts(values: npt.ArrayLike) -> bool:
    found = np.asarray(values)
    return bool(np.array_equal(found, np.arange(found.size) + found[0])) and found[0] in (0, 1)


def _spectral_place(x: Any, dims: Sequence[str]) -> int:
    for names in SPECTRAL_NAMES:
        places = [place for place, name in enumerate(dims) if name.lower().replace("_", " ").split()[0] in names]
        if len(places) == 1:
            return places[0]
    units = {place: unit_of(str(x.coords[dim].attrs.get("units", ""))) for place, dim in enumerate(x.dims) if dim in x.coords}
    with_unit = [place for place, unit in units.items() if unit is not None and unit.name in ("nm", "1/cm", "eV")]
    if len(with_unit) == 1:
        return with_unit[0]
    raise ValueError(
        f"nothing says which of the dimensions {', '.join(dims)} is spectral; rename it to 'wavelength', 'wavenumber' or 'band', "
        "or give its number with as_cube(x, position=…)"
    )


def _even_step(values: npt.NDArray[Any]) -> float | None:
    """Return the distance between evenly spaced coordinates, negative where they descend, else None."""
    if len(values) < 2 or np.asarray(values).dtype.kind not in "fiu":
        return None
    steps = np.diff(np.asarray(values, np.float64))
    mean = float(steps.mean())
    return mean if mean and np.allclose(steps, mean, rtol=1e-3) else None


def from_signal(x: Any, axis: Any) -> Cube:
    """Return a HyperSpy signal as a cube; see `as_cube`."""
    manager = x.axes_manager
    along = list(manager.signal_axes)
    if len(along) != 1:
        raise ValueError(f"this signal has {len(along)} signal axes, and a cube one spectral axis; use signal.as_signal1D('wavelength')")
    if axis is None:
        axis = _positions(
            np.asarray(along[0].axis, np.float64), unit_of(str(along[0].units)) or unit_of(str(along[0].name)), str(along[0].name)
        )
    data = x.data if len(x.data.shape) > 1 else x.data[None]
    places = list(manager.navigation_axes)[::-1]  # HyperSpy lists x first
    steps = [float(one.scale) if getattr(one, "scale", 0) else 0.0 for one in places[-2:]]
    sized = len(steps) == 2 and all(step > 0 for step in steps) and "nit" not in type(places[-1].units).__name__
    unit = str(places[-1].units) if sized and isinstance(places[-1].units, str) and places[-1].units else ""
    return Cube(
        data, axis, pixel_size=(steps[0], steps[1]) if unit else None, pixel_unit={"µm": "um"}.get(unit, unit) or "pixel",
        name=str(getattr(getattr(x.metadata, "General", None), "title", "") or ""),
    )  # fmt: skip


def from_frame(x: Any, axis: Any) -> Cube:
    """Return a DataFrame as a cube; see `as_cube`."""
    columns = list(x.columns)
    numbered = columns == list(range(len(columns)))
    if axis is None:
        positions = [_position(column) for column in columns]
        if not columns:
            raise ValueError("this table has no columns; give one whose rows are spectra and whose columns are the positions of the bands")
        if any(value is None for value, _ in positions):
            named = [str(column) for column, (value, _) in zip(columns, positions, strict=True) if value is None]
            raise ValueError(
                f"the columns {', '.join(named[:5])}{', …' if len(named) > 5 else ''} of this table are no positions of bands; "
                + (
                    "as its rows are, give the table turned (table.T)"
                    if _holds_positions(x.index)
                    else "drop them (table.drop(columns=[…]))"
                )
                + ", or give the positions with as_cube(table, axis=…)"
            )
        if numbered and _holds_positions(x.index):
            say_note(
                "the rows of this table have positions, and its columns only numbers: rows were taken as spectra; if they are bands, give "
                "table.T"
            )
        units = {unit for _, unit in positions}
        if len(units) > 1:
            raise ValueError("the columns of this table are positions in different units; give the positions with as_cube(table, axis=…)")
        unit = units.pop() or unit_of(str(x.columns.name or ""))
        axis = _positions(np.array([value for value, _ in positions], np.float64), unit, str(x.columns.name or ""))
    values = x.to_numpy()
    if values.dtype.kind == "O":
        with contextlib.suppress(TypeError, ValueError):  # numbers in columns of objects; None is a missing value
            values = values.astype(np.float64)
    if values.dtype.kind not in "fiub":
        raise ValueError("this table holds text among its intensities; keep the columns of numbers, such as table.select_dtypes('number')")
    return Cube(values, axis)


def _position(column: Any) -> tuple[float | None, Unit | None]:
    """Return the position that a title spells, such as ``"450"`` or ``"450 nm"``, and its unit."""
    if _is_number(column):
        return float(column), None
    found = _WITH_UNIT.fullmatch(column.strip()) if isinstance(column, str) else None
    unit = unit_of(found.group(2)) if found else None
    return (float(found.group(1)), unit) if found and unit else (None, None)


def _holds_positions(index: Any) -> bool:
    """Whether the titles of rows are ascending or descending numbers that do not count them."""
    values = np.asarray(index)
    if values.dtype.kind not in "fiu" or values.size < 2 or _counts(values):
        return False
    steps = np.diff(values.astype(np.float64))
    return bool((steps > 0).all() or (steps < 0).all())


def _is_number(column: Any) -> bool:
    try:
        float(column)
    except (TypeError, ValueError):
        return False
    return True


def spectral_last(data: Any, position: int) -> Any:
    """Return a view of an array with one of its dimensions last."""
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
