"""A training in words: its progress, its candidates, and how it ended."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from napari_spectrai.experiment.metrics import METRICS, Metric
from napari_spectrai.reports.svg import rounded
from napari_spectrai.runs import Compared, Epoch, Finished, Started
from napari_spectrai.widgets.plot import CLASSICAL, SOURCE


def baselines_shown(event: Started) -> dict[str, str]:
    """Return the classical methods drawn next to the network, with their colours: the best two of its baselines."""
    best = [name for name in METRICS[event.metric].ranked(event.baselines) if name != "raw"]
    return dict(zip(best, (CLASSICAL, SOURCE), strict=False))


def clock(seconds: float) -> str:
    """Return a duration as on a clock: ``"2:05"``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def short(value: float) -> str:
    """Return a score with three digits, large ones written out: 4,080 and not 4.08e+03."""
    text = f"{value:#.3g}".rstrip(".")
    return rounded(value) if "e+" in text else text


def candidate_line(number: int, one: Compared, metric: str) -> str:
    """Describe a candidate of a cross-validation in one line."""
    if metric not in one.scores:
        return f"{number}  {one.name}: {one.note}"
    ends = f" ({short(one.interval[0])}–{short(one.interval[1])})" if one.interval else ""
    kept = f" · share {one.weight:.2f}" if one.weight else ""
    return f"{number}  {one.name}: {short(one.scores[metric])}{ends}{kept}"


def best_so_far(started: Started, epochs: Sequence[Epoch], metric: Metric, rate: float) -> str:
    """Return the best validation score, that of the best classical method, the learning rate and the remaining time."""
    if not epochs:
        return ""
    choose = max if metric.larger_is_better else min
    best = choose(epoch.validation for epoch in epochs)
    baselines = {name: value for name, value in started.baselines.items() if name != "raw"}
    simple = metric.best(baselines)
    against = f", {simple} {short(baselines[simple])}" if simple is not None else ""
    return f" · best validation {short(best)}{against} · learning rate {rate or epochs[-1].lr:.1e} · {clock(epochs[-1].left)} left"


def how_it_ended(ending: Finished, metric: Metric, candidates: int) -> str:
    """Return how long a training took, and what was reached against the best classical method and the raw data."""
    part = "test" if "test" in ending.scores else "validation"
    name = next((name for name, known in METRICS.items() if known is metric), "mse")
    own = "automatic choice" if candidates else "network"
    ranges = {method: row.get(name) for method, row in ending.intervals.get(part, {}).items()}
    scores = ", ".join(
        f"{own if method == 'network' else method} {short(row[name])}"
        + (f" ({short(ends[0])}–{short(ends[1])})" if (ends := ranges.get(method)) else "")
        for method, row in _main_rows(ending.scores.get(part, {}), name, metric).items()
    )
    early = " (no longer improving)" if ending.reason == "early" else ""
    blocks = ending.scores.get("blocks", {}).get("network", {}).get(name)
    unbiased = "" if blocks is None else f" · block split: {short(blocks)}"
    reached = f"{candidates} candidates compared" if candidates else f"best epoch {ending.best_epoch}"
    held = "cross-validated" if candidates and part == "validation" else part
    rows = ending.scores.get(part, {})
    unchanged = bool(candidates and "raw" in rows and rows["raw"].get(name) == rows.get("network", {}).get(name, math.nan))
    reached += ": none improves the data, which the model leaves as they are" if unchanged else ""
    return f"done{early} in {clock(ending.seconds)} · {reached} · {metric.title}, {held}: {scores}{unbiased}"


def how_it_stopped(epoch: int, candidates: int) -> str:
    """Return after what a training was stopped, and what Resume would do."""
    if candidates:
        compared = f"{candidates} candidate{'s were' if candidates > 1 else ' was'} compared"
        return f"stopped after {compared}; the model is made from what was compared, and Resume starts the comparison again"
    if epoch:
        return f"stopped after epoch {epoch}; its progress is saved, and the run can be resumed"
    return "stopped before the end of the first epoch; Resume starts the run again"


def _main_rows(rows: Mapping[str, Mapping[str, float]], name: str, metric: Metric) -> dict[str, Mapping[str, float]]:
    """Return the rows for the status line: the network, its best baseline, and the raw data."""
    best = metric.best({method: row.get(name, math.nan) for method, row in rows.items() if method not in ("network", "raw")})
    return {method: row for method, row in rows.items() if method in ("network", best, "raw") and name in row}
