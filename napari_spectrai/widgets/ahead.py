"""Load in a thread what docks need, as soon as the first of our contributions has been used: opening another then halts the window less."""

from __future__ import annotations

import threading
import time
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from qtpy.QtCore import QTimer

_DOCKS = "napari_spectrai.widgets"
_MODULES = (
    f"{_DOCKS}.spectra_dock.spectra_dock", f"{_DOCKS}.train_dock.train_dock", f"{_DOCKS}.maps_dock.maps_dock",
    f"{_DOCKS}.predict_dock.predict_dock", f"{_DOCKS}.preprocess_dock.preprocess_dock", f"{_DOCKS}.evaluate_dock.evaluate_dock",
    f"{_DOCKS}.contributions", f"{_DOCKS}.open_dock",
)  # fmt: skip
_OF_LAYERS = ("scipy.ndimage", "xarray")
"""What napari loads with its first image layer."""
_REGISTRIES = (
    ("napari_spectrai.experiment.tasks", "tasks"), ("napari_spectrai.experiment.network_spec", "networks"),
    ("napari_spectrai.experiment.losses", "losses"), ("napari_spectrai.preparation.step", "steps"),
    ("napari_spectrai.mapping.kind", "kinds"), ("napari_spectrai.experiment.training", "optimisers"),
    ("napari_spectrai.experiment.training", "schedules"), ("napari_spectrai.experiment.augmentations", "augmentations"),
)  # fmt: skip
_PAUSE = 0.005
"""Seconds between two of them, in which the window works."""
_loaders: list[threading.Thread] = []


def load_ahead() -> None:
    """Begin to load once the window has nothing else to do; once in a process."""
    if not _loaders:
        thread = threading.Thread(target=_load, daemon=True, name="napari-spectrai modules")
        _loaders.append(thread)  # Qt does not keep the object of a method
        QTimer.singleShot(0, thread.start)


def _load() -> None:
    for module in (*(name for name in _OF_LAYERS if find_spec(name)), *_MODULES):
        import_module(module)
        time.sleep(_PAUSE)
    for module, name in _REGISTRIES:
        registry: Any = getattr(import_module(module), name)
        list(registry)
        time.sleep(_PAUSE)
