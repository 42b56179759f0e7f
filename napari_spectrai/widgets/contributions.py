"""What the manifest calls besides the docks: sample data and the reader."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari_spectrai.io import format_of
from napari_spectrai.samples import sample
from napari_spectrai.widgets.layers import LayerData, layer_data, layer_from_file


def raman_pairs() -> list[LayerData]:
    """Return the Raman pairs as two layers: noisy spectra and, hidden under them, their truth."""
    pairs = sample("raman_pairs")
    assert pairs.truth is not None  # noqa: S101
    return [layer_data(pairs.truth, colormap="viridis"), layer_data(pairs.cube, colormap="viridis")]


def get_reader(path: str | list[str]) -> Callable[[Any], list[LayerData]] | None:
    """Return the reader of a spectral file, or None for another kind of file."""
    first = path[0] if isinstance(path, list) else path
    try:
        format_of(first)
    except ValueError:
        return None
    return lambda paths: [layer_from_file(Path(p)) for p in (paths if isinstance(paths, list) else [paths])]
