"""What the trainer asks of another training that follows its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from napari_spectrai.runs import Event


class SecondTraining(Protocol):
    """Another training after the first: iterated over for its progress, it has scores or says why there are none."""

    rows: dict[str, dict[str, float]] | None
    notes: list[str]
    stopped: bool

    def __iter__(self) -> Iterator[Event]:
        """Train, and yield progress."""
