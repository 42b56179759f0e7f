"""What a network may offer beyond ``forward``: each a Protocol that is recognised by its methods.

A network is a module whose ``forward`` maps batches ``(N, y, x, in_bands)`` to ``(N, y, x, out_channels)``; nothing else is needed.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn


@runtime_checkable
class WholeImages(Protocol):
    """A network that answers for the middle pixel of a window (its spec's `around` is above 0), and can also answer for whole images."""

    def same(self, batch: Tensor) -> Tensor:
        """Return the answer for every pixel of images ``(N, y, x, λ)``, with the same height and width."""


@runtime_checkable
class FrozenFeatures(Protocol):
    """A network whose spatial part has no weights (its spec has `frozen_features`), so that its output is computed once and cached."""

    def features(self, batch: Tensor) -> Tensor:
        """Return what the weights see of a batch."""

    def head(self, features: Tensor) -> Tensor:
        """Return the answer for features."""


@runtime_checkable
class LastLayer(Protocol):
    """A network whose last layer stays trainable where others are frozen, and is new where the number of classes is."""

    last: nn.Module


class Upsampling(Protocol):
    """A network for super-resolution: its constructor takes `enlarges`, and with its spec's `any_factor` its forward takes `times`."""

    def __init__(self, spec: Any, in_bands: int, out_channels: int, *, enlarges: int = 1) -> None:
        """Build the network; `enlarges` is the number of pixels out along each side of a pixel in."""

    def __call__(self, batch: Tensor, times: int | None = None) -> Tensor:
        """Return images with `times` as many pixels along each side; default: `enlarges`."""


class Classifying(Protocol):
    """A network whose constructor takes `classes`: whether its output is logits of classes, and not bands."""

    def __init__(self, spec: Any, in_bands: int, out_channels: int, *, classes: bool = False) -> None:
        """Build the network."""


class OverRidge(Protocol):
    """A network with a setting `ridge`: its constructor takes `sources`, 2 where its input is the spectra beside the ridge estimate."""

    def __init__(self, spec: Any, in_bands: int, out_channels: int, *, sources: int = 1) -> None:
        """Build the network, whose forward takes `sources` batches."""


def on_whole_images(network: Any, batch: Tensor) -> Tensor:
    """Return what a network gives for every pixel of images ``(N, y, x, λ)``."""
    answer: Tensor = network.same(batch) if isinstance(network, WholeImages) else network(batch)
    return answer
