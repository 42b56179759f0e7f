"""Whether the scores of two runs can be compared: only if they are of the same pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from napari_spectrai.experiment.metrics import METRICS
from napari_spectrai.plan.used_pixels import FILE, Overlap, UsedPixels, overlap
from napari_spectrai.runs.folder import RunFolder


@dataclass(frozen=True, slots=True)
class Scored:
    """The score of a run: its folder, the part that it is of, its metric, its value, and the task."""

    folder: Path
    part: str
    metric: str
    value: float
    task: str = ""


def scored(folder: RunFolder, scores: Mapping[str, Mapping[str, Mapping[str, float]]]) -> Scored | None:
    """Return the first score of a run's network, on the test part if there is one; None if it has none."""
    part = "test" if "test" in scores else "validation"
    task = folder.experiment().task
    metric = task.metrics[0]
    value = scores.get(part, {}).get("network", {}).get(metric, math.nan)
    return None if math.isnan(value) else Scored(folder.path, part, metric, value, task.kind)


def pixels_of(before: Scored, now: Scored) -> Overlap | None:
    """Return how the scored pixels of two runs overlap; None if this is not known, or if the scores are of different kinds."""
    if (before.part, before.metric) != (now.part, now.metric):
        return None
    return _overlap(before.folder, now.folder, now.part, _stamp(before.folder), _stamp(now.folder))


def _stamp(folder: Path) -> float:
    path = folder / FILE
    return path.stat().st_mtime if path.exists() else 0.0


@lru_cache(maxsize=400)
def _overlap(before: Path, now: Path, part: str, *_: float) -> Overlap | None:
    """Return the overlap of two runs, read once for each state of their files."""
    first, second = UsedPixels.load(before), UsedPixels.load(now)
    return None if first is None or second is None else overlap(first, second, part)


def compared(before: Scored, now: Scored) -> str:
    """Return a sentence on both scores if they are of one task and of different pixels, else an empty text."""
    found = pixels_of(before, now) if before.task == now.task else None
    return "" if found is None else found.sentence(before.value, now.value, METRICS[now.metric].title)
