"""How many samples of a batch are computed at once: a batch whose features leave the processor's cache may be slower in one piece."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from napari_spectrai.experiment import Experiment
from napari_spectrai.learn.train.precision import step_seconds
from napari_spectrai.runs import RunFolder, Started, measured

WORTH_SECONDS = 20.0
"""Seconds that all steps of a training have to take before pieces are timed."""
GAIN = 0.97
"""Fraction of the time of a larger piece below which a smaller one is taken."""
LEAST = 4
"""Samples of the smallest batch that is divided."""


def in_pieces(compute: Callable[[Tensor], Tensor], x: Tensor, size: int) -> Tensor:
    """Return ``compute(x)``, computed for `size` samples at a time; 0: all at once.

    The loss is that of the whole batch, also where it is no mean over samples. The gradients are sums over the pieces, which autograd
    computes one after the other, and agree within rounding, but for dropout, whose masks are drawn for each piece.
    """
    return compute(x) if not 0 < size < len(x) else torch.cat([compute(piece) for piece in x.split(size)])


def sees_whole_batch(network: nn.Module, still: Sequence[nn.Module] = ()) -> bool:
    """Whether the output for a sample depends on the other samples of its batch; `still`: normalisations that are frozen."""
    frozen = {id(module) for one in still for module in one.modules()}
    return any(isinstance(module, _BatchNorm) and id(module) not in frozen for module in network.modules())


def micro_batch(
    experiment: Experiment,
    network: nn.Module,
    still: Sequence[nn.Module],
    shape: tuple[int, ...],
    device: torch.device,
    precision: str,
    steps: int,
) -> tuple[int, list[str]]:
    """Return how many samples are computed at once (0: all), and what to say of the choice.

    Parameters
    ----------
    experiment : Experiment
    network : nn.Module
        It stays as it is, and no random number is drawn.
    still : sequence of nn.Module
        Its frozen normalisations.
    shape : tuple of int
        Of a training batch: (samples, y, x, λ).
    device : torch.device
    precision : str
    steps : int
        Of the whole training.

    Raises
    ------
    ValueError
        If a size is given and the network normalises over the batch.
    """
    wanted, whole = experiment.training.micro_batch, sees_whole_batch(network, still)
    if wanted != "auto":
        if whole and wanted < shape[0]:
            raise ValueError(
                f"training.micro_batch={wanted} divides batches of {shape[0]}, and batch normalisation needs all their samples at once; "
                "choose network.norm=layer, or training.micro_batch=auto"
            )
        return (wanted if wanted < shape[0] else 0), []
    if whole or device.type != "cpu" or not experiment.network.convolutional or shape[0] < LEAST:
        return 0, []
    text = f"pieces {measured.processor()} {torch.get_num_threads()} {torch.__version__} {precision} "
    text += f"{experiment.network.model_dump_json()} {shape}"
    key = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()[:16]
    seconds = measured.recalled(key)
    if not _is_known(seconds, shape[0]):
        seconds = {str(shape[0]): step_seconds(network, shape, device, precision)}
        if seconds[str(shape[0])] * steps < WORTH_SECONDS:
            return 0, []
        _halve(seconds, lambda size: step_seconds(network, shape, device, precision, size), shape[0])
        measured.keep(key, seconds)
    size = min(seconds, key=seconds.__getitem__)
    if int(size) == shape[0]:
        return 0, []
    times = f"{seconds[size]:.3g} s here, not {seconds[str(shape[0])]:.3g} s"
    return int(size), [
        f"Batches are computed {size} samples at a time: a step takes {times} (measured; set training.micro_batch to choose)."
    ]


def micro_batch_before(folder: RunFolder) -> int | None:
    """Return the size with which a run began, which it keeps when it is resumed; None if it has not started."""
    return next((event.micro_batch for event in reversed(list(folder.events())) if isinstance(event, Started)), None)


def _halve(seconds: dict[str, float], timed: Callable[[int], float], whole: int) -> None:
    """Time smaller and smaller pieces, as long as they are faster."""
    size, best = whole, seconds[str(whole)]
    while size > 1:
        size = (size + 1) // 2
        seconds[str(size)] = timed(size)
        if seconds[str(size)] > GAIN * best:
            del seconds[str(size)]
            return
        best = seconds[str(size)]


def _is_known(seconds: object, whole: int) -> bool:
    return (
        isinstance(seconds, dict) and str(whole) in seconds
        and all(isinstance(size, str) and size.isdigit() and isinstance(time, float) for size, time in seconds.items())
    )  # fmt: skip
