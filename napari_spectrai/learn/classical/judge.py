"""Judging methods that see images whole by the pixels that count."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from napari_spectrai.learn.pool import Scene

MOST = 50_000
"""Pixels at most by which a training judges a classifier: its accuracy is then known to a fifth of a percent."""


@torch.no_grad()
def judged(method: Callable[[Tensor], Tensor], scenes: Sequence[Scene], most: int | None = None) -> tuple[Tensor, Tensor]:
    """Return what a method gives for the pixels that count, and their truth: spectra, or probabilities and class numbers from 0.

    `most` is how many pixels at most a classifier of single pixels is asked for, evenly spread.
    """
    results, truths = [], []
    known = [counted(scene) for scene in scenes]
    every = 1 if most is None else max(1, -(-sum(int(counts.sum()) for counts in known) // most))
    for scene, counts in zip(scenes, known, strict=True):
        if scene.y is None or not bool(counts.any()):
            continue
        if scene.y.ndim != 3:
            results.append(method(scene.x)[counts])
            truths.append(scene.y[counts])
            continue
        asked = counts
        if every > 1:
            asked = torch.zeros_like(counts)
            asked.view(-1)[torch.nonzero(counts.reshape(-1))[::every, 0]] = True
        only: Any = getattr(method, "only", None)
        results.append((only(scene.x, asked) if only else method(scene.x)[asked]).softmax(-1))
        truths.append(scene.y[asked] - 1)
    return torch.cat(results), torch.cat(truths)


def counted(scene: Scene) -> Tensor:
    """Return which pixels of a scene count, (z, y, x): of classes, those that have one."""
    return scene.counts & (scene.y > 0) if scene.y is not None and scene.y.ndim == 3 else scene.counts
