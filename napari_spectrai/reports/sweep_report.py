"""The table of a sweep: the mean score of each combination of settings over its repetitions, with an interval."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from napari_spectrai.cells import safe_row
from napari_spectrai.experiment.metrics import METRICS, titled
from napari_spectrai.files import replacing, write_text
from napari_spectrai.reports.html import Markup, element, page, section, table
from napari_spectrai.reports.svg import formatted
from napari_spectrai.runs.sweep_plan import SweepRun

PAGE = "sweep.html"
LEVEL = 0.9
"""Probability with which an interval holds the mean over all seeds, if scores are normally distributed."""


@dataclass(frozen=True, slots=True, eq=False)
class Sweep:
    """The runs of a sweep and their scores.

    Attributes
    ----------
    runs : list of SweepRun
    folder : Path
        Where the run folders are, and the tables ``sweep.csv`` and ``sweep.html``.
    """

    runs: list[SweepRun]
    folder: Path
    rows: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def of(cls, runs: Sequence[SweepRun], folder: Path) -> Sweep:
        """Return a sweep with the scores of the runs that are finished."""
        groups: dict[tuple[tuple[str, str], ...], list[SweepRun]] = {}
        for run in runs:
            groups.setdefault(run.group, []).append(run)
        return cls(list(runs), folder, [_row(group, members) for group, members in groups.items()])

    @property
    def missing(self) -> list[SweepRun]:
        """The runs that are not finished."""
        return [run for run in self.runs if run.state != "finished"]

    @property
    def columns(self) -> list[str]:
        """The columns of the table."""
        return list(dict.fromkeys(name for row in self.rows for name in row))

    def __repr__(self) -> str:
        return f"Sweep({len(self.runs) - len(self.missing)} of {len(self.runs)} runs finished, {self.folder})"

    def __str__(self) -> str:
        cells = [self.columns, *([_shown(row.get(name, "")) for name in self.columns] for row in self.rows)]
        widths = [max(len(line[column]) for line in cells) for column in range(len(self.columns))]
        return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in cells)

    def write(self) -> list[Path]:
        """Write ``sweep.csv`` and ``sweep.html`` into the folder; return their paths."""
        paths = [self.folder / "sweep.csv", self.folder / PAGE]
        with replacing(paths[0]) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            lines = csv.writer(file)
            lines.writerows(safe_row(line) for line in [self.columns, *([row.get(name, "") for name in self.columns] for row in self.rows)])
            lines.writerow([])
            lines.writerow(["run", "state", "scored part", "metric", "score"])
            lines.writerows(safe_row(line) for run in self.runs for line in _lines(run))
        write_text(paths[1], page("Sweep", *self._page()))
        return paths

    def _page(self) -> list[Markup]:
        """Return the page: the scores of each combination, and of each run."""
        settings = list(dict.fromkeys(name for run in self.runs for name, _ in run.group))
        metrics = [name for name in self.columns if name in METRICS]
        titles = [f"{titled(name)} {'↑' if METRICS[name].larger_is_better else '↓'}" for name in metrics]
        lines = [[*(row.get(name, "–") for name in settings), *(_mean_of(row, name) for name in metrics), row["runs"]] for row in self.rows]
        note = f"Mean of the repetitions ± half its {100 * LEVEL:.0f} % interval (Student's t). ↑ larger is better, ↓ smaller is better."
        runs: list[list[object]] = []
        for run in self.runs:
            part, scores = run.scores()
            runs.append([run.folder.path.name, run.state, part or "–", *(_formatted(scores.get(name, math.nan)) for name in metrics)])
        return [
            element("h1", "Sweep"),
            section("Settings", element("p", note), table([*settings, *titles, "runs finished"], lines)),
            section("Runs", table(["run", "state", "scored part", *titles], runs)),
        ]


def _mean_of(row: dict[str, Any], name: str) -> str:
    """Return the mean of a score, with half its interval where it has one."""
    half = row.get(f"{name} ±", math.nan)
    return _formatted(row.get(name, math.nan)) + ("" if math.isnan(half) else f" ± {formatted(half, 2)}")


def _formatted(score: float) -> str:
    return "–" if math.isnan(score) else formatted(score, padded=True)


def _row(group: tuple[tuple[str, str], ...], members: Sequence[SweepRun]) -> dict[str, Any]:
    """Return the row of one combination of settings."""
    found = [scores for _, scores in (run.scores() for run in members) if scores]
    row: dict[str, Any] = {**dict(group), "runs": f"{len(found)} of {len(members)}"}
    for metric in dict.fromkeys(name for scores in found for name in scores if name in METRICS):
        values = np.array([scores[metric] for scores in found if math.isfinite(scores.get(metric, math.nan))])
        row[metric] = float(values.mean()) if values.size else math.nan
        row[f"{metric} ±"] = half_interval(values)
    return row


def half_interval(values: Any) -> float:
    """Return half the width of the interval of a mean; NaN of fewer than two values."""
    from scipy.stats import t

    if len(values) < 2:
        return math.nan
    return float(t.ppf((1 + LEVEL) / 2, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values)))


def _lines(run: SweepRun) -> list[list[Any]]:
    part, scores = run.scores()
    known = [[run.folder.path.name, run.state, part, name, score] for name, score in scores.items() if name in METRICS]
    return known or [[run.folder.path.name, run.state, "", "", ""]]


def _shown(cell: Any) -> str:
    return f"{cell:.5g}" if isinstance(cell, float) else str(cell)
