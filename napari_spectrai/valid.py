"""Which spectra of a cube hold data: not missing (NaN, infinite, the file's ignore value), not empty (all zero)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.cube import Cube, FloatArray
from napari_spectrai.memory_map import release

Mask = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.uint8]

MISSING, EMPTY, ONE, TWO, MORE = range(5)
"""Content of a spectrum: missing values, only zeros, one band above zero, two, more."""
IGNORED = "ignore_value"
"""Key of a cube's metadata with the value for "not measured" (readers of this package convert it to NaN)."""

BLOCK = 2**23
"""Number of values examined at a time."""
REGION = 9
"""Height and width, in pixels, of a field of zeros that cannot result from photon counting noise."""
MARGIN = 3
"""Factor by which zeros may exceed the number explained by photon counting: the estimate is a lower bound."""
_REMEMBERED = 16
_known: OrderedDict[Any, Codes] = OrderedDict()


@dataclass(frozen=True, slots=True, eq=False)
class DataMask:
    """Which spectra hold data.

    Attributes
    ----------
    mask : bool ndarray of shape (..., y, x) or (n,)
        True where a spectrum holds data.
    missing : int
        Number of spectra excluded because of values that are NaN, infinite or the file's ignore value.
    empty : int
        Number of spectra excluded because they are all zero.
    unknown : bool ndarray of the same shape
        True where values are missing.
    """

    mask: Mask
    missing: int = 0
    empty: int = 0
    unknown: Mask = field(default_factory=lambda: np.zeros((), bool))

    @property
    def count(self) -> int:
        """Number of spectra that hold data."""
        return int(self.mask.size) - self.missing - self.empty

    @property
    def complete(self) -> bool:
        """Whether every spectrum holds data."""
        return not (self.missing or self.empty)

    @property
    def reasons(self) -> str:
        """Why spectra are excluded, with counts: ``"12 with missing values, 340 all zero"``."""
        parts = [(self.missing, "with missing values (NaN, infinite or the file's ignore value)"), (self.empty, "all zero")]
        return ", ".join(f"{count:,} {what}" for count, what in parts if count)


def said(held: Sequence[DataMask], what: str = "are left out") -> str:
    """Return one sentence on how many spectra of some cubes hold no data; empty if all do."""
    total = DataMask(np.empty(0, bool), sum(one.missing for one in held), sum(one.empty for one in held))
    if total.complete:
        return ""
    return f"{total.missing + total.empty:,} of {sum(one.mask.size for one in held):,} spectra hold no data ({total.reasons}) and {what}."


def coded(spectra: npt.NDArray[Any], *, ignore: float | None = None, partly: bool = False) -> Codes:
    """Return the content of each spectrum of shape (..., L), by the codes above.

    Parameters
    ----------
    ignore : float, optional
        The value for "not measured".
    partly : bool
        Whether a spectrum with some missing values is described by the others (they will be filled); otherwise it is missing.
    """
    gone = np.zeros(1, bool) if _all_finite(spectra) else ~np.isfinite(spectra)
    if ignore is not None:
        gone = gone | (spectra == ignore)
    above = _nonzero(spectra)
    if not gone.any():
        return np.asarray(above + np.uint8(EMPTY), np.uint8)
    if partly:
        above = np.minimum(np.count_nonzero((spectra != 0) & ~gone, axis=-1), 3).astype(np.uint8)
    return np.where(gone.all(-1) if partly else gone.any(-1), MISSING, above + EMPTY).astype(np.uint8)


def _all_finite(values: npt.NDArray[Any]) -> bool:
    """Return whether no value is missing, as far as a sum shows it; a sum that overflows does not."""
    if values.dtype.kind in "iub":
        return True
    with np.errstate(all="ignore"):
        return bool(np.isfinite(values.sum()))


_HEAD = 16
"""Number of bands that decide about most spectra."""


def _nonzero(spectra: npt.NDArray[Any]) -> Codes:
    """Return how many values of each spectrum (..., L) are not zero, at most 3; for most, the first ones decide."""
    least = min(3, spectra.shape[-1])
    rest: Mask = np.any([spectra[..., band] == 0 for band in range(least)], axis=0)
    if 4 * np.count_nonzero(rest) < rest.size:
        found = np.full(rest.shape, least, np.uint8)
    else:
        found = _counted(spectra[..., :_HEAD])
        rest = found < 3 if spectra.shape[-1] > _HEAD else np.zeros(1, bool)
    if rest.any():
        found[rest] = _counted(spectra[rest])
    return found


