"""Scores by row, with the notes needed to interpret them, as text, HTML, CSV and data frames."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from napari_spectrai import repr_html
from napari_spectrai.cells import safe_row
from napari_spectrai.experiment.metrics import CLASS_MEANS, METRICS, ClassMean, by_class, titled, unit_of, units_of
from napari_spectrai.files import replacing

Role = Literal["result", "classical", "raw"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Scores:
    """Scores of results and of their baselines: ``scores.rows["result"]["mse"]``; ``print(scores)`` gives a table.

    Attributes
    ----------
    task : str
        The task whose metrics these are.
    rows : dict of str to dict of str to float
        Scores by row and metric: of the results (of a model, ``"network"``), then the classical methods of the model, and the source
        (``"raw"``). All are of the same pixels, in the same intensities; units are in `about`.
    roles : dict of str to {"result", "classical", "raw"}
        Role of each row.
    intensities : str
        What the scores of cubes are computed on, in words: unchanged intensities, or normalised spectra.
    unit : str
        Unit of the spectral axis, for positions and widths of peaks.
    classes : list of str
        Names of the classes, if classes are scored.
    confusions : dict of str to list of list of int
        By row, ``matrix[i][j]``: pixels of class i predicted as class j.
    notes : list of str
        What a reader must know to interpret the scores.
    class_mean : {"truth", "union"}
        Classes over which F1, IoU and Dice are averaged.
    scored : int
        Number of pixels or spectra that the scores are computed on.
    intervals : dict of str to dict of str to list of float
        90 % intervals, [low, high], by row and metric: a bootstrap over squares of the image, or over spectra. Metrics that are no
        means over pixels have none, nor has anything that is scored on fewer than three squares or spectra.
    learnt_from : int or None
        How many of them the model was trained or validated on; None if unknown.
    """

    task: str
    rows: dict[str, dict[str, float]]
    roles: dict[str, Role] = field(default_factory=dict)
    intensities: str = ""
    unit: str = ""
    classes: list[str] = field(default_factory=list)
    confusions: dict[str, list[list[int]]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    class_mean: ClassMean = "truth"
    scored: int = 0
    intervals: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    learnt_from: int | None = None

    @property
    def results(self) -> list[str]:
        """The names of the results."""
        return [name for name in self.rows if self.roles.get(name, "result") == "result"]

    @property
    def metrics(self) -> dict[str, float]:
        """The scores of the first result."""
        return self.rows[self.results[0]]

    @property
    def columns(self) -> list[str]:
        """The names of all metrics, in the order of the table."""
        return list(dict.fromkeys(name for row in self.rows.values() for name in row))

    @property
    def confusion(self) -> list[list[int]]:
        """The confusion matrix of the first result, with rows of true classes; empty if no classes are scored."""
        return self.confusions.get(self.results[0], [])

    @property
    def by_class(self) -> dict[str, dict[str, float]]:
        """Precision, recall, F1, IoU and support of each class, for the first result."""
        return self.of_classes(self.results[0])

    def of_classes(self, result: str) -> dict[str, dict[str, float]]:
        """Return precision, recall, F1, IoU and support of each class, for one row."""
        if not self.classes:
            return {}
        scores = by_class(self.confusions[result])
        return {name: {what: values[number] for what, values in scores.items()} for number, name in enumerate(self.classes)}

    @property
    def about(self) -> str:
        """Description of the scores: number of pixels, intensities, unit of each score, and averaging over classes."""
        count = f"{self.scored:,} {'labelled pixels' if self.classes else 'spectra'} are scored." if self.scored else ""
        units = units_of(self.metrics, intensities=self.intensities, axis=self.unit)
        return " ".join(part for part in (count, units, CLASS_MEANS[self.class_mean] if self.classes else "") if part)

    def unit_of(self, metric: str) -> str:
        """Return the unit of a score, with the normalisation of the spectra it is of."""
        return unit_of(metric, intensities=self.intensities, axis=self.unit)

    # ---------------------------------------------------------------- as text and tables

    def __repr__(self) -> str:
        name = next(iter(self.metrics), "")
        shown = f", {METRICS[name].title} {self.metrics[name]:.4g}" if name else ""
        return f"Evaluation({self.task}: {', '.join(self.rows)}{shown}, {self.scored:,} scored)"

    def __str__(self) -> str:
        names, wide = self.columns, max(18, *(len(method) + 2 for method in self.rows))
        titles = {name: titled(name, axis=self.unit) for name in names}
        room = {name: max(14, len(title) + 2) for name, title in titles.items()}
        lines = [" " * wide + "".join(f"{titles[name]:>{room[name]}}" for name in names)]
        for method, scores in self.rows.items():
            lines.append(f"{method:<{wide}}" + "".join(f"{scores.get(name, math.nan):>{room[name]}.5g}" for name in names))
        for number, name in enumerate(self.results if self.classes else []):
            lines += ["", *([f"{name}, by class:"] if number else []), *self._class_table(name)]
        return "\n".join([*lines, *self._interval_lines(), "", self.about, *(f"note: {note}" for note in self.notes)])

    def _interval_lines(self) -> Iterator[str]:
        """Yield the interval of the first score of each row that has one."""
        name = next(iter(self.columns), "")
        known = {row: ends[name] for row, ends in self.intervals.items() if name in ends}
        if known:
            yield ""
            yield f"90 % interval of {titled(name, axis=self.unit)}:"
            wide = max(18, *(len(row) + 2 for row in self.rows))
            yield from (f"{row:<{wide}}{low:.5g} to {high:.5g}" for row, (low, high) in known.items())

    def _class_table(self, result: str) -> list[str]:
        wide = max(26, *(len(name) + 1 for name in self.classes))
        lines = [" " * wide + f"{'recall':>10}{'precision':>11}{'F1':>8}{'IoU':>8}{'pixels':>9}"]
        for name, row in self.of_classes(result).items():
            shown = f"{row['recall']:>10.3f}{row['precision']:>11.3f}{row['f1']:>8.3f}{row['iou']:>8.3f}"
            lines.append(f"{name:<{wide}}{shown}{row['support']:>9.0f}")
        return lines

    def _repr_html_(self) -> str:
        columns = ["", *(titled(name, axis=self.unit) for name in self.columns)]
        table = repr_html.grid(
            columns, ([method, *(row.get(name, math.nan) for name in self.columns)] for method, row in self.rows.items())
        )
        sure = [("90 % interval", line) for line in list(self._interval_lines())[2:]]
        return repr_html.card("Evaluation", self.task, [("", self.about), *sure, *(("Note", note) for note in self.notes)], table)

    def to_frame(self) -> Any:
        """Return the table as a ``pandas.DataFrame``: a row per method, a column per metric.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        import pandas as pd

        return pd.DataFrame.from_dict(self.rows, orient="index", columns=self.columns)

    def to_csv(self, path: str | Path) -> Path:
        """Write the table as CSV, then the classes of each result, the unit of each score and the notes; return the path."""
        with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(safe_row(line) for line in self._lines())
        return Path(path)

    def _lines(self) -> Iterator[list[Any]]:
        """Yield the table, the classes and the confusion matrix of each result, the unit of each score, and the notes."""
        yield ["method", *self.columns]
        yield from ([method, *(scores.get(name, math.nan) for name in self.columns)] for method, scores in self.rows.items())
        for number, result in enumerate(self.results if self.classes else []):
            by_class = self.of_classes(result)
            yield from ([[], ["result", result]] if number else [])
            yield []
            yield ["class", *next(iter(by_class.values()))]
            yield from ([name, *scores.values()] for name, scores in by_class.items())
            yield []
            yield ["truth \\ result", *self.classes]
            yield from ([name, *row] for name, row in zip(self.classes, self.confusions[result], strict=True))
        if any(self.intervals.values()):
            yield []
            yield ["90 % interval", *self.columns]
            for row, ends in ((row, ends) for row, ends in self.intervals.items() if ends):
                for place, end in enumerate(("low", "high")):
                    yield [f"{row}, {end}", *(ends[name][place] if name in ends else math.nan for name in self.columns)]
        yield []
        yield ["metric", "title", "unit"]
        yield from ([name, METRICS[name].title, self.unit_of(name)] for name in self.columns)
        yield []
        known = {"intensities": self.intensities, "scored": self.scored or "", "class_mean": self.class_mean if self.classes else ""}
        yield from ([what, value] for what, value in known.items() if value)
        yield ["learnt_from", "not known" if self.learnt_from is None else self.learnt_from]
        yield from (["note", note] for note in self.notes)
