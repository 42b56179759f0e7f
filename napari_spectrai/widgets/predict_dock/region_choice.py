"""Choice of a region of a layer: all of it, the visible part, or the bounding box of what another layer marks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from magicgui.widgets import ComboBox
from napari.layers import Image, Labels, Shapes
from napari.viewer import Viewer

from napari_spectrai.widgets.layer_frame import Region
from napari_spectrai.widgets.layers import spectral_position
from napari_spectrai.widgets.spectra_dock.regions import onto_pixels

WHOLE, IN_VIEW = "whole", "visible part"


class RegionChoice:
    """The choice of a region, and its pixels in a layer."""

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self.choice = ComboBox(
            choices=self._offered, value=WHOLE, nullable=True, label="Region", name="region",
            tooltip="the whole layer, the part visible in the canvas, or the bounding box of a Shapes or Labels layer",
        )  # fmt: skip
        self._chosen: Any = WHOLE
        self._name = ""
        self.choice.changed.connect(self._remember)

    def _remember(self, chosen: Any) -> None:
        before = self._chosen
        if chosen is None and (before is None or isinstance(before, str)):
            self._chosen = None
        elif chosen is None:  # chosen by a person, unless napari has rebuilt the list because that layer was removed or renamed
            self._chosen = None if before in self._viewer.layers and str(before.name) == self._name else before
        else:
            self._chosen, self._name = chosen, "" if isinstance(chosen, str) else str(chosen.name)

    def _offered(self, _: Any = None) -> list[tuple[str, Any]]:
        marks = [layer for layer in self._viewer.layers if isinstance(layer, Labels | Shapes)]
        return [("whole", WHOLE), (IN_VIEW, IN_VIEW), *((f"box around {layer.name}", layer) for layer in marks)]

    def refresh(self) -> None:
        """Offer the present layers; a chosen one stays chosen until it is removed, and then none is."""
        kept = self._chosen
        with self.choice.changed.blocked():
            self.choice.reset_choices()
            there = isinstance(kept, str) or (kept is not None and kept in self._viewer.layers)
            self.choice.value = kept if there else None

    def of(self, image: Image) -> Region | None:
        """Return the region in pixels of a layer, with the layer's rotation and shear undone; None: all of it.

        Raises
        ------
        ValueError
            If there is no region: the layer is a set of spectra, or nothing is marked on it.
        """
        chosen = self.choice.value
        if chosen is None:
            gone = f"{self._name!r}, which marked the region, was removed; " if self._name else ""
            raise ValueError(f"{gone}choose a region, or the whole layer")
        if chosen == WHOLE:
            return None
        spatial = [d for d in range(image.ndim) if d != spectral_position(image)]
        if len(spatial) < 2:
            raise ValueError(f"{image.name!r} is a set of spectra, and regions exist for images only; choose the whole layer")
        lengths = [image.data.shape[d] for d in spatial[-2:]]
        corners = self._in_view(image, spatial[-2:]) if chosen == IN_VIEW else _marked(chosen, image)
        where = "the visible part" if chosen == IN_VIEW else repr(chosen.name)
        if not len(corners):
            raise ValueError(f"{where} marks nothing; draw a shape, or choose the whole layer")
        low, high = corners.min(0), corners.max(0)
        if (high < -0.5).any() or (low > np.array(lengths) - 0.5).any():
            raise ValueError(f"{where} does not lie on {image.name!r}; move it there, or choose the whole layer")
        (top, bottom), (left, right) = (_span(float(a), float(b), length) for a, b, length in zip(low, high, lengths, strict=True))
        return None if (top, left) == (0, 0) and [bottom, right] == lengths else ((top, bottom), (left, right))

    def _in_view(self, image: Image, in_plane: list[int]) -> npt.NDArray[np.float64]:
        dims = self._viewer.dims
        lead = dims.ndim - image.ndim
        if dims.ndisplay != 2 or sorted(dims.displayed) != [lead + d for d in in_plane]:
            raise ValueError("the visible part is defined only while the canvas shows the image's plane in 2D; choose another region")
        if not image.visible:
            raise ValueError(f"{image.name!r} is hidden, so no part of it is visible; show it, or choose another region")
        found: npt.NDArray[np.float64] = np.asarray(image.corner_pixels, np.float64)[:, in_plane]
        return found


def _span(low: float, high: float, length: int) -> tuple[int, int]:
    """Return the pixels whose centres lie between two positions, at least one, within the image."""
    first, last = int(np.ceil(low - 1e-6)), int(np.floor(high + 1e-6))
    if last < first:
        first = last = round((low + high) / 2)
    first = min(max(first, 0), length - 1)
    return first, min(max(last, first), length - 1) + 1


def _marked(layer: Labels | Shapes, image: Image) -> npt.NDArray[np.float64]:
    """Return the corners (n, 2) of what is marked, in pixels of the image."""
    places = np.concatenate([*_of_labels(layer)] if isinstance(layer, Labels) else [np.zeros((0, 2)), *_of_shapes(layer)])
    return onto_pixels(image, layer)(places) if len(places) else places


def _of_labels(layer: Labels) -> Iterator[npt.NDArray[np.float64]]:
    data = np.asarray(layer.data[0] if layer.multiscale else layer.data)
    marked: npt.NDArray[np.bool_] = np.any(data != 0, axis=tuple(range(data.ndim - 2)))
    rows, columns = np.flatnonzero(np.any(marked, axis=1)), np.flatnonzero(np.any(marked, axis=0))
    if not rows.size:
        yield np.zeros((0, 2))
        return
    # the edges of the marked pixels: between finer pixels they enclose more than the centres
    inset = 0.5 - 1e-3
    ends = [(float(found[0]) - inset, float(found[-1]) + inset) for found in (rows, columns)]
    yield np.array([[y, x] for y in ends[0] for x in ends[1]])


def _of_shapes(layer: Shapes) -> Iterator[npt.NDArray[np.float64]]:
    for vertices in layer.data:
        yield np.asarray(vertices, np.float64)[:, -2:]