def _counted(spectra: npt.NDArray[Any]) -> Codes:
    bits = np.ascontiguousarray(np.packbits(spectra != 0, axis=-1))  # many times as fast as counting along the last axis
    for wide in (np.uint64, np.uint32, np.uint16):  # several bytes at a time
        if bits.shape[-1] % np.dtype(wide).itemsize == 0:
            bits = bits.view(wide)
            break
    counts = np.bitwise_count(bits)
    total = counts[..., 0] if counts.shape[-1] == 1 else counts.sum(-1, dtype=np.uint32)
    return np.asarray(np.minimum(total, 3), np.uint8)


def decided(codes: Codes) -> DataMask:
    """Return which spectra hold data, from their content; `codes` of shape (..., y, x) or (n,).

    A spectrum that is all zero holds no data, unless this is due to photon counting: with few photons, some pixels detect none. Their
    number is estimated from those with one and with two bands above zero (Chao 1987, doi:10.2307/2531532). If this explains
    the zeros, only fields of them are empty: whole rows and columns at the edge, and squares of 9 × 9 pixels.
    """
    missing, zero = codes == MISSING, codes == EMPTY
    if not zero.any():
        return DataMask(~missing, int(missing.sum()), 0, missing)
    explained = explained_zeros(int((codes == ONE).sum()), int((codes == TWO).sum()))
    empty = zero
    if explained > 0:
        fields = np.zeros_like(zero)
        if zero.ndim > 1:
            planes = zero.reshape(-1, *zero.shape[-2:])
            fields = np.stack([_fields(plane) for plane in planes]).reshape(zero.shape)
        if int((zero & ~fields).sum()) <= MARGIN * explained:
            empty = fields
    return DataMask(~(missing | empty), int(missing.sum()), int(empty.sum()), missing)


def explained_zeros(one: int, two: int) -> float:
    """Return how many spectra without a band above zero photon counting explains, from the numbers of those with one and two."""
    return one * (one - 1) / (2 * (two + 1))


def _fields(zero: Mask) -> Mask:
    """Return where zeros (y, x) fill whole rows or columns from an edge inwards, or squares."""
    from scipy.ndimage import maximum_filter1d, minimum_filter1d

    opened = zero.view(np.uint8)
    for along_one in (minimum_filter1d, maximum_filter1d):  # the opening by a square, one direction after the other
        for direction in (0, 1):
            opened = along_one(opened, REGION, axis=direction, mode="constant", cval=0)
    fields: Mask = opened.astype(bool)
    for dimension in (0, 1):
        lines = np.flatnonzero(~zero.all(1 - dimension))
        along = np.moveaxis(fields, dimension, 0)
        first, last = (lines[0], lines[-1] + 1) if lines.size else (zero.shape[dimension], zero.shape[dimension])
        along[:first] = along[last:] = True
    return fields


def held_by(spectra: npt.NDArray[Any], *, ignore: float | None = None, partly: bool = False) -> DataMask:
    """Return which of spectra in memory, of shape (..., y, x, L) or (n, L), hold data."""
    return decided(coded(spectra, ignore=ignore, partly=partly))


def holds_data(cube: Cube, *, partly: bool = False, bands: npt.NDArray[np.intp] | None = None) -> DataMask:
    """Return which spectra of a cube hold data; lazy cubes are read block by block.

    Parameters
    ----------
    partly : bool
        Whether spectra with some missing values are described by the others.
    bands : array of int, optional
        The bands whose missing values are considered; default: all. Whether a spectrum is empty is determined from all bands.
    """
    data, ignore = cube.data, ignored(cube)
    if isinstance(data, np.ndarray):
        return decided(_blockwise(data, ignore, bands, partly=partly))
    import dask.array as da

    lazy = data if isinstance(data, da.Array) else da.from_array(data)
    key = (lazy.name, ignore, partly, None if bands is None else bands.tobytes()) if isinstance(data, da.Array) else None
    if key is None or key not in _known:
        whole = lazy.rechunk({-1: -1}) if len(lazy.chunks[-1]) > 1 else lazy
        meta = np.empty((0,) * (whole.ndim - 1), np.uint8)
        codes: Codes = np.asarray(whole.map_blocks(coded_block, ignore, bands, partly, dtype=np.uint8, drop_axis=whole.ndim - 1, meta=meta))
        if key is None:
            return decided(codes)
        _known[key] = codes
        while len(_known) > _REMEMBERED:
            _known.popitem(last=False)
    return decided(_known[key])


