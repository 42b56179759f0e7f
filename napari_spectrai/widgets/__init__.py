"""The graphical interface: docks over `runs`, `experiment` and `io`. The only package to import napari, Qt, magicgui and pyqtgraph.

Each dock can be opened by name from napari's console:

>>> import napari_spectrai as spectrai
>>> dock = spectrai.widgets.train(viewer)  # doctest: +SKIP
>>> dock.experiment = dock.experiment.override("training.epochs=50")  # doctest: +SKIP
>>> dock.start()  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari.viewer import Viewer

__all__ = ["evaluate", "maps", "predict", "preprocess", "spectra", "train"]


def _opened(viewer: Viewer, name: str) -> Any:
    from napari_spectrai.widgets.dock import opened

    return opened(viewer, name)


def spectra(viewer: Viewer) -> Any:
    """Open the Spectra dock in the viewer's window and return it."""
    return _opened(viewer, "Spectra")


def preprocess(viewer: Viewer) -> Any:
    """Open the Preprocess dock in the viewer's window and return it."""
    return _opened(viewer, "Preprocess")


def train(viewer: Viewer) -> Any:
    """Open the Train dock in the viewer's window and return it; its ``experiment`` can be read and set."""
    return _opened(viewer, "Train")


def predict(viewer: Viewer) -> Any:
    """Open the Predict dock in the viewer's window and return it; its ``model`` and ``layer`` can be read and set."""
    return _opened(viewer, "Predict")


def evaluate(viewer: Viewer) -> Any:
    """Open the Evaluate dock in the viewer's window and return it; its ``result`` and ``truth`` can be read and set."""
    return _opened(viewer, "Evaluate")


def maps(viewer: Viewer) -> Any:
    """Open the dock Maps in the viewer's window and return it; its ``layer`` and ``settings`` can be read and set."""
    return _opened(viewer, "Maps")
