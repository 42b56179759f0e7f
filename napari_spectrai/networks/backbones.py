"""Standard networks of MONAI, for batches ``(N, y, x, λ)``. MONAI takes seconds to import, so it is imported only for these."""

from __future__ import annotations

import torch
from monai.networks import nets
from monai.networks.nets.resnet import ResNetBlock, ResNetBottleneck
from torch import Tensor, nn

from napari_spectrai.experiment import backbones as settings
from napari_spectrai.networks.blocks import cropped, padded
from napari_spectrai.networks.views import channels_in

LEAST = 32
"""Minimum number of pixels or bands in each direction for pooling networks; smaller inputs are padded by reflection."""
STAGES = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
BLOCKS = {121: (6, 12, 24, 16), 169: (6, 12, 32, 32), 201: (6, 12, 48, 32)}


def _named(norm: str, width: int) -> tuple[str, dict[str, object]] | str:
    """Return a normalisation by MONAI's name."""
    if norm == "group":
        return ("group", {"num_groups": next(count for count in (8, 4, 2, 1) if width % count == 0)})
    return ("instance", {"affine": True}) if norm == "instance" else norm


def _activation(name: str) -> str:
    return {"silu": "swish", "leaky_relu": "leakyrelu"}.get(name, name)


class Pooled(nn.Module):
    """A network with global pooling: one output for each spectrum, or for each image.

    Parameters
    ----------
    core : module with channels first
    dims : int
        1: ``(N, y, x, λ)`` to ``(N, y, x, classes)``; 2 and 3: to ``(N, 1, 1, classes)``.
    """

    def __init__(self, core: nn.Module, dims: int) -> None:
        super().__init__()
        self.core, self.dims = core, dims

    def forward(self, batch: Tensor) -> Tensor:
        """Return logits."""
        x = batch.permute(0, 3, 1, 2) if self.dims == 2 else batch.unsqueeze(1)
        if self.dims == 1:
            x = batch.reshape(-1, 1, batch.shape[-1])
        logits: Tensor = self.core(padded(x, self.dims, 1, LEAST)[0])
        return logits.view(*batch.shape[:3], -1) if self.dims == 1 else logits[:, None, None]


class ResNet(Pooled):
    """Residual network."""

    def __init__(self, spec: settings.ResNet, in_bands: int, out_channels: int, *, classes: bool = True) -> None:
        deep = spec.layers >= 50
        core = nets.ResNet(
            ResNetBottleneck if deep else ResNetBlock, list(STAGES[spec.layers]), [spec.width * 2**level for level in range(4)],
            spatial_dims=spec.dims, n_input_channels=channels_in(in_bands, 1, spec.dims),
            conv1_t_stride=2, num_classes=out_channels,
            act=_activation(spec.activation), norm=_named(spec.norm, spec.width),
        )  # fmt: skip
        super().__init__(core, spec.dims)
        self.last = core.fc


class DenseNet(Pooled):
    """Densely connected network."""

    def __init__(self, spec: settings.DenseNet, in_bands: int, out_channels: int, *, classes: bool = True) -> None:
        core = nets.DenseNet(
            spec.dims, channels_in(in_bands, 1, spec.dims), out_channels, init_features=2 * spec.growth, growth_rate=spec.growth,
            block_config=BLOCKS[spec.layers], act=_activation(spec.activation), norm=_named(spec.norm, spec.growth),
            dropout_prob=spec.dropout,
        )  # fmt: skip
        super().__init__(core, spec.dims)
        self.last = core.class_layers[-1]


class EfficientNet(Pooled):
    """Network scaled in width, depth and resolution together."""

    def __init__(self, spec: settings.EfficientNet, in_bands: int, out_channels: int, *, classes: bool = True) -> None:
        norm = ("batch", {"eps": 0.001, "momentum": 0.01}) if spec.norm == "batch" else _named(spec.norm, 8)
        core = nets.EfficientNetBN(
            f"efficientnet-{spec.variant}", pretrained=False, spatial_dims=spec.dims,
            in_channels=channels_in(in_bands, 1, spec.dims), num_classes=out_channels, norm=norm,
        )  # fmt: skip
        super().__init__(core, spec.dims)
        self.last = core.get_submodule("_fc")


