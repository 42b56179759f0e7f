"""Several ranges at once, and the ratio of two, for band maps: each is the range in the plot, added by a button."""

from __future__ import annotations

from typing import Any

from magicgui.widgets import Container, PushButton

from napari_spectrai.widgets.dock import line, text
from napari_spectrai.widgets.maps_dock.map_form import MapForm

Range = tuple[float, float]


class BandRanges(Container[Any]):
    """Buttons that keep the range in the plot as a further one or as the divisor, and what is kept in words.

    Parameters
    ----------
    form : MapForm
        Its fields ``low``, ``high``, ``more`` and ``over`` are read and written.
    """

    def __init__(self, form: MapForm) -> None:
        self._form = form
        self.another = PushButton(text="+ Another range", name="another", tooltip="keep this range with a map of its own; choose the next")
        self.divisor = PushButton(text="Ratio: divide by this", name="divisor", tooltip="keep this range as the divisor of the others")
        self.clear_button = PushButton(text="Clear", name="clear_ranges", tooltip="only the range in the plot")
        self.words = text("ranges")
        super().__init__(widgets=[line(self.another, self.divisor), line(self.words, self.clear_button)], labels=False, name="ranges")
        self.margins = (0, 0, 0, 0)
        self[1].native.layout().setStretch(0, 1)
        self.another.changed.connect(self.add)
        self.divisor.changed.connect(self.divide)
        self.clear_button.changed.connect(lambda: self._write(more=[], over=None))

    def _values(self) -> tuple[Range | None, list[Range], Range | None]:
        """Return the range in the plot, further ones, and the divisor; what cannot be read is left out."""
        values = self._form.read()
        low, high = values.get("low"), values.get("high")
        more = [one for one in map(_range, values.get("more") or []) if one is not None]
        return _range([low, high]), more, _range(values.get("over"))

    def add(self) -> None:
        """Keep the range in the plot as a further one."""
        now, more, over = self._values()
        if now is not None and now not in more:
            self._write(more=[*more, now], over=over)

    def divide(self) -> None:
        """Keep the range in the plot as the divisor."""
        now, more, _ = self._values()
        if now is not None:
            self._write(more=more, over=now)

    def _write(self, *, more: list[Range], over: Range | None) -> None:
        self._form.fill({"more": [list(one) for one in more], "over": None if over is None else list(over)})
        self._form.edited.emit()

    def others(self) -> list[Range]:
        """Return the further ranges and the divisor, for the plot."""
        if self._form.kind.value != "band":
            return []
        _, more, over = self._values()
        return [*more, *([] if over is None else [over])]

    def show_ranges(self) -> None:
        """Describe what is kept."""
        self.visible = self._form.kind.value == "band"
        now, more, over = self._values()
        parts = [f"also {', '.join(map(_words, more))}"] if more else []
        parts += [f"divided by {_words(over)}"] if over is not None else []
        self.words.value = "; ".join(parts)
        self[1].visible = bool(parts)
        self.another.enabled = now is not None and now not in more
        self.divisor.enabled = now is not None


def _range(given: Any) -> Range | None:
    if isinstance(given, list | tuple) and len(given) == 2 and all(isinstance(one, int | float) for one in given):
        return float(given[0]), float(given[1])
    return None


def _words(one: Range) -> str:
    return f"{one[0]:.6g}–{one[1]:.6g}"
