"""The page of a judgement: one HTML file that stands by itself."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np

from napari_spectrai.experiment.metrics import METRICS, titled
from napari_spectrai.experiment.tasks import tasks
from napari_spectrai.files import write_text
from napari_spectrai.reports.discreet import discreet
from napari_spectrai.reports.heatmaps import class_map, heat_map
from napari_spectrai.reports.html import Markup, element, joined, page, section
from napari_spectrai.reports.svg import Curve, plot, rounded
from napari_spectrai.reports.tables import confusion_tables, figures_table
from napari_spectrai.runs.evaluation import Evaluation, Spot
from napari_spectrai.runs.events import Confusion

_WRONG = (("not judged", "#d7dade"), ("right", "#7fb2dc"), ("wrong", "#d2571a"))


def write_page(judgement: Evaluation, path: str | Path) -> Path:
    """Write a judgement as one HTML file, whole or not at all, and return its path.

    Its maps are shown where it has them.
    """
    judgement = _renamed(judgement)
    names = ", ".join(judgement.results)
    title = f"{names} · {tasks[judgement.task].title}"
    head = element(
        "header", element("h1", f"Evaluation of {names}"),
        element("p", f"{tasks[judgement.task].title} · {datetime.now():%Y-%m-%d %H:%M}", class_="soft"),
    )  # fmt: skip
    notes = joined(element("div", element("strong", "Note: "), discreet(note), class_="notice", role="note") for note in judgement.notes)
    parts = [section(name if len(judgement.results) > 1 else "Errors", *_of(judgement, name)) for name in judgement.results]
    path = Path(path)
    write_text(path, page(title, head, notes, section("Figures", *_figures(judgement)), *parts))
    return path


def _renamed(judgement: Evaluation) -> Evaluation:
    """Return a judgement whose results are called by the names of their files, where they were called by paths."""
    names = {row.name: discreet(row.name) for row in judgement.rows}
    if len(set(names.values())) < len(names) or all(name == shown for name, shown in names.items()):
        return judgement
    return replace(
        judgement, rows=[replace(row, name=names[row.name]) for row in judgement.rows],
        spots=[replace(spot, of=names.get(spot.of, spot.of)) for spot in judgement.spots],
        maps={names.get(name, name): drawn for name, drawn in judgement.maps.items()},
        confusions={names.get(name, name): matrix for name, matrix in judgement.confusions.items()},
    )  # fmt: skip


def _figures(judgement: Evaluation) -> list[Markup]:
    scores = {row.name: {name: value for name, value in row.figures.items() if name != "dice"} for row in judgement.rows}
    words = ["All rows are of the same pixels.", judgement.about]
    words.append("The best of each column is bold; ↑ larger is better, ↓ smaller.")
    return [
        element("p", best_words(judgement), class_="verdict"),
        figures_table(scores, "", axis=judgement.unit),
        element("p", " ".join(words), class_="soft"),
    ]


def best_words(judgement: Evaluation) -> str:
    """Return in one sentence which row is best by the score that decides, and how the results compare with it."""
    name = judgement.metrics[0]
    metric = METRICS[name]
    known = {row.name: row.figures[name] for row in judgement.rows if not math.isnan(row.figures.get(name, math.nan))}
    first = judgement.results[0]
    title, _, unit = titled(name, axis=judgement.unit).rstrip(")").partition(" (")
    unit = f" {unit}" if unit else ""
    if not known:
        return f"There is no {title} of these data."
    best = (max if metric.larger_is_better else min)(known, key=lambda row: known[row])
    if len(known) == 1:
        return f"{first}: {title} {rounded(known[first])}{unit}. Nothing stands beside it to compare with."
    if best in judgement.results:
        others = {row: value for row, value in known.items() if row != best}
        second = (max if metric.larger_is_better else min)(others, key=lambda row: others[row])
        return f"{best} is best: {title} {rounded(known[best])}{unit}, against {rounded(others[second])}{unit} of {second}."
    if first not in known:
        return f"{best} is best: {title} {rounded(known[best])}{unit}."
    return f"{best} does better than {first}: {title} {rounded(known[best])}{unit} against {rounded(known[first])}{unit}."


def _of(judgement: Evaluation, name: str) -> list[Markup]:
    drawn = judgement.maps.get(name, {})
    if judgement.classes:
        tables = confusion_tables(Confusion(0, judgement.classes, judgement.confusions[name]), {})
        wrong = drawn.get("wrong")
        if wrong is None or wrong.data.ndim == 1:
            return tables
        return [class_map(wrong.data, "Wrong pixels", _WRONG), *tables]
    return [_maps(judgement, drawn), *_spectra(judgement, name)]


def _maps(judgement: Evaluation, drawn: dict[str, object]) -> Markup:
    words = {
        "error": ("Error", "root mean squared error over the bands", ""),
        "angle": ("Angle", "between the spectra of result and truth", "°"),
    }
    found = []
    for what, (title, told, unit) in words.items():
        cube = drawn.get(what)
        if cube is None:
            continue
        values = np.asarray(cube.data[..., 0])  # type: ignore[attr-defined]
        if values.ndim > 1:
            found.append(heat_map(values, title, told, unit))
        else:
            curve = Curve(title.lower(), list(range(len(values))), values.tolist(), "accent")
            y = "Angle (°)" if unit else f"RMSE ({judgement.intensities})"
            found.append(element("figure", plot([curve], x="Spectrum", y=y, whole=True), element("figcaption", f"{title}: {told}.")))
    maps = len(judgement.shape) > 1
    return element("div", *found, class_="maps" if maps else None) if found else Markup()


def _spectra(judgement: Evaluation, name: str) -> list[Markup]:
    axis, spots = judgement.axis, judgement.spots_of(name)
    if axis is None:
        return []
    drawn = []
    for which, spot in spots.items():
        curves = [Curve("truth", judgement.positions, spot.truth, "truth"), Curve("result", judgement.positions, spot.result, "accent")]
        if spot.source:
            curves.insert(0, Curve("source", judgement.positions, spot.source, "source"))
        words = f"The {which} spectrum: {place_words(spot)}, root mean squared error {rounded(spot.error)}."
        drawn.append(element("figure", plot(curves, x=axis.label, y="Intensity"), element("figcaption", words)))
    return drawn


def place_words(spot: Spot) -> str:
    """Return where a spectrum is, in words."""
    if len(spot.pixel) == 1:
        return f"spectrum {spot.pixel[0]}"
    names = (*(f"t{n}" for n in range(len(spot.pixel) - 3)), "z", "y", "x")[-len(spot.pixel) :]
    return "pixel (" + ", ".join(f"{name} {index}" for name, index in zip(names, spot.pixel, strict=True)) + ")"
