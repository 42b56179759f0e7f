"""The blocks of a Bruker OPUS file: its directory, the parameters of each result, and where its values lie.

A block's type is a number of 32 bits: part of a complex result, sample or reference, kind of parameters, kind of result, derivative, and
whether it is a series. Values belong to the status (parameters) of the same type.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

MAGIC = b"\x0a\x0a\xfe\xfe"
_STATUS = 1
_DIRECTORY, _SERIES, _COMPACT, _HISTORY = 13, 2, 4, 5
_CHANNELS = 32
"""Kinds of results repeat after so many, for detectors of several channels."""
_KINDS = {
    1: ("", "Spectrum"), 2: ("ig", "Interferogram"), 3: ("ph", "Phase"), 4: ("a", "Absorbance"), 5: ("t", "Transmittance"),
    6: ("km", "Kubelka-Munk"), 7: ("tr", "Trace"), 8: ("gcig", "Series of interferograms"), 9: ("gcsc", "Series of spectra"),
    10: ("ra", "Raman"), 11: ("e", "Emission"), 12: ("r", "Reflectance"), 14: ("pw", "Power"), 15: ("logr", "log Reflectance"),
    16: ("atr", "ATR"), 17: ("pas", "Photoacoustic"), 18: ("arit", "Result of arithmetics"), 19: ("aria", "Result of arithmetics"),
    22: ("match", "Match"),
}  # fmt: skip
"""Short and long names of the kinds of results."""
_TYPES = {1: np.dtype("<f4"), 2: np.dtype("<i4")}
_INFO_FACTOR, _INFO_TIME, _INFO_LENGTH = 104, 144, 152
"""Where a spectrum of a series has its factor and the time at which it ended, and the length of what describes it."""

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Entry:
    """One line of the directory: the type's parts, and where the block lies."""

    part: int
    source: int
    parameters: int
    kind: int
    derivative: int
    form: int
    start: int
    size: int

    @property
    def of(self) -> tuple[int, ...]:
        """What values and their status have in common."""
        return self.part, self.source, self.kind, self.derivative, self.form

    @property
    def holds_values(self) -> bool:
        """Whether it is a block of values."""
        return self.parameters == 0 and self.kind not in (0, _DIRECTORY) and self.form != _HISTORY


