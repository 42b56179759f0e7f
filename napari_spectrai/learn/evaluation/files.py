"""Results and truths in folders: one row of scores for each file."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_spectrai.experiment.metrics import METRICS
from napari_spectrai.io.folders import spectral_files, stem
from napari_spectrai.learn.evaluation.evaluate import evaluating
from napari_spectrai.runs import Progress
from napari_spectrai.runs.options import EvaluateOptions
from napari_spectrai.runs.result_table import Row, failed_row, row_of

RESULT, RAW = "result", "raw"
_BESIDES = ("probabilities", "uncertainty", "components", "applicability")
"""Ends of the names of files that are written with a result."""


def by_name(folder: Path) -> dict[str, Path]:
    """Return the spectral files of a folder by their names without suffix.

    Raises
    ------
    ValueError
        If two of them have the same name.
    """
    found: dict[str, Path] = {}
    for path in spectral_files(folder):
        name = stem(path)
        if name in found:
            raise ValueError(f"{found[name].name} and {path.name} in {folder} have the same name; keep one of them there")
        found[name] = path
    return found


def matched(results: Mapping[str, Path], truths: Iterable[str]) -> dict[str, list[Path]]:
    """Return the results of each truth: those of its name, else those of its name and a model's, as predictions of folders are named."""
    found = {name: [results[name]] if name in results else [] for name in truths}
    for made, path in results.items():
        whole = made in found or any(made.endswith(f"-{ending}") for ending in _BESIDES)
        owner = None if whole else max((name for name in found if made.startswith(f"{name}-")), key=len, default=None)
        if owner is not None and owner not in results:
            found[owner].append(path)
    return found


def without_truth(results: Path, truths: Path) -> list[str]:
    """Return the names of the results in a folder that no file in another is the truth of."""
    made = by_name(results)
    scored = {path for paths in matched(made, by_name(truths)).values() for path in paths}
    companions = tuple(f"-{ending}" for ending in _BESIDES)
    return [path.name for name, path in made.items() if path not in scored and not name.endswith(companions)]


def evaluating_files(
    results: Path, truths: Path, task: str, *, source: Path | None = None, options: EvaluateOptions | None = None,
    reading: Callable[[Path], Any],
) -> Generator[Progress, None, list[Row]]:  # fmt: skip
    """Score each result in a folder against the truth of the same name in another, yielding progress; return the rows.

    A result may also have the name of a model behind that of the file, as predictions of a folder are named: ``map-1-ridge.zarr`` of
    ``map-1.npz``.

    Parameters
    ----------
    results, truths : Path
        Folders. The truths decide which files are scored; results without one are passed over.
    task : str
        Kind of the task whose metrics are computed.
    source : Path, optional
        Folder with the files that the results were made from; each metric then has a second column, of the source.
    options : EvaluateOptions, optional
    reading : callable
        Opens a file as a cube, or as labels.

    Raises
    ------
    ValueError
        If there are no truths, two files of a folder have the same name, or the truths are also given as results or sources.

    Notes
    -----
    A file that cannot be scored gets a row that says why, and the others are scored.
    """
    for role, folder in (("results", results), ("sources", source)):
        if folder is not None and folder.resolve() == truths.resolve():
            raise ValueError(f"{truths} is given as the folder of the truths and of the {role}; give two folders")
    known, made = by_name(truths), by_name(results)
    sources = {} if source is None else by_name(source)
    if not known:
        raise ValueError(f"{truths}: there is no spectral file in this folder")
    rows, of = [], matched(made, known)
    for number, (name, truth) in enumerate(known.items()):
        try:
            if not of[name]:
                raise FileNotFoundError(f"{results} has no result named {name}")
            if len(of[name]) > 1:
                several = ", ".join(path.name for path in of[name])
                raise ValueError(f"{results} has {len(of[name])} results of {name} ({several}); give a folder for each model")
            if source is not None and name not in sources:
                raise FileNotFoundError(f"{source} has no file named {name}")
            raw = reading(sources[name]) if source is not None else None
            rows.append((yield from _scored(of[name][0], truth, raw, task, options, reading)))
        except (ValueError, OSError, MemoryError) as error:
            rows.append(failed_row(truth, error))
        yield Progress((number + 1) * 1000, len(known) * 1000)
    return rows


def _scored(
    result: Path, truth: Path, raw: Any, task: str, options: EvaluateOptions | None, reading: Callable[[Path], Any]
) -> Generator[Progress, None, Row]:
    with warnings.catch_warnings(record=True) as said:  # they are remarks of this file
        warnings.simplefilter("always")
        found = yield from _silently(evaluating(reading(result), reading(truth), task, source=raw, options=options))
    scores: Row = {}
    for metric, value in found.rows[RESULT].items():
        title = METRICS[metric].title if metric in METRICS else metric
        scores[title] = value
        if metric in found.rows.get(RAW, {}):
            scores[f"{title}, raw"] = found.rows[RAW][metric]
    notes = dict.fromkeys([*found.notes, *(str(one.message) for one in said)])
    return row_of(truth, result, list(notes), scored=found.scored, **scores)


def _silently(steps: Generator[Progress, None, Any]) -> Generator[Progress, None, Any]:
    """Drain a generator; its progress is of one file, and would jump between those of the folder."""
    yield from ()
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def means_of(rows: Sequence[Row]) -> dict[str, float]:
    """Return the mean of each score over the files that have it."""
    names = [name for name in dict.fromkeys(name for row in rows for name in row) if name not in ("file", "result", "scored", "remarks")]
    known = {name: [float(row[name]) for row in rows if isinstance(row.get(name), float) and row[name] == row[name]] for name in names}
    return {name: sum(values) / len(values) for name, values in known.items() if values}
