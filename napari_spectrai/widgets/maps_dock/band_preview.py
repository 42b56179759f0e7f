"""A band map that follows the range while it is dragged, in a layer of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Image
from napari.viewer import Viewer

from napari_spectrai.mapping.cumulative import CumulativeBands
from napari_spectrai.mapping.kind import Doubles
from napari_spectrai.widgets.layer_frame import LayerFrame

NAME = "band · preview"


class BandPreview:
    """The layer that shows the map of the range in the plot; made on first use, taken away by `remove`."""

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self.sums: CumulativeBands | None = None
        self.layer: Image | None = None

    def show(self, low: float, high: float, how: Any, frame: LayerFrame) -> bool:
        """Show the map of a range; return whether there is one (else the range holds too few bands, or nothing is summed up yet)."""
        if self.sums is None:
            return False
        try:
            values = self.sums.map(low, high, how)
        except ValueError:
            return False
        limits = contrast(values)
        if self.layer is None or self.layer not in self._viewer.layers or self.layer.data.shape != values.shape:
            self.remove()
            selected = self._viewer.layers.selection.active
            metadata = {"spectral": False, "map": {"source": frame.name, "kind": "band", "preview": True}}
            self.layer = self._viewer.add_image(
                values, name=NAME, colormap="viridis", metadata=metadata, contrast_limits=limits, **lying(frame)
            )
            frame.align(self.layer)
            self._viewer.layers.selection.active = selected
        else:
            self.layer.data = values
            self.layer.contrast_limits = limits
        return True

    def remove(self) -> None:
        """Take the layer away."""
        if self.layer is not None and self.layer in self._viewer.layers:
            self._viewer.layers.remove(self.layer)
        self.layer = None


def lying(frame: LayerFrame) -> dict[str, Any]:
    """Return scale, place and units of a map, which has them from the beginning: else napari warns of units that differ."""
    kept = list(frame.kept)
    return {"scale": frame.place["scale"][kept], "translate": frame.place["translate"][kept], "units": [frame.units[d] for d in kept]}


def contrast(values: Doubles) -> tuple[float, float]:
    """Return limits from the first to the 99th percentile of what is known."""
    known = values[np.isfinite(values)]
    if not known.size:
        return 0.0, 1.0
    thinned = known[:: max(1, known.size // 50_000)]
    low, high = (float(limit) for limit in np.percentile(thinned, (1, 99)))
    return (low, high) if high > low else (low, low + max(1e-9, abs(low) * 1e-6))
