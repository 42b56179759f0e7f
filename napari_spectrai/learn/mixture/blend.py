"""A blend of fitted methods and networks, applied as one model."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from napari_spectrai.cube import FloatArray
from napari_spectrai.experiment.automatic import Automatic, Member
from napari_spectrai.learn.classical.method import Method
from napari_spectrai.learn.classical.stabilised import Denoiser
from napari_spectrai.learn.data.pool import with_holes
from napari_spectrai.learn.mixture.guided_filter import COMPONENTS, guided_filter
from napari_spectrai.learn.mixture.spectral_views import seen
from napari_spectrai.networks import build
from napari_spectrai.networks.hooks import on_whole_images
from napari_spectrai.preparation import Preparation

LEAST = 1e-12
"""Smallest probability, so that its logarithm is finite."""


class Blend(Method):
    """The weighted mean of the predictions of several members: of cubes, or of calibrated class probabilities.

    Parameters
    ----------
    spec : Automatic
        Its `members` list the methods, with weights and temperatures.
    in_bands, out_channels, classes, enlarges : as for a network
    """

    guide_mean: Tensor
    guide_basis: Tensor

    def __init__(self, spec: Automatic, in_bands: int, out_channels: int, *, classes: bool = False, enlarges: int = 1) -> None:
        super().__init__(spec, in_bands, out_channels, classes=classes, enlarges=enlarges)
        self.classes = classes
        self.register_buffer("guide_mean", torch.zeros(in_bands))
        self.register_buffer("guide_basis", torch.eye(in_bands, min(COMPONENTS, in_bands)))
        self.fitted_members = nn.ModuleList(
            _member(member, in_bands, out_channels, classes=classes, enlarges=enlarges) for member in spec.members
        )

    @classmethod
    def of(
        cls, spec: Automatic, modules: list[nn.Module], in_bands: int, out: int, *, classes: bool,
        guide: tuple[Tensor, Tensor] | None = None,
    ) -> Blend:  # fmt: skip
        """Return a blend of fitted modules, in the order of the spec's members."""
        made = cls(spec.model_copy(update={"members": []}), in_bands, out, classes=classes)
        made.spec = spec
        if guide is not None:
            made.guide_mean, made.guide_basis = guide
        made.fitted_members = nn.ModuleList(modules)
        return made

    def learn(self, tensors: Mapping[str, Tensor]) -> None:
        """Load the fitted values of the members, by dotted name."""
        for number, module in enumerate(self.fitted_members):
            prefix = f"fitted_members.{number}."
            own = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
            module.learn(own) if isinstance(module, Method) else module.load_state_dict(own)
        self.guide_mean, self.guide_basis = tensors["guide_mean"].clone(), tensors["guide_basis"].clone()

    def try_out(self) -> None:
        """Apply each classical member to an image of made spectra; the shapes of networks are known."""
        for module in self.fitted_members:
            if isinstance(module, Method):
                module.try_out()
        if self.guide_mean.shape != (self.in_bands,) or self.guide_basis.ndim != 2 or len(self.guide_basis) != self.in_bands:
            raise ValueError("the components that guide the smoothing do not fit the bands")

    @property
    def has_learnt(self) -> bool:
        """Whether there is a member."""
        return len(self.fitted_members) > 0

    @property
    def has_guide(self) -> bool:
        """Whether the components that guide the smoothing of class maps are known."""
        return bool(self.guide_mean.any())

    @property
    def looks_for_noise(self) -> bool:
        """Whether a member estimates the noise of each cube that it is applied to."""
        return any(isinstance(module, Denoiser) and not module.has_learnt for module in self.fitted_members)

    def said(self, preparation: Preparation) -> str:
        """Return a note of the members on the noise, in one sentence."""
        notes = (module.said(preparation) for module in self.fitted_members if isinstance(module, Denoiser))
        return next(filter(None, notes), "")

    def found_in(self, spectra: FloatArray) -> Blend:
        """Return a copy whose denoisers have the noise model of spectra (..., n, λ)."""
        made = copy.copy(self)
        made._modules = dict(self._modules)  # noqa: SLF001  # the members of the copy alone are exchanged
        made.fitted_members = nn.ModuleList(
            module.found_in(spectra) if isinstance(module, Denoiser) and not module.has_learnt else module for module in self.fitted_members
        )
        return made

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, y, x, λ)`` to bands, or to the logarithms of class probabilities; images with one class to ``(N, 1, 1, C)``.

        NaN marks pixels without data; each member is given what it was trained with there.
        """
        if not self.has_learnt:
            raise RuntimeError("an automatic method has no members before its training; train it, or load a trained model")
        total: Tensor | None = None
        holes = None if torch.compiler.is_compiling() else x.isnan().any(-1)  # a graph has no branches
        if holes is not None and bool(holes.any()):
            x = x.masked_fill(holes[..., None], 0)
        else:
            holes = None
        for member, module in zip(self.spec.members, self.fitted_members, strict=True):
            given = seen(x if holes is None else with_holes(x, holes, member.network), member.sees)
            answer = member.weight * calibrated(answers(module, given), member.temperature, classes=self.classes)
            total = answer if total is None else total + answer
        assert total is not None  # noqa: S101
        if not self.classes:
            return total
        if self.spec.radius and x.shape[1] > 1 and x.shape[2] > 1:
            total = guided_filter(total, (x - self.guide_mean) @ self.guide_basis, self.spec.radius, x.any(-1))
        return total.clamp(min=LEAST).log()


def _member(member: Member, bands: int, out: int, *, classes: bool, enlarges: int) -> nn.Module:
    spec: Any = member.network
    if spec.classical:
        method: nn.Module = spec.load()(spec, bands, out, classes=classes, enlarges=enlarges)
        return method
    return build(spec, bands, out, classes=classes, enlarges=enlarges)


def answers(module: nn.Module, x: Tensor) -> Tensor:
    """Return the output of a method or network for all pixels of ``(N, y, x, λ)``."""
    output: Tensor = on_whole_images(module, x).float()
    return output


def calibrated(output: Tensor, temperature: float, *, classes: bool) -> Tensor:
    """Return bands unchanged, and scores of classes as probabilities at a temperature (Guo et al. 2017, arXiv:1706.04599)."""
    return (output / temperature).softmax(-1) if classes else output
