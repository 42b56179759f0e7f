"""The card of a model: a short description, its classes in their colours, and its axis drawn above that of the layer."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from magicgui.widgets import Container
from napari.components import ViewerModel
from napari.layers import Labels

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.experiment.card import ModelCard
from napari_spectrai.experiment.compatibility import fit_axis
from napari_spectrai.experiment.metrics import METRICS
from napari_spectrai.experiment.network_spec import networks
from napari_spectrai.labels import Class
from napari_spectrai.reports.svg import formatted
from napari_spectrai.widgets.colours import TEXT, readable
from napari_spectrai.widgets.dock import text
from napari_spectrai.widgets.plot import CLASSICAL, SOURCE, Plot

MOST_CLASSES = 24
"""Largest number of classes named in a card."""
FEW = 60
"""Largest number of bands drawn individually."""


def score(card: ModelCard) -> str:
    """Return the model's main score, with that of the best classical method; empty if it has none."""
    metric = card.experiment.task.metrics[0]
    for part in ("test", *card.scores):
        scores = {method: values[metric] for method, values in card.scores.get(part, {}).items() if metric in values}
        known = {method: value for method, value in scores.items() if not math.isnan(value)}
        if not known:
            continue
        own = known.pop("network", None)
        known.pop("raw", None)
        ranked = METRICS[metric].ranked(known)
        words = [] if own is None else [f"{METRICS[metric].title} {formatted(own, 3)} in {part}"]
        words += [f"best classical, {_title(method)}: {formatted(known[method], 3)}" for method in ranked[:1]]
        return "; ".join(words)
    return ""


def _title(method: str) -> str:
    return networks[method].title if method in networks else method


def _hex(colour: Any) -> str:
    return "#" + "".join(f"{round(255 * share):02x}" for share in colour[:3])


def _colour(one: Class, plain: Labels) -> Any:
    return plain.get_color(max(1, one.value)) if one.colour is None else one.colour


def _chips(classes: Sequence[Class]) -> str:
    """Return the names in one line, each after a square of its colour."""
    plain = Labels(np.zeros((1, 1), np.uint8))  # in the result, a class without a colour gets napari's default
    shown = [
        f"<span style='color:{_hex(_colour(one, plain))};'>■</span>&nbsp;" + escape(one.name).replace(" ", "&nbsp;").replace("-", "‑")
        for one in classes[:MOST_CLASSES]
    ]
    more = f" and {len(classes) - MOST_CLASSES} more" if len(classes) > MOST_CLASSES else ""
    return ", ".join(shown) + more


def card_rows(card: ModelCard) -> list[tuple[str, str]]:
    """Return the label and the HTML of each line."""
    experiment = card.experiment
    enlarges = f", {experiment.task.enlarges} times per side" if experiment.task.enlarges > 1 else ""
    rows = [
        ("Task", escape(experiment.task.title) + enlarges),
        ("Network", escape(experiment.network.title) + (" on top of ridge regression" if experiment.over_ridge else "")),
        ("Spectra", escape(card.axis.describe()).replace(" 1/cm", "&nbsp;1/cm")),
    ]
    if card.classes:
        rows.insert(1, (f"{len(card.classes)} classes", _chips(card.classes)))
    if experiment.preparation:
        rows.append(("Preparation", escape(", ".join(step.title for step in experiment.preparation))))
    rows.append(("Trained on", escape("; ".join(card.trained_on) or "not recorded")))
    model_score = score(card)
    if model_score:
        rows.append(("Score", escape(model_score)))
    made = ", ".join(f"{name} {version.partition('+')[0]}" for name, version in card.versions.items())
    rows.append(("Created", escape(f"{card.date} · {made}" if made else card.date)))
    return rows


