"""Applying a model: tile by tile, read lazily, blended, written as it goes."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from napari_spectrai import io
from napari_spectrai.cube import Cube, SpectralAxis, as_cube
from napari_spectrai.experiment.card import ModelCard
from napari_spectrai.files import replacing
from napari_spectrai.io import zarr as zarr_format
from napari_spectrai.labels import Class, Labels
from napari_spectrai.learn.assemble import refuse_missing
from napari_spectrai.learn.classical.unmixing import Unmixing
from napari_spectrai.learn.device import choose_device
from napari_spectrai.learn.model import Model, ready
from napari_spectrai.learn.tiles import Span, tiles
from napari_spectrai.preparation import Preparation, preprocess
from napari_spectrai.preparation.axis import Resample
from napari_spectrai.preparation.chain import seen
from napari_spectrai.runs import Progress

BATCH = 4096
"""Spectra a step, for networks that see single spectra; halved when memory runs out."""
LOOKED_AT = 2**25
"""Values of a cube, at most, in which a method without training looks for clusters or components: rows of pixels, evenly spread."""
PASSES = 16
"""Passes with dropout for an uncertainty."""

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model says of a cube.

    Attributes
    ----------
    result : Cube, or integer array of shape (..., y, x)
        A cube in the intensities of the source; or the number of each pixel's class, as in the labels that were learnt from.
    probabilities : Cube or None
        Of the classes (last dimension), for tasks that have them.
    uncertainty : Cube or None
        Standard deviation over passes with dropout, if it was asked for: of the result, or of the probabilities.
    classes : list of Class
        Number, name and colour of each class; empty where a cube comes out.
    components : Cube or None
        The spectra (k, λ) of clusters or components, by methods that find such in the cube; in the order of the classes.
    """

    result: Any
    probabilities: Cube | None = None
    uncertainty: Cube | None = None
    classes: list[Class] = field(default_factory=list)
    components: Cube | None = None

    @property
    def labels(self) -> Labels | None:
        """The result as labels with names and colours, where classes come out."""
        if not self.classes or self.probabilities is None:
            return None
        names = {one.value: one.name for one in self.classes}
        colours = {one.value: one.colour for one in self.classes if one.colour is not None}
        return Labels(self.result, names, colours, name=self.probabilities.name)


def predict(
    model: Model | str | Path,
    cube: Any,
    *,
    out: str | Path | None = None,
    tile: int | None = None,
    uncertainty: bool = False,
    device: str = "auto",
    factor: int = 2,
    settings: Mapping[str, Any] | None = None,
) -> Prediction:
    """Apply a model to a cube, an array or a napari layer.

    Parameters
    ----------
    model : Model, path, or the name of a classical method that needs no training
        Such as ``"wavelet"``, ``"svd_nlm"``, ``"bicubic"`` or ``"kmeans"``; see `napari_spectrai.learn.model.ready`.
    cube : Cube, array, napari layer, or path
        With the model's axis; a lazy cube is read tile by tile.
    out : path, optional
        A Zarr store (``.zarr``) to write to as tiles finish (of classes: their probabilities); default: memory.
    tile : int, optional
        Height and width of a tile in pixels; default: chosen so that tiles do not show in the result.
    factor : int
        For a classical method that enlarges: pixels out along each side of a pixel in.
    settings : mapping, optional
        For a classical method: its settings, such as ``{"count": 8}``.
    uncertainty : bool
        Also return the standard deviation over passes with dropout.

    Raises
    ------
    ValueError
        If the axis is another one (resample it), values are missing, or the model has no dropout for an uncertainty.
    """
    steps = predicting(model, cube, out=out, tile=tile, uncertainty=uncertainty, device=device, factor=factor, settings=settings)
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
    factor: int = 2,
    settings: Mapping[str, Any] | None = None,
) -> Generator[Progress, None, Prediction]:
    """Do what `predict` does, and tell after each tile; closing the generator leaves nothing half-written."""
    source = io.read(cube) if isinstance(cube, str | Path) else as_cube(cube)
    model = _model(model, source, factor, settings)
    card = model.description
    refuse_other_axis(model, source)
    model, components = _with_components(model, source)
    if uncertainty and not any(isinstance(module, nn.Dropout) and module.p > 0 for module in model.network.modules()):
        raise ValueError("this network has no dropout to draw an uncertainty from; train it with network.dropout above 0")
    if not source.is_image and card.experiment.looks_around:
        raise ValueError(
            f"{source.name or 'the cube'!r} is a set of spectra, and this network looks at images; give one of shape (y, x, bands)"
        )
    name = f"{source.name} · {card.name}" if source.name else card.name
    shaped = _shaped(model, source, name)
    walk = _Walk(model, choose_device(device), tile, passes=PASSES if uncertainty else 0)
    with ExitStack() as files:
        result = _destination(shaped, out, files)
        spread = np.empty(shaped.shape, np.float32) if uncertainty else None
        yield from walk.images(source, result, spread) if _of_images(card) else walk.over(source, result, spread)
    done = replace(shaped, data=result) if out is None else replace(io.read(out), metadata=source.metadata)
    deviation = None if spread is None else replace(shaped, data=spread, name=f"{name} (sd)")
    if not card.classes:
        return Prediction(done, uncertainty=deviation)
    return Prediction(_told(done, card.classes), done, deviation, card.classes, components)


