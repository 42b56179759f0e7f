"""Truths that do not coincide with their inputs: aligned where a person has agreed, otherwise offered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from napari_spectrai.cube import Cube
from napari_spectrai.experiment import Experiment
from napari_spectrai.plan.pairing import paired
from napari_spectrai.spec import Problem
from napari_spectrai.widgets.train_dock.pair_row import PairRow


def aligned(
    experiment: Experiment, chosen: Sequence[PairRow], cubes: list[Cube], truths: list[Any]
) -> tuple[list[Cube], list[Any], list[Problem], list[str]]:
    """Return cubes and truths for the training, the problems, and notes on what was aligned.

    Parameters
    ----------
    experiment : Experiment
    chosen : rows of the pairs, which offer the alignment, and know what a person has agreed to
    cubes, truths : as converted from the layers, one per row
    """
    cubes, truths = list(cubes), list(truths)
    found: list[Problem] = []
    notes: list[str] = []
    for number, pair in enumerate(chosen):
        one = paired(experiment.task, cubes[number], truths[number])
        if one.alike is not None and one.trouble == pair.agreed:
            truths[number] = one.alike
        elif one.alike is not None:
            pair.offer(one.trouble, pixels=True)
            found.append(Problem("truth", f"{one.trouble.partition(';')[0]}; if they show the same pixels, pair them pixel by pixel."))
        elif one.trouble:
            found.append(Problem("truth", f"{one.trouble}, or choose 'pixels' as the pairing under Patches and groups"))
        elif one.words and one.words != pair.agreed:
            pair.offer(one.words)
            found.append(Problem("truth", one.words.replace(": paired by position", "; aligned by position", 1)))
        else:
            cubes[number], truths[number] = one.cube, one.truth
            notes += [one.words] if one.words else []
    return cubes, truths, found, notes
