"""Spectra of a source that are all zero: found, and set apart in its result, in blocks of bounded size."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.cube import Cube
from napari_spectrai.learn.inference.sliding_window import SlidingWindow
from napari_spectrai.preparation.missing import usable
from napari_spectrai.preparation.step import Step
from napari_spectrai.valid import EMPTY, MISSING, MORE, ONE, TWO, DataMask, decided, explained_zeros

BYTES = 2**26
"""Values of a result that are held at a time."""
ROWS = 64
"""Height of a block, in pixels: that of a chunk of the results that are written."""

Place = tuple[Any, ...]
Shared = Callable[[str, Callable[[], Mapping[str, npt.NDArray[Any]]]], Mapping[str, npt.NDArray[Any]]]


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """The content of each spectrum of a source (`napari_spectrai.valid`), read block by block.

    Parameters
    ----------
    codes : array of shape (..., y, x) or (n,)
        Of each pixel of the result.
    times : int
        Pixels of the result for one of the source, in each direction.
    """

    codes: Any
    times: int = 1

    @property
    def shape(self) -> tuple[int, ...]:
        """The pixels of the source."""
        *front, y, x = (1, *self.codes.shape) if len(self.codes.shape) == 1 else self.codes.shape
        return tuple(self.codes.shape) if self.times == 1 else (*front, -(-y // self.times), -(-x // self.times))

    def __getitem__(self, place: Place) -> npt.NDArray[np.uint8]:
        return np.asarray(self.codes[_enlarged(place, self.times, step=self.times)], np.uint8)

    def held(self) -> tuple[DataMask, Any]:
        """Return how many spectra hold data, in a mask that is not that of each, and an array that says which are empty.

        Its blocks are read when they are asked for, unless whether a spectrum is empty depends on those around it.
        """
        counts = np.zeros(MORE + 1, np.int64)
        for place in blocks(self.shape, 1):
            counts += np.bincount(self[place].reshape(-1), minlength=MORE + 1)
        zeros = int(counts[EMPTY])
        if zeros and explained_zeros(int(counts[ONE]), int(counts[TWO])):
            held = decided(self[tuple(slice(0, length) for length in self.shape)])
            return held, empty_of(held)
        return DataMask(np.broadcast_to(np.True_, self.shape), int(counts[MISSING]), zeros), _Empty(self)


@dataclass(frozen=True, slots=True, eq=False)
class _Empty:
    """Which spectra are empty, as an array whose blocks are computed when they are asked for."""

    content: Content

    @property
    def shape(self) -> tuple[int, ...]:
        return self.content.shape

    def __getitem__(self, place: Place) -> npt.NDArray[np.bool_]:
        return np.asarray(self.content[place] == EMPTY)


class EmptySpectra:
    """Which spectra of a source are empty, found when it is first asked for: the whole source decides about those that are all zero.

    Parameters
    ----------
    source : Cube
    steps : sequence of Step
        The preparation, which may fill missing values.
    shared : callable, optional
        Keeps what was found for other processes: given a name and a function that finds it, returns it.
    """

    def __init__(self, source: Cube, steps: Sequence[Step], shared: Shared | None = None) -> None:
        self._source, self._steps, self._shared = source, steps, shared
        self._found: npt.NDArray[np.bool_] | None = None
        self._lock = threading.Lock()

    def __call__(self) -> npt.NDArray[np.bool_]:
        """Return it in the shape (..., y, x) or (n,) of the source."""
        with self._lock:
            if self._found is None:
                found = self._bits() if self._shared is None else self._shared("empty", self._bits)
                shape = self._source.spatial_shape
                self._found = np.unpackbits(found["empty"], count=math.prod(shape)).view(bool).reshape(shape)
            return self._found

    def _bits(self) -> dict[str, npt.NDArray[Any]]:
        return {"empty": np.packbits(empty_of(usable(self._source, self._steps)))}


def empty_of(held: DataMask, *, of_images: bool = False) -> npt.NDArray[np.bool_]:
    """Return which spectra, or images that have one class each, are empty."""
    if of_images:
        return np.atleast_1d(~held.mask.any((-2, -1)) if held.mask.ndim > 1 else ~held.mask)
    return np.asarray(~held.mask & ~held.unknown)


def leave_out(window: SlidingWindow, result: Any, empty: Any, *, spread: bool = False) -> None:
    """Set `result`, of shape (..., y, x, λ), to zero where the source is `empty`; probabilities and a spread to NaN."""
    value, times = np.float32(np.nan if window.classes or spread else 0), window.times
    for place in blocks(empty.shape, 4 * times**2 * result.shape[-1]):
        part = empty[place]
        if part.any():
            where = _enlarged(place, times)
            values = np.asarray(result[where])
            values[part if times == 1 else part.repeat(times, -2).repeat(times, -1)] = value
            result[where] = values


def blocks(shape: tuple[int, ...], each: int) -> Iterator[Place]:
    """Yield places that together cover an array of shape (..., y, x) or (n,), whose elements stand for `each` bytes."""
    most = max(1, BYTES // each)
    if len(shape) == 1:
        yield from ((slice(start, min(start + most, shape[0])),) for start in range(0, shape[0], most))
        return
    height, width = shape[-2:]
    across = max(ROWS, most // ROWS // ROWS * ROWS)
    down = max(1, most // (across * ROWS)) * ROWS if across >= width else ROWS
    for plane in np.ndindex(*shape[:-2]):
        for top in range(0, height, down):
            for left in range(0, width, across):
                yield (*plane, slice(top, min(top + down, height)), slice(left, min(left + across, width)))


def _enlarged(place: Place, times: int, *, step: int = 1) -> Place:
    """Return a place of the source as one of the result."""
    if times == 1:
        return place
    *front, y, x = place
    return (*front, *(slice(side.start * times, side.stop * times, step) for side in (y, x)))
