"""Pinned spectra: the points of a Points layer, each in its own colour, with a list to rename, hide and remove them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from magicgui.widgets import CheckBox, ComboBox, Container, LineEdit, PushButton
from napari.layers import Image, Layer, Points
from napari.utils.colormaps.standardize_color import rgb_to_hex
from napari.viewer import Viewer
from psygnal import Signal

from napari_spectrai.widgets.colours import Tinted
from napari_spectrai.widgets.dock import line
from napari_spectrai.widgets.layers import as_cube, pixel_at, placing, spectral_position
from napari_spectrai.widgets.plot import CYCLE
from napari_spectrai.widgets.spectra_dock.region_means import Watch

NAME = "name"
"""Column of a Points layer's features with the names of its points."""
MOST_ROWS = 20
_SHARE = 40
"""Number of pins that would cover the shorter side of an image."""
_STILL = 4
"""Pixels of the screen that the mouse may move during a click."""


def names_of(points: Points) -> list[str]:
    """Return the names of points: those in its features, else their numbers; each is unique."""
    given = list(points.features[NAME]) if NAME in points.features else []
    used: dict[str, int] = {}
    names = []
    for number in range(len(points.data)):
        own = given[number] if number < len(given) else None
        name = own if isinstance(own, str) and own.strip() else f"point {number + 1}"
        used[name] = used.get(name, 0) + 1
        names.append(name if used[name] == 1 else f"{name} ({used[name]})")
    return names


def colours_of(points: Points) -> list[str]:
    """Return a colour for each point: its own where points differ, else one after the other."""
    count = len(points.data)
    own = [str(one)[:7] for one in rgb_to_hex(np.atleast_2d(points.face_color))] if count else []
    return own if len(set(own)) > 1 or (count == 1 and own != ["#ffffff"]) else [CYCLE[number % len(CYCLE)] for number in range(count)]


