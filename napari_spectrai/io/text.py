"""Text and CSV: spectra in columns beside their positions, spectra in rows under them, or one line per map point."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.cube import Cube
from napari_spectrai.io.arrays import from_header, header_of
from napari_spectrai.io.found import RawArray, affordable, positions, warn

_OURS = "# napari-spectrai "
_WIDE = 10_000
"""Columns from which a table is read without genfromtxt."""
_LONGEST_HEAD = 2_000
"""Characters of the head of a map, which names four columns."""
_UNIT = re.compile(r"(1/cm|cm-1|cm\^-1|cm⁻¹|\bnm\b|µm|μm|\bum\b|micro(?:n|met)|\beV\b)", re.IGNORECASE)
_WORDS = {"raman": "1/cm", "wavenumber": "1/cm", "wave number": "1/cm"}
_MAP = re.compile(r"(?=.*\bx\b)(?=.*\by\b)(?=.*\b(wave|wavenumber|shift|raman ?shift|wavelength)\b)(?=.*\bintensity\b)", re.IGNORECASE)


def _unit(words: str) -> str:
    match = _UNIT.search(words)
    if match:
        return "um" if match.group(1).lower().startswith("micro") else match.group(1)
    return next((unit for word, unit in _WORDS.items() if word in words.lower()), "")


def _table(path: Path) -> tuple[list[str], npt.NDArray[np.float64]]:
    """Return the leading lines of words, and the numbers below; an empty cell is NaN."""
    affordable((path.stat().st_size * 4,), np.uint8)
    try:
        content = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:  # instruments write µ in the Windows way
        content = path.read_text(encoding="cp1252")
    if "\0" in content:
        raise ValueError("it holds zero bytes; it is no text")
    lines = [line for line in content.splitlines() if line.strip(" ,;\t")]
    # told by the lines of numbers alone: titles hold any mark
    counts = {mark: sum(_numeric(_decimal(line, mark), mark, least=2) for line in lines[:300]) for mark in (";", "\t", ",", None)}
    delimiter = max(counts, key=lambda mark: counts[mark]) if any(counts.values()) else None
    if delimiter in (";", "\t"):
        lines = [line if line.startswith("#") else _decimal(line, delimiter) for line in lines]
    words: list[str] = []
    while lines and not _numeric(lines[0], delimiter):
        words.append(lines.pop(0))
        if len(words) > 200:
            raise ValueError("its first 200 lines hold no numbers")
    if not lines:
        raise ValueError("it holds no numbers")
    try:
        numbers = np.loadtxt(io.StringIO("\n".join(lines)), delimiter=delimiter, ndmin=2, comments="#")
    except ValueError:
        if len(lines[0].split(delimiter)) > _WIDE:
            numbers = _with_gaps(lines, delimiter)
        else:
            numbers = np.genfromtxt(io.StringIO("\n".join(lines)), delimiter=delimiter, comments="#", invalid_raise=True, ndmin=2)
        numbers = numbers[:, ~np.isnan(numbers).all(0)]
    return words, numbers


def _with_gaps(lines: list[str], delimiter: str | None) -> npt.NDArray[np.float64]:
    """Return the numbers of lines with empty cells; genfromtxt makes an object for each column, which takes minutes for a million."""
    rows = [[float(cell) if cell.strip() else np.nan for cell in line.partition("#")[0].split(delimiter)] for line in lines]
    if len({len(row) for row in rows}) > 1:
        raise ValueError("its lines hold different numbers of cells; it is truncated, or no table")
    return np.array(rows)


def _decimal(line: str, delimiter: str | None) -> str:
    """Return the line with decimal points, where the delimiter leaves the comma free to be one."""
    return re.sub(r"(?<=\d),(?=\d)", ".", line) if delimiter in (";", "\t") else line


def _numeric(line: str, delimiter: str | None, least: int = 1) -> bool:
    if line.startswith("#"):
        return False
    cells = [cell.strip() for cell in line.split(delimiter) if cell.strip()]
    try:
        return len([float(cell) for cell in cells]) >= least
    except ValueError:
        return False


def inspect(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the shape of the table of numbers."""
    return {"table": _table(path)[1].shape}


def read(path: Path, *, dataset: str | None = None) -> RawArray:
    """Read a table of spectra.

    Understood: what `write` wrote; ``x, y, wavenumber, intensity`` a line (a map); positions in the first column and a spectrum
    in each further one; positions in the head and a spectrum a line. A table of bare numbers is read as spectra in columns.
    """
    words, numbers = _table(path)
    if words and words[0].startswith(_OURS):
        return _own(json.loads(words[0].removeprefix(_OURS)), numbers)
    title = words[-1].lstrip("# ") if words else ""
    # from the beginning only, and of few words: each of them is sought in the whole line, from every place that it is tried at
    if numbers.shape[1] == 4 and _MAP.match(title[:_LONGEST_HEAD]):
        return _map(path, numbers, title[:_LONGEST_HEAD])
    head = _head(title)
    if head is not None and head.size in (numbers.shape[1], numbers.shape[1] - 1):
        spectra = numbers[:, numbers.shape[1] - head.size :]
        return RawArray(spectra, axis=positions(path, head, _unit(" ".join(words))))
    first = numbers[:, 0]
    steps = np.diff(first)
    if numbers.shape[1] > 1 and len(first) > 2 and np.isfinite(first).all() and ((steps > 0).all() or (steps < 0).all()):
        return RawArray(numbers[:, 1:], spectral=0, axis=positions(path, first, _unit(" ".join(words))))
    return RawArray(numbers, spectral=0, sure=False)


