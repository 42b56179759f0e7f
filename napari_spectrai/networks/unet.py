"""UNet and ResUNet with 1, 2 and 3 dimensions in one implementation."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from napari_spectrai.experiment.networks import ResUNet as ResUNetSpec
from napari_spectrai.experiment.networks import UNet as UNetSpec
from napari_spectrai.networks.blocks import ACTIVATIONS, Join, Level, convolution, cropped, padded, pooled
from napari_spectrai.networks.views import channels_in, from_channels, to_channels


class UNet(nn.Module):
    """Encoder-decoder with skip connections (Ronneberger et al. 2015, doi:10.1007/978-3-319-24574-4_28).

    Parameters
    ----------
    spec : UNetSpec or ResUNetSpec
    in_bands, out_channels : int
        Number of input and output bands; equal for networks along the spectrum, unless dense layers follow.
    sources : int
        Number of input batches ``(N, y, x, in_bands)``, which are concatenated.
    classes : bool
        Whether the outputs are classes: along the spectrum, their mean is used.
    """

    def __init__(self, spec: UNetSpec, in_bands: int, out_channels: int, *, sources: int = 1, classes: bool = False) -> None:
        super().__init__()
        self.classes = classes
        if spec.dims != 2 and out_channels != in_bands and not classes:
            raise ValueError(
                f"a {spec.dims}-D network gives one value per band: {in_bands} input bands cannot give {out_channels}; choose dims=2"
            )
        if classes and spec.dense:
            raise ValueError(f"dense={spec.dense} layers output bands, not classes; set network.dense=0")
        if spec.dense and spec.dims != 1:
            raise ValueError(f"dense={spec.dense} layers over the spectrum need dims=1, not {spec.dims}; set dense=0")
        self.dims, self.depth = spec.dims, spec.depth
        activation = _activation(spec)
        after = spec.after_sum if isinstance(spec, ResUNetSpec) else 0

        def level(inward: int, inside: int, outward: int) -> Level:
            return Level(
                spec.dims, inward, outward, inside=inside, after=after,
                convolutions=spec.convolutions, norm=spec.norm, activation=activation, residual=spec.residual,
            )  # fmt: skip

        widths = spec.widths
        widths_up = [
            widths[max(0, deep - 1)] if spec.slim else widths[deep] for deep in range(spec.depth)
        ]  # output widths of the decoder levels
        inward = channels_in(in_bands, sources, spec.dims)
        self.down = nn.ModuleList(level(a, b, b) for a, b in zip([inward, *widths], widths, strict=False))
        self.up = nn.ModuleList(
            level(widths[d] + below, widths[d], widths_up[d]) for d, below in reversed(list(enumerate([*widths_up[1:], widths[-1]])))
        )
        self.joins = nn.ModuleList(Join(spec.dims, width) for width in reversed(widths[: spec.depth]))
        self.dropout = nn.Dropout(spec.dropout)
        # one output per band, and a map from all bands to the classes
        self.mapped = classes and spec.dims != 2 and spec.over_bands == "learnt"
        out = out_channels if spec.dims == 2 or (classes and not self.mapped) else 1
        self.head = convolution(spec.dims, widths[0], out, size=spec.last_kernel)
        self.map = nn.Sequential(activation(), nn.Linear(in_bands, out_channels)) if self.mapped else nn.Sequential()
        dense: list[nn.Module] = []
        for _ in range(spec.dense):
            dense += [activation(), nn.Linear(in_bands, in_bands)]
        self.dense = nn.Sequential(*dense)

    @property
    def last(self) -> nn.Module:
        """The layer whose weights, if zero, make the output zero."""
        return self.map[-1] if self.mapped else self.dense[-1] if len(self.dense) else self.head

    def forward(self, *sources: Tensor) -> Tensor:
        """Map batches ``(N, y, x, in_bands)`` to ``(N, y, x, out_channels)``; any size."""
        shape = sources[0].shape
        x, lengths = padded(to_channels(sources, self.dims), self.dims, 2**self.depth)
        skips: list[Tensor] = []
        for deep, level in enumerate(self.down):
            x = level(pooled(x, self.dims) if deep else x)
            skips.append(x)
        x = self.dropout(skips.pop())
        for join, level in zip(self.joins, self.up, strict=True):
            x = level(join(skips.pop(), x))
        x = cropped(self.head(x), lengths)
        if self.mapped:
            logits: Tensor = self.map(x.squeeze(1))
            return logits.reshape(*shape[:3], -1)
        if self.classes and self.dims != 2:
            mean: Tensor = x.mean(-1)
            return mean.movedim(1, -1).reshape(*shape[:3], -1)
        return from_channels(self.dense(x), shape, self.dims)


def _activation(spec: UNetSpec) -> Callable[[], nn.Module]:
    """Return a factory for activations: a new one per layer, or one for the whole network."""
    make = ACTIVATIONS[spec.activation]
    if not spec.shared_slope:
        return make
    one = make()
    return lambda: one
