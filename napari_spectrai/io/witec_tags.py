"""The tree of tags of WITec's files: each has a name, a type, and the place of its contents, which are tags again or values."""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

_TREE, _TEXT = 0, 9
_TYPES = {2: "<f8", 3: "<f4", 4: "<i8", 5: "<i4", 6: "<u4", 7: "u1", 8: "u1"}
_LONGEST_NAME, _MOST_TAGS = 1024, 1_000_000
_TAIL = struct.Struct("<IQQ")


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag, whose contents lie from `start` to `end` of the file."""

    content: mmap.mmap | bytes
    name: str
    kind: int
    start: int
    end: int

    def tags(self) -> dict[str, Tag]:
        """Return the tags in a tree of tags, by their names; nothing for a tag of values."""
        found: dict[str, Tag] = {}
        place = self.start
        while self.kind == _TREE and place < self.end and len(found) < _MOST_TAGS:
            tag = tag_at(self.content, place, self.end)
            found.setdefault(tag.name, tag)
            place = tag.end
        return found

    def at(self, *names: str) -> Tag | None:
        """Return the tag below this one that a path of names leads to."""
        tag: Tag | None = self
        for name in names:
            tag = None if tag is None else tag.tags().get(name)
        return tag

    def numbers(self, *names: str) -> np.ndarray[Any, np.dtype[Any]]:
        """Return the values of the tag at a path of names; none if it does not exist."""
        tag = self.at(*names)
        if tag is None or tag.kind not in _TYPES:
            return np.array([])
        dtype = np.dtype(_TYPES[tag.kind])
        return np.frombuffer(tag.content[tag.start : tag.start + (tag.end - tag.start) // dtype.itemsize * dtype.itemsize], dtype)

    def number(self, *names: str, default: float = 0.0) -> float:
        """Return the first value of the tag at a path of names."""
        values = self.numbers(*names)
        return float(values[0]) if values.size else default

    def text(self, *names: str) -> str:
        """Return the text of the tag at a path of names."""
        tag = self.at(*names)
        if tag is None or tag.kind != _TEXT or tag.end - tag.start < 4:
            return ""
        (length,) = struct.unpack_from("<I", tag.content, tag.start)
        return bytes(tag.content[tag.start + 4 : min(tag.end, tag.start + 4 + length)]).decode("cp1252", "replace").strip("\0 ")


def tag_at(content: mmap.mmap | bytes, place: int, end: int) -> Tag:
    """Return the tag whose header lies at a place, within a parent that ends at `end`.

    Raises
    ------
    ValueError
        If its name or contents reach beyond the parent.
    """
    if place + 4 > end:
        raise ValueError(f"a tag at byte {place:,} is cut short; it is truncated")
    (length,) = struct.unpack_from("<I", content, place)
    head = place + 4 + length + _TAIL.size
    if length > _LONGEST_NAME or head > end:
        raise ValueError(f"a tag at byte {place:,} claims a name of {length:,} bytes; it is damaged or truncated")
    name = bytes(content[place + 4 : place + 4 + length]).decode("cp1252", "replace")
    kind, start, stop = _TAIL.unpack_from(content, place + 4 + length)
    if not head <= start <= stop <= end:
        raise ValueError(f"its tag {name!r} lies from byte {start:,} to {stop:,}, outside what holds it; it is damaged or truncated")
    return Tag(content, name, kind, start, stop)
