"""Axes of plots: a logarithmic one for plots that may be low, and one of whole numbers."""

from __future__ import annotations

import math

import pyqtgraph as pg

_LABEL = 15
"""Height in pixels that the number of a tick takes."""
_LONGEST = 5
"""Letters of the longest number on a vertical axis; a longer one would lie over the title."""
_MOST_DECADES = 6
"""Largest number of decades labelled on the axis of a low plot."""


def short_number(value: float) -> str:
    """Return a number with up to three digits, and a power of ten where that is shorter: ``2e-4``, ``1.25e6``, ``310``."""
    plain, power = f"{value:.3g}", f"{value:.2e}"
    digits, _, exponent = power.partition("e")
    power = f"{digits.rstrip('0').rstrip('.')}e{int(exponent)}"
    return plain if "e" not in plain and len(plain) <= len(power) else power


class LowAxis(pg.AxisItem):  # type: ignore[misc]  # pyqtgraph has no types
    """A vertical axis of plots that may be low: of the numbers that would overlap, some are left out."""

    def tickValues(self, low: float, high: float, size: float) -> list[tuple[float, list[float]]]:  # noqa: N802
        """Return the spacing and the places of ticks; those of the first spacing have numbers."""
        levels = super().tickValues(low, high, size)
        if not levels or len(levels[0][1]) * _LABEL <= size:
            return levels  # type: ignore[no-any-return]
        spacing, places = levels[0]
        every = math.ceil(len(places) * _LABEL / max(size, 1))
        first = next((number for number, place in enumerate(places) if round(place / spacing) % every == 0), 0)
        return [(spacing * every, list(places)[first::every])]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:  # noqa: N802
        """Return the texts of ticks, short enough for a title next to them."""
        texts = super().tickStrings(values, scale, spacing)
        return texts if all(len(text) <= _LONGEST for text in texts) else [short_number(value * scale) for value in values]


class DecadeAxis(LowAxis):
    """A logarithmic axis with ticks at 1, 2 and 5 of each decade, or at some of many decades; pyqtgraph's own overlap in a low plot."""

    def tickValues(self, low: float, high: float, size: float) -> list[tuple[float, list[float]]]:  # noqa: N802
        """Return the spacing and the places of ticks."""
        if not self.logMode:
            return super().tickValues(low, high, size)
        every = math.ceil((high - low) / _MOST_DECADES)
        decades = range(math.floor(low), math.ceil(high) + 1, every)
        ticks = [decade + math.log10(digit) for decade in decades for digit in ((1, 2, 5) if high - low <= 2.5 else (1,))]
        return [(1.0, [tick for tick in ticks if low <= tick <= high])]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:  # noqa: N802
        """Return the texts of ticks."""
        if not self.logMode:
            return super().tickStrings(values, scale, spacing)
        return [
            f"{10**value:,.0f}" if 3 <= value < 6 else f"{10**value:.3g}" if -3 <= value < 6 else short_number(10**value)
            for value in values
        ]


class WholeAxis(pg.AxisItem):  # type: ignore[misc]  # pyqtgraph has no types
    """An axis of things that are counted: there is no epoch 1.4."""

    def tickValues(self, low: float, high: float, size: float) -> list[tuple[float, list[float]]]:  # noqa: N802
        """Return the spacing and the places of ticks, at whole numbers only."""
        levels = [(spacing, values) for spacing, values in super().tickValues(low, high, size) if spacing >= 1]
        return levels or [(1.0, [float(number) for number in range(math.ceil(low), math.floor(high) + 1)])]
