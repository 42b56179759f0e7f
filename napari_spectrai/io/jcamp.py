"""JCAMP-DX: single spectra, compound files of linked blocks, and pages (NTUPLES), with a decoder written here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from napari_spectrai.io.asdf import Abscissa, FloatList, ordinates, pairs
from napari_spectrai.io.found import RawArray, affordable, warn
from napari_spectrai.io.spectra import Spectrum, chosen, inspected, of_sample
from napari_spectrai.io.texts import decoded

_RECORD = re.compile(r"##\s*([^=\n]*?)\s*=(.*)", re.DOTALL)
_TABLES = ("XYDATA", "XYPOINTS", "DATATABLE", "PEAKTABLE", "PEAKASSIGNMENTS")
_OF_PEAKS = ("PEAKTABLE", "PEAKASSIGNMENTS")
_POINTS = re.compile(r"\(\s*(X\s*Y\s*[B-Z]?)\s*\.\.", re.IGNORECASE)
"""The form of a table of points: two numbers each, or three with a width or the like."""
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][-+]?\d+)?"
_COMMA = re.compile(r"[-+]?\d+,\d+(?:[eE][-+]?\d+)?")
_SINGLE = ("FIRSTX", "LASTX", "DELTAX", "FIRSTY", "MINX", "MAXX", "MINY", "MAXY", "XFACTOR", "YFACTOR")
"""Records of one number each, in which a comma is the decimal mark that the numbers of the table have too."""
_TOLERANCE = 0.6
"""Fraction of a step by which an abscissa may differ from the position of its point: steps are written with few digits."""
_NEAR = 2
"""Steps by which the abscissae of a table may lie beyond FIRSTX and LASTX and still be positions."""
_WITHIN = re.compile(r"(?<=\d),(?=\d)")
_LONGEST_WORDS = 10_000


@dataclass(slots=True)
class _Block:
    """The records of one block, labels in capitals without punctuation; the last of equal ones counts, as for pages."""

    records: dict[str, str] = field(default_factory=dict)
    tables: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)  # label, text, the records above it

    def number(self, label: str, default: float | None = None) -> float | None:
        """Return the number of a record."""
        said = self.records.get(label, "").strip()
        match = re.match(rf"({_NUMBER})", said.replace(",", ".") if _COMMA.fullmatch(said) else said)
        return float(match.group(1).replace("D", "E").replace("d", "e")) if match else default

    @property
    def has_commas(self) -> bool:
        """Whether commas are the decimal marks of its numbers."""
        return any(_COMMA.fullmatch(self.records.get(label, "")) for label in _SINGLE)

    def texts(self, label: str) -> list[str]:
        """Return the parts of a record of a list."""
        return [part.strip() for part in self.records.get(label, "").split(",")]


def _content(path: Path) -> str:
    affordable((path.stat().st_size * 20,), np.uint8)
    text = decoded(path.read_bytes()).partition("\x1a")[0]  # ^Z ends a file of DOS
    return re.sub(r"\$\$[^\r\n]*", "", text.replace("\r\n", "\n").replace("\r", "\n"))


def _blocks(path: Path) -> list[_Block]:
    """Return the blocks that hold tables, in the file's order."""
    parts = re.split(r"(?m)^[ \t]*(?=##)", _content(path))
    if not any(part.startswith("##") for part in parts):
        raise ValueError("it holds no labelled records (##LABEL=)")
    found: list[_Block] = []
    stack: list[_Block] = []
    for part in parts:
        match = _RECORD.match(part)
        if match is None:
            continue
        label = re.sub(r"[\s/_-]", "", match.group(1)).upper()
        value = match.group(2)
        if label == "TITLE" or not stack:
            stack.append(_Block())
            found.append(stack[-1])
        block = stack[-1]
        if label == "END":
            stack.pop()
        elif label in _TABLES:
            block.tables.append((label, value, dict(block.records)))
        else:
            block.records[label] = value.strip()[:_LONGEST_WORDS]
    whole = [block for block in found if block.tables]
    if stack:  # some programs leave the last ##END= out
        promised = int(stack[0].number("BLOCKS") or 0)
        counted = any(label in stack[-1].records for label in ("NPOINTS", "VARDIM"))
        if len(whole) < promised or (stack[-1].tables and not counted):
            blocks = f" and with {len(whole)} of {promised} blocks" if len(whole) < promised else ""
            warn(path, f"it ends without ##END={blocks}; it may be cut off or still being written")
    return whole


