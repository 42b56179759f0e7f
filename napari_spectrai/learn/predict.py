"""Applying a model: tile by tile, read lazily, blended, written as it goes."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from napari_spectrai import io
from napari_spectrai.cube import Cube, as_cube
from napari_spectrai.files import replacing
from napari_spectrai.io import zarr as zarr_format
from napari_spectrai.learn.dataset import refuse_missing
from napari_spectrai.learn.device import choose_device
from napari_spectrai.learn.model import Model
from napari_spectrai.learn.tiles import Span, tiles
from napari_spectrai.preparation import Preparation, preprocess
from napari_spectrai.preparation.axis import Resample
from napari_spectrai.runs import Progress

BATCH = 4096
"""Spectra a step, for networks that see single spectra; halved when memory runs out."""
PASSES = 16
"""Passes with dropout for an uncertainty."""

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model says of a cube.

    Attributes
    ----------
    result : Cube
        In the intensities of the source.
    probabilities : Cube or None
        Of classes, for tasks that have them.
    uncertainty : Cube or None
        Standard deviation over passes with dropout, if it was asked for.
    """

    result: Cube
    probabilities: Cube | None = None
    uncertainty: Cube | None = None


def predict(
    model: Model | str | Path,
    cube: Any,
    *,
    out: str | Path | None = None,
    tile: int | None = None,
    uncertainty: bool = False,
    device: str = "auto",
) -> Prediction:
    """Apply a model to a cube, an array or a napari layer.

    Parameters
    ----------
    model : Model or path
    cube : Cube, array, napari layer, or path
        With the model's axis; a lazy cube is read tile by tile.
    out : path, optional
        A Zarr store (``.zarr``) to write to as tiles finish; default: memory.
    tile : int, optional
        Height and width of a tile in pixels; default: chosen so that tiles do not show in the result.
    uncertainty : bool
        Also return the standard deviation over passes with dropout.

    Raises
    ------
    ValueError
        If the axis is another one (resample it), values are missing, or the model has no dropout for an uncertainty.
    """
    steps = predicting(model, cube, out=out, tile=tile, uncertainty=uncertainty, device=device)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            prediction: Prediction = end.value
            return prediction


def predicting(
    model: Model | str | Path,
    cube: Any,
    *,
    out: str | Path | None = None,
    tile: int | None = None,
    uncertainty: bool = False,
    device: str = "auto",
) -> Generator[Progress, None, Prediction]:
    """Do what `predict` does, and tell after each tile; closing the generator leaves nothing half-written."""
    model = model if isinstance(model, Model) else Model.load(model)
    source = io.read(cube) if isinstance(cube, str | Path) else as_cube(cube)
    refuse_other_axis(model, source)
    if uncertainty and not any(isinstance(module, nn.Dropout) and module.p > 0 for module in model.network.modules()):
        raise ValueError("this network has no dropout to draw an uncertainty from; train it with network.dropout above 0")
    if not source.is_image and getattr(model.description.experiment.network, "dims", 1) > 1:
        raise ValueError(
            f"{source.name or 'the cube'!r} is a set of spectra, and this network looks at images; give one of shape (y, x, bands)"
        )
    walk = _Walk(model, choose_device(device), tile, passes=PASSES if uncertainty else 0)
    name = f"{source.name} · {model.description.name}" if source.name else model.description.name
    shaped = replace(source, data=np.broadcast_to(np.float32(0), (*source.spatial_shape, len(model.description.truth_axis))),
                     axis=model.description.truth_axis, name=name, source=None)  # fmt: skip
    with ExitStack() as files:
        result = _destination(shaped, out, files)
        spread = np.empty(shaped.shape, np.float32) if uncertainty else None
        yield from walk.over(source, result, spread)
    done = replace(shaped, data=result) if out is None else replace(io.read(out), metadata=source.metadata)
    return Prediction(done, uncertainty=None if spread is None else replace(shaped, data=spread, name=f"{name} (sd)"))


def _destination(shaped: Cube, out: str | Path | None, files: ExitStack) -> Any:
    if out is None:
        return np.empty(shaped.shape, np.float32)
    if Path(out).suffix != ".zarr":
        raise ValueError(f"predictions stream into a .zarr store, not {Path(out).name!r}; or leave out= away and write() the result")
    return zarr_format.create(files.enter_context(replacing(out)), shaped, np.float32)


def refuse_other_axis(model: Model, cube: Cube) -> None:
    """Raise ValueError if the cube's axis is not the model's, with the remedy."""
    difference = model.axis.mismatch(cube.axis)
    if difference is None:
        return
    remedy = "it has other bands than the model was trained on"
    try:
        preprocess(Cube(np.zeros((1, len(cube.axis)), np.float32), cube.axis), [Resample.onto(model.axis)])
        remedy = "bring it onto the model's axis: preprocess(cube, [Resample.onto(model.axis)])"
    except ValueError as error:
        remedy += f", and resampling cannot help ({error})"
    raise ValueError(f"{cube.name or 'the cube'!r} has {difference} (the model: {model.axis.describe()}); {remedy}")


