"""Selection of the radius for smoothing class probabilities along edges, by the out-of-fold loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from napari_spectrai.learn.automatic.choice import LEAST, Choice, difference, losses_of, probabilities
from napari_spectrai.learn.automatic.comparison import Comparison, FoldOutcome
from napari_spectrai.learn.mixture.guided_filter import components, guided_filter

RADII = (2, 5, 9)
"""Radii that are tried, in pixels; those above a quarter of the image are not."""
MOST_VALUES = 2**28
"""Number of probabilities of a whole image times folds above which smoothing is not tried."""


def best_radius(comparison: Comparison, members: Sequence[FoldOutcome], choice: Choice) -> tuple[int, Choice, str]:
    """Return the radius with the smallest out-of-fold loss, 0 if no radius improves on no smoothing.

    A standard error is not required, as it is for candidates: neighbouring pixels of one class have this in common whatever the distance
    from the labels, so that smoothing carries less risk than a more flexible method (compared in docs/defaults.md).

    Returns
    -------
    radius : int
    choice : Choice
        With the smoothed predictions.
    why : str
        The reason in one sentence; empty if the image is too large to try.
    """
    bench, held = comparison.bench, comparison.held
    data = bench.base
    sides = min(min(place.shape[1:]) for place in data.places)
    radii = [radius for radius in RADII if 4 * radius <= sides]
    pixels = sum(place.size for place in data.places)
    if not radii or pixels * data.out * len(comparison.maps) > MOST_VALUES:
        return 0, choice, ""
    mean, basis = components(data.inputs[data.inputs.any(-1)])
    guides = [((scene.x - mean) @ basis, scene.x.any(-1)) for scene in data.scenes()]
    smoothed: dict[int, list[Tensor]] = {radius: [] for radius in (0, *radii)}
    for fold, asked in comparison.folds_asked():
        weights, temperatures = choice.crossed.by_fold[fold]
        planes: list[Tensor] | None = None
        for outcome, weight, temperature in zip(members, weights, temperatures, strict=True):
            own = [weight * probabilities(p, temperature) for p in bench.planes(outcome.candidate, outcome.modules[fold])]
            planes = own if planes is None else [a + b for a, b in zip(planes, own, strict=True)]
        assert planes is not None  # noqa: S101
        for radius, kept in smoothed.items():
            filtered = zip(planes, guides, strict=True)
            done = [guided_filter(p.float(), guide, radius, known) if radius else p.float() for p, (guide, known) in filtered]
            kept.append(torch.cat([d[a] for d, a in zip(done, asked, strict=True)]))
    warmth = choice.crossed.temperature
    outputs = {radius: probabilities(torch.cat(kept).clamp(min=LEAST).log(), warmth) for radius, kept in smoothed.items()}
    losses = {radius: losses_of(output, held) for radius, output in outputs.items()}
    best = min(radii, key=lambda radius: float(losses[radius].mean()))
    gap, error = difference(losses[0], losses[best], held.unit)
    if gap <= 0:
        return 0, choice, "Smoothing along edges does not lower the out-of-fold loss, so it is not used."
    why = (
        f"Probabilities are smoothed along edges with a radius of {best} px: the out-of-fold loss is lower by {gap:.2g} ± {error:.2g}. "
        "To predict without smoothing, give the setting radius=0."
    )
    return best, replace(choice, crossed=replace(choice.crossed, output=outputs[best])), why
