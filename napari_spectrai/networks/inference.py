"""Networks as inference computes them: normalisations folded into convolutions, and convolutions fused with their activations."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval
from torch.nn.utils.parametrize import is_parametrized

from napari_spectrai.networks.blocks import Level, Unit
from napari_spectrai.networks.unet import UNet

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)


def for_inference(network: nn.Module, *, packed: bool = True) -> nn.Module:
    """Return a network as inference computes it: the same output within rounding, in less time.

    Batch normalisations become part of the convolutions or linear layers before them. On a CPU with oneDNN, convolutions get their
    weights in its layout and apply the activation that follows in the same pass.

    Parameters
    ----------
    network : nn.Module
        In evaluation mode, apart from dropout that is to draw. It stays as it is.
    packed : bool
        Whether convolutions are packed for oneDNN, where it is there.

    Returns
    -------
    nn.Module
        A copy, or `network` itself if nothing changes. A layer that has hooks, is parametrised or used in several places stays as it is.
    """
    packs = packed and torch.backends.mkldnn.is_available() and _on_cpu(network)
    if not any(_foldable(network)) and not (packs and any(_packable(network))):
        return network
    network = copy.deepcopy(network)
    for layer, norm in list(_foldable(network)):
        fold: Any = fuse_linear_bn_eval if isinstance(layer.module, nn.Linear) else fuse_conv_bn_eval
        layer.replace(fold(layer.module, norm.module))
        norm.replace(nn.Identity())
    for parameter in network.parameters():
        parameter.requires_grad_(False)
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    if packs:
        _pack(network)
    return network


def _pack(network: nn.Module) -> None:
    """Replace convolutions, their activations and the joins of decoders by what computes them in one pass."""
    for unet, number, level in list(_joins(network)):
        one_pass = isinstance(level.entry[1], nn.Identity) and isinstance(level.entry[2], nn.ReLU)
        join: Any = unet.joins[number]
        unet.joins[number] = PackedJoin(level.entry[0], join.dims, join.kept, rectified=one_pass)
        level.entry[0] = nn.Identity()
        if one_pass:
            level.entry[2] = nn.Identity()
    for layer, activation in list(_packable(network)):
        layer.replace(PackedConvolution(layer.module, None if activation is None else activation.module))
        if activation is not None:
            activation.replace(nn.Identity())


class PackedConvolution(nn.Module):
    """A convolution with zeros around the image whose weights lie as oneDNN wants them, and the activation after it; without gradients.

    Parameters
    ----------
    convolution : nn.Conv2d or nn.Conv3d
    activation : nn.Module, optional
    """

    def __init__(self, convolution: nn.Module, activation: nn.Module | None = None) -> None:
        super().__init__()
        made: Any = convolution
        self.settings = (made.padding, made.stride, made.dilation, made.groups)
        self.attribute, self.scalars, self.algorithm = (None if activation is None else _fused_name(activation)) or ("none", [], "")
        self.weight = _packed(made.weight.detach(), self.settings)
        self.bias = None if made.bias is None else made.bias.detach()

    def forward(self, x: Tensor) -> Tensor:
        """Return the activations for ``(N, C, ...)``."""
        fused: Any = torch.ops.mkldnn._convolution_pointwise  # noqa: SLF001
        result: Tensor = fused(x, self.weight, self.bias, *self.settings, self.attribute, self.scalars, self.algorithm)
        return result


class PackedJoin(nn.Module):
    """`Join` and the convolution after it, with a third to three quarters fewer products where the coarser features are doubled.

    A convolution over three positions of which two hold the same value is one over two: the doubled features are never made, their
    share is a transposed convolution of the coarser ones, to which the share of the others is added as it is computed.

    Parameters
    ----------
    convolution : nn.Conv2d or nn.Conv3d
        Of size 3 in each direction that is doubled.
    dims : int
        Of the network.
    kept : int
        Channels that are not doubled, the first ones.
    rectified : bool
        Whether a ReLU follows.
    """

    def __init__(self, convolution: nn.Module, dims: int, kept: int, *, rectified: bool) -> None:
        super().__init__()
        made: Any = convolution
        self.settings = (made.padding, made.stride, made.dilation, made.groups)
        self.activation = "relu" if rectified else None
        weight = made.weight.detach()
        below = weight[:, kept:]
        for dimension in (3,) if dims == 1 else range(2, 2 + dims):
            first, second, third = below.unbind(dimension)
            below = torch.stack([third, second + third, first + second, first], dimension)
        self.below = below.transpose(0, 1).contiguous()
        self.stride = (1, 2) if dims == 1 else (2,) * dims
        self.weight = _packed(weight[:, :kept].contiguous(), self.settings)
        self.bias = None if made.bias is None else made.bias.detach()

    def forward(self, skip: Tensor, below: Tensor) -> Tensor:
        """Return what the convolution gives for ``(N, kept, ...)`` and ``(N, C, ...)`` at half the size."""
        transposed: Any = functional.conv_transpose2d if self.below.ndim == 4 else functional.conv_transpose3d
        added = transposed(below, self.below, None, self.stride, self.settings[0])
        fused: Any = torch.ops.mkldnn._convolution_pointwise.binary  # noqa: SLF001
        result: Tensor = fused(skip, added, self.weight, self.bias, *self.settings, "add", 1.0, self.activation, [], None)
        return result


def _packed(weight: Tensor, settings: tuple[Any, ...]) -> Tensor:
    """Return the weights of a convolution in the layout of oneDNN."""
    pack: Any = torch._C._nn.mkldnn_reorder_conv2d_weight if weight.ndim == 4 else torch._C._nn.mkldnn_reorder_conv3d_weight  # noqa: SLF001
    with torch.no_grad():
        packed: Tensor = pack(weight.to_mkldnn(), *settings)
    return packed


@dataclass(frozen=True, slots=True)
class _Place:
    """A module in a `Sequential`."""

    chain: nn.Sequential
    name: str

    @property
    def module(self) -> nn.Module:
        return self.chain._modules[self.name]  # noqa: SLF001

    def replace(self, module: nn.Module) -> None:
        self.chain._modules[self.name] = module  # noqa: SLF001


def _is_chain(module: nn.Module) -> bool:
    return isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward and not _has_hooks(module)


def _chains(network: nn.Module) -> Iterator[list[_Place]]:
    """Yield the modules of each chain in the order in which they are applied, nested chains included, without those that do nothing."""

    def places(chain: nn.Sequential) -> Iterator[_Place]:
        for name, module in chain._modules.items():  # noqa: SLF001
            if module is not None and _is_chain(module):
                yield from places(module)  # type: ignore[arg-type]
            elif not isinstance(module, nn.Identity) and not (isinstance(module, _DROPOUTS) and not module.training):
                yield _Place(chain, name)

    nested = {id(child) for module in network.modules() if _is_chain(module) for child in module.children()}
    for module in network.modules():
        if _is_chain(module) and id(module) not in nested:
            yield list(places(module))  # type: ignore[arg-type]


def _foldable(network: nn.Module) -> Iterator[tuple[_Place, _Place]]:
    """Yield layers followed by a batch normalisation that can become part of them."""
    alone = _used_once(network)
    for chain in _chains(network):
        for layer, norm in pairwise(chain):
            if type(layer.module) not in (*_CONVOLUTIONS, nn.Linear) or type(norm.module) not in _NORMS:
                continue
            if {layer.module, norm.module} <= alone and norm.module.running_mean is not None and not norm.module.training:
                yield layer, norm


def _joins(network: nn.Module) -> Iterator[tuple[UNet, int, Level]]:
    """Yield the levels of decoders whose first convolution can be computed with the join before it."""
    alone = _used_once(network)
    for unet in network.modules():
        if not isinstance(unet, UNet):
            continue
        for number, level in enumerate(unet.up):
            made: Any = level.entry[0] if isinstance(level, Level) and type(level.entry) is Unit else None
            if type(made) in (nn.Conv2d, nn.Conv3d) and {made, unet.joins[number]} <= alone and made.weight.dtype == torch.float32:
                yield unet, number, level  # type: ignore[misc]


def _packable(network: nn.Module) -> Iterator[tuple[_Place, _Place | None]]:
    """Yield convolutions that oneDNN can have in its layout, with the activation that it can apply with them."""
    alone = _used_once(network)
    for chain in _chains(network):
        for layer, following in zip(chain, [*chain[1:], None], strict=False):
            made: Any = layer.module
            if type(made) not in (nn.Conv2d, nn.Conv3d) or made not in alone:
                continue
            if made.padding_mode == "zeros" and not isinstance(made.padding, str) and made.weight.dtype == torch.float32:
                fuses = following is not None and following.chain in alone and _fused_name(following.module) is not None
                yield layer, following if fuses else None


def _fused_name(module: nn.Module) -> tuple[str, list[float], str] | None:
    """Return an activation as oneDNN knows it, or None: its name, its numbers and its formula."""
    if _has_hooks(module):
        return None
    if isinstance(module, nn.GELU):
        return "gelu", [], module.approximate
    if isinstance(module, nn.LeakyReLU):
        return "leaky_relu", [module.negative_slope], ""
    names = {nn.ReLU: "relu", nn.SiLU: "swish", nn.Sigmoid: "sigmoid", nn.Tanh: "tanh"}
    name = names.get(type(module))
    return None if name is None else (name, [], "")


def _used_once(network: nn.Module) -> set[nn.Module]:
    """Return the modules that stand in one place, share no weights, and have neither hooks nor computed weights."""
    uses = Counter(id(module) for _, module in network.named_modules(remove_duplicate=False))
    weights = Counter(id(weight) for module in network.modules() for weight in module.parameters(recurse=False))
    return {
        module
        for module in network.modules()
        if uses[id(module)] == 1
        and not _has_hooks(module)
        and not is_parametrized(module)
        and all(weights[id(weight)] == 1 for weight in module.parameters(recurse=False))
    }


def _has_hooks(module: nn.Module) -> bool:
    return bool(module._forward_hooks or module._forward_pre_hooks)  # noqa: SLF001


def _on_cpu(network: nn.Module) -> bool:
    return all(parameter.device.type == "cpu" for parameter in network.parameters())
