"""TIFF, ImageJ, OME-TIFF and Zeiss LSM through tifffile: mapped where the values are stored uncompressed, else read page by page."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import zarr

from napari_spectrai.cube import Cube, SpectralAxis
from napari_spectrai.io import zarr_loop  # noqa: F401  # it cancels at exit what is pending
from napari_spectrai.io.arrays import from_header, header_of
from napari_spectrai.io.container import choose
from napari_spectrai.io.descriptions import axis_of_image, fields_of
from napari_spectrai.io.envi_axis import axis_next_to
from napari_spectrai.io.facts import length_of
from napari_spectrai.io.found import OnDisk, RawArray, affordable, mapped, plausible, warn
from napari_spectrai.io.grids import planes
from napari_spectrai.io.omexml import Modulo, of_image
from napari_spectrai.io.satellites import TiffBands, tiff_bands
from napari_spectrai.io.tiff_metadata import (
    axis_and_size,
    gdal_of,
    missing_value,
    named_dimension,
    of_gatan,
    size_on_ground,
    steps_of,
)
from napari_spectrai.io.titles import of_pages
from napari_spectrai.remedies import is_answered
from napari_spectrai.spec import some_of

_OME_UNITS = {"z": ("um", "nm", "mm", "m"), "time": ("s", "ms", "min", "h")}
_NAMES = {"Z": "z", "T": "time"}
_FOLDED = {"lambda": "E", "lifetime": "H", "angle": "A", "phase": "P", "tile": "R"}
_OURS = "napari-spectrai "
_MODULO, _HIDDEN = "ModuloAlong", "ModuloHidden"
"""Tags of folded dimensions; they are unfolded here, since tifffile knows few of their types and rounds their steps down."""
_OF_PLANES = 3
"""Dimensions of a stack of planes."""
_THUMBNAIL = 16
"""How many times smaller than the largest image of a file its thumbnails are, at least."""
_BEST_COMPRESSION = 1100
"""More than any method of TIFF reaches (deflate: 1032)."""


class _Complaints(logging.Handler):
    """Handler of tifffile's log, the only place where it reports that it ignores the pages after a broken link."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(record.getMessage())


@contextmanager
def opened(path: Path) -> Iterator[tifffile.TiffFile]:
    """Open a file; pages that are missing at its end are an error."""
    logger, complaints = logging.getLogger("tifffile"), _Complaints()
    propagate, logger.propagate = logger.propagate, False
    logger.addHandler(complaints)
    try:
        with tifffile.TiffFile(path, _multifile=False) as file:  # an OME file may name others, which are not opened
            len(file.pages)
            broken = next((words for words in complaints.heard if "invalid page offset" in words), None)
            if broken is not None:
                raise ValueError(f"its chain of pages points outside the file after {len(file.pages)} pages; it is truncated")
            if file.is_ome:
                file.pages.first.description = file.pages.first.description.replace(_MODULO, _HIDDEN)
            yield file
    except tifffile.TiffFileError as error:
        raise ValueError(f"{error}; it is truncated or damaged" if "IFD" in str(error) else str(error)) from error
    finally:
        logger.removeHandler(complaints)
        logger.propagate = propagate


