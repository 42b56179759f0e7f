"""List of runs: their scores and curves, renaming and deletion."""

from __future__ import annotations

import json
import math
import shutil
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from napari_spectrai import swap
from napari_spectrai.experiment.card import KEY, ModelCard, read_card
from napari_spectrai.experiment.metrics import METRICS
from napari_spectrai.files import replacing
from napari_spectrai.parsing import refuse_special
from napari_spectrai.runs.comparability import Scored, compared, pixels_of
from napari_spectrai.runs.events import Epoch, Started
from napari_spectrai.runs.folder import RunFolder, State, all_runs, default_folder
from napari_spectrai.runs.journal import readable

MOST = 100
"""Number of runs in the list; the newest are listed."""


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One run in the list.

    Attributes
    ----------
    score, baseline : float
        Score of the network on the test part, or on the validation part if there is no test, and that of the best classical method;
        NaN while there is none.
    pixels : str
        What the score is of, such as ``"62 other pixels"``, if that differs from the run before it on the same data; else empty.
    remark : str
        A sentence on both scores in that case.
    members : tuple of RunSummary
        The runs of a sweep, newest first; empty for a single run. The path of a sweep is the folder that holds theirs.
    """

    path: Path
    name: str
    task: str
    network: str
    when: str
    state: State
    metric: str = ""
    part: str = ""
    score: float = math.nan
    baseline_name: str = ""
    baseline: float = math.nan
    pixels: str = ""
    remark: str = ""
    members: tuple[RunSummary, ...] = ()

    @property
    def folder(self) -> RunFolder:
        """The run's folder."""
        return RunFolder(self.path)

    @property
    def progress(self) -> str:
        """How many runs of a sweep are finished, such as ``"3 of 4"``."""
        return f"{sum(one.state == 'finished' for one in self.members)} of {len(self.members)}"


_known: dict[Path, tuple[tuple[float, ...], RunSummary]] = {}


def summaries() -> list[RunSummary]:
    """Return the newest runs; a run whose files have not changed since the last call is not read again."""
    rows = [row for folder in all_runs()[:MOST] if (row := _row(folder)) is not None]
    return [_with_pixels(row, rows[number + 1 :]) for number, row in enumerate(rows)]


def gathered(rows: Sequence[RunSummary]) -> list[RunSummary]:
    """Return runs with those of each sweep under one row, in the place of its newest run."""
    home = default_folder()
    groups: dict[Path, list[RunSummary]] = {}
    for row in rows:
        groups.setdefault(row.path if row.path.parent == home else row.path.parent, []).append(row)
    return [members[0] if path == members[0].path else _sweep_row(path, members) for path, members in groups.items()]


def _sweep_row(path: Path, members: Sequence[RunSummary]) -> RunSummary:
    """Return the row of a sweep, with the score of its best run."""
    states = {one.state for one in members}
    state: State = "running" if "running" in states else "finished" if states == {"finished"} else "stopped"
    scored = {str(one.path): one.score for one in members if one.metric == members[0].metric and not math.isnan(one.score)}
    best = METRICS[members[0].metric].best(scored) if scored else None
    shown = next((one for one in members if str(one.path) == best), members[0])
    return replace(shown, path=path, name=path.name, network="", state=state, pixels="", remark="", members=tuple(members))


def _with_pixels(row: RunSummary, older: Sequence[RunSummary]) -> RunSummary:
    """Return a row that says whether its score is of other pixels than that of the run before it on the same data."""
    if math.isnan(row.score):
        return row
    like = (one for one in older if (one.name, one.task, one.metric, one.part) == (row.name, row.task, row.metric, row.part))
    before = next((one for one in like if not math.isnan(one.score)), None)
    if before is None:
        return row
    earlier, now = (Scored(one.path, one.part, one.metric, one.score) for one in (before, row))
    found = pixels_of(earlier, now)
    return row if found is None or found.is_same else replace(row, pixels=found.words, remark=compared(earlier, now))


