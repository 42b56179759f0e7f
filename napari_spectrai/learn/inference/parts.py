"""A part of a prediction: some chunks of the result, computed from the same tiles as the whole, by any number of processes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import zarr

from napari_spectrai import io
from napari_spectrai.conversion import as_cube
from napari_spectrai.cube import Cube
from napari_spectrai.io import zarr as zarr_format
from napari_spectrai.learn.inference.applying import applying, resolved, shaped_as
from napari_spectrai.learn.inference.chaining import on_axis_of
from napari_spectrai.learn.inference.predict import Prediction, labels_of
from napari_spectrai.learn.inference.sliding_window import BATCH, SlidingWindow
from napari_spectrai.learn.inference.tiles import Span, tiles
from napari_spectrai.learn.model import Model
from napari_spectrai.preparation.chain import seen
from napari_spectrai.preparation.missing import nothing_held
from napari_spectrai.runs import Progress
from napari_spectrai.runs.options import PredictOptions
from napari_spectrai.runs.part import Part, Rectangle, owned
from napari_spectrai.runs.part_record import PartRecord, State
from napari_spectrai.valid import MORE, decided, said

COMPARED = 2**22
"""Values of an input by which a change between parts is noticed, in evenly spread rows; all of a smaller input."""


def predicting_part(
    model: Model | str | Path, cube: Any, options: PredictOptions, *, out: Path, part: Part
) -> Generator[Progress, None, Prediction | None]:
    """Compute a part of a prediction, yielding progress; return the result if it is complete, None while parts are missing.

    Parameters
    ----------
    model, cube, options
        As for `predicting`.
    out : Path
        The Zarr store that all parts write into (of classes: their probabilities).
    part : Part

    Raises
    ------
    ValueError
        If the store was started with other inputs, another model, other options or another number of parts, or the options need the whole.
    HeldError (a RuntimeError)
        If another process computes the same part.
    """
    _refuse_whole(options)
    given = io.read(cube) if isinstance(cube, str | Path) else as_cube(cube)
    _, models = resolved(model, given, options)
    source, fit = on_axis_of(models[0], given, resample=options.resample)
    shaped = shaped_as(models[0], given, source, fit)
    plan = {
        "verb": "predict", "count": part.count, "shape": list(shaped.shape), "input": _digest(given),
        "model": [_digest_of_model(one) for one in models], "options": _plain(options),
    }  # fmt: skip
    record = PartRecord.begin(out, plan, partial(zarr_format.create, cube=shaped, dtype=np.float32, fill=np.nan, unfinished=True))
    if not record.state(part.number).finished:
        with record.working(part):
            about = applying(models, given, options, record.shared)
            result = about.turn(zarr.open_array(out, mode="r+"))
            yield from _Walk(about.walk, about.source, result, record, part, [*about.notes, *about.found]).steps()
    state = record.state(part.number)
    yield Progress(state.total or 1, state.total or 1)
    notes = record.complete(partial(_completed, models, given, options, record))
    if notes is None:
        return None
    done = replace(io.read(out), metadata=shaped.metadata)
    classes = models[0].description.classes
    if not classes:
        return Prediction(done, notes=notes)
    components = applying(models, given, options, record.shared).components
    return Prediction(labels_of(done, classes), done, None, classes, components, notes)


def _refuse_whole(options: PredictOptions) -> None:
    """Refuse options whose results are not written part by part."""
    if options.then:
        raise ValueError("a chain of models is not computed in parts; apply its models one after another, each with --part")
    for name in ("uncertainty", "applicability"):
        if getattr(options, name):
            raise ValueError(f"--{name} is not computed in parts; omit it, or omit --part")


def _plain(options: PredictOptions) -> dict[str, Any]:
    """Return the options that change the result, as plain values."""
    return {
        "tile": options.tile, "factor": options.factor, "views": options.views, "resample": options.resample,
        "settings": json.loads(json.dumps(dict(options.settings), default=str)),
    }  # fmt: skip


def _digest(cube: Cube) -> str:
    """Return a digest of shape, axis and values."""
    found = hashlib.sha256(f"{cube.shape} {cube.axis.unit} {sorted(map(str, cube.metadata.items()))}".encode())
    found.update(np.ascontiguousarray(cube.axis.values).tobytes())
    found.update(np.ascontiguousarray(seen(cube, COMPARED)).tobytes())
    return found.hexdigest()


def _digest_of_model(model: Model) -> str:
    """Return a digest of settings and weights; a method without training carries the time at which each process made it."""
    found = hashlib.sha256(json.dumps(replace(model.description, date="").to_json(), sort_keys=True, default=str).encode())
    for name, tensor in sorted(model.network.state_dict().items()):
        found.update(name.encode() + np.ascontiguousarray(tensor.cpu().numpy()).tobytes())
    return found.hexdigest()


@dataclass(slots=True, eq=False)
class _Walk:
    """Computes the tiles that a part needs, and writes what it owns as rows are finished."""

    window: SlidingWindow
    source: Cube
    result: Any
    record: PartRecord
    part: Part
    notes: list[str]
    kept: dict[tuple[int, ...], tuple[Any, dict[str, Any]]] = field(default_factory=dict)

    def steps(self) -> Generator[Progress, None, None]:
        """Yield progress; what a killed process has finished is not computed again."""
        window, state = self.window, self.record.state(self.part.number)
        window.codes = np.full(self.source.spatial_shape, MORE, np.uint8)
        store = self.result if isinstance(self.result, zarr.Array) else self.result.array
        mine = owned(store.shape, store.chunks, self.part, whole=window.tile >= 2**31 and len(store.shape) > 2)
        walks = {plane: [one for one in mine if one.plane == plane] for plane in dict.fromkeys(one.plane for one in mine)}
        work = self._rows if window.of_images or len(store.shape) == 2 else self._plane
        plans = [(plane, step) for plane, rectangles in walks.items() for step in work(plane, rectangles)]
        done = state.done
        try:
            for number, (_, step) in enumerate(plans):
                if number < done:
                    continue
                codes = step()
                if codes:
                    self.record.leave(self.part.number, f"codes{number:07d}", codes)
                self.record.keep(self.part.number, State(number + 1, len(plans)))
                yield Progress(number + 1, len(plans))
        finally:
            window.release()
        self.record.keep(self.part.number, State(len(plans), len(plans), finished=True, notes=self.notes))

    def _rows(self, plane: int, rectangles: Sequence[Rectangle]) -> Iterator[Any]:
        """Yield functions that compute spectra of a set, or images, by their numbers."""
        top, bottom = rectangles[0].top, rectangles[-1].bottom
        size = 1 if self.window.of_images else 4 * BATCH
        for start in range(top // size * size, bottom, size):
            yield partial(self._entries, start, min(start + size, self.result.shape[0]), top, bottom)

    def _entries(self, start: int, stop: int, top: int, bottom: int) -> dict[str, Any]:
        if self.window.of_images:
            planes = list(np.ndindex(*self.source.spatial_shape[:-2]))
            place = planes[start] if planes else ()
            origin: tuple[int, ...] = (*place, 0, 0)
            block = self.source[(*place, slice(None), slice(None))]
        else:
            origin, block = (start,), self.source[slice(start, stop)]
        values = self.window.predicted(block, origin)[0]
        first, last = max(start, top), min(stop, bottom)
        self.result[first:last] = values[first - start : last - start]
        return self._codes(origin, block.spatial_shape)

    def _codes(self, origin: tuple[int, ...], shape: tuple[int, ...]) -> dict[str, Any]:
        """Return which spectra of a block hold no or few data, by their flat number in the source; empty if none does."""
        place = tuple(slice(start, start + length) for start, length in zip(origin, shape, strict=True))
        codes = self.window.codes[place]
        local = np.nonzero(codes != MORE)
        if not local[0].size:
            return {}
        flat = np.ravel_multi_index(tuple(at + start for at, start in zip(local, origin, strict=True)), self.source.spatial_shape)
        return {"places": flat, "codes": codes[local]}

    def _plane(self, plane: int, rectangles: Sequence[Rectangle]) -> Iterator[Any]:
        """Yield functions that compute what a part owns of some rows, which no further row of tiles contributes to."""
        window, place = self.window, np.unravel_index(plane, self.result.shape[:-3]) if len(self.result.shape) > 3 else ()
        height, width = self.source.spatial_shape[-2:]
        rows = list(tiles(height, width, window.tile, window.overlap, window.grid))
        for number, row in enumerate(rows):
            down, times = row[0][0], window.times
            top, bottom = down.start * times, (down.stop - down.after) * times
            mine = [found for one in rectangles if (found := one.rows(top, bottom)) is not None]
            if mine:
                yield partial(self._strip, tuple(map(int, place)), rows[: number + 1], mine)

    def _strip(self, plane: tuple[int, ...], rows: Sequence[list[tuple[Span, Span]]], mine: Sequence[Rectangle]) -> dict[str, Any]:
        """Compute what a part owns of the finished rows of a row of tiles, with what the row above adds to it."""
        times = self.window.times
        top, bottom = min(one.top for one in mine), max(one.bottom for one in mine)
        left, right = min(one.left for one in mine), max(one.right for one in mine)
        sums = np.zeros((bottom - top, right - left, self.result.shape[-1]), np.float32)
        found: list[dict[str, Any]] = []
        for y, x in (tile for row in rows for tile in row):
            down, across = self._meets(y, top, bottom), self._meets(x, left, right)
            if down is None or across is None:
                continue
            if self.window.spectral:  # spectra are independent: only those of this part are computed
                y, x = _cut(y, *down, times), _cut(x, *across, times)  # noqa: PLW2901
            values, codes = self._tile(plane, y, x)
            inner = values[down[0] - y.start * times : down[1] - y.start * times, across[0] - x.start * times : across[1] - x.start * times]
            sums[down[0] - top : down[1] - top, across[0] - left : across[1] - left] += inner
            if codes:
                found.append(codes)
        self.kept = {key: tile for key, tile in self.kept.items() if key[:-2] == plane and key[-2] == rows[-1][0][0].start}
        for one in mine:
            where = (*plane, slice(one.top, one.bottom), slice(one.left, one.right))
            self.result[where] = sums[one.top - top : one.bottom - top, one.left - left : one.right - left]
        return {name: np.concatenate([codes[name] for codes in found]) for name in ("places", "codes")} if found else {}

    def _tile(self, plane: tuple[int, ...], y: Span, x: Span) -> tuple[Any, dict[str, Any]]:
        """Return the weighted values of a tile, and its codes; those of the row above are kept for the overlap."""
        key = (*plane, y.start, x.start)
        if key not in self.kept:
            block = self.source[(*plane, slice(y.start, y.stop), slice(x.start, x.stop))]
            values = self.window.predicted(block, key)[0]
            sides = [length * self.window.times for length in block.spatial_shape[-2:]]
            done = values.reshape(*sides, -1) * self.window.weights(y, x)
            found = done, self._codes(key, block.spatial_shape)
            if self.window.spectral:  # tiles do not overlap
                return found
            self.kept[key] = found
        return self.kept[key]

    def _meets(self, span: Span, first: int, last: int) -> tuple[int, int] | None:
        """Return which output pixels of a range lie in a tile, if any do."""
        first, last = max(first, span.start * self.window.times), min(last, span.stop * self.window.times)
        return (first, last) if first < last else None


def _cut(span: Span, first: int, last: int, times: int) -> Span:
    return Span(first // times, -(-last // times), 0, 0) if not (span.before or span.after) else span


def _completed(models: Sequence[Model], given: Cube, options: PredictOptions, record: PartRecord) -> list[str]:
    """Set spectra that are all zero apart, as a whole prediction does after its last tile; return notes."""
    source, _ = on_axis_of(models[0], given, resample=options.resample)
    codes = np.full(source.spatial_shape, MORE, np.uint8)
    for _, kept in record.left("codes*"):
        codes.reshape(-1)[kept["places"]] = kept["codes"]
    held = decided(codes)
    if not held.count:
        raise ValueError(nothing_held([source], [held], models[0].preparation.steps))
    if held.complete:
        zarr_format.finish(record.output)
        return []
    walk = SlidingWindow(models, torch.device("cpu"), options.tile)
    walk.leave_out(zarr.open_array(record.output, mode="r+"), held)
    zarr_format.finish(record.output)
    return [said([held], "have no class" if models[0].description.classes else "stay as they are")]
