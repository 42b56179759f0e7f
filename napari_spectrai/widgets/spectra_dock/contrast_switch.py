"""The switch that keeps the contrast of a layer to the band shown."""

from __future__ import annotations

from magicgui.widgets import CheckBox
from napari.layers import Image
from napari.viewer import Viewer

from napari_spectrai.widgets.first_look import band_contrast


class ContrastSwitch(CheckBox):
    """A check box for the layer whose bands the slider shows; limits set by hand switch it off."""

    def __init__(self, viewer: Viewer) -> None:
        self._layer: Image | None = None
        self._contrast = band_contrast(viewer)
        super().__init__(
            text="Contrast follows the band", name="contrast",
            tooltip="set the contrast of the selected layer to the band shown while the slider moves; limits set by hand switch this off",
        )  # fmt: skip
        self.changed.connect(self._on_changed)
        self._contrast.changed.connect(self._refresh)

    def use(self, layer: Image | None) -> None:
        """Show whether the contrast of a layer follows its bands."""
        self._layer = layer
        self._refresh()

    def leave(self) -> None:
        """Disconnect from the viewer."""
        self._contrast.changed.disconnect(self._refresh, missing_ok=True)

    def _refresh(self, _: object = None) -> None:
        self.enabled = self._layer is not None and self._layer.ndim > 2
        with self.changed.blocked():
            self.value = self._contrast.follows(self._layer)

    def _on_changed(self, on: bool) -> None:  # noqa: FBT001
        if self._layer is not None and on:
            self._contrast.follow(self._layer)
        elif self._layer is not None:
            self._contrast.leave(self._layer)
