"""The table of what came out of each file of a folder: shares of classes, mean intensities, means of maps, remarks."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.cells import safe_row
from napari_spectrai.cube import Cube
from napari_spectrai.files import replacing
from napari_spectrai.labels import Labels

NAME = "results.csv"
"""Name of the table in the folder of the results."""
SCORES = "scores.csv"
"""Name of the table of scores in the folder of the results."""
ROWS = 2**24
"""Values of a result that are averaged at a time."""

Row = dict[str, Any]


def row_of(source: Path, written: Path | None, notes: Sequence[str] = (), **values: Any) -> Row:
    """Return the row of one file: its name, the file of its result, values, and remarks."""
    return {"file": source.name, "result": "" if written is None else written.name, **values, "remarks": " ".join(notes)}


def failed_row(source: Path, error: BaseException) -> Row:
    """Return the row of a file of which nothing came out."""
    return row_of(source, None, [f"failed: {str(error) or type(error).__name__}"])


def of_cube(result: Cube) -> Row:
    """Return how many spectra a cube has and its mean intensity over those with data, read block by block."""
    total, count, known = 0.0, 0, 0
    per_row = max(1, int(np.prod(result.shape[1:])))
    step = max(1, ROWS // per_row)
    for start in range(0, result.shape[0], step):
        values = np.asarray(result.data[start : start + step], np.float32)
        finite = np.isfinite(values)
        total += float(values.sum(dtype=np.float64, where=finite))
        count += int(finite.sum())
        known += int(finite.any(-1).sum())
    return {"spectra": result.count, "without data": result.count - known, "mean intensity": total / count if count else math.nan}


def of_labels(labels: Labels, probabilities: Cube | None = None) -> Row:
    """Return the share of each class among the pixels that have one, and the mean of their highest probability."""
    classes = labels.classes()
    values = np.asarray(labels.data)
    counts = {one.name: int((values == one.value).sum()) for one in classes if one.name != "no data"}
    total = sum(counts.values())
    row: Row = {"spectra": int(values.size), "without class": int(values.size) - total}
    row |= {f"share {name}": count / total if total else math.nan for name, count in counts.items()}
    if probabilities is not None:
        best = np.asarray(probabilities.data.max(-1))
        row["mean probability"] = float(np.nanmean(best)) if np.isfinite(best).any() else math.nan
    return row


def unlike(distances: npt.NDArray[np.float32]) -> Row:
    """Return the share of the spectra that are unlike the training data, of their dissimilarities."""
    known = distances[np.isfinite(distances)]
    return {"share unlike training": float((known > 1).mean()) if known.size else math.nan}


def of_maps(maps: Mapping[str, npt.NDArray[Any]]) -> Row:
    """Return the mean of each map over the pixels that have a value, and how many have none."""
    row: Row = {}
    for name, values in maps.items():
        known = np.isfinite(values)
        row[f"mean {name}"] = float(np.asarray(values, np.float64)[known].mean()) if known.any() else math.nan
    first = next(iter(maps.values()), None)
    if first is not None:
        row = {"spectra": int(first.size), "without data": int((~np.isfinite(first)).sum()), **row}
    return row


def columns_of(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the columns of all rows, with the remarks last."""
    found = dict.fromkeys(name for row in rows for name in row)
    return [*(name for name in found if name != "remarks"), *(["remarks"] if "remarks" in found else [])]


def write_rows(rows: Sequence[Mapping[str, Any]], path: Path) -> Path:
    """Write the table as CSV, atomically; what a file has no value for is empty."""
    columns = columns_of(rows)
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow(safe_row(columns))
        lines.writerows(safe_row(_cell(row.get(name)) for name in columns) for row in rows)
    return path


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a table that `write_rows` has written; numbers as numbers, and None for what is empty."""
    with path.open(newline="", encoding="utf-8") as file:
        return [{name: _value(cell) for name, cell in row.items()} for row in csv.DictReader(file)]


def _value(cell: str | None) -> Any:
    try:
        return float(cell) if cell else None
    except ValueError:
        return cell


def _cell(value: Any) -> Any:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return float(f"{value:.6g}") if isinstance(value, float) else value
