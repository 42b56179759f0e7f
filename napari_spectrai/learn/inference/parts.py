"""A part of a prediction: some chunks of the result, computed from the same tiles as the whole, by any number of processes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import zarr

from napari_spectrai import io
from napari_spectrai.conversion import as_cube
from napari_spectrai.cube import Cube
from napari_spectrai.io import zarr as zarr_format
from napari_spectrai.io.zarr import CHECKED
from napari_spectrai.learn.inference.applying import applying, resolved, shaped_as
from napari_spectrai.learn.inference.chaining import on_axis_of
from napari_spectrai.learn.inference.empty_spectra import Content, empty_of, leave_out
from napari_spectrai.learn.inference.prediction import Prediction, labels_of
from napari_spectrai.learn.inference.sliding_window import SlidingWindow
from napari_spectrai.learn.inference.walk import Walk, codes_shape
from napari_spectrai.learn.model import Model
from napari_spectrai.preparation.missing import nothing_held
from napari_spectrai.runs import Progress
from napari_spectrai.runs.options import PredictOptions
from napari_spectrai.runs.part import Part
from napari_spectrai.runs.part_input import digest
from napari_spectrai.runs.part_record import FOLDER, RECORD, PartRecord
from napari_spectrai.valid import MORE, DataMask, decided, said

_CODES = "codes.zarr"


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
    options = replace(options, applicability=False)
    given = io.read(cube) if isinstance(cube, str | Path) else as_cube(cube)
    _, models = resolved(model, given, options)
    source, fit = on_axis_of(models[0], given, resample=options.resample)
    shaped = shaped_as(models[0], given, source, fit)
    plan = {
        "record": RECORD, "verb": "predict", "count": part.count, "shape": list(shaped.shape), "input": digest(given),
        "model": [_digest_of_model(one) for one in models], "options": _plain(options),
    }  # fmt: skip
    window = SlidingWindow(models, torch.device("cpu"), options.tile)
    record = PartRecord.begin(out, plan, partial(_create, shaped=shaped, window=window, source=source))
    if not record.state(part.number).finished:
        with record.working(part):
            about = applying(models, given, options, record.shared)
            result = record.opened("")
            codes = record.opened(_CODES)
            walk = Walk(about.window, about.source, [about.turn(result)], codes, chunks=result.chunks, part=part, empty=about.empty)
            yield from record.followed(part, walk.run, len(walk.steps), [*about.notes, *about.found], wrote=walk.share)
    yield Progress(1, 1)
    notes = record.complete(partial(_completed, models, given, options, record))
    if notes is None:
        return None
    record.refuse_changed()  # also where all of it was finished before
    record.refuse_holes("")
    done = replace(io.read(out), metadata=shaped.metadata)
    classes = models[0].description.classes
    if not classes:
        return Prediction(done, notes=notes)
    components = applying(models, given, options, record.shared).components
    return Prediction(labels_of(done, classes), done, None, classes, components, notes)


def predicting_on_worker(
    model: str | Path, opening: Callable[[], Any], options: PredictOptions, out: Path, part: Part
) -> Generator[Progress, None, Prediction | None]:
    """Do what `predicting_part` does, with models that a process loads once; `opening` returns the cube or its path."""
    ensemble = tuple(_kept(one) for one in options.ensemble)
    return (yield from predicting_part(_kept(model), opening(), replace(options, ensemble=ensemble), out=out, part=part))


def _kept(model: str | Path) -> Model | str | Path:
    """Return a model of a file, loaded once as long as the file stays the same."""
    path = Path(model)
    return _loaded(path, path.stat().st_mtime_ns) if path.exists() else model


@lru_cache(maxsize=8)
def _loaded(path: Path, changed: int) -> Model:
    return Model.load(path)


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


def _digest_of_model(model: Model) -> str:
    """Return a digest of settings and weights; a method without training carries the time at which each process made it."""
    found = hashlib.sha256(json.dumps(replace(model.description, date="").to_json(), sort_keys=True, default=str).encode())
    for name, tensor in sorted(model.network.state_dict().items()):
        found.update(name.encode() + np.ascontiguousarray(tensor.cpu().numpy()).tobytes())
    return found.hexdigest()


def _create(folder: Path, shaped: Cube, window: SlidingWindow, source: Cube) -> None:
    """Create the store of the result and, among the records, that of the content of each spectrum."""
    store = zarr_format.create(folder, shaped, np.float32, fill=np.nan, unfinished=True)
    shape = codes_shape(window, source, shaped.shape)
    chunks = (*[1] * (len(shape) - 2), *shape[-2:]) if window.of_images else store.chunks[:-1]
    zarr.create_array(folder / FOLDER / _CODES, shape=shape, chunks=chunks, dtype=np.uint8, fill_value=MORE, compressors=CHECKED)


def _content(window: SlidingWindow, codes: Any) -> tuple[DataMask, Any]:
    """Return which spectra hold data, or at least how many, and which are empty."""
    if not window.of_images:
        return Content(codes, window.times).held()
    held = decided(np.asarray(codes[...]))
    return held, empty_of(held, of_images=True)


def _completed(models: Sequence[Model], given: Cube, options: PredictOptions, record: PartRecord) -> list[str]:
    """Set spectra that are all zero apart, as a whole prediction does after its last tile; return notes."""
    source, _ = on_axis_of(models[0], given, resample=options.resample)
    window = SlidingWindow(models, torch.device("cpu"), options.tile)
    record.refuse_changed()
    record.refuse_holes("", _CODES)
    held, empty = _content(window, record.opened(_CODES))
    if not held.count:
        raise ValueError(nothing_held([source], [held], models[0].preparation.steps))
    if held.complete:
        zarr_format.finish(record.output)
        return []
    with record.changing():
        leave_out(window, record.opened(""), empty)
    zarr_format.finish(record.output)
    return [said([held], "have no class" if models[0].description.classes else "stay as they are")]