def _over_batches(module: nn.Module, dims: int) -> None:
    """Replace normalisations over an image, which would leave seams between tiles, by normalisation over the batch."""
    kind = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)[dims - 1]
    for name, child in module.named_children():
        if isinstance(child, nn.InstanceNorm1d | nn.InstanceNorm2d | nn.InstanceNorm3d):
            setattr(module, name, kind(child.num_features))
        else:
            _over_batches(child, dims)


class Everywhere(nn.Module):
    """A dense network: features from `core`, then a last layer; inputs are padded to a multiple of its grid.

    Without a ridge map, its output is added to the input if it is a cube, and starts at zero.
    """

    def __init__(self, core: nn.Module, width: int, multiple: int, dims: int, out_channels: int, *, sources: int, classes: bool) -> None:
        super().__init__()
        self.core, self.dims, self.multiple, self.classes = core, dims, multiple, classes
        kind = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[dims - 1]
        self.last = kind(width, out_channels if classes or dims == 2 else 1, 1)
        self.adds = sources == 1 and not classes
        if self.adds:
            for parameter in self.last.parameters():
                nn.init.zeros_(parameter)

    def forward(self, *sources: Tensor) -> Tensor:
        """Map batches ``(N, y, x, λ)`` to the same number of pixels."""
        batch = sources[0]
        x, lengths = padded(self._channels(sources), self.dims, self.multiple, 2 * self.multiple)
        x = cropped(self.last(self.core(x)), lengths)
        if self.classes and self.dims != 2:  # one output per spectrum: the mean along it
            x = x.mean(-1)
        if self.dims == 1:
            result = x.reshape(*batch.shape[:3], -1)
        elif self.dims == 2 or self.classes:
            result = x.movedim(1, -1)
        else:
            result = x.squeeze(1)
        answer: Tensor = batch + result if self.adds else result
        return answer

    def _channels(self, sources: tuple[Tensor, ...]) -> Tensor:
        if self.dims == 1:
            return torch.stack([source.reshape(-1, source.shape[-1]) for source in sources], 1)
        if self.dims == 2:
            return torch.cat(sources, -1).permute(0, 3, 1, 2)
        return torch.stack(sources, 1)


class AttentionUNet(Everywhere):
    """UNet with gated skip connections."""

    def __init__(self, spec: settings.AttentionUNet, in_bands: int, out_channels: int, *, sources: int = 1, classes: bool = False) -> None:
        core = nets.AttentionUnet(
            spec.dims, channels_in(in_bands, sources, spec.dims), spec.width, [spec.width * 2**level for level in range(spec.depth + 1)],
            [2] * spec.depth, dropout=spec.dropout,
        )  # fmt: skip
        _over_batches(core, spec.dims)
        super().__init__(core, spec.width, 2**spec.depth, spec.dims, out_channels, sources=sources, classes=classes)


class SegResNet(Everywhere):
    """Residual encoder-decoder."""

    def __init__(self, spec: settings.SegResNet, in_bands: int, out_channels: int, *, sources: int = 1, classes: bool = False) -> None:
        core = nets.SegResNetDS(
            spec.dims, spec.width, channels_in(in_bands, sources, spec.dims), spec.width, blocks_down=(spec.blocks,) * (spec.depth + 1)
        )
        super().__init__(core, spec.width, 2**spec.depth, spec.dims, out_channels, sources=sources, classes=classes)


class Restormer(Everywhere):
    """Transformer with attention between channels."""

    def __init__(self, spec: settings.Restormer, in_bands: int, out_channels: int) -> None:
        levels = spec.depth + 1
        core = nets.restormer.Restormer(
            spec.dims, channels_in(in_bands, 1, spec.dims), spec.width, dim=spec.width, num_blocks=(spec.blocks,) * levels,
            heads=tuple(2**level for level in range(levels)), num_refinement_blocks=spec.refinement,
        )  # fmt: skip
        super().__init__(core, spec.width, 2**spec.depth, spec.dims, out_channels, sources=1, classes=False)
