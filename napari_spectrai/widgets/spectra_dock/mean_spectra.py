"""Mean spectra of layers, drawn where no spectrum lies under the cursor."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

from napari.layers import Image
from qtpy.QtWidgets import QWidget

from napari_spectrai.summary import mean_spectrum
from napari_spectrai.widgets.latest_only import LatestOnly
from napari_spectrai.widgets.layers import as_cube
from napari_spectrai.widgets.spectra_dock.spectrum_places import Spectrum

MEAN = " · mean"
"""End of the names of the curves."""


class MeanSpectra:
    """Means of layers, computed on a thread and kept while their data stay the same.

    Parameters
    ----------
    parent : QWidget
        Means are computed for as long as it exists.
    arrived : called when there are new means to draw
    """

    def __init__(self, parent: QWidget, arrived: Callable[[], Any]) -> None:
        self._known: dict[int, tuple[weakref.ref[Any], tuple[Any, ...], Spectrum]] = {}
        self._arrived = arrived
        self._work = LatestOnly(parent)
        self._work.answered.connect(self._on_means)

    def leave(self) -> None:
        """End the thread."""
        self._work.leave()

    def forget(self) -> None:
        """Compute the means again: data were changed in place."""
        self._known = {}

    def of(self, layers: Sequence[Image]) -> list[tuple[Image, Spectrum]]:
        """Return the means that are known, and ask for the others."""
        found, missing = [], []
        for layer in layers:
            data, state = layer.data, (layer.data.shape, str(layer.metadata.get("spectral_axis", {}))[:200])
            known = self._known.get(id(layer))
            if known is not None and known[0]() is data and known[1] == state:
                found.append((layer, known[2]))
            else:
                missing.append((id(layer), weakref.ref(data), state, as_cube(layer)))
        if missing:
            self._work.ask(lambda: [(key, data, state, (cube.axis, mean_spectrum(cube), ())) for key, data, state, cube in missing])
        return found

    def _on_means(self, means: list[tuple[int, weakref.ref[Any], tuple[Any, ...], Spectrum]]) -> None:
        for key, data, state, spectrum in means:
            self._known[key] = (data, state, spectrum)
        self._arrived()
