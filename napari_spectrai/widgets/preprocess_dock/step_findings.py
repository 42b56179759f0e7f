"""Findings of steps in a layer, such as spikes, counted on a thread."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from qtpy.QtCore import QObject

from napari_spectrai.cube import Cube
from napari_spectrai.preparation import Despike, Spikes, Step, preprocess
from napari_spectrai.widgets.latest_only import LatestOnly

COUNTED = 2**24
"""Largest number of values in which spikes are counted; of larger layers, the middle is searched."""

Found = dict[int, Spikes | str]
"""Findings by the number of the step; a text says why a step failed."""


class Counting:
    """Counts the findings of steps, again whenever layer or steps change.

    Parameters
    ----------
    answered : called with the findings, by the number of the step, and the position where the counted part starts
    """

    def __init__(self, parent: QObject, answered: Callable[[Found, tuple[int, ...]], None]) -> None:
        self._latest = LatestOnly(parent)
        self._wanted: object = None
        self._answered = answered
        self._known: tuple[object, list[Step], Found, tuple[int, ...]] | None = None
        self._latest.answered.connect(self._on_answer)

    def forget(self) -> None:
        """Forget what was found: the data have changed."""
        self._known = None

    def ask(self, cube: Cube | None, wanted: Sequence[Step], source: object) -> bool:
        """Ask for the findings of steps in the cube of a layer, `source`; return whether any step has findings that are not known yet."""
        counting = [number for number, step in enumerate(wanted) if type(step).findings is not Step.findings]
        self._wanted = question = object()
        if cube is None or not counting:
            self._latest.forget()
            return False
        searched = [*wanted[: counting[-1]], everything(wanted[counting[-1]])]
        if self._known is not None and self._known[0] is source and self._known[1] == searched:
            self._latest.forget()
            self._answered(self._known[2], self._known[3])
            return False
        part, begin = middle(cube)
        self._latest.ask(lambda: (question, source, searched, found_by(part, searched), begin))
        return True

    @property
    def busy(self) -> bool:
        """Whether a count is running."""
        return self._latest.busy

    def leave(self) -> None:
        """Stop counting."""
        self._latest.leave()

    def _on_answer(self, answer: tuple[object, object, list[Step], Found, tuple[int, ...]]) -> None:
        question, source, searched, found, begin = answer
        self._known = (source, searched, found, begin)
        if question is self._wanted:
            self._answered(found, begin)


def middle(cube: Cube, values: int = COUNTED) -> tuple[Cube, tuple[int, ...]]:
    """Return the middle of a cube, with a limited number of values, and the position where it starts."""
    share = min(1.0, (values / math.prod(cube.shape)) ** (1 / len(cube.spatial_shape)))
    size = [max(1, int(length * share)) for length in cube.spatial_shape]
    begin = tuple((length - part) // 2 for length, part in zip(cube.spatial_shape, size, strict=True))
    return cube[tuple(slice(b, b + s) for b, s in zip(begin, size, strict=True))], begin


def everything(step: Step) -> Step:
    """Return a step that finds also what a person wants to keep."""
    return step.model_copy(update={"keep": ()}) if isinstance(step, Despike) else step


def found_by(cube: Cube, steps: Sequence[Step]) -> Found:
    """Return the findings of each step in the output of the steps before it, including peaks to keep."""
    counting = [number for number, step in enumerate(steps) if type(step).findings is not Step.findings]
    found: Found = {}
    done = 0
    for number in counting:
        try:
            cube, done = preprocess(cube, steps[done:number]), number
            found[number] = everything(steps[number]).findings(cube)
        except (ValueError, ArithmeticError) as error:  # the preview reports it, too; findings of the other steps are still returned
            found[number] = str(error)
            break
    return found
