"""Checkpoints of a training: weights, optimiser, schedule, random state, position; the last one and the one before."""

from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from napari_spectrai.experiment import Experiment
from napari_spectrai.experiment.kept_settings import changed_settings
from napari_spectrai.files import replacing
from napari_spectrai.runs.folder import EARLIER

_FAULTS = (
    RuntimeError, ValueError, KeyError, TypeError, AttributeError, IndexError, EOFError, OSError, OverflowError, MemoryError,
    zipfile.BadZipFile, pickle.UnpicklingError,
)  # fmt: skip
"""What torch raises on a file that is truncated, changed, or of another training."""


@dataclass(slots=True)
class TrainingPosition:
    """Position of a training: `epoch` epochs are complete, and `step` steps of the next."""

    epoch: int = 0
    step: int = 0
    loss: float = 0.0
    best: float = float("inf")
    best_epoch: int = 0
    seconds: float = 0.0
    journal: int = 0
    best_scores: dict[str, float] = field(default_factory=dict)
    best_weights: dict[str, Tensor] = field(default_factory=dict)


def before(path: Path) -> Path:
    """Return where the checkpoint before the last one is kept."""
    return path.with_name(EARLIER)


class OtherSettingsError(ValueError):
    """A checkpoint that was written with other settings than those of the run now; the message says which."""


def save(path: Path, place: TrainingPosition, parts: dict[str, Any], generator: torch.Generator, experiment: Experiment) -> None:
    """Write the state of every part (by ``state_dict``), of `place` and of the random generators; the previous state is kept next to it."""
    state = {
        "experiment": json.dumps(experiment.model_dump(mode="json")),
        "place": {name: getattr(place, name) for name in TrainingPosition.__slots__},
        "parts": {name: part.state_dict() for name, part in parts.items()},
        "random": {
            "augmentation": generator.get_state(),
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        },
    }
    with replacing(path, needs=_size(state)) as temporary:
        _write(state, temporary)
        with suppress(FileNotFoundError):
            path.replace(before(path))  # if this is the end, `load` finds it there


def _write(state: dict[str, Any], path: Path) -> None:
    """Write a state, with the error of the disk where there is one: torch itself reports that of closing the file after it."""
    with path.open("wb") as file:
        try:
            torch.save(state, file)
        except RuntimeError as error:
            raise error.__context__ if isinstance(error.__context__, OSError) else error from None


def _size(state: Any) -> int:
    """Return the bytes of the tensors in a state."""
    if isinstance(state, Tensor):
        return state.numel() * state.element_size()
    inside: Iterable[Any] = state.values() if isinstance(state, dict) else state if isinstance(state, list | tuple) else ()
    return sum(_size(part) for part in inside)


def load(
    path: Path, parts: dict[str, Any], generator: torch.Generator, experiment: Experiment, *, models: Path | None = None
) -> tuple[TrainingPosition, str]:
    """Bring parts and random generators back to what `save` wrote; where it is damaged, to the state before.

    Returns
    -------
    place : TrainingPosition
    note : str
        What is lost, in a sentence; empty where nothing is.

    Raises
    ------
    OtherSettingsError (a ValueError)
        If the settings have changed.
    ValueError
        If neither can be read; the message names the model in `models` that a new run can start from.
    """
    faults = []
    for candidate in (path, before(path)):
        if not candidate.exists():
            continue
        try:
            place = _restored(candidate, parts, generator, experiment)
        except OtherSettingsError:
            raise
        except _FAULTS as error:
            faults.append(f"{candidate.name} is damaged ({(str(error).splitlines() or [type(error).__name__])[0][:200]})")
            continue
        if not faults:
            return place, ""
        return place, f"Of the checkpoints, {faults[0]}; training goes on from the one before, after epoch {place.epoch}."
    remedy = "" if models is None else f"; start a new run from its last model with training.start={models}"
    raise ValueError(f"{path.parent}: {' and '.join(faults)}, so the run cannot be resumed{remedy}")


def _restored(path: Path, parts: dict[str, Any], generator: torch.Generator, experiment: Experiment) -> TrainingPosition:
    with zipfile.ZipFile(path) as archive:  # torch does not look at the check sums
        if (torn := archive.testzip()) is not None:
            raise ValueError(f"the check sum of {torn} is wrong")
    state = torch.load(path, map_location="cpu", weights_only=True)
    if changed := changed_settings(json.loads(state.get("experiment", "{}")), experiment):  # not in those of earlier versions
        raise OtherSettingsError("; ".join(changed[:5]))
    place = TrainingPosition(**state["place"])
    for name, part in parts.items():
        part.load_state_dict(state["parts"][name])
    generator.set_state(state["random"]["augmentation"])
    torch.set_rng_state(state["random"]["torch"])
    if torch.cuda.is_available() and state["random"]["cuda"]:
        torch.cuda.set_rng_state_all(state["random"]["cuda"])
    return place
