"""Building blocks of convolutional networks with 1, 2 and 3 dimensions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "gelu": nn.GELU,
    "relu": nn.ReLU,
    "prelu": nn.PReLU,
    "leaky_relu": nn.LeakyReLU,
    "silu": nn.SiLU,
    "selu": nn.SELU,
}


def zero_last_layer(module: nn.Module) -> None:
    """Set the weights of a module's layer `last` to zero, so that its output starts at zero; modules without it stay unchanged."""
    last = getattr(module, "last", None)
    if isinstance(last, nn.Module):
        for parameter in last.parameters():
            nn.init.zeros_(parameter)


def kernel(dims: int, size: int) -> tuple[int, ...]:
    """Return the shape of a kernel; for a 1-D network ``(1, size)``, since it is computed as a 2-D one."""
    return (1, size) if dims == 1 else (size,) * dims


def convolution(dims: int, inward: int, outward: int, size: int = 3) -> nn.Module:
    """Return a convolution that preserves the size."""
    shape = kernel(dims, size)
    padding = tuple(length // 2 for length in shape)
    if dims == 3:
        return nn.Conv3d(inward, outward, shape, padding=padding)  # type: ignore[arg-type]
    return nn.Conv2d(inward, outward, shape, padding=padding)  # type: ignore[arg-type]


class ChannelNorm(nn.Module):
    """Layer normalisation over the channels of each position, so that results do not depend on the surrounding tile."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``(N, C, ...)`` over C."""
        normed: Tensor = self.norm(x.movedim(1, -1)).movedim(-1, 1)
        return normed


def normalisation(kind: str, dims: int, channels: int) -> nn.Module:
    """Return the normalisation of that name."""
    if kind == "none":
        return nn.Identity()
    if kind == "layer":
        return ChannelNorm(channels)
    if kind == "instance":
        return nn.InstanceNorm3d(channels, affine=True) if dims == 3 else nn.InstanceNorm2d(channels, affine=True)
    return nn.BatchNorm3d(channels) if dims == 3 else nn.BatchNorm2d(channels)


class Unit(nn.Sequential):
    """Convolution, normalisation and activation."""

    def __init__(self, dims: int, inward: int, outward: int, norm: str, activation: Callable[[], nn.Module]) -> None:
        super().__init__(convolution(dims, inward, outward), normalisation(norm, dims, outward), activation())


class Level(nn.Module):
    """A unit that sets the width, followed by more units: in sequence, or in a residual branch (He et al. 2016).

    Parameters
    ----------
    inward, outward : int
        Numbers of input and output channels.
    inside : int, optional
        Number of channels between the first and the last unit; only `after` may change those of a residual sum. Default: `outward`.
    after : int
        Number of units after a residual sum.
    """

    def __init__(
        self, dims: int, inward: int, outward: int, *, convolutions: int, norm: str, activation: Callable[[], nn.Module],
        residual: bool, inside: int | None = None, after: int = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        more = convolutions if residual else convolutions - 1
        inside = outward if inside is None or not (after if residual else more) else inside
        within = [inside] * (more if residual else max(0, more - 1))
        widths = [inside, *within] if residual or not more else [inside, *within, outward]
        self.entry = Unit(dims, inward, inside, norm, activation)
        self.body = nn.Sequential(*(Unit(dims, one, other, norm, activation) for one, other in pairwise(widths)))
        closing = [inside] * after + [outward]
        self.after = nn.Sequential(*(Unit(dims, one, other, norm, activation) for one, other in pairwise(closing)) if residual else ())
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        """Return features of the same size."""
        x = self.entry(x)
        result: Tensor = self.body(x)
        if not self.residual:
            return result
        added: Tensor = self.after(x + result)
        return added


def reflected_to(x: Tensor, lengths: Sequence[int]) -> Tensor:
    """Pad the last dimensions of `x` to `lengths`, by reflection at their ends, as `plan.reflection.reflect` does.

    In an exported graph lengths are symbols, so that no branch may depend on them.
    """
    for dimension, wanted in enumerate(lengths, x.ndim - len(lengths)):
        length = x.shape[dimension]
        if torch.compiler.is_compiling() or length < wanted:
            # a tensor, since ONNX has no remainder by a symbol
            period = torch.full((1,), torch.sym_max(1, 2 * (length - 1)), dtype=torch.int64, device=x.device)
            place = torch.arange(wanted, device=x.device) % period
            x = x.index_select(dimension, torch.minimum(place, period - place))
    return x


def padded(x: Tensor, dims: int, multiple: int, least: int = 1) -> tuple[Tensor, Sequence[int]]:
    """Pad the spatial (spectral) lengths to a multiple of at least `least`, by reflection; also return the lengths, for `cropped`."""
    lengths = x.shape[-dims:]
    return reflected_to(x, [(torch.sym_max(length, least) + multiple - 1) // multiple * multiple for length in lengths]), lengths


def cropped(x: Tensor, lengths: Sequence[int]) -> Tensor:
    """Return the first `lengths` positions of the last dimensions: the part that `padded` was given."""
    for dimension, length in enumerate(lengths, x.ndim - len(lengths)):
        if torch.compiler.is_compiling():  # a view would make the graph valid only for sizes that are (or are not) padded
            x = x.index_select(dimension, torch.arange(length, device=x.device))
        else:
            x = x.narrow(dimension, 0, length)
    return x


def pooled(x: Tensor, dims: int) -> Tensor:
    """Return the maximum over pairs (along the spectrum, the image, or both)."""
    return functional.max_pool3d(x, 2) if dims == 3 else functional.max_pool2d(x, kernel(dims, 2))


def doubled(x: Tensor, dims: int) -> Tensor:
    """Return `x` at twice the size, with each value repeated."""
    return functional.interpolate(x, scale_factor=[1.0, 2.0] if dims == 1 else [2.0] * dims, mode="nearest")  # keeps channels last


class Join(nn.Module):
    """Concatenation of `kept` features with those of the next coarser level at twice the size, which precedes a level of a decoder."""

    def __init__(self, dims: int, kept: int) -> None:
        super().__init__()
        self.dims, self.kept = dims, kept

    def forward(self, skip: Tensor, below: Tensor) -> Tensor:
        """Return features ``(N, kept + C, ...)`` for ``(N, kept, ...)`` and ``(N, C, ...)`` at half the size."""
        return torch.cat([skip, doubled(below, self.dims)], dim=1)
