"""Heaps of texts in HDF5 files, checked before the library reads them: a piece of no length makes it loop for ever."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

_HEAP = b"GCOL\x01\0\0\0"
_HEADER, _LARGEST = 16, 2**20
_SEARCHED, _MOST_HEAPS = 2**24, 1000
"""Bytes at both ends of a file in which heaps are sought, next to the other metadata, and the number of those that are checked."""


@contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading, after its heaps have been checked."""
    check_heaps(path)
    with h5py.File(path, "r") as file:
        yield file


def check_heaps(path: Path) -> None:
    """Raise ValueError if a heap holds a free piece of no length."""
    size = path.stat().st_size
    if size < len(_HEAP) or not h5py.is_hdf5(path):
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for start, end in ((0, min(size, _SEARCHED)), (max(_SEARCHED, size - _SEARCHED), size)):
            place, count = content.find(_HEAP, start, end), 0
            while place >= 0 and count < _MOST_HEAPS:
                _walk(content, place)
                place, count = content.find(_HEAP, place + len(_HEAP), end), count + 1


def _walk(content: mmap.mmap, place: int) -> None:
    """Check the pieces of one heap, each of which says its length."""
    if place + _HEADER > len(content):
        return
    end = min(place + struct.unpack_from("<Q", content, place + 8)[0], len(content), place + _LARGEST)
    at = place + _HEADER
    while at + _HEADER <= end:
        number, length = struct.unpack_from("<H6xQ", content, at)
        if number == 0 and length == 0:
            raise ValueError(f"its heap of texts at byte {place:,} holds a piece of no length; it is damaged")
        at += length if number == 0 else _HEADER + -(-length // 8) * 8
