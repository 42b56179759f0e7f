"""Order of the patches of an epoch with the same number from each image."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from napari_spectrai.learn.data.pool import Samples
from napari_spectrai.plan.patches import Place


def planes_of(samples: Samples, places: Sequence[Place]) -> Tensor:
    """Return for each sample the number of its image (a plane of a cube), shape (n,) on the CPU."""
    starts = [place.base + plane * (place.size // place.padded[0]) for place in places for plane in range(place.padded[0])]
    return torch.bucketize(samples.first.cpu(), torch.tensor(starts), right=True) - 1


def in_turn(order: Tensor, images: Tensor) -> Tensor:
    """Return `order` (n,) rearranged so that it contains one sample of each image, then a second one of each, and so on.

    Parameters
    ----------
    order : Tensor of shape (n,)
        Samples in random order; the order within an image is kept.
    images : Tensor of shape (n,)
        The image of each sample.
    """
    of = images[order]
    grouped = torch.argsort(of, stable=True)
    _, counts = torch.unique_consecutive(of[grouped], return_counts=True)
    turn = torch.arange(len(order)) - torch.repeat_interleave(counts.cumsum(0) - counts, counts)
    turns = torch.empty_like(turn)
    turns[grouped] = turn
    return order[torch.argsort(turns, stable=True)]
