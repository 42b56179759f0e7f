"""Figures of a run as tables and in plain words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from napari_spectrai.experiment.metrics import METRICS, Metric, by_class, titled
from napari_spectrai.labels import Colour
from napari_spectrai.reports.html import Markup, element, joined, table
from napari_spectrai.reports.svg import figure
from napari_spectrai.runs.events import Confusion

MANY = 12
"""Classes from which a confusion matrix is set small, its columns numbered."""


def _metric(name: str) -> Metric:
    return METRICS.get(name, Metric(name))


def _value(value: float, *, best: bool = False, ends: Sequence[float] | None = None) -> Markup:
    interval = element("small", f" ({figure(ends[0])}–{figure(ends[1])})", title="90 % interval") if ends else Markup()
    return element("td", element("data", figure(value, padded=True), value=repr(float(value))), interval, class_="best" if best else None)


Intervals = Mapping[str, Mapping[str, Sequence[float]]]


def figures_table(scores: Mapping[str, Mapping[str, float]], own: str, intervals: Intervals | None = None, *, axis: str = "") -> Markup:
    """Return the scores of all methods, the best of each column in bold; `own` is what the row of the network is called.

    `intervals` are laid out as `scores`, `axis` is the unit of the spectral axis.
    A score is bold only if no other lies within its interval.
    """
    ranges = intervals or {}
    names = list(dict.fromkeys(name for row in scores.values() for name in row))
    best = {}
    for name in names:
        known = [row[name] for row in scores.values() if not math.isnan(row.get(name, math.nan))]
        if len(known) > 1:
            best[name] = (max if _metric(name).larger_is_better else min)(known)
    head = [f"{titled(name, axis=axis)} {'↑' if _metric(name).larger_is_better else '↓'}" for name in names]
    lines = []
    for method, row in scores.items():
        cells = [
            _value(
                row.get(name, math.nan),
                best=name in best and row.get(name) == best[name] and _stands_out(scores, ranges, method, name),
                ends=ranges.get(method, {}).get(name),
            )
            for name in names
        ]
        mine = method == "network"
        title = own if mine else ("raw (as it came)" if method == "raw" else method)
        lines.append([element("strong", title) if mine else title, *cells])
    return table(["", *head], lines)


def _stands_out(scores: Mapping[str, Mapping[str, float]], intervals: Intervals, method: str, name: str) -> bool:
    """Whether no other method's score lies within the interval of this one."""
    ends = intervals.get(method, {}).get(name)
    others = (row[name] for other, row in scores.items() if other != method and name in row)
    return ends is None or not any(ends[0] <= value <= ends[1] for value in others)


def verdict(
    part: str, scores: Mapping[str, Mapping[str, float]], name: str, *, classical: bool = False, label: str = "",
    intervals: Intervals | None = None,
) -> str:  # fmt: skip
    """Return in plain words whether the network beats the best row beside it, and by how much.

    Parameters
    ----------
    name : the metric that decides
    classical : whether what was trained is a classical method itself
    label : its row among the others, which is itself
    intervals : laid out as `scores`; what lies within the interval of the network is not called better or worse
    """
    ends = (intervals or {}).get("network", {}).get(name)
    metric, what = _metric(name), "this method" if classical else "the network"
    mine = scores.get("network", {}).get(name, math.nan)
    baselines = {m: row[name] for m, row in scores.items() if m not in ("network", label) and not math.isnan(row.get(name, math.nan))}
    if not math.isfinite(mine):
        return f"On the {part} part, {what} has no figure to compare."
    if not baselines:
        return f"On the {part} part, {what} has nothing beside it to compare with."
    best = (max if metric.larger_is_better else min)(baselines, key=lambda method: baselines[method])
    other = baselines[best]
    rival = "the data as they came" if best == "raw" else f"the best classical row, {best}"
    name, _, unit = metric.title.rstrip(")").partition(" (")
    unit = f" {unit}" if unit else ""
    if mine == other:
        return f"On the {part} part, {what} is exactly as good as {rival}: {name} {figure(mine)}{unit}."
    if ends is not None and ends[0] <= other <= ends[1]:
        return (
            f"On the {part} part, {what} and {rival} cannot be told apart: {name} {figure(mine)}{unit} "
            f"(90 % interval {figure(ends[0])} to {figure(ends[1])}) against {figure(other)}{unit}."
        )
    won, (words, small) = metric.is_better(mine, other), _margin(mine, other, metric)
    first = f"On the {part} part, {what} {'beats' if won else 'does not beat'} {rival}: "
    last = "" if not small else "; so small a difference could turn with another seed or split"
    return f"{first}{name} {figure(mine)}{unit} against {figure(other)}{unit}, {words}{last}."


def _margin(mine: float, other: float, metric: Metric) -> tuple[str, bool]:
    """Return the difference in words, and whether it is small."""
    difference = abs(mine - other)
    way = "higher" if mine > other else "lower"
    if "dB" in metric.title:
        return f"{figure(difference, 2)} dB {way}", difference < 0.1
    if metric.larger_is_better:
        return f"{figure(difference, 2)} {way}", difference < 0.005
    share = 100 * difference / other if other else math.inf
    if share > 900:
        return (f"{figure(mine / other, 2)} times as large" if other else "higher"), False
    return f"{figure(share, 2) if share < 10 else f'{share:.0f}'} % {way}", share < 2


def confusion_tables(confusion: Confusion, colours: Mapping[str, Colour | None]) -> list[Markup]:
    """Return the confusion matrix, counts over shares of the row, and the figures of each class."""
    many = len(confusion.classes) > MANY
    titles = [
        joined([_swatch(colours.get(name)), f"{number}  {name}" if many else name]) for number, name in enumerate(confusion.classes, 1)
    ]
    head: list[object] = ["truth ↓  told →"]
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
    words = "Each row is a class of the truth: pixels or spectra, and their share of the row."
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
