"""Sweeps: which runs the values of some settings make, where their folders are, and how far they are."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_spectrai.experiment import Experiment
from napari_spectrai.experiment.card import read_card
from napari_spectrai.runs.folder import RunFolder, State, all_runs, name_words

MOST = 10_000
"""Runs of a sweep, at most."""
REPEATS = ("training.seed", "split.seed")
"""Settings whose values repeat an experiment: scores are averaged over them."""


@dataclass(frozen=True, slots=True)
class SweepRun:
    """One run of a sweep.

    Attributes
    ----------
    settings : mapping of str to str
        The settings that vary, as they are written, such as ``{"network.width": "16"}``.
    experiment : Experiment
    folder : RunFolder
    """

    settings: Mapping[str, str]
    experiment: Experiment
    folder: RunFolder

    @property
    def group(self) -> tuple[tuple[str, str], ...]:
        """The settings without those that repeat an experiment."""
        return tuple((name, value) for name, value in self.settings.items() if name not in REPEATS)

    @property
    def state(self) -> State:
        """How far it is; ``"new"`` where nobody has started it."""
        return self.folder.state() if self.folder.document.exists() else "new"

    def scores(self) -> tuple[str, dict[str, float]]:
        """Return the part of the data that is scored, and the scores of the network by metric; empty before the run is finished."""
        if self.state != "finished" or not self.folder.best.exists():
            return "", {}
        found = read_card(self.folder.best).scores
        part = next((name for name in ("test", "validation") if name in found), next(iter(found), ""))
        rows = found.get(part, {})
        return part, dict(rows.get("network", next(iter(rows.values()), {})))

    def refuse_other(self) -> None:
        """Raise if the folder holds a run of another experiment.

        Raises
        ------
        ValueError
        """
        mine, theirs = (one.model_copy(update={"data": self.experiment.data}) for one in (self.experiment, self.folder.experiment()))
        if mine != theirs:
            raise ValueError(
                f"{self.folder.path} holds a run of another experiment than the one that is swept now; "
                "choose another folder with -o, or remove that run"
            )


def planned(experiment: Experiment, settings: Sequence[str], folder: Path, *, folds: int = 0) -> list[SweepRun]:
    """Return the runs of a sweep: one for each combination of values.

    Parameters
    ----------
    settings : sequence of str
        Such as ``"network.width=16,32"`` or ``"training.seed=0..4"`` (0, 1, 2, 3, 4); a single value holds for all runs.
    folds : int
        Folds of a cross-validation in each run; 0: as the experiment says.

    Raises
    ------
    ValueError
        If a setting is not written as it has to be, does not exist, or there are too many runs.
    """
    values = dict(_values(setting) for setting in settings)
    if folds:
        values["split.folds"] = [str(folds)]
    if (count := math.prod(map(len, values.values()))) > MOST:
        raise ValueError(f"these values make {count:,} runs, and a sweep has up to {MOST:,}; give fewer values")
    varying = [name for name, several in values.items() if len(several) > 1]
    found = []
    for chosen in itertools.product(*values.values()):
        given = dict(zip(values, chosen, strict=True))
        one = experiment.override(*(f"{name}={value}" for name, value in given.items()))
        name = " ".join(f"{name.rpartition('.')[2]}={given[name]}" for name in varying) or "run"
        named = one.model_copy(update={"name": f"{experiment.name} {name}".strip()})
        place = folder / name_words("-".join(f"{name}-{given[name]}" for name in varying) or "run")
        found.append(SweepRun({name: given[name] for name in varying}, named, RunFolder(place)))
    return found


def found_in(folder: Path) -> list[SweepRun]:
    """Return the runs in a folder, with the settings by which they differ; those that cannot be read are left out.

    Settings that only some of the runs have, such as those of one of two networks, do not count.
    """
    runs: list[tuple[Experiment, RunFolder]] = []
    for one in all_runs(folder):
        try:
            runs.append((one.experiment(), one))
        except (OSError, ValueError):  # deleted meanwhile, or of another version: the list of runs says so
            continue
    flat = [dict(_flat(experiment.model_dump(mode="json", exclude={"name", "data"}))) for experiment, _ in runs]
    names = [name for name in (flat[0] if flat else ()) if all(name in one for one in flat) and len({one[name] for one in flat}) > 1]
    runs_of = zip(runs, flat, strict=True)
    return [SweepRun({name.removesuffix(".kind"): one[name] for name in names}, *run) for run, one in runs_of]


def _flat(document: Mapping[str, object], above: str = "") -> Iterator[tuple[str, str]]:
    """Yield the dotted name and the text of each setting."""
    for name, value in document.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value if isinstance(value, str) else json.dumps(value)


def _values(setting: str) -> tuple[str, list[str]]:
    """Return the name of a setting and its values."""
    name, equals, text = setting.partition("=")
    if not equals or not text.strip():
        raise ValueError(f"{setting!r} sets nothing; write name=value,value or name=first..last, such as network.width=16,32")
    interval = re.fullmatch(r"\s*(-?\d+)\.\.(-?\d+)\s*", text)
    if interval:
        first, last = map(int, interval.groups())
        if last < first or last - first >= MOST:
            raise ValueError(f"{setting!r}: {first}..{last} is no range of up to {MOST:,} whole numbers; write first..last, such as 0..4")
        return name.strip(), [str(number) for number in range(first, last + 1)]
    return name.strip(), list(dict.fromkeys(_separated(text)))


def _separated(text: str) -> Iterator[str]:
    """Yield values between commas that are not within brackets."""
    depth, start = 0, 0
    for place, letter in enumerate(text):
        depth += (letter in "[{(") - (letter in "]})")
        if letter == "," and not depth:
            yield text[start:place].strip()
            start = place + 1
    yield text[start:].strip()