class _Walk:
    """The way over a cube: blocks are read, prepared, mapped, restored and written."""

    def __init__(self, model: Model, device: torch.device, tile: int | None, *, passes: int) -> None:
        self.model, self.device, self.passes, self.batch = model, device, passes, BATCH
        spec = model.description.experiment.network
        self.context, self.grid = spec.context, spec.grid
        self.spectral = self.context == 0
        # a tile four contexts wide repeats at most half of its work in the overlap
        self.overlap = 0 if self.spectral else 2 * self.context + self.grid
        self.tile = tile if tile is not None else (128 if self.spectral else max(256, 2 * self.overlap))
        least = 1 if self.spectral else 2 * (2 * self.context + self.grid)
        if self.tile < least:
            raise ValueError(
                f"tiles of {self.tile} pixels would show in the result, since this network looks {self.context} pixels around; "
                f"choose {least} or more, or leave the tile to be chosen"
            )
        self.network = model.network.to(device).eval()
        if passes:
            for module in self.network.modules():
                if isinstance(module, nn.Dropout):
                    module.train()

    def over(self, source: Cube, result: Any, spread: Array | None) -> Generator[Progress, None, None]:
        """Fill `result` (and `spread`) of shape (..., y, x, λ), telling progress."""
        try:
            spatial = source.spatial_shape
            if len(spatial) == 1:
                yield from self._set(source, result, spread)
                return
            planes = list(np.ndindex(*spatial[:-2]))
            for number, plane in enumerate(planes):
                yield from self._plane(source, plane, result, spread, number, len(planes))
        finally:
            self.network.eval().cpu()

    def _set(self, source: Cube, result: Any, spread: Array | None) -> Generator[Progress, None, None]:
        count = source.spatial_shape[0]
        size = 4 * BATCH
        for start in range(0, count, size):
            part = slice(start, min(start + size, count))
            for target, values in zip((result, spread), self._block(source[part], (start,)), strict=False):
                target[part] = values
            yield Progress(part.stop, count)

    def _plane(
        self, source: Cube, plane: tuple[int, ...], result: Any, spread: Any, number: int, planes: int
    ) -> Generator[Progress, None, None]:
        height, width = source.spatial_shape[-2:]
        rows = list(tiles(height, width, self.tile, self.overlap, self.grid))
        total = sum(map(len, rows)) * planes
        done = number * sum(map(len, rows))
        targets = [target for target in (result, spread) if target is not None]
        carried: list[Array] = []
        for row in rows:
            down = row[0][0]
            sums = [np.zeros((down.stop - down.start, width, target.shape[-1]), np.float32) for target in targets]
            for strip, left in zip(sums, carried, strict=False):
                strip[: len(left)] += left
            for y, x in row:
                block = source[(*plane, slice(y.start, y.stop), slice(x.start, x.stop))]
                for strip, values in zip(sums, self._block(block, (*plane, y.start, x.start)), strict=False):
                    strip[:, x.start : x.stop] += values.reshape(*block.spatial_shape[-2:], -1) * self._weights(y, x)
                done += 1
                yield Progress(done, total)
            ready = down.stop - down.start - down.after
            for target, strip in zip(targets, sums, strict=True):
                target[(*plane, slice(down.start, down.start + ready))] = strip[:ready]
            carried = [strip[ready:] for strip in sums]

    def _weights(self, y: Span, x: Span) -> Array:
        # the ramps of neighbours add to one in each direction, so that no division follows
        weights: Array = (y.weights(self.context)[:, None] * x.weights(self.context))[..., None]
        return weights

    def _block(self, block: Cube, origin: tuple[int, ...]) -> tuple[Array, ...]:
        """Return the restored result of a block that begins at `origin`, flat (n, λ), and its spread if wanted."""
        spectra = block.numpy().reshape(-1, block.shape[-1])
        prepared, _, removed = self.model.preparation.apply(spectra, block.axis)
        refuse_missing(spectra, block, "the cube", prepared, origin=origin, remedy="fill them: preprocess(cube, ['fill'])")
        shape = (len(prepared), 1, 1, -1) if self.spectral else (1, *block.spatial_shape[-2:], -1)
        batch = torch.from_numpy(np.ascontiguousarray(prepared, dtype=np.float32)).view(shape)
        if not self.passes:
            return (Preparation.restore(self._mapped(batch), removed),)
        drawn = np.stack([Preparation.restore(self._mapped(batch), removed) for _ in range(self.passes)])
        return drawn.mean(0), drawn.std(0)

    def _mapped(self, batch: Tensor) -> Array:
        outputs = []
        start = 0
        while start < len(batch):
            try:
                outputs.append(self.model.prepared(batch[start : start + self.batch].to(self.device)).float().cpu())
                start += self.batch
            except torch.OutOfMemoryError as error:
                if self.batch == 1 or len(batch) == 1:
                    raise MemoryError(
                        f"a tile of {self.tile} pixels does not fit into the memory of {self.device}; choose a smaller tile="
                    ) from error
                self.batch = max(1, self.batch // 2)
        mapped: Array = torch.cat(outputs).flatten(0, -2).numpy()
        return mapped
