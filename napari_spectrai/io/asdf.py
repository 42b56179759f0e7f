"""The ordinates of JCAMP-DX: numbers in plain form (AFFN) and in the packed forms PAC, SQZ, DIF, DUP and DIFDUP (ASDF).

According to the protocol of McDonald and Wilks, Appl. Spectrosc. 42 (1988) 151, doi:10.1366/0003702884428734.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

# an exponent has a sign, since E without one is the digit 5 of the packed form
_TOKEN = re.compile(
    r"(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[Ee][+-]\d{1,3})?)|(?P<missing>\?)|(?P<squeezed>[@A-Ia-i]\d*\.?\d*)"
    r"|(?P<difference>[%J-Rj-r]\d*\.?\d*)|(?P<repeat>[S-Zs]\d*)|(?P<between>[\s,;]+)"
)
_SQUEEZED = {"@": "0"} | {chr(ord("A") + n): f"{n + 1}" for n in range(9)} | {chr(ord("a") + n): f"-{n + 1}" for n in range(9)}
_DIFFERENCES = {"%": "0"} | {chr(ord("J") + n): f"{n + 1}" for n in range(9)} | {chr(ord("j") + n): f"-{n + 1}" for n in range(9)}
_REPEATS = {chr(ord("S") + n): f"{n + 1}" for n in range(8)} | {"s": "9"}
_MOST = 10**8

FloatList = npt.NDArray[np.float64]


def ordinates(lines: Iterable[str]) -> tuple[FloatList, float | None, list[str]]:
    """Return the ordinates of a table ``(X++(Y..Y))``, the first abscissa as written, and what is wrong with the table, in words.

    Each line starts with an abscissa. A line after one that ended in a difference repeats the last ordinate as a check, which is
    compared and left out; a count says how often a value or a difference occurs, itself included.
    """
    values: list[float] = []
    first: float | None = None
    faults: list[str] = []
    expected: float | None = None  # the ordinate that the next line has to repeat
    for number, line in enumerate(lines):
        tokens = list(_tokens(line))
        if not tokens:
            continue
        kind, text = tokens[0]
        if kind != "number":
            raise ValueError(f"line {number + 1} of its table starts with {text!r} where an abscissa is expected")
        first = float(text) if first is None else first
        start = len(values)
        step, last_kind = 0.0, ""
        for kind, text in tokens[1:]:
            if kind == "repeat":
                count = int(_REPEATS[text[0]] + text[1:]) - 1
                if not values or len(values) + count > _MOST:
                    raise ValueError(f"line {number + 1} of its table repeats a value that is missing, or too many times ({text!r})")
                last, each = values[-1], step if last_kind == "difference" else 0.0
                values.extend([last + each * n for n in range(1, count + 1)])
                continue
            if kind == "difference":
                if not values:
                    raise ValueError(f"line {number + 1} of its table starts with a difference {text!r}")
                step = float(_DIFFERENCES[text[0]] + text[1:])
                values.append(values[-1] + step)
            else:
                values.append(_value(kind, text))
            last_kind = kind
            if len(values) == start + 1 and expected is not None and kind != "difference":
                if abs(values[-1] - expected) > max(1.0, 1e-6 * abs(expected)) and not faults:
                    faults.append(f"line {number + 1} of its table starts with the ordinate {values[-1]:g} where {expected:g} is expected")
                values[-2:] = [values[-1]]  # the check replaces a value that differs, so that an error does not propagate
                expected = None
        expected = values[-1] if last_kind == "difference" and len(values) > start else None
    return np.array(values, np.float64), first, faults


def _value(kind: str, text: str) -> float:
    if kind == "missing":
        return float("nan")
    return float(_SQUEEZED[text[0]] + text[1:]) if kind == "squeezed" else float(text)


def _tokens(line: str) -> Iterable[tuple[str, str]]:
    place = 0
    while place < len(line):
        match = _TOKEN.match(line, place)
        if match is None:
            raise ValueError(f"its table holds {line[place]!r}, which is not part of a number")
        place = match.end()
        if match.lastgroup != "between":
            yield str(match.lastgroup), match.group(0)


def pairs(lines: Iterable[str]) -> tuple[FloatList, FloatList]:
    """Return abscissae and ordinates of a table ``(XY..XY)``."""
    found = [_value(kind, text) for line in lines for kind, text in _tokens(line) if kind in ("number", "missing")]
    if len(found) % 2:
        raise ValueError(f"its table of pairs holds {len(found)} numbers; it is truncated")
    table = np.array(found, np.float64).reshape(-1, 2)
    return table[:, 0], table[:, 1]
