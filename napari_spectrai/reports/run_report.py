"""The report of a run: one HTML file that stands by itself, written from what the run folder holds."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import yaml

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.experiment import Experiment
from napari_spectrai.experiment.card import PART_TITLES, ModelCard, read_card
from napari_spectrai.experiment.metrics import METRICS, Metric
from napari_spectrai.files import write_text
from napari_spectrai.parsing import parse_json
from napari_spectrai.reports.discreet import discreet, without_folders
from napari_spectrai.reports.html import Markup, element, folded, joined, long_text, page, rows, section, table
from napari_spectrai.reports.split_maps import split_pictures
from napari_spectrai.reports.svg import Curve, figure, plot
from napari_spectrai.reports.tables import confusion_tables, figures_table, verdict
from napari_spectrai.runs.events import Compared, Confusion, Epoch, Failed, Finished, Preview, Started
from napari_spectrai.runs.folder import RunFolder

E = TypeVar("E", Finished, Failed)
Scores = dict[str, dict[str, dict[str, float]]]


def write_report(folder: RunFolder | str | Path, path: str | Path | None = None, *, ending: Finished | Failed | None = None) -> Path:
    """Write the report of a run, whole or not at all, and return its path.

    Parameters
    ----------
    folder : RunFolder or path
        Of a run that has ended, is unfinished, or is at work.
    path : path, optional
        Default: ``report.html`` in the run folder.
    ending : Finished or Failed, optional
        How the run ended, where its journal does not say so yet.

    Raises
    ------
    FileNotFoundError
        If the folder holds no run.
    ValueError
        If its files cannot be read.
    """
    folder = folder if isinstance(folder, RunFolder) else RunFolder(folder)
    path = folder.report if path is None else Path(path)
    write_text(path, _page(folder, folder.experiment(), _told(folder, ending)))
    return path


def concluded(folder: RunFolder, ending: E) -> E:
    """Write the report, then the run's last event. A report that cannot be written is told in the event, and costs nothing else."""
    try:
        write_report(folder, ending=ending)
    except Exception as error:  # noqa: BLE001  # whatever is wrong with it, what was learnt is worth more
        remedy = f"write it with: napari-spectrai report {folder.path}"
        ending = replace(ending, notes=[*ending.notes, f"The report was not written ({error or type(error).__name__}); {remedy}"])
    folder.append(ending)
    return ending


# ---------------------------------------------------------------- what the journal tells


@dataclass(slots=True)
class _Told:
    """What a journal tells, the latest of each."""

    started: Started | None = None
    epochs: dict[int, Epoch] = field(default_factory=dict)
    preview: Preview | None = None
    confusions: dict[str, Confusion] = field(default_factory=dict)
    ending: Finished | Failed | None = None
    compared: dict[str, Compared] = field(default_factory=dict)
    damaged: int = 0
    """Lines that cannot be read."""
    readable: bool = False

    @property
    def intervals(self) -> dict[str, dict[str, dict[str, list[float]]]]:
        """90 % intervals of the scores."""
        return self.ending.intervals if isinstance(self.ending, Finished) else {}

    @property
    def unit(self) -> str:
        """The unit of the spectral axis."""
        return "" if self.preview is None else self.preview.unit

    @property
    def metric(self) -> str:
        return self.started.metric if self.started is not None else "mse"

    @property
    def best(self) -> Epoch | None:
        return next((epoch for epoch in reversed(self.epochs.values()) if epoch.best), None)

    def scores(self, card: ModelCard | None) -> Scores:
        """Figures by part and method; of a run without an ending in order, those of the best model so far."""
        if isinstance(self.ending, Finished):
            return self.ending.scores
        if card is not None and card.scores:
            return card.scores
        if self.started is None:
            return {}
        beside = {name: {self.metric: value} for name, value in self.started.baselines.items()}
        own = {} if self.best is None else {"network": self.best.metrics}
        return {"validation": beside | own} if beside or own else {}


