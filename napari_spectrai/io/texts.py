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
_COUNTRY_HEAD = 2**16
_OF_COUNTRIES = {
    "cp932": re.compile("波長|波数|強度|吸光|透過|反射率|ラマン|測定|試料|カウント"),
    "gb18030": re.compile("波长|波数|波數|强度|強度|吸光|透过|透射|反射率|拉曼|光谱|样品"),
    "euc_jp": re.compile("波長|波数|強度|吸光|透過|ラマン|測定"),
    "big5": re.compile("波長|波數|強度|吸收|吸光|穿透|拉曼"),
    "cp949": re.compile("파장|파수|강도|흡광|투과|반사율|라만|시료"),
    "cp1251": re.compile("волн|интенсивн|поглощ|пропуск|отраж|спектр", re.IGNORECASE),
    "cp1250": re.compile("długoś|natęż|vlnov|hullámhossz|próbk", re.IGNORECASE),
}
"""Encodings, and words in them that are none in another."""
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
        return _of_one_country(content) or content.decode("cp1252", "replace")


def _of_one_country(content: bytes) -> str:
    """Return text in the first encoding in which words that spectroscopists of its country use are among its first ones, or ``""``."""
    head = content[:_COUNTRY_HEAD]
    for encoding, words in _OF_COUNTRIES.items():
        try:
            if words.search(head.decode(encoding, "ignore")):
                return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return ""


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
