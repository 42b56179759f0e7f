"""Sections of the report of a run."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.experiment import Experiment
from napari_spectrai.experiment.card import PART_TITLES, ModelCard
from napari_spectrai.experiment.metrics import METRICS, Metric
from napari_spectrai.parsing import parse_json, read_document
from napari_spectrai.reports.discreet import discreet
from napari_spectrai.reports.html import Markup, element, folded, joined, long_text, rows, table
from napari_spectrai.reports.run_journal import Journal, Scores
from napari_spectrai.reports.split_maps import split_pictures
from napari_spectrai.reports.svg import Curve, formatted, plot
from napari_spectrai.reports.tables import BOLD, confusion_tables, scores_table, verdict
from napari_spectrai.runs.events import Finished, Started
from napari_spectrai.runs.folder import RunFolder


def _own(experiment: Experiment) -> str:
    """Return a name for the network, or for the trained classical method."""
    return f"{'this method' if experiment.network.classical else 'network'} ({experiment.network.title or experiment.network.kind})"


def scores_section(experiment: Experiment, journal: Journal, scores: Scores) -> list[Markup]:
    """Return the tables of scores, with what a reader must know to interpret them."""
    blocks: list[Markup] = []
    own_label = experiment.network.label
    counts = {} if journal.started is None else {part: getattr(journal.started, part, 0) for part in scores}
    for part, rows_of_part in scores.items():
        samples = f", {counts[part]:,} samples" if counts.get(part) else ""
        ranges = journal.intervals.get(part, {})
        words = verdict(part, rows_of_part, journal.metric, classical=experiment.network.classical, label=own_label, intervals=ranges)
        if part == "map":
            words = "Expected accuracy of the model on the pixels without a label; see the notes."
        blocks += [
            element("h3", f"{PART_TITLES.get(part, part).capitalize()}{samples}"), element("p", words, class_="verdict"),
            scores_table(rows_of_part, _own(experiment), ranges, axis=journal.unit),
        ]  # fmt: skip
    blocks += _candidates(journal)
    if not blocks:
        return [element("p", "There are no scores: no truth is given, or the run ended too early.", class_="soft")]
    return [*blocks, element("p", " ".join(_caution(experiment, journal, tested="test" in scores)), class_="soft")]


def _candidates(journal: Journal) -> list[Markup]:
    """Return the candidates of a cross-validation, with the spread of their scores over the folds."""
    if not journal.compared:
        return []
    metric = METRICS.get(journal.metric, Metric(journal.metric))
    lines: list[list[object]] = []
    for one in journal.compared.values():
        spread = f"{formatted(min(one.folds))} to {formatted(max(one.folds))}" if one.folds else "–"
        score = formatted(one.scores[journal.metric]) if journal.metric in one.scores else "–"
        share = f"{one.weight:.2f}" if one.weight else "–"
        lines.append([one.name, score, spread, formatted(one.loss) if one.scores else "–", f"{one.seconds:.1f} s", share, one.note])
    head = ["candidate", metric.title, "over the folds", "loss", "time", "share", ""]
    return [element("h3", "Candidates, out of fold"), table(head, lines)]


def _caution(experiment: Experiment, journal: Journal, *, tested: bool) -> list[str]:
    """Return what a reader must know to interpret the scores."""
    steps = ", ".join(step.title for step in experiment.preparation)
    words = [] if experiment.task.classifies else [f"Scores are computed on prepared intensities ({steps or 'no preparation'})."]
    if not isinstance(journal.ending, Finished):
        words.append("The run did not finish: the scores are those of the model saved last, which may be older than the best epoch.")
    words.append(f"{BOLD}; ↑ larger is better, ↓ smaller is better.")
    if journal.started is not None and journal.started.baselines:
        also = ", and for the test also on the validation samples" if tested and _ended_whole(journal) else ""
        words.append(f"The classical methods were tuned on the training samples{also}.")
    if not tested and not experiment.network.classical:
        words.append(
            "There is no test part: the same samples were used to choose the best epoch, so expect slightly worse scores on other data "
            "(see split.test)."
        )
    if experiment.task.target != "truth":
        words.append(
            f"No truth was given: all rows are compared with the same {experiment.task.target}, whose noise contributes to every score, "
            "so that small differences can be significant."
        )
    return words


def _ended_whole(journal: Journal) -> bool:
    return isinstance(journal.ending, Finished) and journal.ending.reason != "stopped"


def curves_section(experiment: Experiment, journal: Journal) -> list[Markup]:
    """Return the curves of the training."""
    if not journal.epochs or journal.started is None:
        return []
    epochs = list(journal.epochs.values())
    metric, numbers = METRICS.get(journal.metric, Metric(journal.metric)), [epoch.epoch for epoch in epochs]
    training = Curve("training loss", numbers, [epoch.training for epoch in epochs], "source")
    validation = Curve(f"validation {metric.title}", numbers, [epoch.validation for epoch in epochs], "accent")
    best = journal.best
    mark = None if best is None else (best.epoch, best.validation, f"best epoch {best.epoch}: {formatted(best.validation)}")
    together = experiment.loss.kind == journal.metric
    curves = [training, validation] if together else [validation]
    errors = not metric.larger_is_better
    drawn = [
        plot(curves, x="Epoch", y=metric.title, levels=journal.started.baselines, mark=mark, logarithmic=errors, whole=True),
        Markup() if together else plot([training], x="Epoch", y=f"Training loss ({experiment.loss.kind})", logarithmic=True, whole=True),
    ]
    words = "Dashed: the classical methods on the same validation samples."
    caption = element("figcaption", words if journal.started.baselines else "There is no classical method to compare with.")
    return [element("figure", drawn[0], caption), element("figure", drawn[1]) if drawn[1] else Markup()]


def classes_section(experiment: Experiment, journal: Journal, card: ModelCard | None) -> list[Markup]:
    """Return the confusion matrices."""
    of = {one.name: one.colour for one in card.classes} if card is not None else {}
    best = journal.ending.best_epoch if isinstance(journal.ending, Finished) else 0
    blocks: list[Markup] = []
    for part in ("test", "validation"):
        if part in journal.confusions:
            confusion = journal.confusions[part]
            which = "the saved best model" if confusion.epoch == best else f"epoch {confusion.epoch}"
            if experiment.network.classical:
                held = "each sample held out once" if journal.compared else "trained on the training part only"
                which = "the saved model" if part == "test" else held
            blocks += [element("h3", f"{part.capitalize()}, {which}"), *confusion_tables(confusion, of)]
    return blocks


def spectrum_section(experiment: Experiment, journal: Journal) -> Markup:
    """Return one validation spectrum with its prediction."""
    shown = journal.preview
    if shown is None:
        return Markup()
    axis = SpectralAxis(np.asarray(shown.positions), shown.unit)
    truth = experiment.task.target
    curves = [
        Curve("input", shown.positions, shown.input, "source"), Curve(truth, shown.positions, shown.truth, "truth"),
        Curve("prediction", shown.positions, shown.prediction, "accent"),
    ]  # fmt: skip
    whose = "" if experiment.network.classical else f", after epoch {shown.epoch:,}"
    caption = f"One validation spectrum{whose}, in prepared intensities."
    return element("figure", plot(curves, x=axis.label, y="Prepared intensity"), element("figcaption", caption))


def split_section(folder: RunFolder, experiment: Experiment, journal: Journal, card: ModelCard | None) -> Markup:
    """Return the maps and settings of the split."""
    names = card.trained_on if card is not None else [str(path.name) for path in experiment.data.input]
    pictures = Markup()
    try:
        maps = folder.maps()
        pictures = split_pictures(maps, names) if maps else element("p", "The run was not split yet.", class_="soft")
    except (ValueError, KeyError, OSError, zipfile.BadZipFile):
        pictures = element("p", f"{folder.split.name} cannot be read.", class_="soft")
    split = experiment.split
    # the settings' own descriptions; a setting of several methods lists all of theirs
    methods = dict(part.split(": ", 1) for part in str(type(split).model_fields["method"].description).split("; "))
    lines: list[tuple[object, object]] = []
    for name, setting in type(split).model_fields.items():
        value = getattr(split, name)
        words = methods.get(value, "") if name == "method" else setting.description
        lines.append((name, joined([element("strong", "empty" if value is None else value), f" ({words})" if words else ""])))
    drawn = "" if journal.started is None else _samples(journal.started)
    return joined([element("p", drawn), pictures, folded("Settings of the split", rows(lines))])


def _samples(started: Started) -> str:
    parts = [f"{started.training:,} training samples", f"{started.validation:,} validation samples"]
    test = f"{started.test:,} test samples" if started.test else "no test samples"
    return ", ".join([*parts, test]) + ". The counts below are pixels or spectra."


def model_section(experiment: Experiment, card: ModelCard | None, journal: Journal) -> Markup:
    """Return the description of the model."""
    lines: list[tuple[object, object]] = [
        ("Task", experiment.task.title), ("Network", experiment.network.title or experiment.network.kind),
    ]  # fmt: skip
    if card is not None:  # its scores are shown above
        lines = [(label, long_text(discreet(text))) for label, text in replace(card, scores={}, notes=[]).lines()]
    if journal.started is not None and not experiment.network.classical:
        lines.append(("Weights", f"{journal.started.parameters:,}"))
    return rows(lines)


def surroundings_section(folder: RunFolder, journal: Journal) -> Markup:
    """Return duration, device and versions."""
    lines: list[tuple[object, object]] = []
    seconds = journal.ending.seconds if isinstance(journal.ending, Finished) else sum(epoch.seconds for epoch in journal.epochs.values())
    if journal.started is not None:
        lines += [("Training took", _duration(seconds)), ("Device", f"{journal.started.device}, {journal.started.precision}")]
    lines += _environment(folder)
    return rows([*lines, ("Run folder", folder.path.name)])


def _environment(folder: RunFolder) -> Sequence[tuple[object, object]]:
    try:
        plain: dict[str, Any] = parse_json(read_document(folder.environment))
        versions = ", ".join(f"{name} {number}" for name, number in dict(plain.get("versions", {})).items())
        # not the host, which earlier versions kept: a report is passed on
        return [*((name.capitalize(), str(plain[name])[:300]) for name in ("python", "platform") if name in plain), ("Versions", versions)]
    except (OSError, ValueError, TypeError, AttributeError):  # not written yet, or damaged: it is the one thing here that nobody needs
        return []


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