def _row(folder: RunFolder) -> RunSummary | None:
    try:
        stamp = tuple(path.stat().st_mtime if path.exists() else 0.0 for path in (folder.document, folder.journal, folder.best))
        known = _known.get(folder.path)
        state = folder.state()
        if known is not None and known[0] == stamp:
            return replace(known[1], state=state)
        row = _read(folder, state)
    except (OSError, ValueError):  # deleted meanwhile, or of another version: it is still listed, so that it can be deleted
        return RunSummary(folder.path, folder.path.name, "", "", "", "unreadable") if folder.path.is_dir() else None
    _known[folder.path] = (stamp, row)
    return row


def _read(folder: RunFolder, state: State) -> RunSummary:
    experiment = folder.experiment()
    when = f"{datetime.fromtimestamp(_started_at(folder)):%d %b %H:%M}"
    summary = RunSummary(folder.path, experiment.name or folder.path.name, experiment.task.title, experiment.network.title, when, state)
    if not folder.best.exists():
        return summary
    scores = read_card(folder.best).scores
    metric = experiment.task.metrics[0]
    part = "test" if "test" in scores else "validation"
    known = {name: row[metric] for name, row in scores.get(part, {}).items() if not math.isnan(row.get(metric, math.nan))}
    score = known.pop("network", math.nan)
    known.pop("raw", None)
    best = METRICS[metric].best(known) or ""
    return replace(summary, metric=metric, part=part, score=score, baseline_name=best, baseline=known.get(best, math.nan))


def _started_at(folder: RunFolder) -> float:
    """Return when a run was started: from its folder's name, else from its document."""
    try:
        return datetime.strptime(folder.path.name[:15], "%Y%m%d-%H%M%S").timestamp()
    except ValueError:
        return folder.document.stat().st_mtime


def curve(folder: RunFolder) -> tuple[list[int], list[float], str]:
    """Return the epochs of a run, its validation scores, and the name of their metric.

    Raises
    ------
    ValueError
        If there are lines of epochs and none of them can be read.
    """
    epochs: dict[int, float] = {}
    metric, damaged = "", 0
    for line in _lines(folder):
        if line.startswith(('{"event": "Epoch"', '{"event": "Started"')):
            event = readable(line.encode())
            if isinstance(event, Epoch):
                epochs[event.epoch] = event.validation
            elif isinstance(event, Started):
                metric = event.metric
            damaged += event is None
    if damaged and not epochs:
        raise ValueError(f"{folder.journal}: the journal is damaged or of another version; none of its epochs can be read")
    return list(epochs), list(epochs.values()), metric


def _lines(folder: RunFolder) -> Iterator[str]:
    if folder.journal.exists():
        refuse_special(folder.journal)
        with folder.journal.open(encoding="utf-8", errors="replace") as file:
            yield from (line for line in file if line.endswith("\n"))


def rename(folder: RunFolder, name: str) -> None:
    """Rename a run and its models.

    Raises
    ------
    ValueError
        If the name is empty or longer than 200 characters.
    RuntimeError
        If a process is working on the run.
    """
    _refuse_running(folder, "renamed")
    name = name.strip()
    if not name:
        raise ValueError("the name is empty; enter at least one character")
    experiment = folder.experiment().override(f"name={json.dumps(name)}")
    for path in (folder.best, folder.last):
        if path.exists():
            _rename_model(path, name)
    experiment.save(folder.document)


def _rename_model(path: Path, name: str) -> None:
    """Rewrite a model file's header; the weights are copied unchanged."""
    card: ModelCard = replace(read_card(path), name=name)
    card = replace(card, experiment=card.experiment.model_copy(update={"name": name}))
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        header["__metadata__"][KEY] = card.to_json()
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        with replacing(path) as temporary, temporary.open("wb") as target:
            target.write(struct.pack("<Q", len(text)) + text)
            shutil.copyfileobj(file, target, 16 * 1024 * 1024)


def delete(folder: RunFolder) -> None:
    """Delete a run with its models; this cannot be undone.

    Raises
    ------
    RuntimeError
        If a process is working on the run.
    """
    _refuse_running(folder, "deleted")
    if not folder.document.exists():
        raise ValueError(f"{folder.path} contains no run (no experiment.yml), so nothing is deleted")
    swap.discard(folder.path)
    _known.pop(folder.path, None)


def _refuse_running(folder: RunFolder, what: str) -> None:
    owner = folder.owner()
    if owner is not None:
        raise RuntimeError(f"process {owner} is working on {folder.path}; stop the run before it is {what}")