def inspect(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the series and their shapes."""
    with opened(path) as file:
        return {f"series {number}": tuple(series.shape) for number, series in enumerate(file.series)}


def read(path: Path, *, dataset: str | None = None) -> RawArray:
    """Open a series; its channel dimension holds the bands, else the stack of pages is taken."""
    with opened(path) as file:
        shapes = {f"series {number}": tuple(series.shape) for number, series in enumerate(file.series)}
        if not shapes:
            raise ValueError("it holds no image")
        sizes = {name: math.prod(shape) for name, shape in shapes.items()}
        largest = max(sizes, key=sizes.__getitem__)
        # not thumbnails
        reduced = {f"series {number}" for number, one in enumerate(file.series) if one.keyframe.is_reduced}
        large = {key: shape for key, shape in shapes.items() if sizes[key] * _THUMBNAIL > sizes[largest] and key not in reduced - {largest}}
        if dataset is None and (stack := _of_planes(path, file, large)) is not None:
            return stack
        name = choose(shapes, dataset) if dataset else choose(large, None, path, main=largest if len(large) > 1 else None)
        series = file.series[int(name.rpartition(" ")[2])]
        _whole(path, series)
        data, axes = _values(path, series, int(name.rpartition(" ")[2])), series.axes.upper()
        if (
            file.is_ome
            and (found := _ome(path, (file.ome_metadata or "").replace(_HIDDEN, _MODULO), data, axes, int(name.rpartition(" ")[2])))
            is not None
        ):
            return replace(found, dataset=name)
        place, sure = spectral_dimension(path, axes)
        named = None if sure else named_dimension(file, series, axes)
        place = place if named is None else named
        axis, size, unit = axis_and_size(path, file, series, data.shape, place)
        metadata = _planes(axes, place, steps_of(file))
        missing, bands = missing_value(series), TiffBands()
        if not (file.is_lsm or file.is_imagej):
            bands = tiff_bands(path, gdal_of(series), data.shape[place])
            axis = bands.axis or _next_to_values(path, series, data.shape[place])
            size, unit = size_on_ground(series)
        if axis is None and not sure and named is None:
            axis, side, length = of_gatan(path, series, place)
            size, unit = (size, unit) if size is not None else (side, length)
        data = bands.scaled(data, place, missing)
    return RawArray(
        data, spectral=place, sure=sure or axis is not None, axis=axis, pixel_size=size, pixel_unit=unit, dataset=name, metadata=metadata
    )


def _of_planes(path: Path, file: tifffile.TiffFile, shapes: Mapping[str, tuple[int, ...]]) -> RawArray | None:
    """Return planes that a program wrote one by one, each as an image of its own, as one stack; None for images of other kinds."""
    numbers = [int(name.rpartition(" ")[2]) for name in shapes]
    series = [file.series[number] for number in numbers]
    forms = {(one.shape, one.dtype) for one in series}
    if len(series) < 2 or len(forms) > 1 or len(series[0].shape) != 2 or file.is_ome or file.is_lsm:
        return None
    for one in series:
        _whole(path, one)
    shape, page = (len(series), *series[0].shape), series[0].keyframe
    affordable(page.shape, page.dtype)
    data = OnDisk(path, shape, series[0].dtype, partial(_planes_part, path, tuple(numbers))).lazy((1, *series[0].shape))
    axis = of_pages([one.keyframe for one in series], path)
    axis = axis or axis_of_image(fields_of(page.description), len(series), path) or axis_next_to(path, len(series))
    return RawArray(data, spectral=0, sure=axis is not None, axis=axis)


def _planes_part(path: Path, numbers: tuple[int, ...], key: Any) -> Any:
    planes, *place = key if isinstance(key, tuple) else (key,)
    if isinstance(planes, slice):
        return np.stack([_part(path, number, tuple(place)) for number in numbers[planes]])
    return _part(path, numbers[planes], tuple(place))


def spectral_dimension(path: Path, axes: str) -> tuple[int, bool]:
    """Return which dimension holds the bands, and whether the file says so: one of wavelengths, channels or samples does."""
    for code in "ECS":  # as tifffile names them
        if code in axes:
            return axes.index(code), True
    if "H" in axes:
        warn(path, f"its dimension {axes.index('H')} holds lifetimes, which are no spectrum")
    return 0, False


def _whole(path: Path, series: tifffile.TiffPageSeries) -> None:
    """Raise for a series whose values reach beyond the end of the file."""
    plausible(series.shape, series.dtype)
    length, stored = path.stat().st_size, 0
    for page in series.pages:
        if page is None:
            raise ValueError("one of its pages is missing; it is truncated")
        for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
            if offset + count > length:
                raise ValueError(f"its values reach to byte {offset + count:,} of a file of {length:,}; it is truncated")
            stored += count
    if series.dataoffset is None:
        bits = min(int(series.keyframe.bitspersample), 8 * series.dtype.itemsize)  # fewer than 8, as of masks
        claimed = int(np.prod(series.shape, dtype=object)) * bits // 8
        most = stored * (1 if series.keyframe.compression == 1 else _BEST_COMPRESSION)
        if claimed > most:
            raise ValueError(f"its header claims {claimed:,} bytes of which {stored:,} are stored; it is damaged or truncated")


def _values(path: Path, series: tifffile.TiffPageSeries, number: int) -> Any:
    if series.dataoffset is not None:
        return mapped(path, series.keyframe.parent.byteorder + series.dtype.char, series.shape, series.dataoffset)
    page = series.keyframe
    affordable(page.shape, page.dtype)

    chunks = tuple(1 if axis not in "YXS" else length for axis, length in zip(series.axes.upper(), series.shape, strict=True))
    return OnDisk(path, series.shape, series.dtype, partial(_part, path, number)).lazy(chunks)


def _part(path: Path, number: int, key: Any) -> Any:

    with opened(path) as file, file.series[number].aszarr(level=0) as store:
        array = zarr.open_array(store, mode="r")
        return array[key]


def _next_to_values(path: Path, series: tifffile.TiffPageSeries, bands: int) -> SpectralAxis | None:
    """Return the positions that pages have each, that the description of the image lists, or that an ENVI header next to it gives."""
    axis = of_pages(series.pages, path) if len(series.pages) == bands else None
    axis = axis or axis_of_image(fields_of(series.keyframe.description), bands, path)
    return axis or axis_next_to(path, bands)


def _ome(path: Path, xml: str, data: Any, axes: str, number: int) -> RawArray | None:
    image = of_image(xml, number, path.name)
    if image.description.startswith(_OURS):
        header = json.loads(image.description.removeprefix(_OURS))
        shape = tuple(header["shape"])
        place = len(shape) - 3 if len(shape) > 4 else 0
        order = (*shape[:place], shape[-1], *shape[place:-1])
        return from_header(data.reshape(order), header, spectral=place)
    if image.elsewhere and axes == "YX" and len(image.names) == 1:
        data, axes = data[None], "CYX"
    data, axes = _times_first(*_unfolded(path, data, axes, image.modulo))
    place, sure = spectral_dimension(path, axes)
    if image.metadata_file:
        warn(path, f"its metadata lie in {image.metadata_file}, which is not opened")
    if image.elsewhere:
        warn(path, f"its image goes on in other files ({some_of(image.elsewhere)}), which are not opened; the planes in this one are read")
        sure = sure or (len(image.names) == data.shape[0] and len(axes) <= _OF_PLANES)
    axis = image.wavelengths(path, data.shape[place]) if axes[place] == "E" else image.channels(path, data.shape[place])
    return RawArray(
        data, spectral=place, sure=sure, axis=axis, pixel_size=image.pixel_size, pixel_unit=image.size_unit,
        metadata=_planes(axes, place, image.steps),
    )  # fmt: skip


def _times_first(data: Any, axes: str) -> tuple[Any, str]:
    """Return a series with its times before its depths, whichever of them the file stores faster."""
    depth, time = axes.find("Z"), axes.find("T")
    if not 0 <= depth < time or is_answered("spectral"):  # whose dimensions are numbered as in the file
        return data, axes
    order = list(range(len(axes)))
    order[depth], order[time] = time, depth
    return data.transpose(order), "".join(axes[number] for number in order)


def _planes(axes: str, place: int, steps: Mapping[str, tuple[float, str]]) -> dict[str, Any]:
    """Return metadata of the depths and times before the plane, whose steps the file gives by the code of the dimension.

    They are those of the last dimensions before the plane, up to one without a step.
    """
    found: list[tuple[str, float, float, str]] = []
    for code in [code for number, code in enumerate(axes) if number != place][-3::-1]:
        step, said = steps.get(code, (0.0, ""))
        if not step > 0:
            break
        unit, factor = length_of(said)
        found.insert(0, (_NAMES[code], 0.0, step * factor, unit or said))
    return planes(found)


def _unfolded(path: Path, data: Any, axes: str, modulo: Mapping[str, Modulo]) -> tuple[Any, str]:
    """Split dimensions into which others are folded, with a warning where their lengths contradict the annotation."""
    for along, folded in modulo.items():
        code, count = _FOLDED.get(folded.kind, "Q"), len(folded)
        if code in axes or along not in axes or not count:
            continue
        place = axes.index(along)
        if data.shape[place] == count:
            axes = axes.replace(along, code, 1)
        elif count > 1 and data.shape[place] % count == 0:
            data = data.reshape(*data.shape[:place], data.shape[place] // count, count, *data.shape[place + 1 :])
            axes = axes[: place + 1] + code + axes[place + 1 :]
        else:
            warn(
                path,
                f"it says that {count} positions of {folded.kind} are folded into {along}, which has {data.shape[place]}; that is not used",
            )
    return data, axes


def write(cube: Cube, path: Path) -> None:
    """Write an OME-TIFF with the bands as channels; axis and name are stored exactly in the image's description."""
    if len(cube.shape) > 5:
        raise ValueError(
            f"OME-TIFF holds up to time, z, y and x in addition to the bands, not {len(cube.shape) - 1} dimensions; choose .zarr"
        )
    if cube.data.dtype.kind == "b" or cube.data.dtype == np.float16 or (cube.data.dtype.kind in "iu" and cube.data.dtype.itemsize == 8):
        raise ValueError(f"OME-TIFF cannot hold {cube.data.dtype}; convert it, for instance to float32, or choose .h5")
    place = len(cube.shape) - 3 if len(cube.shape) > 4 else 0
    data = np.moveaxis(np.asarray(cube.data), -1, place)
    if not cube.is_image:
        data = data[:, None]
    names = [f"{value:g} {cube.axis.unit}".strip() for value in cube.axis.values]
    known = cube.metadata.get("planes") or {}
    leading = ("T" if list(known) == ["time"] else "Z") if len(cube.shape) == 4 else ""
    metadata: dict[str, Any] = {
        "axes": "TCZYX" if len(cube.shape) == 5 else f"C{leading}YX",
        "Name": cube.name or "cube",
        "Description": _OURS + json.dumps(header_of(cube) | {"shape": list(cube.shape)}),
        "Channel": {"Name": names},
    }
    if cube.axis.unit in ("nm", "um") and (cube.axis.values > 0).all():
        unit = cube.axis.unit.replace("um", "µm")
        metadata["Channel"] |= {"EmissionWavelength": cube.axis.values.tolist(), "EmissionWavelengthUnit": [unit] * len(cube.axis)}
    if cube.pixel_size is not None and cube.pixel_unit in ("um", "nm", "mm", "m"):
        unit = cube.pixel_unit.replace("um", "µm")
        metadata |= {f"PhysicalSize{s}": v for s, v in zip("YX", cube.pixel_size, strict=True)} | {
            f"PhysicalSize{s}Unit": unit for s in "YX"
        }
    for name, key in (("z", "PhysicalSizeZ"), ("time", "TimeIncrement")):
        if (step := known.get(name)) and len(cube.shape) > 3 and step["unit"] in _OME_UNITS[name]:
            metadata |= {key: step["step"], f"{key}Unit": step["unit"].replace("um", "µm")}
    tifffile.imwrite(path, data, ome=True, photometric="minisblack", metadata=metadata, bigtiff=data.nbytes > 2**31)
