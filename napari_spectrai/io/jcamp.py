"""JCAMP-DX: single spectra, compound files of linked blocks, and pages (NTUPLES), with a decoder written here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from napari_spectrai.io.asdf import FloatList, ordinates, pairs
from napari_spectrai.io.found import RawArray, affordable, warn
from napari_spectrai.io.spectra import Spectrum, chosen, inspected
from napari_spectrai.io.tables import decoded

_RECORD = re.compile(r"##\s*([^=\n]*?)\s*=(.*)", re.DOTALL)
_TABLES = ("XYDATA", "XYPOINTS", "DATATABLE", "PEAKTABLE")
_LONGEST_WORDS = 10_000


@dataclass(slots=True)
class _Block:
    """The records of one block, labels in capitals without punctuation; the last of equal ones counts, as for pages."""

    records: dict[str, str] = field(default_factory=dict)
    tables: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)  # label, text, the records above it

    def number(self, label: str, default: float | None = None) -> float | None:
        """Return the number of a record."""
        match = re.match(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][-+]?\d+)?)", self.records.get(label, ""))
        return float(match.group(1).replace("D", "E").replace("d", "e")) if match else default

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
    return [block for block in found if block.tables]


def spectra(path: Path) -> list[Spectrum]:
    """Return every spectrum of a file, each with a unique name; tables of peaks count where there is nothing else."""
    blocks = _blocks(path)
    if not blocks:
        raise ValueError("it holds no spectrum")
    found: list[tuple[str, Spectrum]] = []
    for block in blocks:
        for label, text, records in block.tables:
            page = _Block(records)
            form = text.partition("\n")[0]
            lines = text.partition("\n")[2].split("\n")
            found.append((label, _ntuple(path, page, form, lines) if "SYMBOL" in records else _single(path, page, form, lines)))
    plain = [spectrum for label, spectrum in found if label != "PEAKTABLE"] or [spectrum for _, spectrum in found]
    return _named(plain)


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
    if "XY" in form.replace(" ", "").upper():
        across, along = pairs(lines)
        return Spectrum(title, across * factors[0], along * factors[1], unit, title)
    y, first = _checked(path, lines)
    expected = block.number("NPOINTS")
    if expected is not None and int(expected) != len(y):
        raise ValueError(f"it promises {int(expected)} points and gives {len(y)}; it is truncated or damaged")
    start = block.number("FIRSTX", None if first is None else first * factors[0])
    end, step = block.number("LASTX"), block.number("DELTAX")
    if not len(y) or start is None or (end is None and step is None and len(y) > 1):
        raise ValueError("it gives no positions (FIRSTX, and LASTX or DELTAX)")
    x: FloatList = np.linspace(start, end, len(y)) if end is not None else start + (step or 0.0) * np.arange(len(y), dtype=np.float64)
    return Spectrum(title, x, y * factors[1], unit, title)


def _checked(path: Path, lines: Sequence[str]) -> tuple[FloatList, float | None]:
    y, first, faults = ordinates(lines)
    for fault in faults:
        warn(path, f"{fault}; the table is damaged there")
    return y, first


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
    y, first = _checked(path, lines)
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
    return chosen(path, found, dataset)