def spectra(path: Path) -> list[Spectrum]:
    """Return every spectrum of a file, each with a unique name; tables of peaks count where there is nothing else."""
    blocks = _blocks(path)
    if not blocks:
        raise ValueError("it holds no spectrum")
    found: list[tuple[str, Spectrum]] = []
    for block in blocks:
        for label, text, records in block.tables:
            page = _Block({**block.records, **records})  # those below the table count where none above it does
            form, lines = _parted(label, _WITHIN.sub(".", text) if page.has_commas else text)
            found.append((label, _ntuple(path, page, form, lines) if "SYMBOL" in records else _single(path, page, form, lines)))
    plain = [spectrum for label, spectrum in found if label not in _OF_PEAKS] or [spectrum for _, spectrum in found]
    return _named(plain)


def _parted(label: str, text: str) -> tuple[str, list[str]]:
    """Return the form of a table, which may be in a line of its own, and its lines of numbers."""
    form, _, rest = text.lstrip().partition("\n") if not text.partition("\n")[0].strip() else text.partition("\n")
    if not form.lstrip().startswith("("):
        form, rest = "", text
    if label == "PEAKASSIGNMENTS":  # positions and heights alone, whatever stands behind them
        return "(XY..XY)", [" ".join(re.findall(_NUMBER, group)[:2]) for group in re.findall(r"\(([^)]*)", re.sub(r"<[^>\n]*>", "", rest))]
    return form, rest.split("\n")


def _named(found: Sequence[Spectrum]) -> list[Spectrum]:
    """Return the spectra under unique names: their titles where these differ, else with their numbers."""
    titles = [spectrum.name for spectrum in found]
    return [
        Spectrum(
            title if title and titles.count(title) == 1 else f"{title} {number + 1}".strip(), one.positions, one.values, one.unit, title
        )
        for number, (title, one) in enumerate(zip(titles, found, strict=True))
    ]


def _single(path: Path, block: _Block, form: str, lines: Sequence[str]) -> Spectrum:
    """Return the spectrum of a block of one table."""
    factors = [block.number(label, 1.0) or 1.0 for label in ("XFACTOR", "YFACTOR")]
    unit, title = block.records.get("XUNITS", ""), block.records.get("TITLE", "").partition("\n")[0].strip()
    points = _POINTS.search(form)
    if points is not None:
        width, promised = len(re.sub(r"\s", "", points.group(1))), int(block.number("NPOINTS") or 0)
        across, along = pairs(lines, width)
        if promised and len(along) == 2 * promised:  # records with decimal points, and values with commas
            across, along = pairs([_WITHIN.sub(".", line) for line in lines], width)
        if promised not in (0, len(along)):
            warn(path, f"it promises {promised} points and gives {len(along)}; it may be truncated")
        return Spectrum(title, across * factors[0], along * factors[1], unit, title)
    y, abscissae = _checked(path, lines)
    expected = block.number("NPOINTS")
    if expected is not None and int(expected) != len(y):
        raise ValueError(f"it promises {int(expected)} points and gives {len(y)}; it is truncated or damaged")
    return Spectrum(title, _positions(path, block, abscissae, factors[0], len(y)), y * factors[1], unit, title)


def _checked(path: Path, lines: Sequence[str]) -> tuple[FloatList, list[Abscissa]]:
    y, abscissae, faults = ordinates(lines)
    for fault in faults:
        warn(path, f"{fault}; the table is damaged there")
    return y, abscissae


def _positions(path: Path, block: _Block, abscissae: Sequence[Abscissa], factor: float, count: int) -> FloatList:
    """Return the positions that FIRSTX and LASTX, or DELTAX, give, unless the abscissae of the lines show that these are wrong."""
    first, last, step = (block.number(label) for label in ("FIRSTX", "LASTX", "DELTAX"))
    first = abscissae[0].value * factor if first is None and abscissae else first
    of_lines = _of_lines(abscissae, factor, count)
    if not count or first is None or (last is None and step is None and count > 1 and of_lines is None):
        raise ValueError("it gives no positions (FIRSTX, and LASTX or DELTAX)")
    if count == 1:
        return np.array([first])
    along = np.arange(count, dtype=np.float64)
    steps = [s for s in (step, None if step is None else -step) if s]
    ways = [*([np.linspace(first, last, count)] if last is not None else []), *(first + s * along for s in steps)]
    ways += [ways[0][::-1]] if ways else []
    if of_lines is not None and (not ways or _lie_near(ways[0], of_lines)):
        ways.append(of_lines)
    fitting = next((way for way in ways if _agree(way, abscissae, factor)), ways[0])
    said, own = f"{ways[0][0]:g}–{ways[0][-1]:g}", f"{fitting[0]:g}–{fitting[-1]:g}"
    if fitting is not ways[0]:
        warn(path, f"its FIRSTX, LASTX or DELTAX ({said}) contradict the abscissae of its lines ({own}), which are used")
    elif not _agree(fitting, abscissae, factor):
        warn(path, f"the abscissae of its lines contradict FIRSTX, LASTX or DELTAX ({said}), which are used")
    return fitting


