"""Base class of classical methods, and the methods used as baselines of a network."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.experiment import Experiment
from napari_spectrai.experiment.classical import ClassicalSpec
from napari_spectrai.experiment.network_spec import networks
from napari_spectrai.io.found import one_line
from napari_spectrai.learn.data.dataset import Dataset
from napari_spectrai.learn.data.pool import Scene
from napari_spectrai.learn.stages import Say, silent
from napari_spectrai.networks.hooks import on_whole_images
from napari_spectrai.preparation import Preparation

TUNING_SPECTRA = 4_000
"""Number of spectra above which the best settings do not change; larger training sets are subsampled to it."""
FITTING_SPECTRA = 50_000
"""Number of spectra to fit methods that profit from more."""
TRIAL = 16
"""Height and width of the image that a method from a file is tried on."""


class Method(nn.Module):
    """A classical method on prepared batches ``(N, y, x, λ)``; `fit` fits or tunes it, and buffers keep the fitted values.

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
        """Settings chosen by cross-validation; set before `fit`, they skip it."""
        self.axes: tuple[SpectralAxis, SpectralAxis] | None = None
        """Positions of the input and output bands, if known; set before `fit`."""
        self.gain = 1.0
        """Factor that brings inputs to the intensities of the truths, apart from differences of instruments; set before `fit`."""

    def said(self, preparation: Preparation) -> str:
        """Return a sentence about the fit to spectra with this preparation, for the notes of the model; empty if there is none."""
        return ""

    def fit(self, scenes: Sequence[Scene]) -> None:
        """Fit to the valid pixels of the scenes; without a truth, to the data alone."""

    def learn(self, tensors: Mapping[str, Tensor]) -> None:
        """Keep fitted values as buffers of any shape.

        Raises
        ------
        ValueError
            If they are those of something with parts.
        """
        for name, tensor in tensors.items():
            if "." in name:
                raise ValueError(f"{name} is not part of {self.spec.title}")
            self.register_buffer(name, tensor.detach().clone().contiguous())

    def try_out(self) -> None:
        """Apply what was learnt to an image of made spectra.

        Raises
        ------
        ValueError
            If there are no fitted values, or they do not fit one another, or the bands: their file is damaged.
        """
        if not self.has_learnt and self.spec.learns:
            raise ValueError(f"the fitted values of {self.spec.title} are missing")
        if not self.has_learnt:
            return
        made = torch.linspace(0.5, 1.5, TRIAL * TRIAL * self.in_bands).view(1, TRIAL, TRIAL, self.in_bands)
        try:
            with torch.no_grad(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                answer = on_whole_images(self, made)
        except (MemoryError, torch.OutOfMemoryError, torch.linalg.LinAlgError):  # type: ignore[attr-defined]  # of this machine or image
            return
        except (RuntimeError, LookupError, TypeError, AttributeError) as error:
            raise ValueError(f"the fitted values of {self.spec.title} do not fit one another: {one_line(error)}") from error
        expected = (1, TRIAL * self.enlarges, TRIAL * self.enlarges, self.out)
        if tuple(answer.shape) != expected or not answer.is_floating_point():
            raise ValueError(
                f"the fitted values of {self.spec.title} do not fit one another: the answer is {tuple(answer.shape)}, {answer.dtype}"
            )

    @property
    def has_learnt(self) -> bool:
        """Whether anything was fitted or tuned."""
        return bool(self._buffers)


def pairs(scenes: Sequence[Scene], most: int) -> tuple[Tensor, Tensor]:
    """Return the spectra and truths (n, ...) of the valid pixels, evenly subsampled to a largest number."""
    valid = [torch.nonzero(scene.known().flatten())[:, 0] for scene in scenes]
    ends = torch.tensor([0, *map(len, valid)]).cumsum(0).tolist()
    chosen = thinned(torch.arange(ends[-1], device=scenes[0].x.device), most)
    found = []
    for scene, pixels, start, end in zip(scenes, valid, ends[:-1], ends[1:], strict=True):
        some = pixels[chosen[(chosen >= start) & (chosen < end)] - start]
        _, height, width = scene.counts.shape
        z, y, x = some // (height * width), some // width % height, some % width
        assert scene.y is not None  # noqa: S101  # `known` refuses it
        found.append((scene.x[z, y, x], scene.y[z, y, x]))
    return torch.cat([x for x, _ in found]), torch.cat([y for _, y in found])


def thinned(values: Tensor, most: int) -> Tensor:
    """Return at most so many rows, evenly spread."""
    if len(values) <= most:
        return values
    return values[torch.linspace(0, len(values) - 1, most, device=values.device).long()]


def interpolated(x: Tensor, places: Tensor) -> Tensor:
    """Return spectra (..., λ) at fractional band numbers (λ'), linearly interpolated; outside, the value of the last band."""
    places = places.clamp(0, x.shape[-1] - 1)
    low = places.floor().long().clamp(max=max(0, x.shape[-1] - 2))
    high = (low + 1).clamp(max=x.shape[-1] - 1)
    left = x[..., low]
    result: Tensor = torch.addcmul(left, x[..., high] - left, (places - low).to(x.dtype))
    return result


def fitted(spec: ClassicalSpec, data: Dataset, *parts: str, chosen: Mapping[str, Any] | None = None) -> Method:
    """Return the method of `spec`, fitted on some parts of a data set; with settings `chosen` on fewer samples, if given.

    Raises
    ------
    ValueError
        If the data have too few bands or spectra for the method.
    """
    if parts and (why := lacking(spec, data, *parts)):
        raise ValueError(why)
    method: Method = spec.load()(spec, data.inputs.shape[1], data.out, classes=bool(data.classes), enlarges=data.enlarges)
    method.chosen = dict(chosen or {})
    if not data.classes:
        method.axes, method.gain = (data.prepared_axis, data.truth_axis), data.preparation.gain
    method.fit(list(data.scenes(*parts)))
    if (said := method.said(data.preparation)) and said not in data.notes:
        data.notes.append(said)
    return method.to(data.inputs.device)


def fit_baselines(
    experiment: Experiment, data: Dataset, *parts: str, before: Mapping[str, Method] | None = None, fitted_method: Method | None = None,
    say: Say = silent,
) -> dict[str, Method]:  # fmt: skip
    """Return the baselines of the task by label, tuned on some parts: those that can be computed from the data.

    Without a truth, they are those that need none, tuned by their rules. Settings chosen by cross-validation for those of `before` are
    reused; so is the noise, once it was estimated, and that of `fitted_method`, which was fitted on the same parts. `say` is called before
    each of them.
    """
    task = experiment.task
    truthless = not task.needs_truth and task.enlarges == 1
    noise: dict[str, Any] = _noise_of(fitted_method) if fitted_method is not None else {}
    is_image = any(place.shape[2] > 1 for place in data.places) and not data.of_images
    found: dict[str, Method] = {}
    for number, kind in enumerate(task.baselines):
        spec: Any = networks.parse(kind)
        say(f"Fitting classical methods: {spec.label}", number, len(task.baselines))
        if (spec.images and not is_image) or lacking(spec, data, *parts) or (truthless and not spec.without_truth):
            continue
        if task.enlarges > 1:
            found[spec.label] = fitted(spec, data)
            continue
        known = (before or {}).get(spec.label)
        try:
            found[spec.label] = fitted(spec, data, *parts, chosen=known.chosen if known else noise if spec.uses_noise else None)
            noise |= _noise_of(found[spec.label])
        except (ArithmeticError, ValueError, RuntimeError) as error:  # data that a baseline cannot be fitted to may suit the network
            data.notes.append(f"{spec.label} is not among the baselines: {error}")
    return found


def _noise_of(method: Method) -> dict[str, Any]:
    return {name: value for name, value in method.chosen.items() if name == "noise"}


def lacking(spec: ClassicalSpec, data: Dataset, *parts: str) -> str:
    """Return what the data lack for a method, in words: bands, or training spectra; empty if it can be computed."""
    bands, title = data.inputs.shape[1], spec.title or spec.kind
    if bands < spec.least_bands:
        return f"{title} needs {spec.least_bands} bands or more, but there {'is' if bands == 1 else 'are'} {bands}; choose another method"
    if spec.least_spectra > 1 and (count := len(data.pixels_of(*parts))) < spec.least_spectra:
        return f"{title} needs {spec.least_spectra} training spectra or more, but there are {count}; add some, or choose another method"
    return ""


def to_tensors(methods: Mapping[str, Method]) -> dict[str, Tensor]:
    """Return all fitted values of the methods, by dotted name."""
    return {
        f"classical.{method.spec.kind}.{name}": tensor.detach().cpu().contiguous()
        for method in methods.values()
        for name, tensor in method.state_dict().items()
    }


def from_tensors(kinds: Sequence[str], tensors: Mapping[str, Tensor], bands: int, out: int, enlarges: int) -> dict[str, Method]:
    """Undo `to_tensors` for the methods of some kinds."""
    methods = {}
    for kind in kinds:
        spec: Any = networks.parse(kind)
        method: Method = spec.load()(spec, bands, out, enlarges=enlarges)
        prefix = f"classical.{kind}."
        method.learn({name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)})
        method.try_out()
        methods[spec.label] = method
    return methods
