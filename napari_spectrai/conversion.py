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
from napari_spectrai.cube import Cube, as_array
from napari_spectrai.labelled_arrays import from_data_array, from_frame, from_signal, is_data_array, only_variable, spectral_last
from napari_spectrai.layer_axes import Layer, SpectralWarning, axis_position, guessed, spectral_dimension
from napari_spectrai.notices import say_note
from napari_spectrai.placement import KEY as PLACEMENT
from napari_spectrai.placement import OWN_UNITS, Placement, units_of
from napari_spectrai.remedies import give
from napari_spectrai.spectral_axis import SpectralAxis, as_axis

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
    if hasattr(x, "data_vars"):
        x = only_variable(x)
    if is_data_array(x):
        return from_data_array(x, axis, position)
    if hasattr(x, "axes_manager") and hasattr(x, "data"):
        return from_signal(x, axis)
    if hasattr(x, "columns") and hasattr(x, "to_numpy"):
        return from_frame(x, axis)
    if not isinstance(x, Layer):
        if isinstance(x, Sequence) and any(isinstance(one, Cube | Layer) for one in x):
            raise ValueError(f"this is a list of {len(x)} cubes or layers where one is expected; give one of them")
        array = without_mask(as_array(x))
        if not array.shape:
            raise ValueError(
                f"{x!r:.60} ({type(x).__name__}) is no cube; give a Cube, an array or a napari layer, or open a file with read(path)"
            )
        return Cube(spectral_last(array, -1 if position is None else position), axis)  # type: ignore[arg-type]
    return _layer_as_cube(x, None if axis is None else as_axis(axis, 0), position)


def without_mask(array: Any) -> Any:
    """Return an array in which masked values are missing (NaN); any other array unchanged."""
    if not isinstance(array, np.ma.MaskedArray):
        return array
    if array.dtype.kind not in "fiub" or not np.ma.is_masked(array):
        return array.data
    return np.where(np.ma.getmaskarray(array), np.nan, array.data.astype(np.result_type(array.dtype, np.float32)))


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
    last = spectral_last(data, position)
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
