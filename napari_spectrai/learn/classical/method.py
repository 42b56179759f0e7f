"""What every classical method is, and those that stand beside a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.experiment import Experiment
from napari_spectrai.experiment.classical import ClassicalSpec
from napari_spectrai.experiment.networks import networks
from napari_spectrai.learn.data.dataset import Dataset
from napari_spectrai.learn.data.pool import Scene

TUNING_SPECTRA = 4_000
"""More spectra than this do not change which settings are best; a larger training set is thinned to it."""
FITTING_SPECTRA = 50_000
"""As many spectra as methods that profit from more are fitted on."""


class Method(nn.Module):
    """A classical method on prepared batches ``(N, y, x, λ)``; `fit` learns or tunes, buffers keep what was learnt.

    Parameters
    ----------
    spec : ClassicalSpec
    in_bands, out_channels : int
    classes, enlarges : as for a network
    """

    def __init__(self, spec: Any, in_bands: int, out_channels: int, *, classes: bool = False, enlarges: int = 1) -> None:
        super().__init__()
        self.spec, self.in_bands, self.out, self.enlarges = spec, in_bands, out_channels, enlarges
        self.chosen: dict[str, Any] = {}
        """What cross-validation chose; given before `fit`, it is not sought again."""
        self.axes: tuple[SpectralAxis, SpectralAxis] | None = None
        """Where the bands that go in and those that come out lie, where that is known; given before `fit`."""
        self.gain = 1.0
        """By what inputs are to be multiplied to have the truths' intensities but for the instruments; given before `fit`."""

    def fit(self, scenes: Sequence[Scene]) -> None:
        """Learn from the pixels that count; without truth, from the data alone."""

    def learn(self, tensors: Mapping[str, Tensor]) -> None:
        """Keep what was learnt as buffers of any shape."""
        for name, tensor in tensors.items():
            self.register_buffer(name, tensor.detach().clone().contiguous())

    @property
    def has_learnt(self) -> bool:
        """Whether anything was learnt or tuned."""
        return bool(self._buffers)


def pairs(scenes: Sequence[Scene], most: int) -> tuple[Tensor, Tensor]:
    """Return the spectra and truths (n, ...) of the pixels that count, thinned evenly to at most so many."""
    found = [scene.pairs() for scene in scenes]
    x, y = (torch.cat(parts) for parts in zip(*found, strict=True))
    return thinned(x, most), thinned(y, most)


def thinned(values: Tensor, most: int) -> Tensor:
    """Return at most so many rows, evenly spread."""
    if len(values) <= most:
        return values
    return values[torch.linspace(0, len(values) - 1, most, device=values.device).long()]


def interpolated(x: Tensor, places: Tensor) -> Tensor:
    """Return spectra (..., λ) at fractional band numbers (λ'), linearly interpolated; beyond the ends the last band's value."""
    places = places.clamp(0, x.shape[-1] - 1)
    low = places.floor().long().clamp(max=max(0, x.shape[-1] - 2))
    high = (low + 1).clamp(max=x.shape[-1] - 1)
    left = x[..., low]
    result: Tensor = torch.addcmul(left, x[..., high] - left, (places - low).to(x.dtype))
    return result


def fitted(spec: ClassicalSpec, data: Dataset, *parts: str, chosen: Mapping[str, Any] | None = None) -> Method:
    """Return the method of `spec`, fitted on some parts of a data set; with settings that were `chosen` on fewer, if such are given.

    Raises
    ------
    ValueError
        If the data have too few bands or spectra for it.
    """
    if parts and (why := lacking(spec, data, *parts)):
        raise ValueError(why)
    method: Method = spec.load()(spec, data.inputs.shape[1], data.out, classes=bool(data.classes), enlarges=data.enlarges)
    method.chosen = dict(chosen or {})
    if not data.classes:
        method.axes, method.gain = (data.prepared_axis, data.truth_axis), data.preparation.gain
    method.fit(list(data.scenes(*parts)))
    said = getattr(method, "said", "")
    if said and said not in data.notes:
        data.notes.append(said)
    return method.to(data.inputs.device)


def fit_baselines(experiment: Experiment, data: Dataset, *parts: str, before: Mapping[str, Method] | None = None) -> dict[str, Method]:
    """Return the classical methods of the task, tuned on some parts, by their label: those that the data allow.

    Without truth they are those that need none, and follow their rules. What cross-validation chose for those of `before` is not sought
    again; nor is the noise, once it was found.
    """
    task = experiment.task
    truthless = not task.needs_truth and task.enlarges == 1
    noise: dict[str, Any] = {}
    is_image = any(place.shape[2] > 1 for place in data.places) and not data.of_images
    found: dict[str, Method] = {}
    for kind in task.baselines:
        spec: Any = networks.parse(kind)
        if (spec.images and not is_image) or lacking(spec, data, *parts) or (truthless and not spec.without_truth):
            continue
        if task.enlarges > 1:
            found[spec.label] = fitted(spec, data)
            continue
        known = (before or {}).get(spec.label)
        try:
            found[spec.label] = fitted(spec, data, *parts, chosen=known.chosen if known else noise if hasattr(spec, "stabilise") else None)
            noise |= {name: value for name, value in found[spec.label].chosen.items() if name == "noise"}
        except (ArithmeticError, ValueError, RuntimeError) as error:  # what it cannot learn from, the network may
            data.notes.append(f"{spec.label} is left out beside the network: {error}")
    return found


def lacking(spec: ClassicalSpec, data: Dataset, *parts: str) -> str:
    """Return in words what the data lack for a method: bands, or training spectra; nothing where it can be computed."""
    bands, title = data.inputs.shape[1], spec.title or spec.kind
    if bands < spec.least_bands:
        return f"{title} needs {spec.least_bands} bands or more, and there {'is' if bands == 1 else 'are'} {bands}; choose another method"
    if spec.least_spectra > 1 and (count := len(data.spectra(*parts)[0])) < spec.least_spectra:
        return f"{title} needs {spec.least_spectra} training spectra or more, and there are {count}; give more, or choose another method"
    return ""


def to_tensors(methods: Mapping[str, Method]) -> dict[str, Tensor]:
    """Return everything the methods learnt, by dotted name."""
    return {
        f"classical.{method.spec.kind}.{name}": tensor.detach().cpu().contiguous()
        for method in methods.values()
        for name, tensor in method.state_dict().items()
    }


def from_tensors(kinds: Sequence[str], tensors: Mapping[str, Tensor], bands: int, out: int, enlarges: int) -> dict[str, Method]:
    """Undo `to_tensors` for the methods of some kinds."""
    found = {}
    for kind in kinds:
        spec: Any = networks.parse(kind)
        method: Method = spec.load()(spec, bands, out, enlarges=enlarges)
        prefix = f"classical.{kind}."
        method.learn({name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)})
        found[spec.label] = method
    return found
