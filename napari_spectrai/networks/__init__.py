"""torch modules built from their specs. Batches are ``(N, y, x, λ)`` outside, whatever layout a network uses internally."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import nn

from napari_spectrai.experiment.network_spec import NetworkSpec
from napari_spectrai.networks.ridge import RidgeSkip
from napari_spectrai.networks.stem import Adds, Subspace
from napari_spectrai.networks.upsampling import Enlarging

__all__ = ["RidgeSkip", "Subspace", "build"]


def build(
    spec: NetworkSpec, in_bands: int, out_channels: int, *, ridge: bool | None = None, classes: bool = False, enlarges: int = 1
) -> nn.Module:
    """Return the network of `spec`, on top of a ridge map or in a subspace if the spec asks for it.

    Parameters
    ----------
    spec : NetworkSpec
    in_bands, out_channels : int
        Lengths of the last dimension of input and output: ``(N, y, x, in_bands) -> (N, y, x, out_channels)``.
    ridge : bool, optional
        Whether it is added to a ridge map; default: as in the spec.
    classes : bool
        Whether the outputs are classes, not bands.
    enlarges : int
        Number of output pixels along each side of an input pixel.

    Raises
    ------
    ValueError
        If the network's constructor does not accept what the task or its own settings require.
    """
    over_ridge = spec.starts_from_ridge if ridge is None else ridge
    components = min(spec.stem_components, in_bands)
    implementation = spec.load()
    more = _taken(spec, implementation, sources=2 if over_ridge else 1, classes=classes, enlarges=enlarges)
    # on top of a ridge map with other output bands, the network gets the input interpolated to these bands
    inner = components or (out_channels if over_ridge else in_bands)
    if components and not classes and out_channels != in_bands:
        raise ValueError(
            f"components={components} needs the same number of input and output bands, not {in_bands} and {out_channels}; set components=0"
        )
    network: nn.Module = implementation(spec, inner, out_channels if classes or not components else components, **more)
    if components:
        adds: Adds = "nothing" if classes or over_ridge or enlarges > 1 else "projection"
        network = Subspace(network, in_bands, components, classes=classes, adds=adds)
    if over_ridge:
        network = RidgeSkip(network, in_bands, out_channels)
    if enlarges > 1:
        network = Enlarging(network, spec, enlarges)
    # batches have λ last, which is channels last for the convolutions of a 2-D network, and a little faster for the others
    for parameter in network.parameters():
        if parameter.ndim in (4, 5):
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last if parameter.ndim == 4 else torch.channels_last_3d)
    return network


def _taken(spec: NetworkSpec, implementation: Any, *, sources: int, classes: bool, enlarges: int) -> dict[str, Any]:
    """Return the additional arguments for a constructor ``(spec, in_bands, out_channels)``; networks of logits need none."""
    parameters = inspect.signature(implementation).parameters.values()
    takes = {one.name for one in parameters}
    takes_any = any(one.kind is one.VAR_KEYWORD for one in parameters)
    asked: dict[str, Any] = {"sources": sources} if sources > 1 else {}
    asked |= {"classes": True} if classes and (takes_any or "classes" in takes) else {}
    asked |= {"enlarges": enlarges} if enlarges > 1 else {}
    why = {
        "sources": "has a setting 'ridge'; to pass the ridge estimate to its forward, too, the constructor must accept sources (2)",
        "enlarges": "is declared for super-resolution; its constructor must accept enlarges, the output pixels per input pixel and side",
    }
    for name in asked:
        if name not in takes and not takes_any:
            raise ValueError(f"network {spec.kind!r} {why[name]}")
    return asked
