"""Look at what a model did to a cube: before, after, and what it has removed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from magicgui.widgets import Container
from napari.layers import Image, Layer
from napari.viewer import Viewer

from napari_spectrai.cube import Cube
from napari_spectrai.widgets.dock import rows, say, text
from napari_spectrai.widgets.first_look import band_contrast, shown
from napari_spectrai.widgets.layer_frame import LayerFrame, add_above
from napari_spectrai.widgets.layers import as_cube
from napari_spectrai.widgets.radio_row import RadioRow

BEFORE, AFTER, REMOVED = "before", "after", "removed"
_SAYS = {
    AFTER: "show the result",
    BEFORE: "show the source",
    REMOVED: "show source minus result, as a layer: structure in it was taken from the signal",
}
_MOST = 2**27
"""Largest number of values of a difference that is computed at once; a larger one is computed band by band as it is shown."""


class BeforeAfter(Container[Any]):
    """Buttons that show the source, the last result or their difference; hidden while there is no result of the source's shape."""

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._working = False
        self._result: Image | None = None
        self._source: Image | None = None
        self._subtracted: tuple[Any, Any] | None = None
        """The data of source and result of the difference that is shown: it is computed again for others."""
        self.choice = RadioRow(_SAYS, label="Show", name="before_after", tooltip="which of the layers is shown")
        self.covered = text("covered")
        self.covered.visible = False
        super().__init__(widgets=[rows(self.choice), self.covered], labels=False, visible=False)
        self.margins = (0, 0, 0, 0)
        self.choice.changed.connect(self._on_choice)

    def follow(self) -> None:
        """Offer the newest result that can be compared with its source."""
        pairs = [(layer, source) for layer in self._viewer.layers if (source := self._source_of(layer)) is not None]
        fresh = [pair for pair in pairs if pair[0] is not self._result]
        if fresh:
            self._result, self._source = fresh[-1]
            with self.choice.changed.blocked():
                self.choice.value = AFTER
        self.visible = self._is_there()
        if self.visible:
            self._say_covered()

    def _say_covered(self) -> None:
        """Name the visible images over the layer that is shown: without a word, nothing would seem to have been made."""
        shown = next((one for one in (self._result, self._source, self._removed_layer()) if one is not None and one.visible), None)
        layers = list(self._viewer.layers)
        above = layers[layers.index(shown) + 1 :] if shown in layers else []
        names = [str(one.name) for one in above if isinstance(one, Image) and one.visible and one.opacity > 0]
        more, what = (f" and {len(names) - 1} more", "them") if len(names) > 1 else ("", "that")
        say(self.covered, f"Covered by {names[-1]!r}{more}; hide {what} in the layer list to see it." if names else "")

    def _is_there(self) -> bool:
        return self._result in self._viewer.layers and self._source in self._viewer.layers

    def _source_of(self, layer: Layer) -> Image | None:
        made = layer.metadata.get("prediction")
        if not isinstance(layer, Image) or not isinstance(made, Mapping) or made.get("role") != "result":
            return None
        names = (one for one in self._viewer.layers if one.name == made.get("source") and isinstance(one, Image) and one is not layer)
        source = next(names, None)
        if source is None:
            return None
        before, after = as_cube(source), as_cube(layer)
        fits = before.shape == after.shape and before.axis.mismatch(after.axis) is None  # a resampled result has other positions
        return source if fits else None

    def _on_choice(self, what: str) -> None:
        if self._working:  # napari rebuilds the choices of docks when a layer is added
            return
        self._working = True
        try:
            self._show(what)
        finally:
            self._working = False

    def _show(self, what: str) -> None:
        if not self._is_there() or self._result is None or self._source is None:
            self.visible = False
            return
        removed = self._removed_layer()
        if removed is not None and not self._is_current():
            self._viewer.layers.remove(removed)
            removed = None
        if what == REMOVED and removed is None:
            removed = self._add_removed(self._source, self._result)
        for layer, name in ((self._source, BEFORE), (self._result, AFTER), (removed, REMOVED)):
            if layer is not None:
                layer.visible = name == what
        self._say_covered()

    def _is_current(self) -> bool:
        """Whether source and result still have the data that were subtracted."""
        present = [one.data for one in (self._source, self._result) if one is not None]
        return self._subtracted is not None and all(one is other for one, other in zip(self._subtracted, present, strict=True))

    def _removed_layer(self) -> Image | None:
        """Return the difference of the present result, if there is one."""
        assert self._result is not None  # noqa: S101
        of = self._result.name
        return next((one for one in self._viewer.layers if _about(one).get("role") == REMOVED and _about(one).get("result") == of), None)

    def _add_removed(self, source: Image, result: Image) -> Image:
        before, after = as_cube(source), as_cube(result)
        self._subtracted = source.data, result.data
        cube = Cube(_difference(before.data, after.data), after.axis, name=f"{source.name} · removed")
        made = {**result.metadata["prediction"], "role": REMOVED, "result": str(result.name)}
        name = cube.name if cube.name not in self._viewer.layers else f"{result.name} · removed"  # by another result
        layer = add_above(self._viewer, cube, LayerFrame.of(source), name, alike=False)
        layer.metadata["prediction"] = made
        band_contrast(self._viewer).leave(layer)
        seen = np.abs(np.asarray(shown(self._viewer, layer), np.float64))
        seen = seen[np.isfinite(seen)]
        limit = float(np.percentile(seen, 99)) if seen.size else 1.0
        layer.colormap, layer.contrast_limits = "PiYG", (-(limit or 1.0), limit or 1.0)  # nothing removed is in the middle
        return layer


def _about(layer: Layer) -> Mapping[str, Any]:
    made = layer.metadata.get("prediction")
    return made if isinstance(made, Mapping) else {}


def _difference(before: Any, after: Any) -> Any:
    if isinstance(before, np.ndarray) and isinstance(after, np.ndarray) and before.size <= _MOST:
        return np.subtract(before, after, dtype=np.float32)
    import dask.array as da

    return da.asarray(before).astype(np.float32) - da.asarray(after).astype(np.float32)
