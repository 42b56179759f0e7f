"""Checkpoints of a training: weights, optimiser, schedule, random state, position."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from napari_spectrai.files import replacing


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


def save(path: Path, place: TrainingPosition, parts: dict[str, Any], generator: torch.Generator) -> None:
    """Write the state of every part (by ``state_dict``), of `place` and of the random generators."""
    state = {
        "place": {name: getattr(place, name) for name in TrainingPosition.__slots__},
        "parts": {name: part.state_dict() for name, part in parts.items()},
        "random": {
            "augmentation": generator.get_state(),
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        },
    }
    with replacing(path) as temporary:
        torch.save(state, temporary)


def load(path: Path, parts: dict[str, Any], generator: torch.Generator) -> TrainingPosition:
    """Restore parts and random generators from what `save` wrote."""
    state = torch.load(path, map_location="cpu", weights_only=True)
    for name, part in parts.items():
        part.load_state_dict(state["parts"][name])
    generator.set_state(state["random"]["augmentation"])
    torch.set_rng_state(state["random"]["torch"])
    if torch.cuda.is_available() and state["random"]["cuda"]:
        torch.cuda.set_rng_state_all(state["random"]["cuda"])
    return TrainingPosition(**state["place"])
