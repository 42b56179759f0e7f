"""List of check boxes for the layers to evaluate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from magicgui.widgets import CheckBox, Container, Label
from napari.layers import Image, Labels, Layer
from psygnal import Signal
from qtpy.QtCore import QEvent, QObject, Qt

from napari_spectrai.widgets.layers import as_cube
from napari_spectrai.widgets.scrolling import Scrolling

WIDTH = 320
"""Largest width of a layer's name, in pixels."""
HEIGHT = 160
"""Largest height of the list, in pixels; a longer one scrolls, so that what is chosen below it stays near."""


class ResultBoxes(Container[Any]):
    """A check box for each layer; only layers of the same kind as those ticked are enabled.

    Signals
    -------
    ticked : the selection has changed
    """

    ticked = Signal()

    def __init__(self) -> None:
        self.of: dict[Layer, CheckBox] = {}
        self.by_hand = False
        """Whether a person, or a script, made the selection."""
        self._offered: list[tuple[Layer, str]] = []
        self._filling = False
        super().__init__(name="boxes_to_tick", labels=False)
        self.margins = (0, 0, 0, 0)

    def offer(self, layers: Sequence[Layer]) -> None:
        """Offer these layers; ticked ones stay ticked. Boxes of layers that stay are kept: making one takes milliseconds."""
        offered = [(layer, str(layer.name)) for layer in layers]
        if offered == self._offered:
            return
        self._offered = offered
        for layer in self.of.keys() - set(layers):
            self.remove(self.of.pop(layer))
        if not len(self):
            self.append(Label(value="Evaluate", tooltip="the layers to evaluate; several are compared in one table"))
        self.of = {layer: self.of[layer] if layer in self.of else self._box() for layer in layers}
        for place, (layer, box) in enumerate(self.of.items(), 1):
            if place >= len(self) or self[place] is not box:
                if box in list(self):
                    self.remove(box)
                self.insert(place, box)
            # without a name: a layer named "visible" would hide an attribute of the container
            box.tooltip = f"{layer.name}: {_about(layer)}"
            box.text = box.native.fontMetrics().elidedText(layer.name, Qt.TextElideMode.ElideMiddle, WIDTH).replace("&", "&&")
        self.by_hand = self.by_hand and bool(self.layers)
        self._refuse_others()

    def _box(self) -> CheckBox:
        box = CheckBox(value=False)
        box.changed.connect(self._on_box)
        return box

    @property
    def layers(self) -> list[Layer]:
        """The ticked layers."""
        return [layer for layer, box in self.of.items() if box.value]

    def tick(self, layers: Sequence[Layer], *, by_hand: bool = True) -> None:
        """Tick these layers and no others."""
        self._filling = True
        for layer, box in self.of.items():
            box.value = layer in layers
        self._filling = False
        self._on_box(by_hand=by_hand)

    def _on_box(self, _: Any = None, *, by_hand: bool = True) -> None:
        if not self._filling:
            self.by_hand = by_hand
            self._refuse_others()
            self.ticked.emit()

    def _refuse_others(self) -> None:
        first = next(iter(self.layers), None)
        for layer, box in self.of.items():
            box.enabled = first is None or isinstance(layer, Labels) == isinstance(first, Labels)


class ShortList(Container[Any]):
    """Shows the list as high as it is, up to a limit from which on it scrolls."""

    def __init__(self, boxes: ResultBoxes) -> None:
        super().__init__(labels=False, name="short_list")
        self.margins = (0, 0, 0, 0)
        self.area = Scrolling()
        self.area.setWidget(boxes.native)
        self.native.layout().addWidget(self.area)
        self._height = _Height(self.area)


class _Height(QObject):
    """Keeps an area as high as its content, up to the limit."""

    def __init__(self, area: Scrolling) -> None:
        super().__init__(area)
        self._area = area
        self._inner = area.widget()
        assert self._inner is not None  # noqa: S101  # it was just set
        self._inner.installEventFilter(self)

    def eventFilter(self, watched: Any, event: Any) -> bool:  # noqa: N802
        """Follow the boxes that come and go, and their font."""
        if event.type() in (QEvent.Type.LayoutRequest, QEvent.Type.Show, QEvent.Type.StyleChange, QEvent.Type.FontChange):
            border = 2 * self._area.frameWidth()  # of the theme
            self._area.setFixedHeight(min(HEIGHT, watched.sizeHint().height() + border))
        return False


def _about(layer: Layer) -> str:
    if isinstance(layer, Image):
        cube = as_cube(layer)
        return f"{' × '.join(map(str, cube.spatial_shape))}, {cube.axis.describe()}; evaluate it against a truth"
    return f"classes, {' × '.join(map(str, layer.data.shape))}; evaluate them against the true ones"
