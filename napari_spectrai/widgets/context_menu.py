"""Commands in the context menu of the layer list, which a manifest cannot contribute to."""

from __future__ import annotations

from app_model import Application
from app_model.types import CommandRule, MenuItem, SubmenuItem

from napari_spectrai.widgets.preferences import PLUGIN

APP, CONTEXT = "napari", "napari/layers/context"
_OURS = f"{PLUGIN}/layer"
_TITLES = {
    "show": "Spectra",
    "prepare": "Preprocess",
    "train_on": "Train",
    "predict_on": "Predict",
    "evaluate_on": "Evaluate",
    "map": "Make maps",
    "save": "Save with axis, names and place",
    "figure": "Save a figure for print",
}


def offer_on_layers() -> None:
    """Add the commands to the context menu of layers, once; a manifest cannot contribute to it."""
    app = Application.get_app(APP)
    if app is None or _OURS in app.menus:  # no napari window, or done before
        return
    on_image, on_both = "active_layer_type == 'image'", "active_layer_type == 'image' or active_layer_type == 'labels'"
    known = [(f"{PLUGIN}.{name}", title) for name, title in _TITLES.items() if f"{PLUGIN}.{name}" in app.commands]
    items = []
    for command, title in known:
        enabled = on_both if command.endswith(("evaluate_on", "save", "figure")) else on_image
        items.append((_OURS, MenuItem(command=CommandRule(id=command, title=title, enablement=enabled))))
    if items:
        submenu = SubmenuItem(submenu=_OURS, title=PLUGIN, enablement=on_both)
        app.menus.append_menu_items([(CONTEXT, submenu), *items])
