"""What is said of the data of a training before they are learnt, whether they are split once or cross-validated."""

from __future__ import annotations

from collections.abc import Sequence

from napari_spectrai.cube import Cube
from napari_spectrai.experiment import Experiment
from napari_spectrai.experiment.compatibility import truth_unlike_input, unlike_one_another
from napari_spectrai.plan.registration import misplaced
from napari_spectrai.plan.repeats import copied_inputs
from napari_spectrai.plan.row_order import in_another_order
from napari_spectrai.preparation.doubtful_spectra import doubtful_spectra

PAIRS = 16
"""Largest number of pairs of input and truth that are compared."""


def remarks(experiment: Experiment, cubes: Sequence[Cube], truths: Sequence[object]) -> list[str]:
    """Return sentences on truths that do not belong to their inputs, doubtful spectra, copies, and inputs of another scale."""
    together = experiment.data.groups if experiment.split.method in ("auto", "group") else []
    return [
        *_unlike_truths(experiment, cubes, truths),
        *doubtful_spectra(cubes, "are learnt"),
        *copied_inputs(cubes, together),
        *unlike_one_another(cubes, experiment.preparation),
    ]


def _unlike_truths(experiment: Experiment, cubes: Sequence[Cube], truths: Sequence[object]) -> list[str]:
    """Return sentences on pairs that are displaced or show different things, and on truths of another scale or sign."""
    pairs = [(cube, truth) for cube, truth in zip(cubes, truths, strict=False) if isinstance(truth, Cube)]
    names = [repr(truth.name or f"truth {number + 1}") for number, (_, truth) in enumerate(pairs)]
    known = [(name, truth) for name, (_, truth) in zip(names, pairs, strict=True)]
    found: list[str] = []
    for number in range(0, len(pairs), -(-len(pairs) // PAIRS) or 1):
        cube, truth = pairs[number]
        both = names[number], repr(cube.name or f"input {number + 1}")
        if not experiment.task.own_unit:
            found += [truth_unlike_input(cube, truth, experiment.preparation, *both)]
        if cube.is_image:
            others = [*known[:number], *known[number + 1 :]][:PAIRS]
            found += [misplaced(cube, truth, experiment.task.enlarges, *both, others)]
        else:
            found += [in_another_order(cube, truth, *both)]
    found = [sentence for sentence in found if sentence]
    return found if len(found) <= 3 else [*found[:3], f"The same holds for {len(found) - 3} more."]
