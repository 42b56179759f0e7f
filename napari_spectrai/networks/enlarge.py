"""Between coarse and sharp images: enlarging, and the degradation it has to undo. Batches are ``(N, y, x, λ)``."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def bicubic(batch: Tensor, times: int) -> Tensor:
    """Return the batch with `times` as many pixels a side, by bicubic interpolation (Keys 1981, doi:10.1109/TASSP.1981.1163711)."""
    size = [length * times for length in batch.shape[1:3]]
    large = functional.interpolate(batch.permute(0, 3, 1, 2), size=size, mode="bicubic", align_corners=False)
    return large.permute(0, 2, 3, 1)


def degraded(batch: Tensor, times: int) -> Tensor:
    """Return the batch with one pixel for `times` a side, by antialiased bicubic reduction."""
    size = [length // times for length in batch.shape[1:3]]
    small = functional.interpolate(batch.permute(0, 3, 1, 2), size=size, mode="bicubic", align_corners=False, antialias=True)
    return small.permute(0, 2, 3, 1)


def back_projected(result: Tensor, coarse: Tensor, times: int, rounds: int = 5) -> Tensor:
    """Return `result` changed so that its degradation is nearly `coarse` (Irani & Peleg 1991, doi:10.1016/1049-9652(91)90045-L)."""
    for _ in range(rounds):
        result = result + bicubic(coarse - degraded(result, times), times)
    return result


def lanczos_weights(times: int, lobes: int = 3) -> Tensor:
    """Return the weights (times, 2·lobes) of the nearest pixels for each of the `times` places inside a pixel."""
    places = (torch.arange(times, dtype=torch.float64) + 0.5) / times - 0.5
    steps = torch.arange(-lobes + 1, lobes + 1, dtype=torch.float64)
    distance = torch.where(places < 0, places + 1, places)[:, None] - steps
    weights = torch.sinc(distance) * torch.sinc(distance / lobes) * (distance.abs() < lobes)
    return (weights / weights.sum(1, keepdim=True)).float()


def lanczos(batch: Tensor, times: int, lobes: int = 3) -> Tensor:
    """Return the batch with `times` as many pixels a side, by a windowed sinc over `lobes` lobes to each side (Duchon 1979)."""
    weights = lanczos_weights(times, lobes).to(batch)
    before = [place < 0 for place in ((number + 0.5) / times - 0.5 for number in range(times))]
    for dimension in (1, 2):
        length = batch.shape[dimension]
        centre = torch.arange(length, device=batch.device)
        parts = []
        for number in range(times):
            start = centre - 1 if before[number] else centre
            total = torch.zeros_like(batch)
            for weight, step in zip(weights[number], range(-lobes + 1, lobes + 1), strict=True):
                total = total + weight * batch.index_select(dimension, (start + step).clamp(0, length - 1))
            parts.append(total)
        batch = torch.stack(parts, dimension + 1).flatten(dimension, dimension + 1)
    return batch
