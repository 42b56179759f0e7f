"""Enlargement without training."""

from __future__ import annotations

from torch import Tensor

from napari_spectrai.learn.classical.method import Method
from napari_spectrai.networks.upsampling import bicubic, lanczos, sharpened


class Bicubic(Method):
    """Bicubic interpolation."""

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, y, x, λ)`` to ``(N, s·y, s·x, λ)``."""
        return bicubic(x, self.enlarges)


class BackProjection(Method):
    """Bicubic interpolation and back-projection."""

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, y, x, λ)`` to ``(N, s·y, s·x, λ)``."""
        return sharpened(x, self.enlarges)


class Lanczos(Method):
    """Windowed sinc interpolation over three lobes."""

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, y, x, λ)`` to ``(N, s·y, s·x, λ)``."""
        return lanczos(x, self.enlarges)
