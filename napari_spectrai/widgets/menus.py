"""Commands on the selected layer, in the menus of the manifest and in the context menu of the layer list."""

from __future__ import annotations

from types import UnionType

from app_model import Application
from app_model.types import CommandRule, MenuItem, SubmenuItem
from napari.layers import Image, Labels, Layer
from napari.utils.notifications import show_info
from napari.viewer import Viewer

from napari_spectrai.widgets.preferences import PLUGIN

APP, CONTEXT = "napari", "napari/layers/context"
_OURS = f"{PLUGIN}/layer"
_TITLES = {
    "show": "Show spectra",
    "prepare": "Prepare spectra",
    "train_on": "Train on it",
    "predict_on": "Apply a model",
    "evaluate_on": "Judge it",
    "map": "Make maps",
}


def opened_on(viewer: Viewer, name: str, kinds: type[Layer] | UnionType = Image) -> None:
    """Open a dock with the selected layer chosen in it."""
    from napari_spectrai.widgets.dock import opened

    dock = opened(viewer, name)
    layer = viewer.layers.selection.active
    if isinstance(layer, kinds):
        dock.take(layer)
    else:
        show_info(f"{name}: select the layer that is meant")


def show(viewer: Viewer) -> None:
    """Show the spectra of the selected layer."""
    opened_on(viewer, "Spectra")


def prepare(viewer: Viewer) -> None:
    """Prepare the spectra of the selected layer."""
    opened_on(viewer, "Preprocess")


def train_on(viewer: Viewer) -> None:
    """Train on the selected layer."""
    opened_on(viewer, "Train")


def predict_on(viewer: Viewer) -> None:
    """Apply a model to the selected layer."""
    opened_on(viewer, "Predict")


def evaluate_on(viewer: Viewer) -> None:
    """Judge the selected layer."""
    opened_on(viewer, "Evaluate", Image | Labels)


def map_layer(viewer: Viewer) -> None:
    """Make maps of the selected layer."""
    opened_on(viewer, "Maps")


def offer_on_layers() -> None:
    """Add our commands to the context menu of layers, once; a manifest cannot contribute there."""
    app = Application.get_app(APP)
    if app is None or _OURS in app.menus:  # docks without napari's window, or done before
        return
    on_image, on_both = "active_layer_type == 'image'", "active_layer_type == 'image' or active_layer_type == 'labels'"
    known = [(f"{PLUGIN}.{name}", title) for name, title in _TITLES.items() if f"{PLUGIN}.{name}" in app.commands]
    items = [
        (_OURS, MenuItem(command=CommandRule(id=command, title=title, enablement=on_both if command.endswith("evaluate_on") else on_image)))
        for command, title in known
    ]
    if items:
        submenu = SubmenuItem(submenu=_OURS, title=PLUGIN, enablement=on_both)
        app.menus.append_menu_items([(CONTEXT, submenu), *items])
