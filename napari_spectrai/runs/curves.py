"""Curves of a run: one row per epoch, from its journal alone."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from napari_spectrai.cells import safe_row
from napari_spectrai.files import replacing
from napari_spectrai.runs.events import Epoch
from napari_spectrai.runs.folder import RunFolder


def curves(folder: RunFolder) -> list[dict[str, Any]]:
    """Return one row per epoch: `epoch`, `training` and `validation` loss, the metrics of the validation part, `lr`, `best` and `seconds`.

    An epoch that a resumed run repeated has the values of the last time.
    """
    ended = {event.epoch: event for event in folder.events() if isinstance(event, Epoch)}
    return [
        {"epoch": number, "training": one.training, "validation": one.validation, **one.metrics, "lr": one.lr, "best": one.best}
        | {"seconds": one.seconds}
        for number, one in sorted(ended.items())
    ]


def write_curves(folder: RunFolder, path: str | Path) -> Path:
    """Write `curves` as CSV.

    Raises
    ------
    ValueError
        If no epoch of the run has ended.
    """
    rows = curves(folder)
    if not rows:
        raise ValueError(f"{folder.path} has no epochs: it is new, or a method that is fitted in one step; its scores are in the report")
    names = list(dict.fromkeys(name for row in rows for name in row))
    with replacing(Path(path)) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(safe_row(line) for line in [names, *([row.get(name, "") for name in names] for row in rows)])
    return Path(path)