class Strip(Plot):
    """Two rows: the model's bands above, the layer's below; ranges show their gaps, and few bands are drawn one by one."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._rows: list[Any] = []
        self._again: Callable[[], None] = lambda: None
        super().__init__(viewer, x="Band number", y="", height=96, name="axis")
        self._plot.setMouseEnabled(x=False, y=False)
        self._plot.setToolTip("above: positions of the model's bands; below: those of the layer")
        self._item.setYRange(-0.55, 1.55, padding=0)
        self._item.getAxis("left").setTicks([[(1, "model"), (0, "layer")]])
        self._item.getAxis("left").setStyle(tickLength=0, maxTickLevel=0)
        self.drawn: tuple[SpectralAxis, SpectralAxis | None] | None = None

    def draw(self, model: SpectralAxis, layer: SpectralAxis | None, *, fits: bool, what: str = "layer") -> None:
        """Draw the axes; that of a layer (or file) that does not fit is highlighted."""
        self._again = lambda: None
        self.titles(x=model.label)
        self._again = lambda: self.draw(model, layer, fits=fits, what=what)
        for item in self._rows:
            self._item.removeItem(item)
        self._rows = []
        self.drawn = (model, layer)
        self._item.getAxis("left").setTicks([[(1, "model"), (0, what)]])
        self._plot.show_axes(shown=True)
        self._row(model, 1, self.accent)
        if layer is not None and layer.unit == model.unit:
            self._row(layer, 0, SOURCE if fits else CLASSICAL)
        elif layer is not None:
            words = f"in another unit: {layer.unit}" if layer.unit else "no positions of its bands are given"
            note = pg.TextItem(words, color=readable(CLASSICAL, self._background, TEXT), anchor=(0, 0.5))
            note.setPos(float(model.values.min()), 0)
            self._item.addItem(note, ignoreBounds=True)
            self._rows.append(note)

    def _recolour(self, _: Any = None) -> None:
        super()._recolour()
        self._again()

    def _row(self, axis: SpectralAxis, level: float, colour: str) -> None:
        starts, stops = _stretches(np.unique(axis.values))
        item = pg.BarGraphItem(
            x0=starts, x1=stops, y0=level - 0.36, y1=level + 0.36, pen=pg.mkPen(None), brush=pg.mkBrush(readable(colour, self._background))
        )
        self._item.addItem(item)
        self._rows.append(item)


def _stretches(values: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the ranges that ascending positions cover: each band of few, the ranges without a gap of many."""
    steps = np.diff(values)
    usual = float(np.median(steps)) if len(steps) else 1.0
    if len(values) <= FEW:
        return values - usual / 5, values + usual / 5
    gaps = np.flatnonzero(steps > 2.5 * usual)
    return np.concatenate([values[:1], values[gaps + 1]]) - usual / 2, np.concatenate([values[gaps], values[-1:]]) + usual / 2


class CardView(Container[Any]):
    """The card of the model chosen, or a method's description."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._words = text("card")
        self.strip = Strip(viewer)
        self.strip.visible = False
        super().__init__(widgets=[self._words, self.strip], labels=False, name="card_view")
        self.margins = (0, 0, 0, 0)

    @property
    def value(self) -> str:
        """The text, as HTML."""
        return str(self._words.value)

    def show_method(self, kind: str) -> None:
        """Describe a method that needs no training."""
        self._words.value = inspect.cleandoc(networks[kind].__doc__ or "").partition("\n\n")[0].replace("\n", " ")
        self._words.visible = True

    def show_card(self, card: ModelCard | None) -> None:
        """Show a card; clear the view for None."""
        lines = [] if card is None else card_rows(card)
        table = "".join(f"<tr><td style='padding-right:8px;'><b>{label}</b></td><td>{words}</td></tr>" for label, words in lines)
        self._words.value = f"<table>{table}</table>" if table else ""
        self._words.visible = bool(table)

    def show_axes(self, card: ModelCard | None, layer: SpectralAxis | None, what: str = "layer") -> None:
        """Draw the axes of the model and of a layer or file; only for models that require one axis."""
        one = card is not None and not card.experiment.any_axis
        self.strip.visible = one
        if one and card is not None:
            self.strip.draw(card.axis, layer, fits=layer is None or fit_axis(card, layer, what).fits, what=what)
