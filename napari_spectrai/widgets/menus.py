"""Commands on the selected layer, for the menus of the manifest and the context menu of the layer list."""

from __future__ import annotations

from types import UnionType

from napari.layers import Image, Labels, Layer
from napari.utils.notifications import show_info
from napari.viewer import Viewer

from napari_spectrai.widgets.dock import open_in_turns
from napari_spectrai.widgets.figure_dialog import open_figure, owner
from napari_spectrai.widgets.save_dialog import ask_and_save


def opened_on(viewer: Viewer, name: str, kinds: type[Layer] | UnionType = Image) -> None:
    """Open a dock and choose the selected layer in it."""
    layer = viewer.layers.selection.active
    if isinstance(layer, kinds):
        open_in_turns(viewer, name, lambda dock: dock.take(layer))
    else:
        open_in_turns(viewer, name)
        show_info(f"{name}: select a layer first")


def show(viewer: Viewer) -> None:
    """Show the spectra of the selected layer."""
    opened_on(viewer, "Spectra")


def prepare(viewer: Viewer) -> None:
    """Preprocess the selected layer."""
    opened_on(viewer, "Preprocess")


def train_on(viewer: Viewer) -> None:
    """Train on the selected layer."""
    opened_on(viewer, "Train")


def predict_on(viewer: Viewer) -> None:
    """Predict on the selected layer."""
    opened_on(viewer, "Predict")


def evaluate_on(viewer: Viewer) -> None:
    """Evaluate the selected layer."""
    opened_on(viewer, "Evaluate", Image | Labels)


def save_figure(viewer: Viewer) -> None:
    """Save what the selected layer shows as a figure for print."""
    open_figure(viewer, viewer.layers.selection.active)


def save_layer(viewer: Viewer) -> None:
    """Save the selected layer with its axis, names, colours and place."""
    ask_and_save(viewer.layers.selection.active, owner())


def map_layer(viewer: Viewer) -> None:
    """Make maps of the selected layer."""
    opened_on(viewer, "Maps")