@dataclass(frozen=True, slots=True)
class Result:
    """Values with their status.

    Parameters
    ----------
    key : short name, unique in the file
    label : long name
    derivative : its order, 0 for none
    status : its parameters by their three letters
    content : the bytes of the block
    form : how the values are stored: one spectrum, with a head before it, or a series
    """

    key: str
    label: str
    derivative: int
    status: dict[str, Any]
    content: memoryview
    form: int

    @property
    def unit(self) -> str:
        """The unit of the positions, as in the file."""
        return str(self._parameter("DXU")).strip().upper()

    @property
    def points(self) -> int:
        """Number of bands."""
        count = int(self._parameter("NPT"))
        if count < 1:
            raise ValueError(f"its block {self.key!r} claims {count} points; it is damaged")
        return count

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the values, without reading them."""
        return (len(self._series()[0]), self.points) if self.form == _SERIES else (self.points,)

    def positions(self) -> FloatArray:
        """Return the positions of the bands."""
        return np.linspace(float(self._parameter("FXV")), float(self._parameter("LXV")), self.points)

    def values(self) -> tuple[FloatArray, FloatArray]:
        """Return the values in their scale, and the times at which the spectra of a series ended, if it says so."""
        factor = float(self.status.get("CSF", 1.0))
        if self.form != _SERIES:
            spectrum = np.frombuffer(self.content, self._dtype, len(self.content) // 4)
            return (spectrum[-self.points :] if self.form == _COMPACT else spectrum[: self.points]) * factor, np.array([])
        places, info = self._series()
        spectra = np.array([np.frombuffer(self.content, self._dtype, self.points, place) for place in places], np.float64)
        factors = np.full(len(places), factor)
        times = np.array([])
        after = [place + struct.unpack_from("<i", self.content, 12)[0] for place in places]
        if info >= _INFO_FACTOR + 8:
            own = np.array([struct.unpack_from("<d", self.content, place + _INFO_FACTOR)[0] for place in after])
            factors = own if np.isfinite(own).all() and (own > 0).all() else factors
        if info >= _INFO_LENGTH:
            times = np.array([struct.unpack_from("<d", self.content, place + _INFO_TIME)[0] for place in after])
        return spectra * factors[:, None], times

    @property
    def _dtype(self) -> np.dtype[Any]:
        code = int(self.status.get("DPF", 1))
        if code not in _TYPES:
            raise ValueError(f"the values of {self.key!r} have the type {code}; those known are 1 (float) and 2 (integer)")
        return _TYPES[code]

    def _parameter(self, name: str) -> Any:
        if name not in self.status:
            raise ValueError(f"one of its blocks lacks the parameter {name.casefold()!r}; it is truncated or damaged")
        return self.status[name]

    def _series(self) -> tuple[list[int], int]:
        """Return where the spectra of a series lie, as many as are in it, and the length of what describes each."""
        if len(self.content) < 24:
            raise ValueError(f"its series {self.key!r} has no head; it is truncated or damaged")
        _, count, place, size, info = struct.unpack_from("<5i", self.content)
        if count < 1 or place < 24 or size < 4 * self.points or info < 0:
            raise ValueError(f"its series {self.key!r} claims {count} spectra of {size} bytes; it is damaged")
        there = (len(self.content) - place) // (size + info)
        if there < 1:
            raise ValueError(f"its series {self.key!r} holds none of its {count} spectra; it is truncated or damaged")
        return [place + number * (size + info) for number in range(min(count, there))], info


def results_of(content: bytes) -> list[Result]:
    """Return the results of a file, the one that was added last first.

    Raises
    ------
    ValueError
        If it is no OPUS file, or ends before one of its blocks.
    """
    if not content.startswith(MAGIC):
        raise ValueError("it does not start as an OPUS file does")
    if len(content) < 24:
        raise ValueError(f"it has {len(content)} bytes, fewer than its header; it is truncated")
    entries = _directory(content)
    whole = memoryview(content)
    states = [(entry, _parameters(whole[entry.start : entry.start + entry.size])) for entry in entries if entry.parameters == _STATUS]
    found: list[Result] = []
    values = sorted((entry for entry in entries if entry.holds_values), key=lambda entry: -entry.start)
    for entry, status in _paired(whole, values, states):
        key, label = _named(entry)
        taken = {one.key for one in found}
        unique = next(name for name in (key, *(f"{key}_{number}" for number in range(2, len(values) + 2))) if name not in taken)
        block = whole[entry.start : entry.start + entry.size]
        found.append(Result(unique, label, entry.derivative, status, block, entry.form))
    return found


def _directory(content: bytes) -> list[_Entry]:
    start, most = struct.unpack_from("<2i", content, 12)
    found: list[_Entry] = []
    for place in range(start, min(start + 12 * most, len(content) - 11) if start > 0 else 0, 12):
        code, size, where = struct.unpack_from("<3i", content, place)
        if where <= 0:
            break
        bits = code & 0xFFFFFFFF
        parts = (bits & 3, bits >> 2 & 3, bits >> 4 & 63, bits >> 10 & 127, bits >> 17 & 3, bits >> 19 & 7)
        if size > 0:
            found.append(_Entry(*parts, where, 4 * size))
    return found


def _parameters(block: memoryview) -> dict[str, Any]:
    """Return parameters by their three letters; those of a block that ends early as far as they are there."""
    found: dict[str, Any] = {}
    place = 0
    while place + 8 <= len(block):
        name = bytes(block[place : place + 3]).decode("latin-1")
        if name == "END":
            break
        kind, words = struct.unpack_from("<2h", block, place + 4)
        end = place + 8 + 2 * words
        if words < 0 or end > len(block):
            break
        if kind == 0 and words >= 2:
            found[name] = struct.unpack_from("<i", block, place + 8)[0]
        elif kind == 1 and words >= 4:
            found[name] = struct.unpack_from("<d", block, place + 8)[0]
        elif kind > 1:
            found[name] = bytes(block[place + 8 : end]).partition(b"\0")[0].decode("latin-1")
        place = end
    return found


def _paired(content: memoryview, values: list[_Entry], states: list[tuple[_Entry, dict[str, Any]]]) -> list[tuple[_Entry, dict[str, Any]]]:
    """Return values with their status: that of the same type, and of several the one whose extremes are theirs, else the nearest."""
    found: list[tuple[_Entry, dict[str, Any]]] = []
    free = list(states)
    for entry in values:
        alike = [state for state in free if state[0].of == entry.of]
        if not alike:
            continue
        fitting = [state for state in alike if _has_extremes(content, entry, state[1])] if len(alike) > 1 else alike
        state = min(fitting or alike, key=lambda one: abs(one[0].start - entry.start))
        free.remove(state)
        if entry.start + entry.size > len(content):
            raise ValueError(f"it ends before its block {_named(entry)[0]!r} does; it is truncated")
        too_short = entry.form != _SERIES and 4 * int(state[1].get("NPT", 0)) > entry.size
        if not too_short:
            found.append((entry, state[1]))
    return found


def _has_extremes(content: memoryview, entry: _Entry, status: dict[str, Any]) -> bool:
    """Whether the least and the largest value are those of a status."""
    points, dtype = int(status.get("NPT", 0)), _TYPES.get(int(status.get("DPF", 1)))
    if entry.form == _SERIES or dtype is None or not 0 < 4 * points <= entry.size or entry.start + entry.size > len(content):
        return False
    values = np.frombuffer(content, dtype, points, entry.start) * float(status.get("CSF", 1.0))
    given = [float(status.get(name, np.nan)) for name in ("MNY", "MXY")]
    return bool(np.allclose([values.min(), values.max()], given, rtol=1e-5))


def _named(entry: _Entry) -> tuple[str, str]:
    """Return the short and the long name of a result."""
    channel, kind = divmod(entry.kind, _CHANNELS)
    short, long = _KINDS.get(kind, (f"_{entry.kind}", f"Result {entry.kind}"))
    short += {1: "sm", 2: "rf"}.get(entry.source, "")
    words = [{1: "Sample", 2: "Reference"}.get(entry.source, ""), long]
    if channel:
        short, words = f"{short}_{channel + 1}ch", [*words, f"{channel + 1} channels"]
    if entry.derivative:
        short, words = f"{short}_d{entry.derivative}", [*words, f"derivative {entry.derivative}"]
    if entry.part in (1, 2):
        short, words = f"{short}_{'re' if entry.part == 1 else 'im'}", [*words, "real part" if entry.part == 1 else "imaginary part"]
    if entry.form == _COMPACT:
        short += "_c"
    return short, " ".join(filter(None, words))
