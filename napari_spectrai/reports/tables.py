"""Scores of a run as tables and in plain words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from napari_spectrai.experiment.metrics import METRICS, Metric, by_class, titled
from napari_spectrai.labels import Colour
from napari_spectrai.reports.html import Markup, element, joined, table
from napari_spectrai.reports.svg import formatted
from napari_spectrai.runs.events import Confusion

MANY = 12
"""Number of classes from which a confusion matrix is set small, with numbered columns."""

BOLD = "The best of a column is bold where its 90 % interval overlaps no other"


def _metric(name: str) -> Metric:
    return METRICS.get(name, Metric(name))


def _value(value: float, *, best: bool = False, ends: Sequence[float] | None = None) -> Markup:
    limits = "–".join(formatted(end, padded=True) for end in ends or ())
    interval = element("small", f" ({limits})", title="90 % interval") if limits else Markup()
    return element(
        "td", element("data", formatted(value, padded=True), value=repr(float(value))), interval, class_="best" if best else None
    )


Intervals = Mapping[str, Mapping[str, Sequence[float]]]


def scores_table(scores: Mapping[str, Mapping[str, float]], own: str, intervals: Intervals | None = None, *, axis: str = "") -> Markup:
    """Return the scores of all methods; `own` is the name of the network's row.

    `intervals` have the layout of `scores`, `axis` is the unit of the spectral axis.
    The best score of a column is bold where its interval sets it apart from all others.
    """
    ranges = intervals or {}
    names = list(dict.fromkeys(name for row in scores.values() for name in row))
    best = {
        name: _metric(name).clearly_best(
            {method: row.get(name, math.nan) for method, row in scores.items()},
            {method: ends[name] for method, ends in ranges.items() if name in ends},
        )
        for name in names
    }
    head = [f"{titled(name, axis=axis)} {'↑' if _metric(name).larger_is_better else '↓'}" for name in names]
    lines = []
    for method, row in scores.items():
        cells = [_value(row.get(name, math.nan), best=best[name] == method, ends=ranges.get(method, {}).get(name)) for name in names]
        mine = method == "network"
        title = own if mine else ("raw input" if method == "raw" else method)
        lines.append([element("strong", title) if mine else title, *cells])
    return table(["", *head], lines)


def verdict(
    part: str, scores: Mapping[str, Mapping[str, float]], name: str, *, classical: bool = False, label: str = "",
    intervals: Intervals | None = None,
) -> str:  # fmt: skip
    """Say in plain words whether the network beats the best baseline, and by how much.

    Parameters
    ----------
    name : the metric that decides
    classical : whether the trained model is a classical method itself
    label : name of its own row, which is excluded from the baselines
    intervals : laid out as `scores`; a baseline whose interval overlaps that of the network is not called better or worse
    """
    ranges = {method: ends[name] for method, ends in (intervals or {}).items() if name in ends}
    ends = ranges.get("network")
    metric, what = _metric(name), "this method" if classical else "the network"
    mine = scores.get("network", {}).get(name, math.nan)
    baselines = {method: row.get(name, math.nan) for method, row in scores.items() if method not in ("network", label)}
    if not math.isfinite(mine):
        return f"On the {part} part, {what} has no score to compare."
    best = metric.best(baselines)
    if best is None:
        return f"On the {part} part, {what} has no baseline to compare with."
    other = baselines[best]
    baseline = "the raw data" if best == "raw" else f"the best classical method, {best}"
    name, _, unit = metric.title.rstrip(")").partition(" (")
    unit = f" {unit}" if unit else ""
    if mine == other:
        return f"On the {part} part, {what} is exactly as good as {baseline}: {name} {formatted(mine)}{unit}."
    comma = "," if "," in baseline else ""
    if ends is not None and metric.alike({"network": mine, best: other}, {"network": ends, best: ranges.get(best, (other, other))}):
        return (
            f"On the {part} part, {what} and {baseline}{comma} are indistinguishable: {name} {formatted(mine)}{unit} "
            f"(90 % interval {formatted(ends[0])} to {formatted(ends[1])}) against {formatted(other)}{unit}."
        )
    won, (words, small) = metric.is_better(mine, other), _margin(mine, other, metric)
    first = f"On the {part} part, {what} {'beats' if won else 'does not beat'} {baseline}: "
    last = "" if not small else "; a difference this small could be reversed by another seed or split"
    last += "" if ends is not None else ". The score has no interval, so the difference may be chance"
    return f"{first}{name} {formatted(mine)}{unit} against {formatted(other)}{unit}, {words}{last}."


def _margin(mine: float, other: float, metric: Metric) -> tuple[str, bool]:
    """Describe the difference in words, and return whether it is small."""
    difference = abs(mine - other)
    way = "higher" if mine > other else "lower"
    if "dB" in metric.title:
        return f"{formatted(difference, 2)} dB {way}", difference < 0.1
    if metric.larger_is_better:
        return f"{formatted(difference, 2)} {way}", difference < 0.005
    share = 100 * difference / other if other else math.inf
    if share > 900:
        return (f"{formatted(mine / other, 2)} times as large" if other else "higher"), False
    return f"{formatted(share, 2) if share < 10 else f'{share:.0f}'} % {way}", share < 2


def confusion_tables(confusion: Confusion, colours: Mapping[str, Colour | None]) -> list[Markup]:
    """Return the confusion matrix, with counts above shares of the row, and the scores of each class."""
    many = len(confusion.classes) > MANY
    titles = [
        joined([_swatch(colours.get(name)), f"{number}  {name}" if many else name]) for number, name in enumerate(confusion.classes, 1)
    ]
    head: list[object] = ["true ↓  predicted →"]
    head += [element("span", number, title=name) for number, name in enumerate(confusion.classes, 1)] if many else confusion.classes
    lines = []
    for number, (title, row) in enumerate(zip(titles, confusion.matrix, strict=True)):
        lines.append([title, *(_share(count, sum(row), right=number == column) for column, count in enumerate(row))])
    matrix = table(head, lines, class_="figures confusion many" if many else "figures confusion")
    single = by_class(confusion.matrix)
    each = [
        [title, *(_value(single[what][number]) for what in ("precision", "recall", "f1", "iou")), f"{single['support'][number]:,.0f}"]
        for number, title in enumerate(titles)
    ]
    words = "Each row is a true class. Cells show the number of pixels or spectra, and their share of the row."
    return [
        element("figure", matrix, element("figcaption", words)),
        table(["class", "Precision", "Recall", "F1", "IoU", "Support"], each),
    ]


def _swatch(colour: Colour | None) -> Markup:
    if colour is None:
        return Markup()
    red, green, blue = (round(255 * part) for part in colour[:3])
    return element("span", class_="swatch", style=f"background:rgb({red} {green} {blue})")


def _share(count: int, total: int, *, right: bool) -> Markup:
    if not count:
        return element("td", "·" if total else "", class_="none")
    share = 100 * count / total
    words = "<1" if share < 0.5 else ">99" if 99.5 <= share < 100 else f"{share:.0f}"
    style = f"--share:{12 + 0.5 * share:.0f}%"
    return element("td", f"{count:,}", element("small", f"{words} %"), class_="right" if right else "wrong", style=style)
