"""Judging methods that see images whole by the pixels that count."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from napari_spectrai.learn.pool import Scene


@torch.no_grad()
def judged(method: Callable[[Tensor], Tensor], scenes: Sequence[Scene]) -> tuple[Tensor, Tensor]:
    """Return what a method gives for the pixels that count, and their truth: spectra, or probabilities and class numbers from 0."""
    results, truths = [], []
    for scene in scenes:
        if scene.y is None or not bool(scene.counts.any()):
            continue
        of_classes = scene.y.ndim == 3
        counts = scene.counts & (scene.y > 0) if of_classes else scene.counts
        # what looks at single spectra need not map those that are not judged
        alone = not getattr(getattr(method, "spec", None), "images", True)
        output = method(scene.x[counts][None, :, None])[0, :, 0] if alone else method(scene.x)[counts]
        results.append(output.softmax(-1) if of_classes else output)
        truths.append(scene.y[counts] - 1 if of_classes else scene.y[counts])
    return torch.cat(results), torch.cat(truths)
