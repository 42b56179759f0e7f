"""Section of the Spectra dock: images from bands."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from magicgui.widgets import CheckBox, Container, LineEdit, PushButton
from napari.layers import Image
from napari.viewer import Viewer
from psygnal import Signal
from superqt.utils import thread_worker

from napari_spectrai.cube import Cube
from napari_spectrai.summary import band_image, band_ratio, composite, covers_visible, true_colour
from napari_spectrai.widgets import shared_range
from napari_spectrai.widgets.dock import line, message, rows, say, text
from napari_spectrai.widgets.fold_box import FoldBox
from napari_spectrai.widgets.layer_frame import lie_over
from napari_spectrai.widgets.layers import add_cube, as_cube, placing, spectral_position
from napari_spectrai.widgets.plot import Plot

_NUMBER = r"\s*(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)\s*"
Range = tuple[float, float]


def parse_range(words: str) -> Range:
    """Return low and high of ``"1000-1010"`` (any dash, or ``..``).

    Raises
    ------
    ValueError
        If it is not a range.
    """
    match = re.fullmatch(rf"{_NUMBER}(?:-|–|\.\.|to){_NUMBER}", words)
    if not match:
        raise ValueError(f"{words!r} is not a range; write it as 1000–1010")
    low, high = float(match.group(1)), float(match.group(2))
    return min(low, high), max(low, high)


class BandTools(Container[Any]):
    """Images from bands: a range as an image, a ratio of two, a crop, and colours."""

    done = Signal(str)

    def __init__(self, viewer: Viewer, plot: Plot) -> None:
        self._viewer, self._plot = viewer, plot
        self._layer: Image | None = None
        self._positions: npt.NDArray[np.float64] = np.zeros(0)
        self.pick = CheckBox(
            value=False,
            text="Select a range in the plot",
            name="pick",
            tooltip="show a range in the plot whose ends can be dragged; a band map in the Maps dock follows it",
        )
        self.range = LineEdit(value="", label="Range", name="range", tooltip="first and last position in the unit shown, such as 1000–1010")
        self.by = LineEdit(value="", label="Divide by", name="by", tooltip="a second range, the denominator of the ratio")
        self.colours = LineEdit(
            value="", label="Red, green, blue", name="colours", tooltip="positions of the three bands, in the unit shown"
        )
        self._buttons = {
            "mean": PushButton(text="Band image", name="band_image", tooltip="mean over the range, as a new layer"),
            "area": PushButton(text="Area image", name="area_image", tooltip="area under the range, in intensity × unit, as a new layer"),
            "ratio": PushButton(
                text="Ratio", name="ratio", tooltip="mean of the range divided by the mean of the second range, as a new layer"
            ),
            "crop": PushButton(text="Crop", name="crop", tooltip="a new layer of these bands only; it shares the source's memory"),
            "rgb": PushButton(text="RGB", name="rgb", tooltip="a new layer with the three bands as red, green and blue"),
            "true": PushButton(
                text="True colour", name="true_colour", tooltip="colours as seen by the eye, as a new layer; needs bands from 430 to 670 nm"
            ),
        }
        self._problem, self._status = message(), text("band_status")
        self._status.visible = False
        inside = [
            self.pick, rows(self.range, self.by), line(*(self._buttons[b] for b in ("mean", "area"))),
            line(*(self._buttons[b] for b in ("ratio", "crop"))), rows(self.colours),
            line(*(self._buttons[b] for b in ("rgb", "true"))), self._problem, self._status,
        ]  # fmt: skip
        super().__init__(widgets=[FoldBox("Images from bands", inside)], labels=False, name="tools")
        self.margins = (0, 0, 0, 0)
        self.pick.changed.connect(self._on_pick)
        self.range.changed.connect(self._on_typed)
        for what, button in self._buttons.items():
            button.changed.connect(lambda _=None, what=what: self.make(what))
        self.use(None, None)

    def use(self, layer: Image | None, positions: npt.NDArray[np.float64] | None) -> None:
        """Use another layer, whose bands are shown at `positions`."""
        changed = layer is not self._layer or positions is None or not np.array_equal(positions, self._positions)
        self._layer = layer
        self._positions = np.zeros(0) if positions is None else positions
        cube = None if layer is None else as_cube(layer)
        for what, button in self._buttons.items():
            button.enabled = cube is not None and (what == "crop" or cube.is_image)
        self._buttons["true"].enabled = cube is not None and cube.is_image and covers_visible(cube.axis)
        if changed and cube is not None and positions is not None and positions.size:
            low, high = float(positions.min()), float(positions.max())
            with self.range.changed.blocked():
                self.range.value = f"{low + (high - low) * 0.45:.5g}–{low + (high - low) * 0.55:.5g}"
            order = (0.8, 0.5, 0.2) if cube.axis.unit in ("nm", "um", "") else (0.2, 0.5, 0.8)
            self.colours.value = ", ".join(f"{low + (high - low) * share:.5g}" for share in order)
            self.by.value = ""
            self._on_typed()

    def _on_pick(self, on: bool) -> None:  # noqa: FBT001
        if on:
            self._on_typed()
        else:
            self._plot.axis_tools.range(None, None)

    def _on_typed(self, _: Any = None) -> None:
        try:
            low, high = parse_range(self.range.value)
        except ValueError:
            return
        if self.pick.value:
            self._plot.axis_tools.range(low, high, self._on_dragged, self._on_dragging)

    def _on_dragged(self, low: float, high: float) -> None:
        with self.range.changed.blocked():
            self.range.value = f"{low:.6g}–{high:.6g}"
        self._share(low, high, ended=True)

    def _on_dragging(self, low: float, high: float) -> None:
        self._share(low, high, ended=False)

    def _share(self, low: float, high: float, *, ended: bool) -> None:
        """Let a band map in the Maps dock follow the range."""
        layer = self._layer
        inside = (self._positions >= low) & (self._positions <= high)
        if layer is not None and inside.sum() > 1 and len(self._positions) == layer.data.shape[spectral_position(layer)]:
            shared_range.dragged.emit(layer, *self._native((low, high)), ended)

    def _native(self, wanted: Range) -> Range:
        """Return the range, in the unit of the layer's axis, that covers the bands shown inside `wanted`."""
        assert self._layer is not None  # noqa: S101
        axis = as_cube(self._layer).axis
        if len(axis) != len(self._positions):
            raise ValueError(f"{self._layer.name!r} now has {len(axis)} bands; select it again")
        inside = (self._positions >= wanted[0]) & (self._positions <= wanted[1])
        if not inside.any():
            raise ValueError(
                f"no band lies in {wanted[0]:g}–{wanted[1]:g}; the layer has bands at {self._positions.min():g}–{self._positions.max():g}"
            )
        return float(axis.values[inside].min()), float(axis.values[inside].max())

    def make(self, what: str) -> None:
        """Make a layer: ``"mean"``, ``"area"``, ``"ratio"``, ``"crop"``, ``"rgb"`` or ``"true"``."""
        layer = self._layer
        if layer is None or not self._buttons[what].enabled:
            return
        say(self._problem, "")
        try:
            work, name = self._work(what, as_cube(layer))
        except ValueError as error:
            say(self._problem, str(error))
            return
        if what == "crop":
            lie_over(add_cube(self._viewer, work(), name=f"{layer.name} · {name}", colormap=layer.colormap.name), layer)
            self.done.emit(name)
            return
        self._status.value, self._status.visible = f"making {name} …", True
        worker = thread_worker(work)()  # type: ignore[no-untyped-call]
        worker.returned.connect(lambda data: self._add(data, layer, name))
        worker.errored.connect(lambda error: say(self._problem, str(error)))
        worker.finished.connect(lambda: setattr(self._status, "visible", False))
        worker.start()

    def _work(self, what: str, cube: Cube) -> tuple[Callable[[], Any], str]:
        if what == "true":
            return lambda: true_colour(cube), "true colour"
        if what == "rgb":
            numbers = [float(n) for n in re.findall(r"-?\d+(?:\.\d+)?", self.colours.value)]
            if len(numbers) != 3:
                raise ValueError(f"{self.colours.value!r} does not name three positions; write them as 650, 550, 450")
            at = tuple(float(cube.axis.values[int(np.abs(self._positions - number).argmin())]) for number in numbers)
            return lambda: composite(cube, (at[0], at[1], at[2])), f"RGB {', '.join(f'{number:g}' for number in numbers)}"
        wanted = parse_range(self.range.value)
        low, high = self._native(wanted)
        name = f"{wanted[0]:g}–{wanted[1]:g}"
        if what == "crop":
            bands = cube.axis.window(low, high)
            part = slice(int(bands[0]), int(bands[-1]) + 1)
            return lambda: cube.with_data(cube.data[..., part], axis=cube.axis.take(part)), name
        if what == "ratio":
            below = parse_range(self.by.value)
            other = self._native(below)
            return lambda: np.asarray(band_ratio(cube, (low, high), other)), f"{name} ÷ {below[0]:g}–{below[1]:g}"
        return lambda: np.asarray(band_image(cube, low, high, integrate=what == "area")), f"{'area ' if what == 'area' else ''}{name}"

    def _add(self, data: npt.NDArray[Any], source: Image, name: str) -> None:
        keep = [d for d in range(source.ndim) if d != spectral_position(source)]
        options: dict[str, Any] = {
            "name": f"{source.name} · {name}", "metadata": {"spectral": False}, "axis_labels": [source.axis_labels[d] for d in keep],
            **placing(source, keep),
        }  # fmt: skip
        if data.ndim > len(keep):
            self._viewer.add_image(data, rgb=True, **options)
        else:
            self._viewer.add_image(data, colormap="viridis", **options)
        self.done.emit(name)
