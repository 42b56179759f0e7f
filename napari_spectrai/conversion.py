"""Cubes from arrays, napari layers, and the objects of other libraries."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.channel_metadata import channel_axis
from napari_spectrai.cube import Cube
from napari_spectrai.layer_axes import SPECTRAL_NAMES, Layer, SpectralWarning, axis_position, guessed, spectral_dimension
from napari_spectrai.notices import say_note
from napari_spectrai.placement import KEY as PLACEMENT
from napari_spectrai.placement import OWN_UNITS, Placement, units_of
from napari_spectrai.remedies import give
from napari_spectrai.spectral_axis import SpectralAxis, as_axis, unit_in

_OF_LAYERS = ("spectral_axis", "spectral_file", "spectral_position", "spectrai_first_band", OWN_UNITS, PLACEMENT)
"""Metadata of layers that describe how they are shown, and are no metadata of the cube."""


def as_cube(x: Cube | Layer | npt.ArrayLike, axis: SpectralAxis | npt.ArrayLike | None = None, *, position: int | None = None) -> Cube:
    """Return `x` as a cube, without copying its values.

    Parameters
    ----------
    x : Cube, array_like, napari layer, xarray.DataArray, HyperSpy signal or pandas.DataFrame
        - In a layer, the spectral dimension is the one that ``metadata["spectral_axis"]`` or ``axis_labels`` names, else the first, as
          napari shows it, with a warning. The layer's transform (scale, translate, rotate, shear, affine) is kept as
          the cube's `placement`.
        - In a DataArray it is the dimension called ``"wavelength"``, ``"wavenumber"``, ``"band"``, … or the only one whose coordinate has
          a spectral unit; its coordinate becomes the axis, and evenly spaced coordinates of y and x the pixel size.
        - In a HyperSpy signal it is the signal axis, of which there must be exactly one.
        - In a DataFrame each row is a spectrum, and the columns are the positions of the bands.
    axis : SpectralAxis or array_like of shape (L,), optional
        The positions of the bands, where `x` does not contain them; ``(values, "nm")`` gives them a unit.
    position : int, optional
        Which dimension is spectral. Default: as above; for an array, the last.

    Returns
    -------
    Cube
        A view of the values, with the bands last.

    Raises
    ------
    ValueError
        If the axis does not fit, `position` is not a dimension of `x`, or the spectral dimension of a DataArray cannot be determined.

    Warns
    -----
    SpectralWarning
        If a layer does not say which of its dimensions is spectral, and `position` is not given; if its axis is inferred from the names of
        its channels, or they are laser lines.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_spectrai import as_cube
    >>> as_cube(np.zeros((3, 4, 5)), position=0).shape
    (4, 5, 3)
    """
    if isinstance(x, Cube):
        # with another axis it no longer equals its file
        return x if axis is None else replace(x, axis=as_axis(axis, x.shape[-1]), source=None)
    if _is_data_array(x):
        return _from_data_array(x, axis, position)
    if hasattr(x, "axes_manager") and hasattr(x, "data"):
        return _from_signal(x, axis)
    if hasattr(x, "columns") and hasattr(x, "to_numpy"):
        return _from_frame(x, axis)
    if not isinstance(x, Layer):
        if isinstance(x, Sequence) and any(isinstance(one, Cube | Layer) for one in x):
            raise ValueError(f"this is a list of {len(x)} cubes or layers where one is expected; give one of them")
        array = without_mask(x) if hasattr(x, "shape") and hasattr(x, "dtype") else np.asarray(x)
        if not array.shape:
            raise ValueError(
                f"{x!r:.60} ({type(x).__name__}) is no cube; give a Cube, an array or a napari layer, or open a file with read(path)"
            )
        return Cube(_spectral_last(array, -1 if position is None else position), axis)  # type: ignore[arg-type]
    return _layer_as_cube(x, None if axis is None else as_axis(axis, 0), position)


def without_mask(array: Any) -> Any:
    """Return an array in which masked values are missing (NaN); any other array unchanged."""
    if not isinstance(array, np.ma.MaskedArray):
        return array
    if array.dtype.kind not in "fiub" or not np.ma.is_masked(array):
        return array.data
    return np.where(np.ma.getmaskarray(array), np.nan, array.data.astype(np.result_type(array.dtype, np.float32)))


# ---------------------------------------------------------------- other libraries


def _is_data_array(x: Any) -> bool:
    return hasattr(x, "dims") and hasattr(x, "coords") and hasattr(x, "data")


def _from_data_array(x: Any, axis: Any, position: int | None) -> Cube:
    dims = [str(name) for name in x.dims]
    place = position if position is not None else _spectral_place(x, dims)
    name = dims[place]
    if axis is None and x.dims[place] in x.coords:
        coordinate = x.coords[x.dims[place]]
        words = (coordinate.attrs.get("units"), coordinate.attrs.get("unit"), coordinate.attrs.get("long_name"), name)
        axis = SpectralAxis(np.asarray(coordinate.values), next((unit for unit in map(unit_in, words) if unit), ""))
    others = [dim for dim in x.dims if str(dim) != name]
    steps = [_even_step(x.coords[dim].values) if dim in x.coords and x.coords[dim].ndim == 1 else None for dim in others[-2:]]
    sized = len(others) > 1 and all(steps)
    unit = str(x.coords[others[-1]].attrs.get("units", "pixel")) if sized else "pixel"
    origin = {"origin": tuple(float(x.coords[dim].values[0]) for dim in others[-2:])} if sized else {}
    return Cube(
        _spectral_last(x.data, place), axis, pixel_size=(steps[0], steps[1]) if sized else None,  # type: ignore[arg-type]
        pixel_unit={"µm": "um", "μm": "um", "micrometer": "um", "micron": "um"}.get(unit, unit), name=str(x.name or ""),
        metadata=MappingProxyType({str(key): value for key, value in x.attrs.items()} | origin),
    )  # fmt: skip


def _spectral_place(x: Any, dims: Sequence[str]) -> int:
    for names in SPECTRAL_NAMES:
        places = [place for place, name in enumerate(dims) if name.lower().replace("_", " ").split()[0] in names]
        if len(places) == 1:
            return places[0]
    with_unit = [p for p, dim in enumerate(x.dims) if dim in x.coords and unit_in(x.coords[dim].attrs.get("units")) in ("nm", "1/cm", "eV")]
    if len(with_unit) == 1:
        return with_unit[0]
    raise ValueError(
        f"nothing says which of the dimensions {', '.join(dims)} is spectral; rename it to 'wavelength', 'wavenumber' or 'band', "
        "or give its number with as_cube(x, position=…)"
    )


def _even_step(values: npt.NDArray[Any]) -> float | None:
    """Return the distance between ascending, evenly spaced coordinates, else None."""
    if len(values) < 2 or np.asarray(values).dtype.kind not in "fiu":
        return None
    steps = np.diff(np.asarray(values, np.float64))
    mean = float(steps.mean())
    return mean if mean > 0 and np.allclose(steps, mean, rtol=1e-3) else None


def _from_signal(x: Any, axis: Any) -> Cube:
    manager = x.axes_manager
    along = list(manager.signal_axes)
    if len(along) != 1:
        raise ValueError(f"this signal has {len(along)} signal axes, and a cube one spectral axis; use signal.as_signal1D('wavelength')")
    if axis is None:
        axis = SpectralAxis(np.asarray(along[0].axis), unit_in(str(along[0].units)) or unit_in(str(along[0].name)) or "")
    data = x.data if len(x.data.shape) > 1 else x.data[None]
    places = list(manager.navigation_axes)[::-1]  # HyperSpy lists x first
    steps = [float(one.scale) if getattr(one, "scale", 0) else 0.0 for one in places[-2:]]
    sized = len(steps) == 2 and all(step > 0 for step in steps) and "nit" not in type(places[-1].units).__name__
    unit = str(places[-1].units) if sized and isinstance(places[-1].units, str) and places[-1].units else ""
    return Cube(
        data, axis, pixel_size=(steps[0], steps[1]) if unit else None, pixel_unit={"µm": "um"}.get(unit, unit) or "pixel",
        name=str(getattr(getattr(x.metadata, "General", None), "title", "") or ""),
    )  # fmt: skip


def _from_frame(x: Any, axis: Any) -> Cube:
    columns = list(x.columns)
    if axis is None:
        try:
            positions = np.array([float(column) for column in columns])
        except (TypeError, ValueError):
            named = [str(column) for column in columns if not _is_number(column)]
            raise ValueError(
                f"the columns {', '.join(named[:5])}{', …' if len(named) > 5 else ''} of this table are no positions of bands; drop them "
                "(table.drop(columns=[…])), or give the positions with as_cube(table, axis=…)"
            ) from None
        axis = SpectralAxis(positions, unit_in(str(x.columns.name)) or "")
    values = x.to_numpy()
    if values.dtype.kind not in "fiub":
        raise ValueError("this table holds text among its intensities; keep the columns of numbers, such as table.select_dtypes('number')")
    return Cube(values, axis)


def _is_number(column: Any) -> bool:
    try:
        float(column)
    except (TypeError, ValueError):
        return False
    return True


# ---------------------------------------------------------------- napari layers


def _layer_as_cube(layer: Layer, axis: SpectralAxis | None, position: int | None) -> Cube:
    _refuse_without_intensities(layer)
    data = without_mask(layer.data[0] if getattr(layer, "multiscale", False) else layer.data)
    place = spectral_dimension(layer)
    if axis is None and axis_position(layer, data.shape) is not None and position in (None, place):
        axis = SpectralAxis.from_json(layer.metadata["spectral_axis"])
    known = position is None or position == place or place is None
    if position is None:
        position = place if place is not None else guessed(layer, data.shape)
    if getattr(layer, "rgb", False) and data.shape[-1] == 4:
        warnings.warn(
            "the fourth channel of a colour image is its opacity, which is no band and is left out", SpectralWarning, stacklevel=3
        )
        data = data[..., :3]
    last = _spectral_last(data, position)
    if axis is None and known and not getattr(layer, "rgb", False) and "spectral_axis" not in layer.metadata:
        axis, note = channel_axis(layer.metadata, [last.shape[-1]])
        if note:
            say_note(f"the layer {str(getattr(layer, 'name', ''))!r}: {note}. If that is wrong {give('layer')}")
    lies = Placement.of_layer(layer, data.shape, position)
    name = str(getattr(layer, "name", ""))
    scale = [float(s) for s in getattr(layer, "scale", ())]
    units = units_of(layer)
    if len(scale) == len(data.shape):
        del scale[position]
        if len(units) == len(data.shape):
            del units[position]
    sized = len(scale) >= 2 and bool(units) and units[-1] != "pixel"
    # a layer may have been painted on, cut or turned since it was opened; only unchanged lazy data certainly equal the file
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


def _refuse_without_intensities(layer: Layer) -> None:
    """Refuse layers of napari that hold no intensities.

    Raises
    ------
    ValueError
    """
    kind = type(layer).__name__
    if not type(layer).__module__.startswith("napari.layers") or kind == "Image":
        return
    remedy = "; if its numbers are intensities, convert it to an Image layer (layer.data is the array)" if kind == "Labels" else ""
    raise ValueError(
        f"{str(getattr(layer, 'name', ''))!r} is a layer of {kind}, which holds no intensities; give an Image layer with the "
        f"spectra{remedy}"
    )


def _lying(lies: Placement | None, position: int) -> dict[str, Any]:
    """Return the position of a layer as metadata, with the dimension of its bands where that is not the first, for marks drawn on it."""
    found = {} if lies is None else {PLACEMENT: lies.to_json()}
    return found | ({"spectral_position": position} if position else {})


def _without_axis(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in metadata.items() if key not in _OF_LAYERS}


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
