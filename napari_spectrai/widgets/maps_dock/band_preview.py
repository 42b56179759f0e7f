"""A band map that follows the range while it is dragged, in a layer of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Image
from napari.viewer import Viewer
from qtpy.QtCore import QObject

from napari_spectrai.mapping.cumulative import MOST, CumulativeBands
from napari_spectrai.mapping.kind import Doubles
from napari_spectrai.widgets.latest_only import LatestOnly
from napari_spectrai.widgets.layer_frame import LayerFrame
from napari_spectrai.widgets.layers import as_cube

NAME = "band · preview"


class BandPreview(QObject):
    """The layer that shows the map of the range in the plot; made on first use, subtracted by `remove`."""

    def __init__(self, viewer: Viewer, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._sums: CumulativeBands | None = None
        self._wanted: tuple[dict[str, Any], LayerFrame] | None = None
        self._shown: tuple[float, float, Any] | None = None
        self.layer: Image | None = None
        self._summing = LatestOnly(self)
        self._summing.answered.connect(self._on_summed)

    def leave(self) -> None:
        """End the thread."""
        self._summing.leave()

    def forget(self) -> None:
        """Take the layer away, and forget what was summed up."""
        self._sums, self._wanted = None, None
        self._summing.forget()
        self.remove()

    def follow(self, values: dict[str, Any], frame: LayerFrame | None, *, wanted: bool) -> str:
        """Show the band map of some settings of the layer of a frame, or nothing; return why there is none, in words.

        Sums are computed on a thread first.
        """
        limits = [values.get("low"), values.get("high")]
        if not wanted or frame is None or frame.layer.ndim < 3 or not all(isinstance(limit, int | float) for limit in limits):
            self._wanted = None
            self.remove()
            return ""
        self._wanted = (values, frame)
        if self._sums is not None:
            self._show(values["low"], values["high"], values["how"], frame)
            return ""
        layer, cube = frame.layer, as_cube(frame.layer)
        if cube.count * len(cube.axis) > MOST:
            return "This layer is too large for a map that follows the range; Make maps computes it."

        def work() -> tuple[Image, CumulativeBands]:
            sums = CumulativeBands(cube)
            sums.prepare(values["how"])
            return layer, sums

        self._summing.ask(work)
        return ""

    def _on_summed(self, answer: tuple[Image, CumulativeBands]) -> None:
        if self._wanted is not None and answer[0] is self._wanted[1].layer:
            self._sums = answer[1]
            self.follow(*self._wanted, wanted=True)

    def _show(self, low: float, high: float, how: Any, frame: LayerFrame) -> None:
        assert self._sums is not None  # noqa: S101
        if self.layer is not None and self.layer in self._viewer.layers:
            self.layer.visible = True
            if self._shown == (low, high, how):
                return
        try:
            values = self._sums.map(low, high, how)
        except ValueError:  # too few bands, which the form says
            return
        limits = contrast(values)
        if self.layer is None or self.layer not in self._viewer.layers or self.layer.data.shape != values.shape:
            self.remove()
            self._shown = (low, high, how)
            selected = self._viewer.layers.selection.active
            metadata = {"spectral": False, "map": {"source": frame.name, "kind": "band", "preview": True}}
            self.layer = self._viewer.add_image(
                values, name=NAME, colormap="viridis", metadata=metadata, contrast_limits=limits, **lying(frame)
            )
            frame.align(self.layer)
            self._viewer.layers.selection.active = selected
        else:  # in place: new data would have napari work out the sliders of all layers again
            self._shown = (low, high, how)
            self.layer.data[...] = values
            self.layer.contrast_limits = limits
            self.layer.refresh(thumbnail=False, highlight=False, extent=False)

    def hide(self) -> None:
        """Show the layer no more, until it is wanted again: napari takes a third of a second to remove one."""
        self._wanted = None  # sums that are being computed would show it
        if self.layer is not None:
            self.layer.visible = False

    def remove(self) -> None:
        """Take the layer away."""
        if self.layer is not None and self.layer in self._viewer.layers:
            self._viewer.layers.remove(self.layer)
        self.layer, self._shown = None, None


def lying(frame: LayerFrame) -> dict[str, Any]:
    """Return scale, place and units of a map, which has them from the beginning: else napari warns of units that differ."""
    kept = list(frame.kept)
    return {"scale": frame.place["scale"][kept], "translate": frame.place["translate"][kept], "units": [frame.units[d] for d in kept]}


def contrast(values: Doubles) -> tuple[float, float]:
    """Return limits from the first to the 99th percentile of what is known."""
    known = values[np.isfinite(values)]
    if not known.size:
        return 0.0, 1.0
    thinned = known[:: max(1, known.size // 10_000)]
    low, high = (float(limit) for limit in np.percentile(thinned, (1, 99)))
    return (low, high) if high > low else (low, low + max(1e-9, abs(low) * 1e-6))
