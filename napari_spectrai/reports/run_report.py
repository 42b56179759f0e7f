"""Report of a run: one self-contained HTML file, written from the run folder."""

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
from napari_spectrai.reports.svg import Curve, formatted, plot
from napari_spectrai.reports.tables import confusion_tables, scores_table, verdict
from napari_spectrai.runs.events import Compared, Confusion, Epoch, Failed, Finished, Preview, Started
from napari_spectrai.runs.folder import RunFolder

E = TypeVar("E", Finished, Failed)
Scores = dict[str, dict[str, dict[str, float]]]


def write_report(folder: RunFolder | str | Path, path: str | Path | None = None, *, ending: Finished | Failed | None = None) -> Path:
    """Write the HTML report of a run, atomically, and return its path; at the end of a training it is written automatically.

    Parameters
    ----------
    folder : RunFolder or path
        The run may have ended, be unfinished, or be running.
    path : path, optional
        Default: ``report.html`` in the run folder.
    ending : Finished or Failed, optional
        How the run ended, if its journal does not yet contain this.

    Returns
    -------
    Path

    Raises
    ------
    FileNotFoundError
        If the folder contains no run.
    ValueError
        If its files cannot be read.

    Examples
    --------
    >>> import napari_spectrai as spectrai
    >>> pairs = spectrai.sample("raman_pairs")
    >>> experiment = spectrai.Experiment.default("denoising", pairs.cube, pairs.truth).override("training.epochs=1")
    >>> model = spectrai.train(experiment, pairs.cube, pairs.truth, run="my-run")
    >>> spectrai.write_report("my-run", "report.html").name
    'report.html'
    """
    folder = folder if isinstance(folder, RunFolder) else RunFolder(folder)
    path = folder.report if path is None else Path(path)
    write_text(path, _page(folder, folder.experiment(), _read_journal(folder, ending)))
    return path


def concluded(folder: RunFolder, ending: E) -> E:
    """Write the report, then the run's last event. If the report cannot be written, the event notes it and the run is unaffected."""
    try:
        write_report(folder, ending=ending)
    except Exception as error:  # noqa: BLE001  # whatever is wrong with it, what was learnt is worth more
        remedy = f"write it with: napari-spectrai report {folder.path}"
        ending = replace(ending, notes=[*ending.notes, f"The report was not written ({error or type(error).__name__}); {remedy}"])
    folder.append(ending)
    return ending


# ---------------------------------------------------------------- the journal


@dataclass(slots=True)
class _Journal:
    """The latest event of each kind in a journal."""

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
        """Scores by part and method; for a run that did not finish, those of the best model so far."""
        if isinstance(self.ending, Finished):
            return self.ending.scores
        if card is not None and card.scores:
            return card.scores
        if self.started is None:
            return {}
        baselines = {name: {self.metric: value} for name, value in self.started.baselines.items()}
        own = {} if self.best is None else {"network": self.best.metrics}
        return {"validation": baselines | own} if baselines or own else {}


def _read_journal(folder: RunFolder, ending: Finished | Failed | None) -> _Journal:
    journal = _Journal()
    try:
        for event in folder.lines():
            if event is None:
                journal.damaged += 1
                continue
            journal.readable = True
            journal.ending = None
            match event:
                case Started():
                    journal.started = event
                    journal.epochs = {number: epoch for number, epoch in journal.epochs.items() if number <= event.resumed_after}
                case Epoch():
                    journal.epochs[event.epoch] = event
                case Preview():
                    journal.preview = event
                case Confusion():
                    journal.confusions[event.part] = event
                case Compared():
                    journal.compared[event.name] = event
                case Finished() | Failed():
                    journal.ending = event
                case _:
                    pass
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{folder.journal} is damaged, or of another version: {type(error).__name__}: {error}") from error
    if journal.damaged and not journal.readable:
        raise ValueError(f"{folder.journal} is damaged, or of another version: none of its lines can be read")
    if ending is not None:
        journal.ending = ending
    return journal


def _card(folder: RunFolder) -> ModelCard | None:
    try:
        return read_card(folder.best)
    except (FileNotFoundError, ValueError):  # a run that failed early has no model; the report is written without it
        return None


# ---------------------------------------------------------------- the page


def _page(folder: RunFolder, experiment: Experiment, journal: _Journal) -> str:
    card = _card(folder)
    name = experiment.name or folder.path.name
    return page(
        f"{name} · {experiment.task.title}",
        _head(folder, experiment, journal, card, name),
        _notes(journal),
        section("Scores", *_scores(experiment, journal, journal.scores(card))),
        section("Curves", *_curves(experiment, journal)),
        section("Classes", *_classes(experiment, journal, card)),
        section("A spectrum", _spectrum(experiment, journal)),
        section("Split", _split(folder, experiment, journal, card)),
        section("Model", _model(experiment, card, journal)),
        section("Experiment", folded("The experiment as YAML", element("pre", _yaml(experiment)))),
        section("Surroundings", _surroundings(folder, journal)),
        element("p", f"Written {datetime.now():%Y-%m-%d %H:%M} from {folder.path.name}", class_="soft"),
    )