def _model(model: Model | str | Path, source: Cube, factor: int, settings: Mapping[str, Any] | None) -> Model:
    """Return a model that was given, lies in a file, or is a classical method of that name."""
    named = isinstance(model, str) and "." not in model and "/" not in model and not Path(model).exists()
    if settings and not named:
        raise ValueError(
            f"settings {', '.join(settings)} are for a classical method given by its name; a model keeps those it was made with"
        )
    if isinstance(model, Model):
        return model
    if named:
        return ready(str(model), source.axis, factor=factor, settings=settings)
    return Model.load(model)


def _with_components(model: Model, source: Cube) -> tuple[Model, Cube | None]:
    """Return the model with the components that it finds in a cube, if it does so, and those components."""
    network = model.network
    if not isinstance(network, Unmixing) or network.has_learnt:
        return model, None
    spectra = torch.from_numpy(np.ascontiguousarray(seen(source, LOOKED_AT))).flatten(0, -2)
    if not bool(spectra.isfinite().all(-1).any()):
        return model, None  # the walk says where values are missing
    found = network.found_in(spectra)
    components = Cube(found.components.numpy(), source.axis, name=f"{source.name} · {model.description.name}".lstrip(" ·"))
    return replace(model, network=found), components


def _of_images(card: ModelCard) -> bool:
    return getattr(card.experiment.task, "of", "") == "images"


def _shaped(model: Model, source: Cube, name: str) -> Cube:
    """Return an empty cube of the shape, axis and pixel size of the result."""
    card, times = model.description, model.description.experiment.task.enlarges
    spatial = source.spatial_shape
    if _of_images(card):
        spatial = spatial[:-2] or (1,)
    elif times > 1:
        spatial = (*spatial[:-2], spatial[-2] * times, spatial[-1] * times)
    axis = SpectralAxis.bands(card.out) if card.classes else card.truth_axis
    size = source.pixel_size
    metadata = dict(source.metadata)
    if size is not None and times > 1:
        size = (size[0] / times, size[1] / times)
        if "origin" in metadata:  # the centre of the first pixel moves into its corner
            metadata["origin"] = tuple(
                float(start) - length * (times - 1) / 2 for start, length in zip(metadata["origin"], size, strict=True)
            )
    if card.classes:
        metadata = {key: value for key, value in metadata.items() if key != "bad_bands"} | {
            "class_names": {one.value: one.name for one in card.classes}
        }
    empty = np.broadcast_to(np.float32(0), (*spatial, card.out))
    return replace(source, data=empty, axis=axis, name=name, source=None, pixel_size=size, metadata=metadata)


