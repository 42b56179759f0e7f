"""Tags of MATLAB 5 files, checked before scipy reads them: a damaged one makes its compiled reader crash, and Python with it."""

from __future__ import annotations

import mmap
import struct
import zlib
from pathlib import Path

_KNOWN = frozenset({*range(1, 8), 9, 12, 13, 14, 15, 16, 17, 18})
_MATRIX, _COMPRESSED = 14, 15
_HDF5 = 0x0200
"""Version of files that are HDF5 (v7.3)."""
_HEADER, _PEEK, _DEEPEST = 128, 2**16, 40


def check_tags(path: Path) -> None:
    """Raise ValueError if a tag names a type that MATLAB has not, or reaches beyond its element.

    Of compressed variables the first 64 KiB are checked, which hold the tags of an array.
    """
    with path.open("rb") as file:
        head = file.read(_HEADER)
        if len(head) < _HEADER or 0 in head[:4]:  # version 4 has no tags
            return
        order = {b"IM": "<", b"MI": ">"}.get(head[126:128])
        if order is None:
            raise ValueError("its header names no byte order; it is damaged")
        if struct.unpack_from(f"{order}H", head, 124)[0] == _HDF5:
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            _walk(content, _HEADER, len(content), order, 0, whole=True)


def _walk(content: mmap.mmap | bytes, place: int, end: int, order: str, depth: int, *, whole: bool) -> None:
    """Check the elements from `place` to `end`; only where `content` is `whole` do all of them have to be there."""
    if depth > _DEEPEST:
        raise ValueError(f"its variables are nested deeper than {_DEEPEST} levels; it is damaged")
    while place + 8 <= min(end, len(content)):
        kind, size = struct.unpack_from(f"{order}II", content, place)
        if kind >> 16:  # a small element has both in four bytes, and its values in the next four
            kind, size, start, step = kind & 0xFFFF, kind >> 16, place + 4, 8
            if size > 4:
                raise ValueError(f"a small element at byte {place:,} claims {size} bytes; it is damaged")
        else:
            start = place + 8
            step = 8 + size + (0 if kind == _COMPRESSED else -size % 8)
        if kind not in _KNOWN:
            raise ValueError(f"the element at byte {place:,} has the unknown type {kind}; it is damaged")
        if start + size > end:
            raise ValueError(f"the element at byte {place:,} reaches beyond its end; it is truncated")
        if kind == _MATRIX:
            _walk(content, start, start + size, order, depth + 1, whole=whole)
        elif kind == _COMPRESSED and whole:
            _walk(_beginning(content, start, start + size), 0, 2**40, order, depth + 1, whole=False)
        place += step


def _beginning(content: mmap.mmap | bytes, start: int, end: int) -> bytes:
    """Return the first bytes of a compressed variable; no more of it is copied, which would hold up all other threads."""
    stream, found = zlib.decompressobj(), b""
    while len(found) < _PEEK and start < end and not stream.eof:
        found += stream.decompress(content[start : min(end, start + _PEEK)], _PEEK - len(found))
        start += _PEEK
    return found