def _told(folder: RunFolder, ending: Finished | Failed | None) -> _Told:
    told = _Told()
    try:
        for event in folder.lines():
            if event is None:
                told.damaged += 1
                continue
            told.readable = True
            told.ending = None
            match event:
                case Started():
                    told.started = event
                    told.epochs = {number: epoch for number, epoch in told.epochs.items() if number <= event.resumed_after}
                case Epoch():
                    told.epochs[event.epoch] = event
                case Preview():
                    told.preview = event
                case Confusion():
                    told.confusions[event.part] = event
                case Compared():
                    told.compared[event.name] = event
                case Finished() | Failed():
                    told.ending = event
                case _:
                    pass
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{folder.journal} is damaged, or of another version: {type(error).__name__}: {error}") from error
    if told.damaged and not told.readable:
        raise ValueError(f"{folder.journal} is damaged, or of another version: none of its lines can be read")
    if ending is not None:
        told.ending = ending
    return told


def _card(folder: RunFolder) -> ModelCard | None:
    try:
        return read_card(folder.best)
    except (FileNotFoundError, ValueError):  # a run that failed early has no model; what it tells stands without one
        return None


# ---------------------------------------------------------------- the page


def _page(folder: RunFolder, experiment: Experiment, told: _Told) -> str:
    card = _card(folder)
    name = experiment.name or folder.path.name
    return page(
        f"{name} · {experiment.task.title}",
        _head(folder, experiment, told, card, name),
        _notes(told),
        section("Figures", *_figures(experiment, told, told.scores(card))),
        section("Curves", *_curves(experiment, told)),
        section("Classes", *_classes(experiment, told, card)),
        section("A spectrum", _spectrum(experiment, told)),
        section("Split", _split(folder, experiment, told, card)),
        section("Model", _model(experiment, card, told)),
        section("Experiment", folded("The experiment as YAML", element("pre", _yaml(experiment)))),
        section("Surroundings", _surroundings(folder, told)),
        element("p", f"Written {datetime.now():%Y-%m-%d %H:%M} from {folder.path.name}", class_="soft"),
    )


def _yaml(experiment: Experiment) -> str:
    """Return the document with the names of its files, but not where they lie."""
    plain = yaml.safe_dump(without_folders(experiment.model_dump(mode="json")), sort_keys=False, allow_unicode=True)
    return f"# files are named without their folders\n{plain}"


def _state(folder: RunFolder, told: _Told) -> str:
    ending, epochs = told.ending, len(told.epochs)
    planned = "" if told.started is None else f" of {told.started.epochs:,}"
    match ending:
        case Failed():
            return f"Failed after {epochs:,}{planned} epochs" if epochs else "Failed"
        case Finished(reason="stopped"):
            return f"Stopped after epoch {ending.epoch:,}{planned}; it can be resumed"
        case Finished(reason="early"):
            return f"Ended early after epoch {ending.epoch:,}{planned}, no longer improving"
        case Finished():
            return "Done"
    if folder.state() == "running":
        return f"At work: {epochs:,}{planned} epochs so far"
    return f"Interrupted after {epochs:,}{planned} epochs; it can be resumed" if told.started is not None else "Not begun"


def _head(folder: RunFolder, experiment: Experiment, told: _Told, card: ModelCard | None, name: str) -> Markup:
    latest = folder.journal if folder.journal.exists() else folder.document
    date = card.date if card is not None else f"{datetime.fromtimestamp(latest.stat().st_mtime):%Y-%m-%d %H:%M}"
    parts = [element("h1", name), element("p", f"{experiment.task.title} · {date}", class_="soft")]
    parts.append(element("p", element("span", _state(folder, told), class_="state")))
    if isinstance(told.ending, Failed):
        parts.append(element("div", element("strong", "Why it failed: "), discreet(told.ending.message), class_="bad", role="alert"))
        if told.ending.details:
            parts.append(folded("Details of the failure", element("pre", discreet(told.ending.details))))
    return element("header", *parts)


def _notes(told: _Told) -> Markup:
    lost = f"{told.damaged:,} lines of the journal cannot be read and are left out here." if told.damaged else ""
    notes = [
        *([lost] if lost else []),
        *(told.started.notes if told.started is not None else []),
        *(told.ending.notes if told.ending is not None else []),
    ]
    return joined(element("div", element("strong", "Note: "), discreet(note), class_="notice", role="note") for note in notes)


