"""Curves as inline SVG, in the colours of the page."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from napari_spectrai.reports.html import Markup, element

WIDTH, HEIGHT = 900.0, 330.0
LEFT, TOP, BOTTOM = 104.0, 36.0, 48.0
WIDE_TITLE = 36
"""Characters of a line of the ordinate's title: as many as its height takes."""
LABELS = 214.0
"""Width reserved at the right for the names of levels."""
LINE = 16.0
DIVERGED = 1e4
"""Multiple of the median above which a value is too large to be drawn to scale."""
POINTS = 1000
"""Number of columns of a curve; a longer curve is drawn by the lowest and highest value of each column."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Curve:
    """A curve and how it is drawn."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    style: Literal["accent", "source", "truth"]


def short(text: str, most: int = 22) -> str:
    """Return text, cut with an ellipsis if it is too long."""
    return text if len(text) <= most else text[: most - 1] + "…"


def formatted(value: float, digits: int = 4, *, padded: bool = False) -> str:
    """Format a number for people; `padded`: with trailing zeros, for a column."""
    if math.isnan(value):
        return "—"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return (f"{value:#.{digits}g}".rstrip(".") if padded else f"{value:.{digits}g}").replace("-", "−")


def rounded(value: float, *, whole: bool = False) -> str:
    """Format a number with three significant digits for a table; `whole`: a count, with all its digits."""
    if math.isnan(value):
        return "—"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if whole:
        return f"{value:,.0f}"
    if value == 0:
        return "0"
    size = abs(float(f"{value:.3g}"))
    if size and not 1e-4 <= size < 1e6:
        digits, _, power = f"{value:.2e}".partition("e")
        return f"{digits}·10{str(int(power)).translate(str.maketrans('-0123456789', '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'))}".replace("-", "−")
    text = f"{float(f'{value:.3g}'):,.0f}" if size >= 1000 else f"{value:#.3g}".rstrip(".")
    return text.replace("-", "−")


def plot(
    curves: Sequence[Curve],
    *,
    x: str,
    y: str,
    levels: dict[str, float] | None = None,
    mark: tuple[float, float, str] | None = None,
    logarithmic: bool = False,
    whole: bool = False,
) -> Markup:
    """Return a plot.

    Parameters
    ----------
    x, y : titles of the axes
    levels : values drawn as dashed lines with their names at the right
    mark : x, y and the label of a point to mark
    logarithmic : whether the y axis is logarithmic, if all values are positive
    whole : whether the x axis has ticks at integers only
    """
    known = {name: value for name, value in (levels or {}).items() if math.isfinite(value)}
    across = np.concatenate([np.asarray(c.x, float) for c in curves])
    upward = np.concatenate([*(np.asarray(c.y, float) for c in curves), np.array(list(known.values()), float)])
    upward = upward[np.isfinite(upward)]
    if not len(upward) or not len(across):
        return element("p", "Nothing to draw yet.", class_="soft")
    logarithmic = logarithmic and bool((upward > 0).all())
    if logarithmic:  # if a training diverged, the earlier part stays visible; the curve leaves the plot
        upward = upward[upward <= DIVERGED * np.median(upward)]
    width = WIDTH - LEFT - (LABELS if known else 24)
    horizontal = _Scale(across, LEFT, LEFT + width, pad=0.0)
    vertical = _Scale(upward, HEIGHT - BOTTOM, TOP, pad=0.06, logarithmic=logarithmic)
    drawn = [
        *_horizontal_axis(horizontal, x, whole=whole), *_vertical_axis(vertical, LEFT + width, y), *_levels(known, vertical, LEFT + width),
    ]  # fmt: skip
    for curve in curves:
        drawn += _drawn(curve, horizontal, vertical)
    if mark is not None and math.isfinite(mark[1]):
        drawn.append(element("circle", cx=_n(horizontal(mark[0])), cy=_n(vertical(mark[1])), r=5, class_="mark"))
    drawn += _legend(curves, mark)
    words = f"{y} against {x}: " + ", ".join([*(c.name for c in curves), *known])
    return element("svg", *drawn, viewBox=f"0 0 {WIDTH:g} {HEIGHT:g}", role="img", aria_label=words)