def _told(probabilities: Cube, classes: list[Class]) -> npt.NDArray[np.int64]:
    """Return the number of the most probable class of each pixel."""
    values = np.array([one.value for one in classes])
    data = probabilities.data
    best = data.argmax(-1)
    told: npt.NDArray[np.int64] = values[np.asarray(best)]
    return told


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
        self.classes, self.times = bool(model.description.classes), model.description.experiment.task.enlarges
        self.context, self.grid = spec.context, spec.grid
        self.spectral = self.context == 0 and not spec.whole and not model.description.experiment.looks_around
        # a tile four contexts wide repeats at most half of its work in the overlap
        self.overlap = 0 if self.spectral else 2 * self.context + self.grid
        self.tile = tile if tile is not None else (128 if self.spectral else max(256, 2 * self.overlap))
        if spec.whole:  # what it makes of an image depends on all of it
            self.tile, self.overlap = 2**31, 0
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

    def images(self, source: Cube, result: Any, spread: Array | None) -> Generator[Progress, None, None]:
        """Fill `result` (and `spread`) of shape (..., classes) with one answer an image, telling progress."""
        try:
            planes = list(np.ndindex(*source.spatial_shape[:-2])) if len(source.spatial_shape) > 2 else [()]
            for number, plane in enumerate(planes):
                block = source[(*plane, slice(None), slice(None))]
                for target, values in zip((result, spread), self._block(block, (*plane, 0, 0)), strict=False):
                    target[plane or (0,)] = values[0]
                yield Progress(number + 1, len(planes))
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
            times = self.times
            sums = [np.zeros(((down.stop - down.start) * times, width * times, target.shape[-1]), np.float32) for target in targets]
            for strip, left in zip(sums, carried, strict=False):
                strip[: len(left)] += left
            for y, x in row:
                block = source[(*plane, slice(y.start, y.stop), slice(x.start, x.stop))]
                for strip, values in zip(sums, self._block(block, (*plane, y.start, x.start)), strict=False):
                    sides = [length * times for length in block.spatial_shape[-2:]]
                    strip[:, x.start * times : x.stop * times] += values.reshape(*sides, -1) * self._weights(y, x)
                done += 1
                yield Progress(done, total)
            ready, first = (down.stop - down.start - down.after) * times, down.start * times
            for target, strip in zip(targets, sums, strict=True):
                target[(*plane, slice(first, first + ready))] = strip[:ready]
            carried = [strip[ready:] for strip in sums]

    def _weights(self, y: Span, x: Span) -> Array:
        # the ramps of neighbours add to one in each direction, so that no division follows
        down, across = (span.weights(self.context).repeat(self.times) for span in (y, x))
        weights: Array = (down[:, None] * across)[..., None]
        return weights

    def _block(self, block: Cube, origin: tuple[int, ...]) -> tuple[Array, ...]:
        """Return the restored result of a block that begins at `origin`, flat (n, λ), and its spread if wanted."""
        spectra = block.numpy().reshape(-1, block.shape[-1])
        prepared, _, removed = self.model.preparation.apply(spectra, block.axis)
        refuse_missing(spectra, block, "the cube", prepared, origin=origin, remedy="fill them: preprocess(cube, ['fill'])")
        shape = (len(prepared), 1, 1, -1) if self.spectral else (1, *block.spatial_shape[-2:], -1)
        batch = torch.from_numpy(np.ascontiguousarray(prepared, dtype=np.float32)).view(shape)
        removed = [(self._enlarged(offset, block), self._enlarged(scale, block)) for offset, scale in removed]
        if not self.passes:
            return (self._restored(self._mapped(batch), removed),)
        drawn = np.stack([self._restored(self._mapped(batch), removed) for _ in range(self.passes)])
        return drawn.mean(0), drawn.std(0)

    def _restored(self, mapped: Array, removed: Sequence[tuple[Array, Array]]) -> Array:
        """Return cubes in the intensities of the source, and classes as probabilities."""
        if not self.classes:
            return Preparation.restore(mapped, removed)
        shares: Array = torch.from_numpy(mapped).softmax(-1).numpy()
        return shares

    def _enlarged(self, factors: Any, block: Cube) -> Any:
        """Return the factors (n, 1) of the source's pixels for those of the result."""
        if self.times == 1:
            return factors
        image = factors.reshape(*block.spatial_shape[-2:], -1).repeat(self.times, 0).repeat(self.times, 1)
        return image.reshape(-1, image.shape[-1])

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