def _own(experiment: Experiment) -> str:
    """Return what the network, or the classical method that was trained, is called."""
    return f"{'this method' if experiment.network.classical else 'network'} ({experiment.network.title or experiment.network.kind})"


def _figures(experiment: Experiment, told: _Told, scores: Scores) -> list[Markup]:
    found: list[Markup] = []
    own_label = getattr(experiment.network, "label", "")
    counts = {} if told.started is None else {part: getattr(told.started, part, 0) for part in scores}
    for part, figures in scores.items():
        samples = f", {counts[part]:,} samples" if counts.get(part) else ""
        ranges = told.intervals.get(part, {})
        words = verdict(part, figures, told.metric, classical=experiment.network.classical, label=own_label, intervals=ranges)
        if part == "map":
            words = "The accuracy that the model is expected to have over the pixels without a label; see the notes."
        found += [
            element("h3", f"{PART_TITLES.get(part, part).capitalize()}{samples}"), element("p", words, class_="verdict"),
            figures_table(figures, _own(experiment), ranges, axis=told.unit),
        ]  # fmt: skip
    found += _candidates(told)
    if not found:
        return [element("p", "There are no figures: no truth to judge by, or the run did not get so far.", class_="soft")]
    return [*found, element("p", " ".join(_caution(experiment, told, tested="test" in scores)), class_="soft")]


def _candidates(told: _Told) -> list[Markup]:
    """Return the candidates of a cross-validation, with the spread of their scores over the folds."""
    if not told.compared:
        return []
    metric = METRICS.get(told.metric, Metric(told.metric))
    lines: list[list[object]] = []
    for one in told.compared.values():
        spread = f"{figure(min(one.folds))} to {figure(max(one.folds))}" if one.folds else "–"
        score = figure(one.scores[told.metric]) if told.metric in one.scores else "–"
        share = f"{one.weight:.2f}" if one.weight else "–"
        lines.append([one.name, score, spread, figure(one.loss) if one.scores else "–", f"{one.seconds:.1f} s", share, one.note])
    head = ["candidate", metric.title, "over the folds", "loss", "time", "share", ""]
    return [element("h3", "Candidates, out of fold"), table(head, lines)]


def _caution(experiment: Experiment, told: _Told, *, tested: bool) -> list[str]:
    """Return what has to be known to read the figures."""
    steps = ", ".join(step.title for step in experiment.preparation)
    words = [] if experiment.task.truth == "labels" else [f"Figures are of prepared intensities ({steps or 'no preparation'})."]
    if not isinstance(told.ending, Finished):
        words.append(
            "The run has not ended in order: figures are of the model that was saved last, which may be older than the best epoch."
        )
    words.append("The best of each column is bold; ↑ larger is better, ↓ smaller.")
    if told.started is not None and told.started.baselines:
        also = ", for the test also on the validation rows" if tested and _ended_whole(told) else ""
        words.append(f"The classical methods were tuned on the training rows{also}.")
    if not tested and not experiment.network.classical:
        words.append("There is no test part: these rows also chose the best epoch, so expect a little less on other data (split.test).")
    if experiment.task.target != "truth":
        words.append(
            f"No truth was given: all rows are compared with the same {experiment.task.target}, whose noise stays in every figure, so that "
            "small differences may mean much."
        )
    return words


def _ended_whole(told: _Told) -> bool:
    return isinstance(told.ending, Finished) and told.ending.reason != "stopped"