def ignored(cube: Cube) -> float | None:
    """Return the value for "not measured" in a cube, if its metadata define one."""
    value = cube.metadata.get(IGNORED)
    return None if value is None else float(value)


def values_of(cube: Cube) -> FloatArray:
    """Return the values as float32 in memory, with ignored ones as NaN; a float32 cube without such values is not copied."""
    values, ignore = cube.numpy(), ignored(cube)
    if ignore is None or not (gone := np.asarray(cube.data) == ignore).any():
        return values
    return np.where(gone, np.float32(np.nan), values)


def finite(spectra: FloatArray) -> Mask:
    """Return which spectra of shape (..., L) have no missing value."""
    known: Mask = np.asarray(np.isfinite(spectra).all(-1))
    return known


def without(spectra: FloatArray, mask: Mask) -> FloatArray:
    """Return spectra (n, L) with zeros where `mask` (n,) is False; the same array if it is True everywhere."""
    return spectra if mask.all() else np.where(mask[:, None], spectra, np.float32(0))


def continued(spectra: FloatArray, missing: Mask, shape: tuple[int, ...]) -> FloatArray:
    """Return spectra (n, L) of an image of some shape (..., y, x), with missing ones replaced by the nearest known spectrum."""
    if not missing.any() or missing.all():
        return spectra
    done = spectra.reshape(*shape, spectra.shape[-1]).copy()
    continue_into(done, missing.reshape(shape))
    return done.reshape(spectra.shape)


def continue_into(spectra: FloatArray, missing: Mask) -> None:
    """Replace missing spectra of images (..., y, x, L) in place by the nearest known one; images in which all are missing stay."""
    if not missing.any():
        return
    from scipy.ndimage import distance_transform_edt

    for image, lost in zip(spectra.reshape(-1, *spectra.shape[-3:]), missing.reshape(-1, *missing.shape[-2:]), strict=True):
        if lost.any() and not lost.all():
            y, x = distance_transform_edt(lost, return_distances=False, return_indices=True)
            image[lost] = image[y[lost], x[lost]]


def coded_block(values: npt.NDArray[Any], ignore: float | None, bands: npt.NDArray[np.intp] | None, partly: bool) -> Codes:  # noqa: FBT001  # dask calls it
    """Return the content of each spectrum of a block; of `bands`, if given, none or not all (`partly`) may be missing."""
    if bands is None:
        return coded(values, ignore=ignore, partly=partly)
    if np.array_equal(np.sort(bands), np.arange(values.shape[-1])) or (ignore is None and _all_finite(values)):
        return coded(values, ignore=ignore, partly=partly)
    whole, kept = coded(values, ignore=ignore, partly=True), coded(values[..., bands], ignore=ignore, partly=partly)
    return np.where(kept == MISSING, np.uint8(MISSING), whole)


def _blockwise(data: npt.NDArray[Any], ignore: float | None, bands: npt.NDArray[np.intp] | None, *, partly: bool) -> Codes:
    codes = np.empty(data.shape[:-1], np.uint8)
    rows = data.reshape(-1, *data.shape[-2:]) if data.ndim > 2 and data.flags.c_contiguous else data
    flat = codes.reshape(rows.shape[:-1])
    step = max(1, BLOCK // max(1, int(np.prod(rows.shape[1:]))))
    for start in range(0, len(rows), step):
        flat[start : start + step] = coded_block(np.asarray(rows[start : start + step]), ignore, bands, partly)
        release(data)
    return codes


def with_ignored_missing(cube: Cube) -> Cube:
    """Return a cube in which the value for "not measured" is NaN, so that it is recognised after any step; without one, the cube."""
    value = ignored(cube)
    if value is None:
        return cube
    kept = {key: entry for key, entry in cube.metadata.items() if key != IGNORED}
    data: Any = cube.data
    if isinstance(data, np.ndarray):
        done: Any = np.where(data == value, np.float32(np.nan), data.astype(np.float32))
    else:
        import dask.array as da

        lazy = data if isinstance(data, da.Array) else da.from_array(data)
        done = da.where(lazy == value, np.float32(np.nan), lazy.astype(np.float32))
    return replace(cube.with_data(done), metadata=kept)
