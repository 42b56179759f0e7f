"""Previews of a training between epochs, at intervals that cost little time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from torch import Tensor

from napari_spectrai.learn.train.checkpoint import TrainingPosition
from napari_spectrai.learn.train.snapshots import WatchedWindow
from napari_spectrai.learn.train.validation import Validator
from napari_spectrai.runs import Event

LEAST, SHARE, RARER = 1.0, 0.02, 0.005
"""Minimum seconds between previews; largest fraction of the time for them; growth of the interval with the training's age."""


class Previews:
    """One fixed validation spectrum, or a confusion matrix, and one fixed window of an image."""

    def __init__(self, validator: Validator, window: WatchedWindow) -> None:
        self._validator, self._window = validator, window
        self._next = 0.0
        self._started = time.monotonic()

    def of(self, place: TrainingPosition, output: Tensor, truth: Tensor, network: Any, *, last: bool) -> Iterator[Event]:
        """Yield the previews after an epoch if they are due; after the last epoch they always are."""
        start = time.monotonic()
        if start < self._next and not last:
            return
        yield self._validator.shown(place.epoch, output, truth)
        if self._window.there:
            with self._validator.accelerator.autocast():
                patch = self._window.shown(place.epoch, network)
            yield patch
        now = time.monotonic()
        self._next = now + max(LEAST, (now - start) / SHARE, RARER * (now - self._started))  # a long training's journal stays small
