"""A table of scores by method, with what has to be known to read it, as text and as CSV."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_spectrai.cells import safe_row
from napari_spectrai.experiment.metrics import CLASS_MEANS, METRICS, ClassMean, by_class, titled, unit_of, units_of
from napari_spectrai.files import replacing


@dataclass(frozen=True, slots=True)
class Report:
    """Scores by method: ``report.rows["network"]["mse"]``; ``print(report)`` gives a table."""

    rows: dict[str, dict[str, float]]
    unit: str = ""
    """Of the spectral axis, for positions and widths of peaks."""
    classes: list[str] = field(default_factory=list)
    """Names of the classes, where classes are judged."""
    confusion: list[list[int]] = field(default_factory=list)
    """Rows the truth, columns the result."""
    intensities: str = ""
    """In words, what the scores of cubes are of: intensities as they are, or each spectrum scaled by itself."""
    notes: list[str] = field(default_factory=list)
    """What has to be known to read the scores."""
    class_mean: ClassMean = "truth"
    """Over which classes F1, IoU and Dice are averaged."""
    scored: int = 0
    """How many pixels or spectra the scores are of."""
    learnt_from: int | None = None
    """How many of them the model was trained or validated on; None where that is not known."""

    @property
    def by_class(self) -> dict[str, dict[str, float]]:
        """Precision, recall, F1, IoU and support of each class."""
        if not self.classes:
            return {}
        figures = by_class(self.confusion)
        return {name: {what: values[number] for what, values in figures.items()} for number, name in enumerate(self.classes)}

    @property
    def metrics(self) -> dict[str, float]:
        """The scores of the result itself: the network's row."""
        return self.rows["network"] if "network" in self.rows else next(iter(self.rows.values()))

    @property
    def about(self) -> str:
        """What the scores are of: how many pixels, the intensities, the unit of each score, the rule for means over classes."""
        count = f"{self.scored:,} {'pixels whose class is known' if self.classes else 'spectra'} are scored." if self.scored else ""
        units = units_of(self.metrics, intensities=self.intensities, axis=self.unit)
        return " ".join(part for part in (count, units, CLASS_MEANS[self.class_mean] if self.classes else "") if part)

    def __str__(self) -> str:
        names, wide = list(self.metrics), max(18, *(len(method) + 2 for method in self.rows))
        titles = {name: titled(name, axis=self.unit) for name in names}
        room = {name: max(14, len(title) + 2) for name, title in titles.items()}
        lines = [" " * wide + "".join(f"{titles[name]:>{room[name]}}" for name in names)]
        for method, figures in self.rows.items():
            lines.append(f"{method:<{wide}}" + "".join(f"{figures.get(name, math.nan):>{room[name]}.5g}" for name in names))
        lines += ["", *self.class_table()] if self.classes else []
        return "\n".join([*lines, "", self.about, *(f"note: {note}" for note in self.notes)])

    def class_table(self) -> list[str]:
        """Return the scores of each class as lines of text."""
        wide = max(26, *(len(name) + 1 for name in self.classes))
        lines = [" " * wide + f"{'recall':>10}{'precision':>11}{'F1':>8}{'IoU':>8}{'pixels':>9}"]
        for name, row in self.by_class.items():
            shown = f"{row['recall']:>10.3f}{row['precision']:>11.3f}{row['f1']:>8.3f}{row['iou']:>8.3f}"
            lines.append(f"{name:<{wide}}{shown}{row['support']:>9.0f}")
        return lines

    def lines(self) -> Iterator[list[Any]]:
        """Yield the lines of the table, those of the classes and the confusion matrix, and what the scores are of."""
        yield ["method", *self.metrics]
        yield from ([method, *(figures.get(name, math.nan) for name in self.metrics)] for method, figures in self.rows.items())
        yield from self.class_lines()
        yield from self.about_lines()

    def class_lines(self) -> Iterator[list[Any]]:
        """Yield the lines of the classes and of the confusion matrix."""
        if self.classes:
            yield []
            yield ["class", *next(iter(self.by_class.values()))]
            yield from ([name, *figures.values()] for name, figures in self.by_class.items())
            yield []
            yield ["truth \\ result", *self.classes]
            yield from ([name, *row] for name, row in zip(self.classes, self.confusion, strict=True))

    def about_lines(self) -> Iterator[list[Any]]:
        """Yield the unit of each score, and what else has to be known to read them."""
        yield []
        yield ["metric", "title", "unit"]
        for name in self.metrics:
            yield [name, METRICS[name].title, unit_of(name, intensities=self.intensities, axis=self.unit)]
        yield []
        known = {"intensities": self.intensities, "scored": self.scored or "", "class_mean": self.class_mean if self.classes else ""}
        yield from ([what, value] for what, value in known.items() if value)
        yield ["learnt_from", "not known" if self.learnt_from is None else self.learnt_from]
        yield from (["note", note] for note in self.notes)

    def to_csv(self, path: str | Path) -> Path:
        """Write the table as CSV."""
        return write_csv(path, self.lines())


def write_csv(path: str | Path, lines: Any) -> Path:
    """Write lines as CSV, whole or not at all, and return the path."""
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(safe_row(line) for line in lines)
    return Path(path)
