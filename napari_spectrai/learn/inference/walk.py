"""The walk over a cube: blocks are predicted one after another, and what they finish of the result is written."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from napari_spectrai.cube import Cube
from napari_spectrai.learn.inference.engine import BATCH
from napari_spectrai.learn.inference.overlap import MOST_BYTES, ReadingAhead, WritingBehind
from napari_spectrai.learn.inference.sliding_window import PreparedBlock, SlidingWindow
from napari_spectrai.learn.inference.strip import Strip
from napari_spectrai.learn.inference.surroundings import widened, within
from napari_spectrai.learn.inference.tiles import Span, tiles
from napari_spectrai.runs import Progress
from napari_spectrai.runs.part import WHOLE, Part, Rectangle, owned

AT_ONCE = 4 * BATCH
"""Spectra of a set that are read at a time."""

Array = npt.NDArray[np.float32]
Tile: TypeAlias = tuple[Span, Span]


_UNFINISHED = 0
"""Number of a write that does not finish a step."""


@dataclass(frozen=True, slots=True)
class Step:
    """Tiles that are predicted one after another, and what of the result is finished with them.

    Attributes
    ----------
    plane : indices of the plane in the source
    tiles : rows and columns of each tile, in pixels of the source
    writes : in pixels of the result
    above : tiles of earlier rows that reach into it
    """

    plane: tuple[int, ...]
    tiles: tuple[Tile, ...]
    writes: tuple[Rectangle, ...]
    above: tuple[Tile, ...] = ()


class Walk:
    """Predicts a whole result or a part of it; a prediction as a whole is part 1 of 1.

    Parameters
    ----------
    window : SlidingWindow
    source : Cube
        On the axis of the models.
    targets : arrays of shape (..., y, x, λ), (n, λ), or (..., classes) where images have one class each
        The result, and the spread where one is wanted.
    codes : array
        Takes the content of each spectrum (`napari_spectrai.valid`), see `codes_shape`.
    distances : float32 array of the same shape, optional
        Takes the distance of each spectrum from the training data, if the window computes it.
    chunks : sequence of int, optional
        Of the result: no two parts write the same one.
    part : Part
    empty : callable, optional
        Returns which spectra of the source are empty (`EmptySpectra`); asked for only if some are all zero.
    """

    def __init__(
        self, window: SlidingWindow, source: Cube, targets: Sequence[Any], codes: Any, *, distances: Any = None,
        chunks: Sequence[int] | None = None, part: Part = WHOLE, empty: Callable[[], Any] | None = None,
    ) -> None:  # fmt: skip
        self.window, self.source, self.targets, self._empty = window, source, targets, empty
        self.marks = [codes] if distances is None else [codes, distances]
        self.is_set = len(source.spatial_shape) == 1
        shape = targets[0].shape
        whole = window.tile >= 2**31 and len(shape) > 2 and not window.of_images
        self.share = mine = owned(shape, shape if chunks is None else chunks, part, whole=whole)
        planned = self._images if window.of_images else self._set if self.is_set else self._planes
        self.steps = list(planned(mine))
        self._carried: tuple[Any, Strip] | None = None
        self._number = 0

    def run(self, done: int = 0, finished: Callable[[int], object] = lambda number: None) -> Generator[Progress, None, None]:
        """Yield progress after each tile; closing the generator writes the tiles that are finished.

        Parameters
        ----------
        done : int
            Steps that are left out, since they have been finished before.
        finished : callable
            Called with the number of steps that are finished, after each.
        """
        total, tiles_done = sum(len(step.tiles) for step in self.steps), sum(len(step.tiles) for step in self.steps[:done])
        self._ahead = ReadingAhead(lambda key: self._prepared(*key))
        self._behind = WritingBehind()
        try:
            for number, step in enumerate(self.steps[done:], done + 1):
                self._number = number
                work = self._image(step) if self.window.of_images else self._strip(step)
                for count in work:
                    self._report(finished)
                    try:
                        yield Progress(tiles_done + count, total)
                    except GeneratorExit:
                        work.close()
                        self._behind.flush()
                        self._report(finished)
                        raise
                tiles_done += len(step.tiles)
            self._behind.flush()
            self._report(finished)
        finally:
            self._ahead.close()
            self._behind.close()
            self.window.release()

    def _report(self, finished: Callable[[int], object]) -> None:
        for number in self._behind.written():
            if number != _UNFINISHED:
                finished(number)

    # ---------------------------------------------------------------- plans

    def _images(self, mine: Sequence[Rectangle]) -> Iterator[Step]:
        """Yield a step for each image that has one class."""
        height, width = self.source.spatial_shape[-2:]
        front, shape = self.source.spatial_shape[:-2], self.targets[0].shape[:-1]
        for one in mine:
            for y in range(one.top, one.bottom):
                for x in range(one.left, one.right):
                    place = (*_indices(one.plane, shape[:-2]), y, x) if len(shape) > 1 else (y,)
                    yield Step(
                        place if front else (),
                        ((Span(0, height, 0, 0), Span(0, width, 0, 0)),),
                        (Rectangle(one.plane, y, y + 1, x, x + 1),),
                    )

    def _set(self, mine: Sequence[Rectangle]) -> Iterator[Step]:
        """Yield a step for some spectra of a set: the same as in a whole prediction, where they depend on one another."""
        count = self.source.spatial_shape[0]
        for one in mine:
            for start in range(one.top if self.window.spectral else one.top // AT_ONCE * AT_ONCE, one.bottom, AT_ONCE):
                stop = min(start + AT_ONCE, one.bottom if self.window.spectral else count)
                found = one.rows(start, stop)
                if found is not None:
                    yield Step((), ((Span(start, stop, 0, 0), Span(0, 1, 0, 0)),), (found,))

    def _planes(self, mine: Sequence[Rectangle]) -> Iterator[Step]:
        window, front = self.window, self.source.spatial_shape[:-2]
        height, width = self.source.spatial_shape[-2:]
        rows = list(tiles(height, width, window.tile, window.overlap, window.grid))
        for number in dict.fromkeys(one.plane for one in mine):
            plane = _indices(number, front)
            own = [one for one in mine if one.plane == number]
            yield from self._single(plane, rows, own) if window.spectral else self._rows(plane, rows, own)

    def _single(self, plane: tuple[int, ...], rows: Sequence[list[Tile]], mine: Sequence[Rectangle]) -> Iterator[Step]:
        """Yield a step for each tile of independent spectra, cut to what is written of it."""
        times = self.window.times
        for y, x in (tile for row in rows for tile in row):
            for one in mine:
                found = one.rows(y.start * times, y.stop * times)
                found = None if found is None else found.columns(x.start * times, x.stop * times)
                if found is not None:
                    yield Step(plane, ((_cut(found.top, found.bottom, times), _cut(found.left, found.right, times)),), (found,))

    def _rows(self, plane: tuple[int, ...], rows: Sequence[list[Tile]], mine: Sequence[Rectangle]) -> Iterator[Step]:
        """Yield a step for each row of overlapping tiles: it finishes what no further row contributes to."""
        times = self.window.times

        def meets(tile: Tile, found: Sequence[Rectangle]) -> bool:
            (top, bottom), (left, right) = ((span.start * times, span.stop * times) for span in tile)
            return any(top < one.bottom and one.top < bottom and left < one.right and one.left < right for one in found)

        for number, row in enumerate(rows):
            down = row[0][0]
            top, bottom = down.start * times, (down.stop - down.after) * times
            found = [part for one in mine if (part := one.rows(top, bottom)) is not None]
            if found:
                first = min(one.top for one in found)
                above = [other for other in rows[:number] if other[0][0].stop * times > first]
                reaching = tuple(tile for other in above for tile in other if meets(tile, found))
                yield Step(plane, tuple(tile for tile in row if meets(tile, found)), tuple(found), reaching)

    # ---------------------------------------------------------------- work

    def _block(self, plane: tuple[int, ...], tile: Tile) -> Cube:
        y, x = (slice(span.start, span.stop) for span in tile)
        return self.source[(y,)] if self.is_set else self.source[(*plane, y, x)]

    def _empty_in(self, plane: tuple[int, ...], tile: Tile) -> Callable[[], Any] | None:
        y, x = (slice(span.start, span.stop) for span in tile)
        empty = self._empty
        return None if empty is None else lambda: empty()[(y,) if self.is_set else (*plane, y, x)]

    def _prepared(self, plane: tuple[int, ...], tile: Tile) -> tuple[PreparedBlock, Tile]:
        """Return a prepared tile and the pixels that are computed for it: more if a mixture continues its holes from beyond it."""
        found = self.window.prepared(self._block(plane, tile), self._empty_in(plane, tile))
        if not self.window.continues or self.is_set:
            return found, tile
        height, width = self.source.spatial_shape[-2:]
        wide = widened(tile, (height, width), found.holes, self.window.context, self.window.grid)
        if wide == tile:
            return found, tile
        around = self.window.prepared(self._block(plane, wide), self._empty_in(plane, wide))
        return (around, wide) if self.window.mixes else (found.continued_from(around, within(tile, wide)), tile)

    def _image(self, step: Step) -> Generator[int, None, None]:
        results, *marks = self.window.predicted(self._block(step.plane, step.tiles[0]), self._empty_in(step.plane, step.tiles[0]))

        def write() -> None:
            for target, values in zip(self.targets, results, strict=False):
                target[step.plane or (0,)] = values[0]
            for kept, found in zip(self.marks, marks, strict=False):
                kept[(*step.plane, slice(None), slice(None))] = found

        self._behind.put(self._number, sum(values.nbytes for values in results), write)
        yield 1

    def _strip(self, step: Step) -> Generator[int, None, None]:
        """Yield the number of tiles that are done, after each; what is finished is written before the last."""
        strip = self._started(step)
        for number, tile in enumerate(step.tiles, 1):
            self._add(strip, step.plane, tile, then=self._after(step, number))
            if number == len(step.tiles):
                self._write(self._number, step, strip, until=strip.right)
                self._carry(step, strip)
                yield number
                return
            try:
                yield number
            except GeneratorExit:  # the finished tiles of this row are kept
                self._write(_UNFINISHED, step, strip, until=(tile[1].stop - tile[1].after) * self.window.times)
                raise

    def _after(self, step: Step, number: int) -> tuple[tuple[int, ...], Tile] | None:
        """Return the plane and tile that are needed next, if they are small enough to be read ahead."""
        if number < len(step.tiles):
            found = step.plane, step.tiles[number]
        elif self._number < len(self.steps):
            found = self.steps[self._number].plane, self.steps[self._number].tiles[0]
        else:
            return None
        y, x = found[1]
        size = 4 * (y.stop - y.start) * (x.stop - x.start) * self.source.shape[-1]
        return found if size <= MOST_BYTES else None

    def _started(self, step: Step) -> Strip:
        """Return sums for the rows from the first that is written to the last of the tiles, with what earlier rows add to them."""
        top, left = min(one.top for one in step.writes), min(one.left for one in step.writes)
        bottom, right = step.tiles[0][0].stop * self.window.times, max(one.right for one in step.writes)
        shape = (bottom - top, right - left)
        sums = [np.zeros((*shape, target.shape[-1]), np.float32) for target in self.targets]
        strip = Strip(top, left, sums, [np.zeros(shape, kept.dtype) for kept in self.marks])
        if self._carried is not None and step.above and self._carried[0] == (step.plane, top, left, right, _columns(step.above)):
            strip.begin_with(self._carried[1])
        else:
            for tile in step.above:
                self._add(strip, step.plane, tile)
        self._carried = None
        return strip

    def _carry(self, step: Step, strip: Strip) -> None:
        """Keep what the tiles add to the next row."""
        down = step.tiles[0][0]
        ready = (down.stop - down.after) * self.window.times
        if strip.top <= ready < strip.bottom:
            self._carried = (step.plane, ready, strip.left, strip.right, _columns(step.tiles)), strip.below(ready)

    def _add(self, strip: Strip, plane: tuple[int, ...], tile: Tile, *, then: tuple[tuple[int, ...], Tile] | None = None) -> None:
        """Add the weighted values of a tile where it meets the strip."""
        (y, x), times = tile, self.window.times
        prepared, computed = self._ahead.take((plane, tile), then=then)
        results, *marks = self.window.computed(prepared)
        sides, weights = ((y.stop - y.start) * times, (x.stop - x.start) * times), self.window.weights(y, x)
        rows, columns = (span.stop - span.start for span in computed)
        own, there = strip.shared_with(y.start * times, x.start * times, sides)
        for target, values in zip(strip.sums, results, strict=False):
            target[own] += values.reshape(rows * times, columns * times, -1)[within(tile, computed, times)][there] * weights[there]
        for kept, found in zip(strip.marks, marks, strict=False):
            mark = np.asarray(found).reshape(rows, columns)[within(tile, computed)]
            kept[own] = (mark if times == 1 else mark.repeat(times, 0).repeat(times, 1))[there]

    def _write(self, number: int, step: Step, strip: Strip, *, until: int) -> None:
        """Let what is finished be written, up to a column."""
        size = sum(values.nbytes for values in strip.sums)
        self._behind.put(number, size, lambda: self._put(step, strip, until))

    def _put(self, step: Step, strip: Strip, until: int) -> None:
        for one in step.writes:
            right = min(one.right, until)
            if right <= one.left:
                continue
            inner = slice(one.top - strip.top, one.bottom - strip.top), slice(one.left - strip.left, right - strip.left)
            where = (*step.plane, slice(one.top, one.bottom), slice(one.left, right))
            written = [*zip(self.targets, strip.sums, strict=True), *zip(self.marks, strip.marks, strict=True)]
            for target, values in written:
                if self.is_set:
                    target[one.top : one.bottom] = values[inner][:, 0]
                else:
                    target[where] = values[inner]


def codes_shape(window: SlidingWindow, source: Cube, result: Sequence[int]) -> tuple[int, ...]:
    """Return the shape of the content of each spectrum: of the source, or, where the result has more pixels, of those."""
    return source.spatial_shape if window.of_images else tuple(result[:-1])


def of_source(window: SlidingWindow, codes: Any) -> Any:
    """Return the content of each spectrum of the source, or another mark of it."""
    every = slice(None, None, window.times)
    return np.asarray(codes[..., every, every] if window.times > 1 else codes[...])


def _indices(number: int, shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(int(index) for index in np.unravel_index(number, tuple(shape))) if shape else ()


def _columns(some: Sequence[Tile]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(x.start for _, x in some))


def _cut(first: int, last: int, times: int) -> Span:
    return Span(first // times, -(-last // times), 0, 0)