def _curves(experiment: Experiment, told: _Told) -> list[Markup]:
    if not told.epochs or told.started is None:
        return []
    epochs = list(told.epochs.values())
    metric, numbers = METRICS.get(told.metric, Metric(told.metric)), [epoch.epoch for epoch in epochs]
    training = Curve("training loss", numbers, [epoch.training for epoch in epochs], "source")
    validation = Curve(f"validation {metric.title}", numbers, [epoch.validation for epoch in epochs], "accent")
    best = told.best
    mark = None if best is None else (best.epoch, best.validation, f"best epoch {best.epoch}: {figure(best.validation)}")
    together = experiment.loss.kind == told.metric
    curves = [training, validation] if together else [validation]
    errors = not metric.larger_is_better
    drawn = [
        plot(curves, x="Epoch", y=metric.title, levels=told.started.baselines, mark=mark, logarithmic=errors, whole=True),
        Markup() if together else plot([training], x="Epoch", y=f"Training loss ({experiment.loss.kind})", logarithmic=True, whole=True),
    ]
    words = "Dashed: the classical methods on the same validation rows."
    caption = element("figcaption", words if told.started.baselines else "No classical method stands beside it.")
    return [element("figure", drawn[0], caption), element("figure", drawn[1]) if drawn[1] else Markup()]


def _classes(experiment: Experiment, told: _Told, card: ModelCard | None) -> list[Markup]:
    of = {one.name: one.colour for one in card.classes} if card is not None else {}
    best = told.ending.best_epoch if isinstance(told.ending, Finished) else 0
    found: list[Markup] = []
    for part in ("test", "validation"):
        if part in told.confusions:
            confusion = told.confusions[part]
            which = "the saved best model" if confusion.epoch == best else f"epoch {confusion.epoch}"
            if experiment.network.classical:
                which = "the saved model" if part == "test" else "learnt from the training part alone"
            found += [element("h3", f"{part.capitalize()}, {which}"), *confusion_tables(confusion, of)]
    return found


def _spectrum(experiment: Experiment, told: _Told) -> Markup:
    shown = told.preview
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


def _split(folder: RunFolder, experiment: Experiment, told: _Told, card: ModelCard | None) -> Markup:
    names = card.trained_on if card is not None else [str(path.name) for path in experiment.data.input]
    pictures = Markup()
    try:
        maps = folder.maps()
        pictures = split_pictures(maps, names) if maps else element("p", "The run was not split yet.", class_="soft")
    except (ValueError, KeyError, OSError, zipfile.BadZipFile):
        pictures = element("p", f"{folder.split.name} cannot be read.", class_="soft")
    split = experiment.split
    # the settings' own words; those of the methods stand one after another in one of them
    methods = dict(part.split(": ", 1) for part in str(type(split).model_fields["method"].description).split("; "))
    lines: list[tuple[object, object]] = []
    for name, setting in type(split).model_fields.items():
        value = getattr(split, name)
        words = methods.get(value, "") if name == "method" else setting.description
        lines.append((name, joined([element("strong", "empty" if value is None else value), f" ({words})" if words else ""])))
    drawn = "" if told.started is None else _samples(told.started)
    return joined([element("p", drawn), pictures, folded("Settings of the split", rows(lines))])


def _samples(started: Started) -> str:
    parts = [f"{started.training:,} samples train", f"{started.validation:,} validate"]
    return ", ".join([*parts, f"{started.test:,} test" if started.test else "none test"]) + ". Counts below are of pixels or spectra."


def _model(experiment: Experiment, card: ModelCard | None, told: _Told) -> Markup:
    lines: list[tuple[object, object]] = [
        ("Task", experiment.task.title), ("Network", experiment.network.title or experiment.network.kind),
    ]  # fmt: skip
    if card is not None:  # its figures stand above
        lines = [(label, long_text(discreet(text))) for label, text in replace(card, scores={}, notes=[]).lines()]
    if told.started is not None and not experiment.network.classical:
        lines.append(("Weights", f"{told.started.parameters:,}"))
    return rows(lines)


def _surroundings(folder: RunFolder, told: _Told) -> Markup:
    lines: list[tuple[object, object]] = []
    seconds = told.ending.seconds if isinstance(told.ending, Finished) else sum(epoch.seconds for epoch in told.epochs.values())
    if told.started is not None:
        lines += [("Training took", _duration(seconds)), ("Device", f"{told.started.device}, {told.started.precision}")]
    lines += _environment(folder)
    return rows([*lines, ("Run folder", folder.path.name)])


def _environment(folder: RunFolder) -> Sequence[tuple[object, object]]:
    try:
        plain: dict[str, Any] = parse_json(folder.environment.read_text(encoding="utf-8"))
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