class PinList(Container[Any]):
    """The choice of a Points layer, and a row for each of its points.

    Parameters
    ----------
    main : returns the layer whose spectra are pinned by a click

    Signals
    -------
    updated : there are other points, names or colours
    """

    updated = Signal()

    def __init__(self, viewer: Viewer, main: Callable[[], Image | None]) -> None:
        self._viewer, self._main = viewer, main
        self._watch = Watch(self._on_data)
        self._own = False
        self.choice = ComboBox(
            choices=lambda _: [layer for layer in viewer.layers if isinstance(layer, Points)], nullable=True, value=None,
            label="Points", name="points", tooltip="a Points layer whose spectra are drawn permanently; a click on the image adds a point",
        )  # fmt: skip
        super().__init__(labels=False, name="pins")
        self.margins = (0, 0, 0, 0)
        self.native.layout().setSpacing(2)
        self.visible = False
        self.choice.changed.connect(self._on_choice)

    @property
    def layer(self) -> Points | None:
        """The Points layer."""
        return self._watch.layer

    def leave(self) -> None:
        """Disconnect from the layer."""
        self._watch.follow(None)

    def on_layers(self) -> None:
        """Offer the present layers; the chosen one stays chosen."""
        kept: Layer | None = self._watch.layer
        with self.choice.changed.blocked():
            self.choice.reset_choices()
            self.choice.value = kept if kept is not None and kept in self._viewer.layers else None
        if self.choice.value is None and kept is not None:
            self._on_choice(None)

    def _on_choice(self, layer: Points | None) -> None:
        self._watch.follow(layer)
        self._on_data()

    def _on_data(self, _: Any = None) -> None:
        if not self._own:
            self._show_rows()
            self.updated.emit()

    # ---------------------------------------------------------------- the list

    def _show_rows(self) -> None:
        self.clear()
        points = self.layer
        if points is not None:
            for number, (name, colour) in enumerate(zip(names_of(points)[:MOST_ROWS], colours_of(points), strict=False)):
                self.append(self._row(points, number, name, colour))
        self.visible = points is not None and len(self) > 0

    def _row(self, points: Points, number: int, name: str, colour: str) -> Any:
        shown = CheckBox(
            value=bool(np.broadcast_to(points.shown, len(points.data))[number]), text="■", tooltip="show or hide this spectrum"
        )
        Tinted(shown.native, colour)
        field = LineEdit(value=name, tooltip="name of this spectrum, in tables and in the layer")
        field.native.setAccessibleName(f"name of {name}")
        gone = PushButton(text="✕", tooltip="remove this spectrum and its point")
        gone.native.setFixedWidth(24)
        gone.native.setStyleSheet("padding: 2px 0px;")
        gone.native.setAccessibleName(f"remove {name}")
        shown.native.setAccessibleName(f"show {name}")
        row = line(shown, field, gone)
        row.native.layout().setSpacing(2)
        row.native.layout().setStretch(1, 1)
        shown.changed.connect(lambda on: self._hide(number, hidden=not on))
        field.native.editingFinished.connect(lambda: self.rename(number, str(field.value)))
        gone.changed.connect(lambda: self.take_out(number))
        return row

    def _hide(self, number: int, *, hidden: bool) -> None:
        points = self.layer
        if points is not None:
            shown = np.array(np.broadcast_to(points.shown, len(points.data)), bool)
            shown[number] = not hidden
            points.shown = shown
            self.updated.emit()

    def rename(self, number: int, name: str) -> None:
        """Give a point a name, which is kept in the features of its layer."""
        points = self.layer
        if points is None or number >= len(points.data) or names_of(points)[number] == name:
            return
        self._write_names({number: name})
        self._on_data()

    def take_out(self, number: int) -> None:
        """Remove a point."""
        points = self.layer
        if points is not None and number < len(points.data):
            points.selected_data = {number}
            points.remove_selected()

    def _write_names(self, given: dict[int, str]) -> None:
        points = self.layer
        assert points is not None  # noqa: S101
        features = points.features.copy()
        known = list(features[NAME]) if NAME in features else [""] * len(points.data)
        features[NAME] = [given.get(number, one if isinstance(one, str) else "") for number, one in enumerate(known)]
        points.features = features

    def visible_points(self) -> list[tuple[int, str, str]]:
        """Return number, name and colour of the points that are shown."""
        points = self.layer
        if points is None:
            return []
        shown = np.broadcast_to(points.shown, len(points.data))
        return [
            (number, name, colour)
            for number, (name, colour) in enumerate(zip(names_of(points), colours_of(points), strict=True))
            if shown[number]
        ]

    # ---------------------------------------------------------------- clicks on the canvas

    def on_press(self, viewer: Viewer, event: Any) -> Iterator[None]:
        """Pin the spectrum at a click; a drag moves the image as usual."""
        active = viewer.layers.selection.active
        usable = isinstance(active, Image) or (active is not None and active is self.layer)
        if event.button != 1 or event.modifiers or not usable or str(active.mode) != "pan_zoom":
            return
        start, world, moved = np.array(event.pos), tuple(event.position), False
        yield
        while event.type == "mouse_move":
            moved = moved or bool(np.abs(np.array(event.pos) - start).max() > _STILL)
            yield
        if not moved:
            self.pin(world)

    def pin(self, world: tuple[float, ...]) -> None:
        """Add a point at a place in world coordinates, if it lies on the layer; without a Points layer, one is made."""
        image = self._main()
        if image is None or len(world) < image.ndim or pixel_at(image, world[-image.ndim :]) is None:
            return
        cube = as_cube(image)
        keep = [d for d in range(image.ndim) if d != spectral_position(image)][-2:] if cube.is_image else list(range(image.ndim))
        place = np.rint(np.asarray(image.world_to_data(world[-image.ndim :])))[keep]
        self._own = True
        try:
            points = self.layer if self.layer is not None and self.layer.ndim == len(keep) else self._made(image, keep)
            offset = np.asarray(points.world_to_data(image.data_to_world(self._corner(image, keep, place))[-points.ndim :]))
            number = len(points.data)
            points.selected_data = set()
            points.current_face_color = CYCLE[number % len(CYCLE)]
            points.add(offset)
            points.selected_data = set()
            spatial = place if cube.is_image else np.delete(place, spectral_position(image))
            axes = ("y", "x") if cube.is_image else ("spectrum",)
            self._write_names({number: ", ".join(f"{axis} {int(c)}" for axis, c in zip(axes, spatial, strict=True))})
        finally:
            self._own = False
        self._on_data()

    @staticmethod
    def _corner(image: Image, keep: list[int], place: Any) -> list[float]:
        """Return a place in the data of the image, at the first band."""
        whole = [0.0] * image.ndim
        for dimension, c in zip(keep, place, strict=True):
            whole[dimension] = float(c)
        return whole

    def _made(self, image: Image, keep: list[int]) -> Points:
        selected = self._viewer.layers.selection.active
        points: Points = self._viewer.add_points(
            np.zeros((0, len(keep))), name="pins", size=max(1.0, min(image.data.shape[d] for d in keep) / _SHARE), face_color=CYCLE[0],
            border_color="white", features={NAME: np.zeros(0, object)}, **placing(image, keep),
        )  # fmt: skip
        points.mode = "pan_zoom"
        self._viewer.layers.selection.active = selected
        self.choice.reset_choices()
        with self.choice.changed.blocked():
            self.choice.value = points
        self._watch.follow(points)
        return points
