"""Contributions of the manifest other than docks: sample data, readers and writers.

napari imports this module in the window's thread, so it imports nothing heavy: what it needs is loaded while the window goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from napari_spectrai.widgets.responsive import in_thread

LayerData = tuple[Any, dict[str, Any], str]
Readers = Callable[..., list[Any]]


def _loaded(module: str) -> Any:
    name = f"napari_spectrai.widgets.{module}"
    return in_thread(lambda: import_module(name))


def raman_pairs() -> list[LayerData]:
    """Return the Raman pairs as two layers: noisy spectra and, hidden below them, their truth."""
    return _sample("raman_pairs")


def cartilage() -> list[LayerData]:
    """Return the Raman map."""
    return _sample("cartilage")


def lambda_stack() -> list[LayerData]:
    """Return the lambda stack."""
    return _sample("lambda_stack")


def microplastic() -> list[LayerData]:
    """Return the FTIR map."""
    return _sample("microplastic")


def indian_pines() -> list[LayerData]:
    """Return the scene, and its classes as labels with names."""
    return _sample("indian_pines")


def _sample(name: str) -> list[LayerData]:
    layers: list[LayerData] = _loaded("opening").sample_layers(name)
    return layers


def get_reader(path: str | list[str]) -> Readers | None:
    """Return the reader of a spectral file, or None for another kind of file."""
    reader: Readers | None = _loaded("opening").reader_of(path)
    return reader


def get_model_reader(path: str | list[str]) -> Readers:
    """Return a reader that opens a model file in the Predict dock."""
    del path  # the manifest has checked its name
    reader: Readers = _loaded("opening").open_models
    return reader


def write_cube(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write one image layer as a spectral file, in the format of the suffix."""
    written: list[str] = _loaded("saving").save_image(path, data, meta)
    return written


def write_classes(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write one Labels layer with the names and colours of its classes."""
    written: list[str] = _loaded("saving").save_labels(path, data, meta)
    return written
