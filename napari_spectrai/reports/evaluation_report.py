"""Report of an evaluation: one self-contained HTML file."""

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
from napari_spectrai.reports.tables import BOLD, confusion_tables, scores_table
from napari_spectrai.runs.evaluation import Evaluation, Spot
from napari_spectrai.runs.events import Confusion

_WRONG = (("not evaluated", "#d7dade"), ("right", "#7fb2dc"), ("wrong", "#d2571a"))


def write_page(evaluation: Evaluation, path: str | Path) -> Path:
    """Write an evaluation as one HTML file, atomically, and return its path.

    Maps are included if the evaluation has them.
    """
    evaluation = _renamed(evaluation)
    names = ", ".join(evaluation.results)
    title = f"{names} · {tasks[evaluation.task].title}"
    head = element(
        "header", element("h1", f"Evaluation of {names}"),
        element("p", f"{tasks[evaluation.task].title} · {datetime.now():%Y-%m-%d %H:%M}", class_="soft"),
    )  # fmt: skip
    notes = joined(element("div", element("strong", "Note: "), discreet(note), class_="notice", role="note") for note in evaluation.notes)
    parts = [section(name if len(evaluation.results) > 1 else "Errors", *_of(evaluation, name)) for name in evaluation.results]
    path = Path(path)
    write_text(path, page(title, head, notes, section("Scores", *_scores(evaluation)), *parts))
    return path


def _renamed(evaluation: Evaluation) -> Evaluation:
    """Return an evaluation whose results are called by the names of their files, where they were called by paths."""
    names = {row: discreet(row) for row in evaluation.rows}
    if len(set(names.values())) < len(names) or all(name == shown for name, shown in names.items()):
        return evaluation
    return replace(
        evaluation,
        rows={names[row]: scores for row, scores in evaluation.rows.items()},
        roles={names.get(row, row): role for row, role in evaluation.roles.items()},
        spots=[replace(spot, of=names.get(spot.of, spot.of)) for spot in evaluation.spots],
        maps={names.get(name, name): drawn for name, drawn in evaluation.maps.items()},
        confusions={names.get(name, name): matrix for name, matrix in evaluation.confusions.items()},
        intervals={names.get(name, name): ends for name, ends in evaluation.intervals.items()},
    )


def _scores(evaluation: Evaluation) -> list[Markup]:
    scores = {row: {name: value for name, value in values.items() if name != "dice"} for row, values in evaluation.rows.items()}
    words = ["All rows are computed on the same pixels.", evaluation.about]
    words.append(f"{BOLD}; ↑ larger is better, ↓ smaller is better.")
    return [
        element("p", best_words(evaluation), class_="verdict"),
        scores_table(scores, "", evaluation.intervals, axis=evaluation.unit),
        element("p", " ".join(words), class_="soft"),
    ]


def best_words(evaluation: Evaluation) -> str:
    """Say in one sentence which row has the best main score, and how the results compare with it."""
    name = evaluation.columns[0]
    metric = METRICS[name]
    known = {row: scores[name] for row, scores in evaluation.rows.items() if not math.isnan(scores.get(name, math.nan))}
    first = evaluation.results[0]
    title, _, unit = titled(name, axis=evaluation.unit).rstrip(")").partition(" (")
    unit = f" {unit}" if unit else ""
    best = metric.best(known)
    if best is None:
        return f"The {title} is not defined for these data."
    alike = metric.alike(known, {row: ends[name] for row, ends in evaluation.intervals.items() if name in ends})
    if alike:
        low, high = evaluation.intervals[best][name]
        return (
            f"{best} has the best {title}, {rounded(known[best])}{unit}, but its 90 % interval ({rounded(low)} to {rounded(high)}) "
            f"overlaps that of {alike}, {rounded(known[alike])}{unit}: these pixels do not distinguish them."
        )
    if len(known) == 1:
        return f"{first}: {title} {rounded(known[first])}{unit}. There is nothing to compare it with."
    second = metric.ranked(known)[1]
    against = f"{title} {rounded(known[best])}{unit}, against {rounded(known[second])}{unit} of {second}."
    if name not in evaluation.intervals.get(best, {}):
        return f"{best} has the best {against} This score has no interval, so a small difference may be chance."
    if best in evaluation.results or first not in known:
        return f"{best} is best: {against}"
    return f"{best} does better than {first}: {title} {rounded(known[best])}{unit} against {rounded(known[first])}{unit}."


def _of(evaluation: Evaluation, name: str) -> list[Markup]:
    drawn = evaluation.maps.get(name, {})
    if evaluation.classes:
        tables = confusion_tables(Confusion(0, evaluation.classes, evaluation.confusions[name]), {})
        wrong = drawn.get("wrong")
        if wrong is None or wrong.data.ndim == 1:
            return tables
        return [class_map(wrong.data, "Wrong pixels", _WRONG), *tables]
    return [_maps(evaluation, drawn), *_spectra(evaluation, name)]


def _maps(evaluation: Evaluation, drawn: dict[str, object]) -> Markup:
    words = {
        "error": ("Error", "root mean squared error over the bands", ""),
        "angle": ("Angle", "between the spectra of result and truth", "°"),
    }
    drawn_maps = []
    for what, (title, about, unit) in words.items():
        cube = drawn.get(what)
        if cube is None:
            continue
        values = np.asarray(cube.data[..., 0])  # type: ignore[attr-defined]
        if values.ndim > 1:
            drawn_maps.append(heat_map(values, title, about, unit))
        else:
            curve = Curve(title.lower(), list(range(len(values))), values.tolist(), "accent")
            y = "Angle (°)" if unit else f"RMSE ({evaluation.intensities})"
            caption = element("figcaption", f"{title}: {about}.")
            drawn_maps.append(element("figure", plot([curve], x="Spectrum", y=y, whole=True), caption))
    maps = len(evaluation.shape) > 1
    return element("div", *drawn_maps, class_="maps" if maps else None) if drawn_maps else Markup()


def _spectra(evaluation: Evaluation, name: str) -> list[Markup]:
    axis, spots = evaluation.axis, evaluation.spots_of(name)
    if axis is None:
        return []
    drawn = []
    for which, spot in spots.items():
        curves = [Curve("truth", evaluation.positions, spot.truth, "truth"), Curve("result", evaluation.positions, spot.result, "accent")]
        if spot.source:
            curves.insert(0, Curve("source", evaluation.positions, spot.source, "source"))
        words = f"The {which} spectrum: {place_words(spot)}, root mean squared error {rounded(spot.error)}."
        drawn.append(element("figure", plot(curves, x=axis.label, y="Intensity"), element("figcaption", words)))
    return drawn


def place_words(spot: Spot) -> str:
    """Describe the position of a spectrum."""
    if len(spot.pixel) == 1:
        return f"spectrum {spot.pixel[0]}"
    names = (*(f"t{n}" for n in range(len(spot.pixel) - 3)), "z", "y", "x")[-len(spot.pixel) :]
    return "pixel (" + ", ".join(f"{name} {index}" for name, index in zip(names, spot.pixel, strict=True)) + ")"
