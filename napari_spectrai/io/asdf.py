"""The ordinates of JCAMP-DX: numbers in plain form (AFFN) and in the packed forms PAC, SQZ, DIF, DUP and DIFDUP (ASDF).

According to the protocol of McDonald and Wilks, Appl. Spectrosc. 42 (1988) 151, doi:10.1366/0003702884428734.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Abscissa:
    """The abscissa at the start of a line: its value and the unit of its last digit, as written, and the number of its first ordinate."""

    value: float
    digit: float
    number: int


def ordinates(lines: Iterable[str]) -> tuple[FloatList, list[Abscissa], list[str]]:
    """Return the ordinates of a table ``(X++(Y..Y))``, the abscissae of its lines, and what is wrong with the table, in words.

    Each line starts with an abscissa. A line after one that ended in a difference repeats the last ordinate as a check, which is
    compared and left out; a count says how often a value or a difference occurs, itself included.
    """
    values: list[float] = []
    abscissae: list[Abscissa] = []
    faults: list[str] = []
    expected: float | None = None  # the ordinate that the next line has to repeat
    for number, line in enumerate(lines):
        tokens = list(_tokens(line))
        if not tokens:
            continue
        kind, text = tokens[0]
        if kind != "number":
            raise ValueError(f"line {number + 1} of its table starts with {text!r} where an abscissa is expected")
        across, start = text, len(values)
        step, last_kind, checked = 0.0, "", False
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
                expected, checked = None, True
        abscissae.append(Abscissa(float(across), _digit(across), start - (checked and start > 0)))
        expected = values[-1] if last_kind == "difference" and len(values) > start else None
    return np.array(values, np.float64), abscissae, faults


def _digit(text: str) -> float:
    """Return the unit of the last digit of a number as written."""
    mantissa, _, exponent = text.upper().partition("E")
    return 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))


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


def pairs(lines: Iterable[str], width: int = 2) -> tuple[FloatList, FloatList]:
    """Return abscissae and ordinates of a table ``(XY..XY)``, or of one of `width` numbers a point, such as ``(XYW..XYW)``."""
    found = [_value(kind, text) for line in lines for kind, text in _tokens(line) if kind in ("number", "missing")]
    if len(found) % width:
        raise ValueError(f"its table of {width} numbers a point holds {len(found)}; it is truncated")
    table = np.array(found, np.float64).reshape(-1, width)
    return table[:, 0], table[:, 1]
