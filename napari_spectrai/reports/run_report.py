"""Report of a run: one self-contained HTML file, written from the run folder."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import yaml

from napari_spectrai.experiment import Experiment
from napari_spectrai.experiment.card import ModelCard, read_card
from napari_spectrai.files import write_text
from napari_spectrai.remedies import shell
from napari_spectrai.reports import run_sections
from napari_spectrai.reports.discreet import discreet, without_folders
from napari_spectrai.reports.html import Markup, element, folded, joined, page, section
from napari_spectrai.reports.run_journal import Journal, read_journal
from napari_spectrai.runs.events import Failed, Finished
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
    >>> noisy, truth = pairs.cube[:100], pairs.truth[:100]
    >>> experiment = spectrai.Experiment.default("denoising", noisy, truth).override("training.epochs=1")
    >>> model = spectrai.train(experiment, noisy, truth, run="my-run")
    >>> spectrai.write_report("my-run", "report.html").name
    'report.html'
    """
    folder = folder if isinstance(folder, RunFolder) else RunFolder(folder)
    path = folder.report if path is None else Path(path)
    write_text(path, _page(folder, folder.experiment(), read_journal(folder, ending)))
    return path


def concluded(folder: RunFolder, ending: E) -> E:
    """Write the report, then the run's last event; then the data that were copied for a run that is done are removed.

    In this order, so that a run killed at any moment either has finished or can be resumed. If the report cannot be written, the event
    notes it and the run is unaffected.
    """
    try:
        write_report(folder, ending=ending)
    except Exception as error:  # noqa: BLE001  # whatever is wrong with it, what was learnt is worth more
        remedy = f"write it with: {shell('report', folder.path)}"
        ending = replace(ending, notes=[*ending.notes, f"The report was not written ({error or type(error).__name__}); {remedy}"])
    folder.append(ending)
    if isinstance(ending, Finished) and ending.reason != "stopped":
        folder.discard_data()
    return ending


def _card(folder: RunFolder) -> ModelCard | None:
    try:
        return read_card(folder.best)
    except (FileNotFoundError, ValueError):  # a run that failed early has no model; the report is written without it
        return None


def _page(folder: RunFolder, experiment: Experiment, journal: Journal) -> str:
    card = _card(folder)
    name = experiment.name or folder.path.name
    return page(
        f"{name} · {experiment.task.title}",
        _head(folder, experiment, journal, card, name),
        _notes(journal),
        section("Scores", *run_sections.scores_section(experiment, journal, journal.scores(card))),
        section("Curves", *run_sections.curves_section(experiment, journal)),
        section("Classes", *run_sections.classes_section(experiment, journal, card)),
        section("A spectrum", run_sections.spectrum_section(experiment, journal)),
        section("Split", run_sections.split_section(folder, experiment, journal, card)),
        section("Model", run_sections.model_section(experiment, card, journal)),
        section("Experiment", folded("The experiment as YAML", element("pre", _yaml(experiment)))),
        section("Surroundings", run_sections.surroundings_section(folder, journal)),
        element("p", f"Written {datetime.now():%Y-%m-%d %H:%M} from {folder.path.name}", class_="soft"),
    )


def _yaml(experiment: Experiment) -> str:
    """Return the document with the names of its files, but not where they lie."""
    plain = yaml.safe_dump(without_folders(experiment.model_dump(mode="json")), sort_keys=False, allow_unicode=True)
    return f"# files are named without their folders\n{plain}"


def _state(folder: RunFolder, journal: Journal) -> str:
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


def _head(folder: RunFolder, experiment: Experiment, journal: Journal, card: ModelCard | None, name: str) -> Markup:
    latest = folder.journal if folder.journal.exists() else folder.document
    date = card.date if card is not None else f"{datetime.fromtimestamp(latest.stat().st_mtime):%Y-%m-%d %H:%M}"
    parts = [element("h1", name), element("p", f"{experiment.task.title} · {date}", class_="soft")]
    parts.append(element("p", element("span", _state(folder, journal), class_="state")))
    if isinstance(journal.ending, Failed):
        parts.append(element("div", element("strong", "Why it failed: "), discreet(journal.ending.message), class_="bad", role="alert"))
        if journal.ending.details:
            parts.append(folded("Details of the failure", element("pre", discreet(journal.ending.details))))
    return element("header", *parts)


def _notes(journal: Journal) -> Markup:
    lost = f"{journal.damaged:,} lines of the journal cannot be read and are left out here." if journal.damaged else ""
    found = [
        *([lost] if lost else []),
        *(journal.started.notes if journal.started is not None else []),
        *(journal.ending.notes if journal.ending is not None else []),
    ]
    notes = dict.fromkeys(found)  # what is known at the start is repeated at the end
    return joined(element("div", element("strong", "Note: "), discreet(note), class_="notice", role="note") for note in notes)