def _head(title: str) -> npt.NDArray[np.float64] | None:
    """Return the positions that a line of column names spells out."""
    cells = [cell.strip().strip('"') for cell in re.split(r"[,;\t]", title)]
    values = [float(match.group(0)) for cell in cells if (match := re.match(r"[-+]?\d+(\.\d+)?", cell))]
    if len(values) < max(2, len(cells) - 1) or (_unit(cells[0]) and len(values) < len(cells)):
        return None  # the first column is the axis, and these are names
    head = np.array(values)
    return None if np.array_equal(np.diff(head), np.ones(len(head) - 1)) and head[0] in (0, 1) else head


def _own(header: dict[str, Any], numbers: npt.NDArray[np.float64]) -> RawArray:
    shape, dtype = tuple(int(length) for length in header["shape"]), np.dtype(header["dtype"])
    if dtype.kind not in "fiub" or numbers.shape != (shape[-1], 1 + int(np.prod(shape[:-1]))):
        raise ValueError(f"its table of {numbers.shape} does not hold the {shape} that its first line promises; it is truncated")
    return from_header(numbers[:, 1:].T.reshape(shape).astype(dtype), header)


def _map(path: Path, numbers: npt.NDArray[np.float64], title: str) -> RawArray:
    cells = [cell.strip().lower() for cell in re.split(r"[,;\t\s]+(?![^()]*\))", title) if cell.strip()]
    places = {name: next((n for n, cell in enumerate(cells) if cell.lstrip("#").startswith(name)), -1) for name in ("x", "y", "i")}
    if sorted(places.values())[0] < 0 or max(places.values()) > 3 or len(set(places.values())) < 3:
        places = {"x": 0, "y": 1, "i": 3}
    third = ({0, 1, 2, 3} - set(places.values())).pop()
    x, y, wave, values = (numbers[:, column] for column in (places["x"], places["y"], third, places["i"]))
    bands = next((int(n) for n in np.flatnonzero((np.diff(x) != 0) | (np.diff(y) != 0)) + 1), len(wave))
    if len(wave) % bands or not (wave.reshape(-1, bands) == wave[:bands]).all():
        raise ValueError("its lines x, y, position, intensity do not repeat the same positions for each point; it is truncated or no map")
    spectra, axis = (
        values.reshape(-1, bands),
        positions(path, wave[:bands], _unit(re.sub(r"\b[xy]\b[^,;\t]*[,;\t]", "", title, flags=re.I))),
    )
    x, y = x[::bands], y[::bands]
    (column, across), (row, down) = (_steps(values) for values in (x, y))
    height, width = int(row.max()) + 1, int(column.max()) + 1
    if height * width != len(spectra) or np.unique(row * width + column).size != len(spectra):
        warn(path, "its points form no grid; they are read as a set of spectra with their places in metadata['stage_x'] and ['stage_y']")
        return RawArray(spectra, axis=axis, metadata={"stage_x": x.tolist(), "stage_y": y.tolist()})
    image = np.empty_like(spectra)
    image[row * width + column] = spectra
    known = next((unit for word, unit in (("um", "um"), ("µm", "um"), ("mm", "mm")) if f"({word})" in title.lower()), "")
    return RawArray(
        image.reshape(height, width, bands),
        axis=axis,
        pixel_size=(down or across or 1.0, across or down or 1.0) if known else None,
        pixel_unit=known or "pixel",
        metadata={"origin": [float(y.min()), float(x.min())]} if known else {},
    )


def _steps(values: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.intp], float]:
    """Return the number of each coordinate on an even grid, and the grid's step; a stage does not come to rest at the same place twice."""
    gaps = np.diff(np.unique(values))
    if not gaps.size or gaps.max() == 0:
        return np.zeros(len(values), np.intp), 0.0
    step = float(np.median(gaps[gaps > 0.3 * gaps.max()]))
    return np.rint((values - values.min()) / step).astype(np.intp), step


def write(cube: Cube, path: Path) -> None:
    """Write a column of positions and a column a spectrum, under a line that keeps shape, axis and pixel size exactly."""
    kind = cube.data.dtype
    if kind.kind in "iu" and kind.itemsize == 8 and np.abs(np.asarray(cube.data)).max() > 2**53:
        raise ValueError(f"text holds whole numbers up to 2^53 exactly, and this cube of {kind} has larger ones; choose .npz or .h5")
    digits = {"f": "%.9g" if kind.itemsize <= 4 else "%.17g"}.get(kind.kind, "%d")
    spectra = np.asarray(cube.data).reshape(-1, len(cube.axis))
    header = header_of(cube) | {"shape": list(cube.shape), "dtype": kind.str}
    delimiter = {".csv": ",", ".tsv": "\t"}.get(path.suffix.lower(), "\t")
    places = [" ".join(map(str, place)) for place in np.ndindex(cube.spatial_shape)]
    table = np.column_stack([cube.axis.values, spectra.T.astype(np.float64)])
    with path.open("w", encoding="utf-8") as file:
        file.write(_OURS + json.dumps(header) + "\n")
        file.write(delimiter.join([cube.axis.label.replace(",", " "), *places]) + "\n")
        np.savetxt(file, table, fmt=["%.17g", *[digits] * len(spectra)], delimiter=delimiter)