class _Scale:
    """Maps values to positions along an axis of the plot."""

    def __init__(self, values: Floats, begin: float, end: float, *, pad: float, logarithmic: bool = False) -> None:
        self.logarithmic, self.begin, self.end = logarithmic, begin, end
        low, high = float(values.min()), float(values.max())
        if logarithmic:
            low, high = math.log10(low), math.log10(high)
        if high - low <= 1e-12 * max(abs(low), abs(high), 1e-300):  # a single value, in the middle
            room = 0.1 if logarithmic else (abs(low) * 0.1 or 0.5)
            low, high = low - room, high + room
        room = pad * (high - low)
        self.low, self.high = low - room, high + room

    def __call__(self, value: float) -> float:
        place = (math.log10(value) if self.logarithmic else value) - self.low
        share = min(1.0, max(0.0, place / (self.high - self.low)))
        return self.begin + share * (self.end - self.begin)

    def ticks(self, count: int = 6, *, whole: bool = False) -> list[tuple[float, str]]:
        """Return round values within the range, with their labels."""
        if not self.logarithmic:
            return ticks_between(self.low, self.high, count, whole=whole)
        decades = range(math.floor(self.low), math.ceil(self.high) + 1)
        for digits in ((1, 2, 5), (1,)):
            ticks = [(digit, decade) for decade in decades for digit in digits if self.low <= decade + math.log10(digit) <= self.high]
            if len(ticks) <= count + 2:
                break
        if len(ticks) < 3:
            return ticks_between(10**self.low, 10**self.high, count)
        return [(digit * 10.0**decade, _power(digit, decade)) for digit, decade in ticks[:: -(-len(ticks) // (count + 2))]]


def ticks_between(low: float, high: float, count: int, *, whole: bool = False) -> list[tuple[float, str]]:
    """Return round values between two, about `count` of them, with their labels."""
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * next(digit for digit in (1, 2, 5, 10) if digit * power >= rough * 0.999)
    if whole:
        step = max(1.0, step)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    values = [number * step for number in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]
    large = max(abs(low), abs(high)) >= 1e6 or decimals > 5
    return [(value, (f"{value:.3g}" if large else f"{value:.{decimals}f}").replace("-", "−")) for value in values]


def _power(digit: int, decade: int) -> str:
    if -5 < decade < 5:
        return f"{digit * 10.0**decade:.10f}".rstrip("0").rstrip(".")
    raised = f"10{str(decade).translate(str.maketrans('-0123456789', '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'))}"
    return raised if digit == 1 else f"{digit}·{raised}"


def _n(value: float) -> str:
    return f"{value:.1f}"


def _text(x: float, y: float, words: str, *, anchor: str = "start", class_: str | None = None, **more: object) -> Markup:
    return element("text", words, x=_n(x), y=_n(y), text_anchor=anchor, class_=class_, **more)


def _segment(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    return element("line", x1=_n(x1), y1=_n(y1), x2=_n(x2), y2=_n(y2), class_=class_)


def _horizontal_axis(scale: _Scale, title: str, *, whole: bool) -> list[Markup]:
    floor = HEIGHT - BOTTOM
    drawn = [_segment(scale.begin, floor, scale.end, floor, "frame")]
    for value, words in scale.ticks(9, whole=whole):
        drawn += [_segment(scale(value), floor, scale(value), floor + 5, "frame"), _text(scale(value), floor + 19, words, anchor="middle")]
    return [*drawn, _text((scale.begin + scale.end) / 2, HEIGHT - 8, title, anchor="middle", class_="faint")]


def _vertical_axis(scale: _Scale, right: float, title: str) -> list[Markup]:
    drawn = []
    for value, words in scale.ticks():
        drawn += [_segment(LEFT, scale(value), right, scale(value), "grid"), _text(LEFT - 8, scale(value) + 4, words, anchor="end")]
    middle = (scale.begin + scale.end) / 2
    lines = textwrap.wrap(title, WIDE_TITLE) or [""]
    turned = [
        _text(12 + LINE * number, middle, line, anchor="middle", class_="faint", transform=f"rotate(-90 {12 + LINE * number:g} {middle:g})")
        for number, line in enumerate(lines)
    ]
    return [*drawn, _segment(LEFT, scale.begin, LEFT, scale.end, "frame"), *turned]


def _levels(levels: dict[str, float], scale: _Scale, right: float) -> list[Markup]:
    """Return dashed lines, and their names at the right, moved apart where they would overlap."""
    drawn: list[Markup] = []
    names = sorted(levels, key=lambda name: scale(levels[name]))
    low, high = scale.end + 4, scale.begin
    line = min(LINE, (high - low) / max(1, len(names) - 1))
    places: list[float] = []
    for name in names:
        places.append(max(scale(levels[name]), places[-1] + line if places else low))
    for number in reversed(range(len(places))):
        places[number] = min(places[number], high if number == len(places) - 1 else places[number + 1] - line)
    for name, place in zip(names, places, strict=True):
        level = scale(levels[name])
        words = f"{short(name, 17)} {formatted(levels[name])}"
        drawn += [
            _segment(LEFT, level, right, level, "classical"), _segment(right, level, right + 10, place, "lead"),
            _text(right + 14, place + 4, words),
        ]  # fmt: skip
    return drawn


def _drawn(curve: Curve, horizontal: _Scale, vertical: _Scale) -> list[Markup]:
    xs, ys = _thinned(np.asarray(curve.x, float), np.asarray(curve.y, float))
    drawable = np.isfinite(ys) & ((ys > 0) if vertical.logarithmic else True)
    steps = np.sign(np.diff(xs))
    along = 1 if (steps > 0).sum() >= (steps < 0).sum() else -1
    words, pen, dots = [], False, []
    for number, (x, y) in enumerate(zip(xs, ys, strict=True)):
        if not drawable[number]:
            pen = False
            continue
        if number and steps[number - 1] == -along:  # the line is broken where an axis turns back (overlapping detectors)
            pen = False
        words.append(f"{'L' if pen else 'M'}{_n(horizontal(x))} {_n(vertical(y))}")
        pen = True
        if len(xs) <= 12:
            dots.append(element("circle", cx=_n(horizontal(x)), cy=_n(vertical(y)), r=1.5, class_=f"{curve.style} dot"))
    return [element("path", d=" ".join(words), class_=curve.style), *dots]


def _thinned(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    if len(x) <= 2 * POINTS:
        return x, y
    kept: list[int] = [0]
    for column in np.array_split(np.arange(len(x)), POINTS):
        if np.isfinite(y[column]).all():
            kept += sorted({int(column[y[column].argmin()]), int(column[y[column].argmax()])})
        else:
            kept += column.tolist()
    chosen = np.unique([*kept, len(x) - 1])
    return x[chosen], y[chosen]


def _legend(curves: Sequence[Curve], mark: tuple[float, float, str] | None) -> list[Markup]:
    """Return the legend above the plot, where no curve is drawn."""
    drawn: list[Markup] = []
    place = LEFT
    for curve in curves:
        name = short(curve.name, 36)
        drawn += [_segment(place, 14, place + 24, 14, f"{curve.style} sample"), _text(place + 30, 18, name)]
        place += 52 + 7.2 * len(name)
    if mark is not None:
        drawn += [element("circle", cx=_n(place + 6), cy=14, r=5, class_="mark"), _text(place + 18, 18, mark[2])]
    return drawn
