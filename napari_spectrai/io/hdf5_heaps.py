"""Heaps of texts in HDF5 files, checked before the library reads them.

A piece of no length makes it loop for ever, and a text that claims to be longer than its piece makes it read beyond its memory.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_HEAP = b"GCOL\x01\0\0\0"
_HEADER, _LARGEST = 16, 2**20
_VIRTUAL, _LARGEST_NUMBER = 3, 2**16
"""Class of a virtual layout; the largest number of a piece, which may stand before an address where there is no length."""
_LENGTH, _NUMBER = 4, 4
"""Bytes of the length before the address of a heap, and of the number of a piece behind it, in what refers to a text."""
_SEARCHED, _MOST_HEAPS = 2**24, 1000
"""Bytes at both ends of a file in which heaps are sought, next to the other metadata, and the number of those that are checked."""
_KIND, _MOST_ATTRIBUTES = 3, 5000
"""Byte of an encoded type of variable length that says what it is, and the number of attributes whose types are checked."""
_MOST_CHECKED, _REFERRED = 32, 2**22
"""Heaps to which references are sought, and the bytes at both ends of the file in which they are."""


@contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading, after its heaps have been checked."""
    check_heaps(path)
    try:
        opened = h5py.File(path, "r")
    except OSError as error:
        if "lock file" in str(error) or "already open for write" in str(error):
            raise ValueError("a program has it open for writing, or ended without closing it; open it when it is closed") from error
        raise
    with opened as file:
        check_types(file)
        yield file


def check_types(file: h5py.File) -> None:
    """Raise ValueError if the type of an attribute is of variable length and neither a list nor a text; the library does not notice it."""
    left = [_MOST_ATTRIBUTES]

    def visit(name: str, item: object) -> bool | None:
        if not isinstance(item, (h5py.Group, h5py.Dataset)):
            return None
        for key in item.attrs:
            kind = h5py.h5a.open(item.id, key.encode("utf-8", "surrogateescape")).get_type()
            if isinstance(kind, h5py.h5t.TypeVlenID) and kind.encode()[_KIND] & 15 > 1:
                raise ValueError(f"the type of the attribute {key!r} of {name or '/'} is none; it is damaged")
            left[0] -= 1
        return True if left[0] < 0 else None  # which ends the walk

    visit("", file)
    file.visititems(visit)


def check_heaps(path: Path) -> None:
    """Raise ValueError if a heap holds a free piece of no length, or a text claims to be longer than the piece that holds it."""
    size = path.stat().st_size
    if size < len(_HEAP) or not h5py.is_hdf5(path):
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        ends = ((0, min(size, _SEARCHED)), (max(_SEARCHED, size - _SEARCHED), size))
        heaps: dict[int, dict[int, int]] = {}
        for start, end in ends:
            place, count = content.find(_HEAP, start, end), 0
            while place >= 0 and count < _MOST_HEAPS:
                heaps[place] = _walk(content, place)
                place, count = content.find(_HEAP, place + len(_HEAP), end), count + 1
        base = max(0, content.find(_SIGNATURE))
        for place, pieces in list(heaps.items())[:_MOST_CHECKED]:
            for start, end in ((0, min(size, _REFERRED)), (max(_REFERRED, size - _REFERRED), size)):
                _check_references(content, place - base, pieces, start, end)


def _check_references(content: mmap.mmap, address: int, pieces: dict[int, int], start: int, end: int) -> None:
    """Check what refers to the pieces of a heap: the length of a text, the address of its heap, and the number of its piece."""
    packed = struct.pack("<Q", address)
    place = content.find(packed, start, end)
    while place >= 0:
        if place >= _LENGTH and place + len(packed) + _NUMBER <= len(content):
            length, number = struct.unpack_from("<I", content, place - _LENGTH)[0], struct.unpack_from("<I", content, place + 8)[0]
            of_layout = content[place - 1] == _VIRTUAL  # which has no length
            if number in pieces and length > max(pieces[number], _LARGEST_NUMBER) and not of_layout:
                raise ValueError(
                    f"a text at byte {place - _LENGTH:,} claims {length:,} characters, and {pieces[number]:,} are stored; it is damaged"
                )
        place = content.find(packed, place + 1, end)


def _walk(content: mmap.mmap, place: int) -> dict[int, int]:
    """Check the pieces of one heap, each of which says its length, and return these by their numbers."""
    pieces: dict[int, int] = {}
    if place + _HEADER > len(content):
        return pieces
    end = min(place + struct.unpack_from("<Q", content, place + 8)[0], len(content), place + _LARGEST)
    at = place + _HEADER
    while at + _HEADER <= end:
        number, length = struct.unpack_from("<H6xQ", content, at)
        if number == 0 and length == 0:
            raise ValueError(f"its heap of texts at byte {place:,} holds a piece of no length; it is damaged")
        if number:
            pieces[number] = length
        at += length if number == 0 else _HEADER + -(-length // 8) * 8
    return pieces