def _yaml(experiment: Experiment) -> str:
    """Return the document with the names of its files, but not where they lie."""
    plain = yaml.safe_dump(without_folders(experiment.model_dump(mode="json")), sort_keys=False, allow_unicode=True)
    return f"# files are named without their folders\n{plain}"


def _state(folder: RunFolder, journal: _Journal) -> str:
    ending, epochs = journal.ending, len(journal.epochs)
    planned = "" if journal.started is None else f" of {journal.started.epochs:,}"
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
        return f"Running: {epochs:,}{planned} epochs so far"
    return f"Interrupted after {epochs:,}{planned} epochs; it can be resumed" if journal.started is not None else "Not started"


def _head(folder: RunFolder, experiment: Experiment, journal: _Journal, card: ModelCard | None, name: str) -> Markup:
    latest = folder.journal if folder.journal.exists() else folder.document
    date = card.date if card is not None else f"{datetime.fromtimestamp(latest.stat().st_mtime):%Y-%m-%d %H:%M}"
    parts = [element("h1", name), element("p", f"{experiment.task.title} · {date}", class_="soft")]
    parts.append(element("p", element("span", _state(folder, journal), class_="state")))
    if isinstance(journal.ending, Failed):
        parts.append(element("div", element("strong", "Why it failed: "), discreet(journal.ending.message), class_="bad", role="alert"))
        if journal.ending.details:
            parts.append(folded("Details of the failure", element("pre", discreet(journal.ending.details))))
    return element("header", *parts)


def _notes(journal: _Journal) -> Markup:
    lost = f"{journal.damaged:,} lines of the journal cannot be read and are left out here." if journal.damaged else ""
    notes = [
        *([lost] if lost else []),
        *(journal.started.notes if journal.started is not None else []),
        *(journal.ending.notes if journal.ending is not None else []),
    ]
    return joined(element("div", element("strong", "Note: "), discreet(note), class_="notice", role="note") for note in notes)


def _own(experiment: Experiment) -> str:
    """Return a name for the network, or for the trained classical method."""
    return f"{'this method' if experiment.network.classical else 'network'} ({experiment.network.title or experiment.network.kind})"


def _scores(experiment: Experiment, journal: _Journal, scores: Scores) -> list[Markup]:
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


def _candidates(journal: _Journal) -> list[Markup]:
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


def _caution(experiment: Experiment, journal: _Journal, *, tested: bool) -> list[str]:
    """Return what a reader must know to interpret the scores."""
    steps = ", ".join(step.title for step in experiment.preparation)
    words = [] if experiment.task.classifies else [f"Scores are computed on prepared intensities ({steps or 'no preparation'})."]
    if not isinstance(journal.ending, Finished):
        words.append("The run did not finish: the scores are those of the model saved last, which may be older than the best epoch.")
    words.append("The best of each column is bold; ↑ larger is better, ↓ smaller is better.")
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


def _ended_whole(journal: _Journal) -> bool:
    return isinstance(journal.ending, Finished) and journal.ending.reason != "stopped"


def _curves(experiment: Experiment, journal: _Journal) -> list[Markup]:
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


def _classes(experiment: Experiment, journal: _Journal, card: ModelCard | None) -> list[Markup]:
    of = {one.name: one.colour for one in card.classes} if card is not None else {}
    best = journal.ending.best_epoch if isinstance(journal.ending, Finished) else 0
    blocks: list[Markup] = []
    for part in ("test", "validation"):
        if part in journal.confusions:
            confusion = journal.confusions[part]
            which = "the saved best model" if confusion.epoch == best else f"epoch {confusion.epoch}"
            if experiment.network.classical:
                which = "the saved model" if part == "test" else "trained on the training part only"
            blocks += [element("h3", f"{part.capitalize()}, {which}"), *confusion_tables(confusion, of)]
    return blocks


def _spectrum(experiment: Experiment, journal: _Journal) -> Markup:
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


def _split(folder: RunFolder, experiment: Experiment, journal: _Journal, card: ModelCard | None) -> Markup:
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


def _model(experiment: Experiment, card: ModelCard | None, journal: _Journal) -> Markup:
    lines: list[tuple[object, object]] = [
        ("Task", experiment.task.title), ("Network", experiment.network.title or experiment.network.kind),
    ]  # fmt: skip
    if card is not None:  # its scores are shown above
        lines = [(label, long_text(discreet(text))) for label, text in replace(card, scores={}, notes=[]).lines()]
    if journal.started is not None and not experiment.network.classical:
        lines.append(("Weights", f"{journal.started.parameters:,}"))
    return rows(lines)


def _surroundings(folder: RunFolder, journal: _Journal) -> Markup:
    lines: list[tuple[object, object]] = []
    seconds = journal.ending.seconds if isinstance(journal.ending, Finished) else sum(epoch.seconds for epoch in journal.epochs.values())
    if journal.started is not None:
        lines += [("Training took", _duration(seconds)), ("Device", f"{journal.started.device}, {journal.started.precision}")]
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
