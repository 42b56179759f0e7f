"""Curves of other runs, drawn with the one that is shown."""

from __future__ import annotations

from napari_spectrai.widgets.plot import Plot


class ComparedCurves:
    """The curves of other runs in a plot.

    Parameters
    ----------
    plot : Plot
    """

    def __init__(self, plot: Plot) -> None:
        self._plot = plot
        self._known: dict[str, tuple[str, list[int], list[float], str, str]] = {}
        self._drawn: list[str] = []

    def __bool__(self) -> bool:
        return bool(self._known)

    def add(self, path: str, name: str, epochs: list[int], values: list[float], metric: str, colour: str) -> None:
        """Add the curve of a run, or replace it."""
        self._known[path] = (name, epochs, values, metric, colour)

    def remove(self, path: str) -> None:
        """Remove the curve of a run."""
        self._known.pop(path, None)

    def draw(self, metric: str) -> None:
        """Draw the curves of one metric; those of equal names are numbered."""
        for name in self._drawn:
            self._plot.remove_curve(name)
        self._drawn = []
        names = [curve[0] for curve in self._known.values()]
        for number, (name, epochs, values, own, colour) in enumerate(self._known.values()):
            if own != metric or not epochs:
                continue
            same = names.count(name) > 1 or name in self._plot.names()
            label = f"{name} ({names[: number + 1].count(name)})" if same else name
            self._plot.curve(label, epochs, values, colour, width=1.4)
            self._drawn.append(label)
