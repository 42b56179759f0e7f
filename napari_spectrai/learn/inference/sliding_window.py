"""Sliding-window inference: blocks of a cube are read, prepared, predicted and restored; `walk` blends and writes them."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from napari_spectrai.cube import Cube
from napari_spectrai.learn.applicability import Applicability
from napari_spectrai.learn.data.pool import mean_spectrum, with_holes
from napari_spectrai.learn.inference.engine import Engine, TooLargeError
from napari_spectrai.learn.inference.subdivision import SMALLEST, halved, in_blocks
from napari_spectrai.learn.inference.surroundings import reach
from napari_spectrai.learn.inference.tiles import Span
from napari_spectrai.learn.model import Model
from napari_spectrai.networks.hooks import on_whole_images
from napari_spectrai.noise import Stabiliser
from napari_spectrai.preparation import Preparation
from napari_spectrai.preparation.chain import Removed
from napari_spectrai.preparation.missing import bands_needed
from napari_spectrai.valid import (
    EMPTY,
    MISSING,
    Codes,
    coded_block,
    continued,
    finite,
    ignored,
    values_of,
    without,
)

LARGE = 336
"""Side of the largest tile that is chosen to save work; larger ones are needed for networks that see far."""
PASSES = 16
"""Number of passes with dropout for an uncertainty."""

Array = npt.NDArray[np.float32]
Empty = Callable[[], npt.NDArray[np.bool_]]
Predicted = tuple[tuple[Array, ...], Codes] | tuple[tuple[Array, ...], Codes, Array]


@dataclass(frozen=True, slots=True)
class PreparedBlock:
    """A block as networks take it.

    Attributes
    ----------
    block : Cube
    spectra : ndarray of shape (n, λ)
        Its spectra as they are.
    codes : ndarray of shape (n,)
        Their content (`napari_spectrai.valid`).
    known : bool ndarray of shape (n,)
        Which of them have a result.
    inputs : sequence of tuple
        For each model the prepared spectra, and what the preparation has removed from them.
    holes : bool ndarray of shape (n,)
        Which of them are replaced by others in the input of networks that use neighbouring pixels.
    """

    block: Cube
    spectra: Any
    codes: Codes
    known: npt.NDArray[np.bool_]
    inputs: Sequence[tuple[Any, Sequence[Removed]]]
    holes: npt.NDArray[np.bool_]

    def continued_from(self, wide: PreparedBlock, place: tuple[slice, slice]) -> PreparedBlock:
        """Return the block with the inputs that it has in a wider one, at some place there."""
        inputs = [
            (values.reshape(*wide.block.spatial_shape[-2:], -1)[place].reshape(len(self.spectra), -1), removed)
            for (values, _), (_, removed) in zip(wide.inputs, self.inputs, strict=True)
        ]
        return replace(self, inputs=inputs)


def has_dropout(model: Model) -> bool:
    """Whether passes through the network can differ."""
    kinds = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
    return any(isinstance(module, kinds) and module.p > 0 for module in model.network.modules())


class SlidingWindow:
    """Sliding-window inference on a cube with one model, or with several whose results are averaged.

    Parameters
    ----------
    models : models with the same axis and the same kind of output
    tile : height and width of a tile, in pixels; None: chosen automatically
    draws : whether networks with dropout make several passes, for the spread
    views : whether to average over the eight rotations and reflections of each image
    applicability : measures the distance of the spectra prepared for the first model from its training data, if it is given

    Notes
    -----
    Spectra without data are replaced in the prepared input by the nearest one with data or, for networks of single spectra and classical
    methods of whole images, by zeros, as in training. Missing ones are kept in a result with the same bands, and become NaN otherwise.
    Of spectra that are all zero, `empty_spectra.leave_out` makes the empty ones zero again after the pass, or NaN in class probabilities.
    Models of earlier versions (`continues_empty` of their cards) were trained with zeros there, and the raw missing spectra are continued.
    """

    def __init__(
        self, models: Sequence[Model], device: torch.device, tile: int | None, *, draws: bool = False, views: bool = False,
        applicability: Applicability | None = None,
    ) -> None:  # fmt: skip
        self.models, self.device, self.views = models, device, views
        self.applicability = None if applicability is None else copy.deepcopy(applicability).to(device)
        card = models[0].description
        self.passes = [PASSES if draws and has_dropout(model) else 1 for model in models]
        self.classes, self.times = bool(card.classes), card.experiment.task.enlarges
        self.of_images = card.experiment.task.of_images
        self.same_bands = not self.classes and self.times == 1 and (card.experiment.task.same_axis or card.experiment.any_axis)
        specs = [model.description.experiment.network for model in models]
        whole = any(spec.whole for spec in specs)
        self.context, self.grid = max(spec.context for spec in specs), math.lcm(*(spec.grid for spec in specs))
        self.spectral = self.context == 0 and not whole and not any(model.description.experiment.looks_around for model in models)
        self.continues = not self.spectral and not any(spec.whole and spec.classical for spec in specs)
        self.mixes = any(spec.chooses for spec in specs)
        self.overlap = 0 if self.spectral else 2 * self.context + self.grid
        self.tile = tile if tile is not None else self._chosen_tile()
        self.fixed_tile = tile is not None
        self.divides = not whole and not self.spectral and not self.of_images
        self.side: int | None = None
        """Side of the blocks in which a tile is computed, once it did not fit into memory."""
        if whole:  # its output depends on the whole image
            self.tile, self.overlap = 2**31, 0
        for model, passes in zip(models, self.passes, strict=True):
            model.network.to(device).eval()
            if passes > 1:
                for module in model.network.modules():
                    if isinstance(module, nn.Dropout | nn.Dropout1d | nn.Dropout2d | nn.Dropout3d):
                        module.train()
        self.engines = [Engine(model, device, single=self.spectral, apply=self._seen) for model in models]

    def _chosen_tile(self) -> int:
        """Return the side of a tile: what is computed twice falls with it, but memory rises; three overlaps where that is not large."""
        wide = min(3 * self.overlap, LARGE // self.grid * self.grid)
        return 128 if self.spectral else max(256, 2 * self.overlap, wide)

    @property
    def said(self) -> list[str]:
        """How networks were computed, in sentences, where it was measured, fixed or changed."""
        smaller = [] if self.side is None else [f"A tile did not fit into memory at once; it was computed in blocks of {self.side} pixels."]
        return list(dict.fromkeys([line for engine in self.engines for line in engine.said] + smaller))

    def release(self) -> None:
        """Move the networks off the device."""
        for engine in self.engines:
            engine.release()
        for model in self.models:
            model.network.eval().cpu()

    def weights(self, y: Span, x: Span) -> Array:
        """Return the weights (y, x, 1) of a tile in its overlaps."""
        # the ramps of neighbours sum to one in each direction, so that no division is needed
        down, across = (span.weights(self.context).repeat(self.times) for span in (y, x))
        weights: Array = (down[:, None] * across)[..., None]
        return weights

    def predicted(self, block: Cube, empty: Empty | None = None) -> Predicted:
        """Return the mean result of a block, flat (n, λ), with the spread if there are several; and the content of its spectra.

        Their distances from the training data are the third value, if the window computes them; NaN for spectra without data.
        """
        return self.computed(self.prepared(block, empty))

    def prepared(self, block: Cube, empty: Empty | None = None) -> PreparedBlock:
        """Read a block and prepare it for each model.

        Parameters
        ----------
        empty : callable, optional
            Returns which spectra of the block are empty; called if any is all zero. Default: all of those are.
        """
        spectra = values_of(block).reshape(-1, block.shape[-1])
        needed = [bands_needed(model.preparation.steps, block.axis) for model in self.models]
        codes = np.stack([coded_block(spectra, ignored(block), bands, fills) for bands, fills in needed]).min(0)
        seen = without(spectra, codes != MISSING)
        earlier = continued(seen, codes == MISSING, block.spatial_shape) if self.continues else seen
        prepared = [model.preparation.apply(seen if model.description.continues_empty else earlier, block.axis) for model in self.models]
        usable = np.asarray(np.stack([finite(values) for values, _, _ in prepared]).all(0))
        codes[~usable & (codes != EMPTY)] = MISSING
        holes = (codes == MISSING) | ~usable
        if (zero := codes == EMPTY).any():
            holes |= zero if empty is None else zero & empty().reshape(-1)
        inputs = [
            (self._input(model, values, holes, block), removed) for model, (values, _, removed) in zip(self.models, prepared, strict=True)
        ]
        return PreparedBlock(block, spectra, codes, usable & (codes != MISSING), inputs, holes)

    def _input(self, model: Model, values: Array, holes: npt.NDArray[np.bool_], block: Cube) -> Array:
        """Return prepared spectra (n, λ) of a block as the input of a model, where `holes` (n,) hold no data."""
        if not model.description.continues_empty:
            return without(values, finite(values))
        given = without(values, ~holes & finite(values))
        if self.spectral or not holes.any():
            return given
        spec, image = model.description.experiment.network, torch.from_numpy(given).view(1, *block.spatial_shape[-2:], -1)
        found = with_holes(image, torch.from_numpy(holes).view(image.shape[:-1]), spec)
        return np.asarray(found.reshape(given.shape).numpy())

    def computed(self, given: PreparedBlock) -> Predicted:
        """Return the results of a prepared block, as `predicted`."""
        drawn = [
            values
            for model, engine, passes, (inputs, removed) in zip(self.models, self.engines, self.passes, given.inputs, strict=True)
            for values in self._of(model, engine, passes, given.block, inputs, removed)
        ]
        results = (drawn[0],) if len(drawn) == 1 else (np.stack(drawn).mean(0), np.stack(drawn).std(0))
        complete = results if given.known.all() else self._with_missing(results, given.spectra, given.known, given.block)
        codes = given.codes.reshape(given.block.spatial_shape)
        return (complete, codes) if self.applicability is None else (complete, codes, self._distances(given))

    @torch.no_grad()
    def _distances(self, given: PreparedBlock) -> Array:
        """Return the dissimilarity (…) of the spectra of a block from the training data of the first model."""
        assert self.applicability is not None  # noqa: S101
        spectra = torch.from_numpy(np.require(without(given.inputs[0][0], given.known), np.float32, ["C", "W"])).to(self.device)
        index = self.applicability(spectra)[:, 0].cpu().numpy()
        return np.asarray(np.where(given.known, index, np.float32(np.nan))).reshape(given.block.spatial_shape)

    def _with_missing(self, results: tuple[Array, ...], spectra: Any, known: npt.NDArray[np.bool_], block: Cube) -> tuple[Array, ...]:
        """Return results with missing spectra replaced by those of the source, or by NaN."""
        if self.of_images:  # one output per image
            return results if known.any() else tuple(np.full_like(values, np.nan) for values in results)
        lost = ~(known if self.times == 1 else self._enlarged(known[:, None], block)[:, 0])
        marked = [np.where(lost[:, None], np.float32(np.nan), values) for values in results]
        if self.same_bands and marked[0].shape[-1] == spectra.shape[-1]:
            marked[0][lost] = spectra[lost]
        return tuple(marked)

    def _of(self, model: Model, engine: Engine, passes: int, block: Cube, prepared: Any, removed: Sequence[Removed]) -> list[Array]:
        """Return the output of one model for a prepared block in each of its passes."""
        shape = (len(prepared), 1, 1, -1) if self.spectral else (1, *block.spatial_shape[-2:], -1)
        batch = torch.from_numpy(np.require(prepared, np.float32, ["C", "W"])).view(shape)  # a copy if a file is mapped
        if self.of_images and self.spectral:  # the class of an image from its mean spectrum, as in training
            batch = mean_spectrum(batch.view(1, -1, 1, batch.shape[-1]))
        removed = [
            part if isinstance(part, Stabiliser) else (self._enlarged(part[0], block), self._enlarged(part[1], block)) for part in removed
        ]
        return [self._restored(model, self._mapped(engine, batch), removed) for _ in range(passes)]

    def _restored(self, model: Model, mapped: Array, removed: Sequence[Removed]) -> Array:
        """Return cubes in the intensities of the source, and classes as probabilities."""
        if not self.classes:
            return Preparation.restore(mapped, removed)
        shares: Array = (torch.from_numpy(mapped) / model.description.temperature).softmax(-1).numpy()
        return shares

    def _enlarged(self, factors: Any, block: Cube) -> Any:
        """Return the factors (n, 1) of the source's pixels for those of the result."""
        if self.times == 1:
            return factors
        image = factors.reshape(*block.spatial_shape[-2:], -1).repeat(self.times, 0).repeat(self.times, 1)
        return image.reshape(-1, image.shape[-1])

    def _mapped(self, engine: Engine, batch: Tensor) -> Array:
        output = None
        while output is None:
            try:
                output = self._outputs(engine, batch)
            except TooLargeError as error:
                self.side = self._smaller(engine, batch, error)
        mapped: Array = output.flatten(0, -2).numpy()
        return mapped

    def _outputs(self, engine: Engine, batch: Tensor) -> Tensor:
        if self.side is None:
            return engine.outputs(batch)
        # the members of a mixture continue pixels without data themselves
        context = self.context + reach(self.context) if self.mixes and bool(batch.isnan().any()) else self.context
        return in_blocks(engine.outputs, batch, self.side, context=context, grid=self.grid, times=self.times)

    def _smaller(self, engine: Engine, batch: Tensor, error: TooLargeError) -> int:
        """Return the next smaller side of blocks after memory ran out, unless the user has fixed the tile or it cannot be divided.

        Raises
        ------
        MemoryError
            It names a tile that fits.
        """
        sides = max(batch.shape[1:3]) if self.side is None else self.side
        if not self.divides:
            what = (
                "One spectrum"
                if self.spectral
                else f"An image of {' × '.join(map(str, batch.shape[1:3]))} pixels, which cannot be divided,"
            )
            raise MemoryError(f"{what} does not fit into the memory of {self.device}: {error}") from error
        half = halved(sides, self.grid)
        if self.fixed_tile:
            while half > SMALLEST and not self._fits(engine, batch[:, :half, :half]):
                half = halved(half, self.grid)
            raise MemoryError(f"a tile of {sides} pixels does not fit into the memory of {self.device}; choose tile={half}") from error
        if sides <= max(SMALLEST, self.grid):
            raise MemoryError(f"blocks of {sides} pixels do not fit into the memory of {self.device}: {error}") from error
        return half

    @staticmethod
    def _fits(engine: Engine, batch: Tensor) -> bool:
        try:
            engine.outputs(batch)
        except TooLargeError:
            return False
        return True

    def _seen(self, network: nn.Module, batch: Tensor) -> Tensor:
        """Return the output of a network; with views, the mean over the views of an image of its cubes or probabilities."""
        if not self.views or self.spectral:
            return on_whole_images(network, batch)
        total = torch.zeros((), device=batch.device)
        for turns in range(4):
            for flipped in (False, True):
                view = torch.rot90(batch, turns, (1, 2))
                output = on_whole_images(network, view.flip(1) if flipped else view).float()
                output = output.softmax(-1) if self.classes else output
                total = total + torch.rot90(output.flip(1) if flipped else output, -turns, (1, 2))
        mean = total / 8
        return mean.clamp(min=1e-12).log() if self.classes else mean
