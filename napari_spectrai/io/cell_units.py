"""What stands behind numbers in lines of a text and is no part of them: units and uncertainties in the same cell, remarks."""

from __future__ import annotations

import re
from collections import Counter

from napari_spectrai.units import unit_of

_UNITS = (
    r"nm|nanomet(?:er|re)s?|[µμu]m|cm[ ]?\^?[-−⁻][1¹]|1/cm|[km]?eV|counts?|cts|cps|a\.?u\.?|arb\.?[ ]?u(?:nits|\.)?|dBm?|[mµμ]?[WV]|m?s"
)
_UNCERTAINTY = r"(?:±|\+/-|\+-)[ \xa0]*\d[\d.,]*(?:[eE][-+]?\d+)?"
_BEHIND = re.compile(
    rf"(?<=[\d.])[ \xa0]*(?:{_UNCERTAINTY}(?:[ \xa0]*(?:{_UNITS}))?|(?:{_UNITS}))(?=[ ]{{0,9}}\"?[ ]{{0,9}}(?:[\t\r;,|]|[ ]{{2}}|$))",
    re.IGNORECASE,
)
_UNCERTAIN = re.compile(_UNCERTAINTY)
_MAY_HOLD = re.compile(r"[^\W\d_eE]|±|\+/?-")
_REMARK = re.compile(r"(?m)^([-+.\deE,;|\t \"]*[\d\"])[ \t]+(?:#|//|!)[ \t][^\r\n]*")
_IS_REMARK = re.compile(r"[ \t](?:#|//|!)[ \t]")
_NUMBERS = re.compile(r"[-+.\deE,;\t\r| \xa0\"]+")
_STARTS_WITH_NUMBER = re.compile(r"[ \t\"]*[-+]?[.,]?\d")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)?")
_ONE_NUMBER = re.compile(r"[ \t\"]*[-+]?[\d.,]+(?:[eE][-+]?\d+)?")
_LOOKED_AT, _LINES, _LEAST, _SHARE = 100_000, 400, 2, 0.8
_LONGEST = 20_000
"""Characters of a line that is looked at."""


def bare_numbers(text: str) -> str:
    """Return text without the units and uncertainties behind numbers, where most lines hold the same, and without remarks behind lines.

    Lines stay where they are. The unit of the first number of each line, if it is one of positions, is named in a line at the end.
    """
    if _IS_REMARK.search(text):
        text = _REMARK.sub(r"\1", text)
    sample = [line for line in text[:_LOOKED_AT].splitlines()[-_LINES:] if _STARTS_WITH_NUMBER.match(line)]
    found = [_marks(line) for line in sample]
    usual, count = Counter(found).most_common(1)[0] if found else ((), 0)
    if not usual or count < max(_LEAST, _SHARE * len(found)) or _are_names(sample, usual):
        return text
    lines = (text if "\n" in text else text.replace("\r", "\n")).split("\n")
    for number, line in enumerate(lines):
        if _marks(line) == usual:
            lines[number] = _BEHIND.sub("", line)
    line = sample[found.index(usual)]
    match = _BEHIND.search(line)
    unit = usual[0] if match is not None and _ONE_NUMBER.fullmatch(line[: match.start()]) and unit_of(usual[0]) is not None else ""
    return "\n".join(lines) + (f"\nX unit: {unit}" if unit else "")


def _are_names(sample: list[str], usual: tuple[str, ...]) -> bool:
    """Whether few numbers of each line have a unit, and are no positions down the lines: such as ``532 nm`` before many intensities."""
    count = len(_NUMBER.findall(_BEHIND.sub("", sample[-1])))
    return 2 * len(usual) < count and (len(sample) <= count or unit_of(usual[0]) is None)


def _marks(line: str) -> tuple[str, ...]:
    """Return the units and uncertainties of a line that holds nothing else but numbers; none of other lines."""
    if len(line) > _LONGEST or not _MAY_HOLD.search(line):
        return ()
    found = tuple(_UNCERTAIN.sub("±", match.group(0)).strip() for match in _BEHIND.finditer(line))
    return found if found and _NUMBERS.fullmatch(_BEHIND.sub("", line)) else ()
