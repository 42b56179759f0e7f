"""Enlargement of images, and the degradation that it inverts. Batches are ``(N, y, x, λ)``."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional

from napari_spectrai.experiment.network_spec import NetworkSpec
from napari_spectrai.networks.blocks import zero_last_layer
from napari_spectrai.networks.enlarging_filter import SIDE, enlarged

ROUNDS, QUICKLY = 10, 2
"""Iterations of back-projection: more make no visible difference, and during training fewer are sufficient."""


def bicubic(batch: Tensor, times: int) -> Tensor:
    """Return the batch with `times` as many pixels per side, by bicubic interpolation (Keys 1981, doi:10.1109/TASSP.1981.1163711)."""
    size = [length * times for length in batch.shape[1:3]]
    large = functional.interpolate(batch.permute(0, 3, 1, 2), size=size, mode="bicubic", align_corners=False)
    return large.permute(0, 2, 3, 1)


def degraded(batch: Tensor, times: int) -> Tensor:
    """Return the batch with `times` fewer pixels per side, by antialiased bicubic downsampling."""
    size = [length // times for length in batch.shape[1:3]]
    small = functional.interpolate(batch.permute(0, 3, 1, 2), size=size, mode="bicubic", align_corners=False, antialias=True)
    return small.permute(0, 2, 3, 1)


def back_projected(result: Tensor, coarse: Tensor, times: int, rounds: int = ROUNDS) -> Tensor:
    """Return `result`, corrected so that its degradation almost equals `coarse` (Irani & Peleg 1991, doi:10.1016/1049-9652(91)90045-L)."""
    for _ in range(rounds):
        result = result + bicubic(coarse - degraded(result, times), times)
    return result


def lanczos_weights(times: int, lobes: int = 3) -> Tensor:
    """Return the weights (times, 2·lobes) of the nearest pixels for each of the `times` positions inside a pixel."""
    places = (torch.arange(times, dtype=torch.float64) + 0.5) / times - 0.5
    steps = torch.arange(-lobes + 1, lobes + 1, dtype=torch.float64)
    distance = torch.where(places < 0, places + 1, places)[:, None] - steps
    weights = torch.sinc(distance) * torch.sinc(distance / lobes) * (distance.abs() < lobes)
    return (weights / weights.sum(1, keepdim=True)).float()


def lanczos(batch: Tensor, times: int, lobes: int = 3) -> Tensor:
    """Return the batch with `times` as many pixels per side, by a windowed sinc over `lobes` lobes to each side (Duchon 1979)."""
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


@lru_cache(maxsize=32)
def _reduction(length: int, times: int) -> tuple[Tensor, Tensor]:
    """Return the degradation of `length` · `times` pixels in a row as a matrix, and its pseudo-inverse."""
    with torch.inference_mode(mode=False), torch.no_grad():  # kept for trainings, too, whoever asks first
        unit = torch.eye(length * times, dtype=torch.float64)[:, None, None]
        matrix = functional.interpolate(unit, size=[1, length], mode="bicubic", align_corners=False, antialias=True)[:, 0, 0].T
        return matrix.float(), torch.linalg.pinv(matrix).float()


def unseen(image: Tensor, times: int) -> Tensor:
    """Return the part of ``(N, y, x, λ)`` that vanishes under degradation: the image minus the part that the degradation preserves."""
    kept = image
    for dimension in (1, 2):
        matrix, inverse = (part.to(image) for part in _reduction(image.shape[dimension] // times, times))
        moved = kept.movedim(dimension, -1)
        kept = (moved @ matrix.T @ inverse.T).movedim(-1, dimension)
    return image - kept


def not_below_zero(image: Tensor, coarse: Tensor, times: int) -> Tensor:
    """Clip negative values of the image where the surrounding low-resolution pixels are not negative."""
    near = -functional.max_pool2d(-coarse.permute(0, 3, 1, 2), 3, stride=1, padding=1).permute(0, 2, 3, 1)
    floor = torch.where(near >= 0, 0.0, -torch.inf)
    return torch.maximum(image, floor.repeat_interleave(times, 1).repeat_interleave(times, 2))


def sharpened(coarse: Tensor, times: int) -> Tensor:
    """Return the batch enlarged by bicubic interpolation and back-projection, so that its degradation is almost the batch."""
    return not_below_zero(back_projected(bicubic(coarse, times), coarse, times), coarse, times)


class Enlarging(nn.Module):
    """Adds the output of a network to an image enlarged by bicubic interpolation and back-projection, or by a fitted filter.

    Parameters
    ----------
    inner : module on ``(N, y, x, λ)`` that returns `times` as many pixels per side
    spec : NetworkSpec
        Its `is_consistent` and `residual_weight` apply.
    times : output pixels along each side of an input pixel, unless `forward` gets another factor
    """

    filter: Tensor

    def __init__(self, inner: nn.Module, spec: NetworkSpec, times: int) -> None:
        super().__init__()
        self.inner, self.times = inner, times
        self.consistent, self.strength = spec.is_consistent, spec.residual_weight
        self.register_buffer("filter", torch.zeros(times**2, SIDE, SIDE))
        self.fitted = False
        self.register_load_state_dict_pre_hook(_without_filter)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_post_hook(_is_fitted)  # type: ignore[no-untyped-call]
        zero_last_layer(self)

    @property
    def last(self) -> nn.Module:
        """The layer whose weights, if zero, make the output of the network zero."""
        last: nn.Module = self.inner.last  # type: ignore[assignment]
        return last

    def set_filter(self, weights: Tensor) -> None:
        """Enlarge by a fitted filter from now on."""
        self.filter.copy_(weights)
        self.fitted = True

    def forward(self, batch: Tensor, times: int | None = None) -> Tensor:
        """Map ``(N, y, x, λ)`` to `times` as many pixels per side."""
        added = self.inner(batch) if times is None else self.inner(batch, times=times)
        times = times or self.times
        with torch.autocast(batch.device.type, enabled=False):
            coarse = batch.float()
            if self.fitted and times == self.times:
                base = enlarged(coarse, self.filter, times)
                return base + added.float() if self.training else not_below_zero(base + self.strength * added.float(), coarse, times)
            added = unseen(added.float(), times) if self.consistent else added.float()
            if self.training:
                return back_projected(bicubic(coarse, times), coarse, times, QUICKLY) + added
            result = back_projected(bicubic(coarse, times), coarse, times) + self.strength * added
            return not_below_zero(result, coarse, times)


def _without_filter(module: nn.Module, tensors: dict[str, Tensor], prefix: str, *_: object) -> None:
    """Add the filter that models of earlier versions lack."""
    tensors.setdefault(f"{prefix}filter", torch.zeros_like(module.filter))  # type: ignore[arg-type]


def _is_fitted(module: nn.Module, _: object) -> None:
    module.fitted = bool(module.filter.any())  # type: ignore[operator, assignment]
