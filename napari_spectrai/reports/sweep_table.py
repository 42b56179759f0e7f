"""A sweep as a table of texts: its settings, the score of each combination, and an interval."""

from __future__ import annotations

import math
from pathlib import Path

from napari_spectrai.experiment.metrics import METRICS
from napari_spectrai.reports.fold_table import FoldTable
from napari_spectrai.reports.svg import formatted
from napari_spectrai.reports.sweep_report import LEVEL, Sweep
from napari_spectrai.runs.sweep_plan import found_in


def sweep_table(folder: Path) -> FoldTable | None:
    """Return the settings of a sweep with their mean scores, the best first; None if the folder holds no run that can be read."""
    runs = found_in(folder)
    if not runs:
        return None
    sweep = Sweep.of(runs, folder)
    first = runs[0].experiment.task.metrics[0]
    metric = METRICS[first]
    known = {str(number): row[first] for number, row in enumerate(sweep.rows) if not math.isnan(row.get(first, math.nan))}
    order = metric.ranked(known)
    rows = sorted(enumerate(sweep.rows), key=lambda numbered: order.index(str(numbered[0])) if str(numbered[0]) in order else len(order))
    settings = list(dict.fromkeys(name for run in runs for name, _ in run.group))
    cells = [
        [*(str(row.get(name, "–")) for name in settings), *_scores(row.get(first, math.nan), row.get(f"{first} ±", math.nan)), row["runs"]]
        for _, row in rows
    ]
    heads = [
        *(name.rpartition(".")[2].replace("_", " ") or name for name in settings),
        metric.title,
        f"{100 * LEVEL:.0f} % interval",
        "Runs",
    ]
    notes = ["; ".join(f"{name} = {value}" for name, value in row.items() if name in settings) for _, row in rows]
    return FoldTable(
        f"Sweep of {len(runs)} runs, {metric.title}", heads, cells, [bool(order) and str(n) == order[0] for n, _ in rows], notes
    )


def _scores(mean: float, half: float) -> tuple[str, str]:
    if math.isnan(mean):
        return "–", "–"
    return formatted(mean, 3), "–" if math.isnan(half) else f"{formatted(mean - half, 3)} to {formatted(mean + half, 3)}"
