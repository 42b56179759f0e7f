"""Sizes of the files of chunks that a part has written: what was cut off or lost later is noticed without reading all values again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.files import replacing
from napari_spectrai.runs.part import Rectangle
from napari_spectrai.runs.part_files import UNREADABLE, load
from napari_spectrai.swap import flush

GONE = -1
"""Size of a chunk that is not there."""
_THREADS = 8
"""On file systems of a cluster, asking for the size of a file is waiting."""
_AT_ONCE = 10_000
"""Files whose names are held at a time."""

Numbers = npt.NDArray[np.int64]


def numbered(shape: Sequence[int], chunks: Sequence[int], rectangles: Sequence[Rectangle]) -> Numbers:
    """Return the numbers, in the order of the array, of the chunks that some rectangles of whole chunks consist of.

    Examples
    --------
    >>> numbered((4, 6, 2), (2, 2, 2), [Rectangle(0, 2, 4, 0, 4)]).tolist()
    [3, 4]
    """
    if len(shape) == 2:
        shape, chunks = (shape[0], 1, shape[1]), (chunks[0], 1, chunks[1])
    grid = [-(-length // chunk) for length, chunk in zip(shape, chunks, strict=True)]
    found = [np.empty(0, np.int64)]
    for one in rectangles:
        plane = np.unravel_index(one.plane, tuple(shape[:-3])) if len(shape) > 3 else ()
        front = [index // chunk for index, chunk in zip(plane, chunks, strict=False)]
        y = np.arange(one.top // chunks[-3], -(-one.bottom // chunks[-3]))
        x = np.arange(one.left // chunks[-2], -(-one.right // chunks[-2]))
        places = np.ix_(*([index] for index in front), y, x, np.arange(grid[-1]))
        found.append(np.ravel_multi_index(places, grid).reshape(-1).astype(np.int64))
    return np.unique(np.concatenate(found))


@dataclass(frozen=True, slots=True, eq=False)
class WrittenChunks:
    """The files of the chunks of an output, and a file for each of its parts with the sizes that they had when it had finished.

    Parameters
    ----------
    output : Path
    array : zarr.Array
        The one in `output`.
    kept : sequence of Path
        The file of each part, from part 1.
    """

    output: Path
    array: Any
    kept: Sequence[Path]

    def drop_empty(self, wrote: Sequence[Rectangle]) -> bool:
        """Remove the files in some rectangles that are empty, as a loss of power leaves them; return whether there are any."""
        numbers = numbered(self.array.shape, self.array.chunks, wrote)
        empty = numbers[self._sizes(numbers) == 0]
        self.drop(empty)
        return len(empty) > 0

    def drop(self, numbers: Numbers) -> None:
        """Remove files, so that what is written into a part of a chunk does not read a damaged one first."""
        for file in self._files(numbers):
            file.unlink(missing_ok=True)

    def keep(self, part: int, wrote: Sequence[Rectangle]) -> None:
        """Flush the chunks in the rectangles that a part has written to the disk, and keep their sizes."""
        self._keep(self.kept[part - 1], numbered(self.array.shape, self.array.chunks, wrote))

    def changed(self) -> dict[int, Numbers]:
        """Return the parts of which chunks are gone or have another size, and the numbers of these chunks."""
        found = {}
        for part, path in enumerate(self.kept, 1):
            if (known := self._known(path)) is not None and len(numbers := known[0][self._sizes(known[0]) != known[1]]):
                found[part] = numbers
        return found

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Let a body change what finished parts have written."""
        numbers = dict[Path, Numbers]()
        for path in self.kept:
            if (known := self._known(path)) is not None:
                numbers[path] = known[0]
                path.unlink()  # a process that is killed meanwhile leaves no sizes rather than wrong ones
        yield
        for path, some in numbers.items():
            self._keep(path, some)

    def _keep(self, path: Path, numbers: Numbers) -> None:
        sizes = self._sizes(numbers, durable=True)
        with replacing(path) as temporary:
            np.savez_compressed(temporary, numbers=numbers, sizes=sizes)

    def _known(self, path: Path) -> tuple[Numbers, Numbers] | None:
        """Return numbers and sizes of chunks; None if they were not kept, or cannot be read."""
        try:
            kept = load(path, self.output) if path.exists() else None
            return None if kept is None else (kept["numbers"].astype(np.int64), kept["sizes"].astype(np.int64))
        except UNREADABLE:
            return None

    def _sizes(self, numbers: Numbers, *, durable: bool = False) -> Numbers:
        """Return the bytes of the files of chunks; with `durable`, these are flushed to the disk."""
        sizes = np.empty(len(numbers), np.int64)
        with ThreadPoolExecutor(_THREADS) as pool:
            for first in range(0, len(numbers), _AT_ONCE):
                some = slice(first, first + _AT_ONCE)
                files = self._files(numbers[some])
                sizes[some] = list(pool.map(_size, files))
                if durable:
                    flush([file for file, size in zip(files, sizes[some], strict=True) if size != GONE])
        return sizes

    def _files(self, numbers: Numbers) -> list[Path]:
        grid = [-(-length // chunk) for length, chunk in zip(self.array.shape, self.array.chunks, strict=True)]
        places = np.stack(np.unravel_index(numbers, grid), -1).tolist()
        return [self.output / self.array.metadata.encode_chunk_key(tuple(one)) for one in places]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return GONE
