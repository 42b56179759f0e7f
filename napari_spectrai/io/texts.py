"""Texts of instruments: their encodings, their lines, and the marks that numbers in them carry."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from napari_spectrai.io.cell_units import bare_numbers
from napari_spectrai.io.found import affordable

_HEAD = 1000
_SPLIT_AT_ONCE = 2**18
"""Characters that are split into lines at a time."""
_BETWEEN_THOUSANDS = "'\u2019\u202f\u2009"
_THOUSANDS = re.compile(rf"(?<=\d)[{_BETWEEN_THOUSANDS}](?=\d{{3}}(?!\d))")
_IN_BRACKETS = re.compile(r"(?m)^[ \t]*[\[({]([-+.\deE,; \t]*)[\])}],?[ \t]*$")
_ACCENTS = re.compile(r"[\u00c0-\u00ff]{4}")
_RUSSIAN = re.compile(r"волн|интенсивн|поглощ|пропуск|отраж|спектр", re.IGNORECASE)
"""Words that are none in another encoding of one byte a character."""
_POWER = re.compile(r"(?<=\d)[ ]?[×·⋅*x][ ]?10\^[({]?([-+\u2212]?\d{1,3})[)}]?")
_BLANK_THOUSANDS = re.compile(r"(?<=\d)\xa0(?=\d{3}(?!\d))")


def text_of(path: Path) -> str:
    """Return the content of a text file, without what DOS puts at its end."""
    affordable((path.stat().st_size * 8,), np.uint8)
    found = tidied(decoded(path.read_bytes()).rstrip("\0\x1a\r\n "))
    if "\0" in found:
        raise ValueError("it holds zero bytes; it is no text")
    return found


def tidied(text: str) -> str:
    """Return text with a hyphen for the mathematical minus, and without the apostrophes and narrow blanks that set thousands apart.

    Brackets around lines of numbers are left out too, and what stands behind numbers (`bare_numbers`).
    """
    if "\u066b" in text:  # between Arabic digits
        text = text.replace("\u066b", ".").replace("\u066c", "")
    if "10^" in text:
        text = _POWER.sub(r"E\1", text)
    if "\u2212" in text:
        text = text.replace("\u2212", "-")
    if any(mark in text for mark in _BETWEEN_THOUSANDS):
        text = _THOUSANDS.sub("", text)
    if "\xa0" in text and ("\t" in text or ";" in text):  # where it is no separator of columns
        text = _BLANK_THOUSANDS.sub("", text)
    if text.lstrip()[:1] in ("[", "(", "{"):  # lists and tuples as Python and others print them
        text = _IN_BRACKETS.sub(r"\1", text)
    return bare_numbers(text)


def decoded(content: bytes) -> str:
    """Return text in the encodings that instruments write: UTF-8, UTF-16 with its mark or without, UTF-32, and Windows' own."""
    if content[:4] in (b"\xff\xfe\0\0", b"\0\0\xfe\xff"):
        return content.decode("utf-32")
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16")
    if (wide := _wide(content[:_HEAD])) is not None:
        return content.decode(wide, "replace")
    try:
        return content.decode("utf-8").lstrip("\ufeff")
    except UnicodeDecodeError:  # instruments write µ in the Windows way
        western = content.decode("cp1252", "replace")
        cyrillic = content.decode("cp1251", "replace") if _ACCENTS.search(western) else ""
        return cyrillic if _RUSSIAN.search(cyrillic) else western


def _wide(head: bytes) -> str | None:
    """Return the encoding of two bytes a character, of which one is zero, that a text without a mark has; None if it has none."""
    odd, even = (head[start::2].count(0) for start in (1, 0))
    half = len(head) // 2
    if half < 4 or max(odd, even) < 0.9 * half or min(odd, even) > 0:
        return None
    return "utf-16-le" if odd > even else "utf-16-be"


def lines_of(content: str) -> list[str]:
    """Return the lines; unlike `str.splitlines` no other control character ends one."""
    if "\r" in content:
        content = content.replace("\r\n", "\n").replace("\r", "\n")
    found: list[str] = []
    start = 0
    while (end := content.find("\n", start + _SPLIT_AT_ONCE)) >= 0:  # in parts, between which other threads run
        found += content[start:end].split("\n")
        start = end + 1
    found += content[start:].split("\n")
    return found