def _of_lines(abscissae: Sequence[Abscissa], factor: float, count: int) -> FloatList | None:
    """Return the evenly spaced positions on which the abscissae of the lines lie, if there are enough of them."""
    numbers, values = (np.array([getattr(one, key) for one in abscissae], np.float64) for key in ("number", "value"))
    if np.unique(numbers).size < 2:
        return None
    slope, start = np.polyfit(numbers, values * factor, 1)
    found: FloatList = start + slope * np.arange(count)
    return found if slope else None


def _lie_near(said: FloatList, of_lines: FloatList) -> bool:
    """Whether positions by the abscissae lie within the range that the records give, so that they are no running numbers."""
    margin = _NEAR * abs(float(of_lines[1] - of_lines[0]))
    return bool(of_lines.min() >= said.min() - margin and of_lines.max() <= said.max() + margin)


def _agree(positions: FloatList, abscissae: Sequence[Abscissa], factor: float) -> bool:
    """Whether abscissae as they are written are at positions; some programs count them from the point before or behind a line's first."""
    step = abs(float(positions[-1] - positions[0])) / (len(positions) - 1)
    numbers = np.array([one.number for one in abscissae], np.intp)
    values = np.array([one.value for one in abscissae]) * factor
    digits = np.array([one.digit for one in abscissae]) * abs(factor)
    allowed = np.maximum(np.maximum(_TOLERANCE * step, 1.1 * digits), 1e-6 * np.abs(values))
    last = len(positions) - 1
    for shift in (0, 1, -1):
        places = np.clip(numbers + shift * (numbers > 0), 0, last)
        if (np.abs(values - positions[places]) <= allowed).all():
            return True
    return False


def _ntuple(path: Path, block: _Block, form: str, lines: Sequence[str]) -> Spectrum:
    """Return the spectrum of a page, whose variables are listed above it."""
    symbols = [symbol.upper() for symbol in block.texts("SYMBOL")]
    said: dict[str, list[str]] = {label: block.texts(label) for label in ("FACTOR", "FIRST", "LAST", "UNITS", "VARDIM")}

    def of(label: str, symbol: str) -> str:
        place = symbols.index(symbol) if symbol in symbols else -1
        return said[label][place] if 0 <= place < len(said[label]) else ""

    def number(label: str, symbol: str, default: float) -> float:
        text = of(label, symbol)
        return float(text) if text else default

    match = re.search(r"\(\s*(\w)\s*\+\+\s*\(\s*(\w)|\(\s*(\w)\s*(\w)\s*\.\.", form.upper())
    if match is None:
        raise ValueError(f"its table {form.strip()!r} has an unknown form")
    across, along = match.group(1) or match.group(3), match.group(2) or match.group(4)
    title = " ".join(part for part in (block.records.get("TITLE", ""), block.records.get("PAGE", ""), along) if part)
    if match.group(3):
        x, y = pairs(lines)
        return Spectrum(title, x * number("FACTOR", across, 1.0), y * number("FACTOR", along, 1.0), of("UNITS", across), title)
    y, abscissae = _checked(path, lines)
    first = abscissae[0].value if abscissae else None
    expected = number("VARDIM", along, float(len(y)))
    if int(expected) != len(y):
        raise ValueError(f"it promises {int(expected)} points and gives {len(y)}; it is truncated or damaged")
    start = number("FIRST", across, (first or 0.0) * number("FACTOR", across, 1.0))
    end = number("LAST", across, start + len(y) - 1)
    return Spectrum(title, np.linspace(start, end, len(y)), y * number("FACTOR", along, 1.0), of("UNITS", across), title)


def inspect(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the spectra and their lengths; those that share their positions as one set too."""
    return inspected(spectra(path))


def read(path: Path, *, dataset: str | None = None) -> RawArray:
    """Read the spectra of a file that share their positions; where they differ, one is chosen by name."""
    found: Any = spectra(path)
    return chosen(path, found if dataset is not None else of_sample(path, found), dataset)
