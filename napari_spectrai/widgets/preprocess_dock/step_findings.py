"""Findings of steps in a layer, such as spikes, counted on a thread and shown next to the step."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from magicgui.widgets import Container, PushButton
from napari.layers import Image, Points
from napari.viewer import Viewer
from qtpy.QtCore import QObject

from napari_spectrai.cube import Cube
from napari_spectrai.preparation import Spikes, Step, preprocess
from napari_spectrai.widgets.dock import line, text
from napari_spectrai.widgets.latest_only import LatestOnly
from napari_spectrai.widgets.layers import spectral_position

COUNTED = 2**24
"""Largest number of values in which spikes are counted; of larger layers, the middle is searched."""


class Finding(Container[Any]):
    """The findings of one step, in words, and a button that shows them."""

    def __init__(self) -> None:
        self.words = text("found")
        self.show_button = PushButton(text="Show", name="show_found", tooltip="mark them in the image with a Points layer")
        row = line(self.words, self.show_button)
        row.native.layout().setStretch(0, 1)
        super().__init__(widgets=[row], labels=False)
        self.margins = (20, 0, 0, 0)
        self.found: Spikes | None = None
        self.visible = False

    def say(self, words: str, found: Spikes | None = None) -> None:
        """Show words, and the button if there is something to show."""
        self.words.value, self.found = words, found
        self.visible = bool(words)
        self.show_button.visible = bool(words) and found is not None and len(found) > 0


class Counting:
    """Counts the findings of steps, again whenever layer or steps change.

    Parameters
    ----------
    answered : called with the findings, by the number of the step, and the position where the counted part starts
    """

    def __init__(self, parent: QObject, answered: Callable[[dict[int, Spikes | str], tuple[int, ...]], None]) -> None:
        self._latest = LatestOnly(parent)
        self._wanted: object = None
        self._answered = answered
        self._latest.answered.connect(self._on_answer)

    def ask(self, cube: Cube | None, wanted: Sequence[Step]) -> bool:
        """Ask for the findings of steps in a cube; return whether any step has findings."""
        counts = cube is not None and any(type(step).findings is not Step.findings for step in wanted)
        self._wanted = question = object()
        if cube is None or not counts:
            self._latest.forget()
            return False
        part, begin = middle(cube)
        steps = list(wanted)
        self._latest.ask(lambda: (question, found_by(part, steps), begin))
        return True

    @property
    def busy(self) -> bool:
        """Whether a count is running."""
        return self._latest.busy

    def leave(self) -> None:
        """Stop counting."""
        self._latest.leave()

    def _on_answer(self, answer: tuple[object, dict[int, Spikes | str], tuple[int, ...]]) -> None:
        question, found, begin = answer
        if question is self._wanted:
            self._answered(found, begin)


def middle(cube: Cube, values: int = COUNTED) -> tuple[Cube, tuple[int, ...]]:
    """Return the middle of a cube, with a limited number of values, and the position where it starts."""
    share = min(1.0, (values / math.prod(cube.shape)) ** (1 / len(cube.spatial_shape)))
    size = [max(1, int(length * share)) for length in cube.spatial_shape]
    begin = tuple((length - part) // 2 for length, part in zip(cube.spatial_shape, size, strict=True))
    return cube[tuple(slice(b, b + s) for b, s in zip(begin, size, strict=True))], begin


def found_by(cube: Cube, steps: Sequence[Step]) -> dict[int, Spikes | str]:
    """Return the findings of each step in the output of the steps before it, by number; a text says why a step failed."""
    counting = [number for number, step in enumerate(steps) if type(step).findings is not Step.findings]
    found: dict[int, Spikes | str] = {}
    done = 0
    for number in counting:
        try:
            cube, done = preprocess(cube, steps[done:number]), number
            found[number] = steps[number].findings(cube)
        except (ValueError, ArithmeticError) as error:  # the preview reports it, too; findings of the other steps are still returned
            found[number] = str(error)
            break
    return found


def mark(viewer: Viewer, layer: Image, found: Spikes, begin: tuple[int, ...]) -> Points:
    """Add a Points layer at the spikes of a layer."""
    places = np.insert((found.pixel + np.asarray(begin)).astype(float), spectral_position(layer), found.band, axis=1)
    points: Points = viewer.add_points(
        places, name=f"{layer.name} · spikes", scale=layer.scale, translate=layer.translate, rotate=layer.rotate, shear=layer.shear,
        units=layer.units, axis_labels=layer.axis_labels, face_color="transparent", border_color="#ff5555", size=3,
        features={"height": found.height, "position": found.position},
    )  # fmt: skip
    return points
