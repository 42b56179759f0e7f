"""torch modules built from their specs. Batches are ``(N, y, x, λ)`` outside, whatever a network uses inside."""

from __future__ import annotations

import torch
from torch import nn

from napari_spectrai.experiment.networks import NetworkSpec
from napari_spectrai.networks.ridge import RidgeSkip

__all__ = ["RidgeSkip", "build"]


def build(spec: NetworkSpec, in_bands: int, out_channels: int) -> nn.Module:
    """Return the network of `spec`, over a ridge skip where it asks for one.

    Parameters
    ----------
    spec : NetworkSpec
    in_bands, out_channels : int
        Lengths of the last dimension in and out: ``(N, y, x, in_bands) -> (N, y, x, out_channels)``.
    """
    implementation = spec.load()
    if getattr(spec, "ridge", False):
        network: nn.Module = RidgeSkip(implementation(spec, in_bands, out_channels, sources=2), in_bands, out_channels)
    else:
        network = implementation(spec, in_bands, out_channels)
    # batches have λ last, which is channels last for the convolutions of a 2-D network, and a little faster for the others
    layout = torch.channels_last_3d if getattr(spec, "dims", 1) == 3 else torch.channels_last
    return network.to(memory_format=layout)  # type: ignore[call-overload, no-any-return]
