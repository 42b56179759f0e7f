"""A prediction by the workers of a Dask cluster."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from napari_spectrai import io
from napari_spectrai.conversion import as_cube
from napari_spectrai.learn.inference.parts import predicting_on_worker
from napari_spectrai.learn.inference.prediction import Prediction
from napari_spectrai.learn.model import Model
from napari_spectrai.runs import Progress
from napari_spectrai.runs.cluster import computing, parts_for
from napari_spectrai.runs.options import PredictOptions
from napari_spectrai.runs.part import Part
from napari_spectrai.runs.part_record import PartRecord


def predicting_on_cluster(
    model: Model | str | Path, cube: Any, options: PredictOptions, *, out: str | Path | None, client: Any
) -> Generator[Progress, None, Prediction]:
    """Do what `predict` does with a client, and yield progress; closing the generator cancels the tasks.

    Raises
    ------
    ValueError
        If there is no store that all workers reach, or the options need the whole.
    RuntimeError
        If the cluster has no workers.
    """
    if out is None or Path(out).suffix != ".zarr":
        raise ValueError("the workers of a cluster write into one store; give out=, the path of a .zarr store that all of them reach")
    store = Path(out).absolute()
    with ExitStack() as files:
        ensemble = tuple(_model_file(one, store, files) for one in options.ensemble)
        job = partial(
            predicting_on_worker, _model_file(model, store, files), partial(Path, _cube_file(cube, store, files)),
            replace(options, ensemble=ensemble), store,
        )  # fmt: skip
        count = parts_for(client, store)
        yield from computing(client, job, PartRecord(store, count))
        prediction = yield from job(Part(1, count))
    if prediction is None:
        raise RuntimeError(f"parts of {store} are missing, although their tasks have ended; predict again to complete it")
    return prediction


def _model_file(model: Any, store: Path, files: ExitStack) -> Path | str:
    """Return a model as a file, or the name of a method without training."""
    if not isinstance(model, Model):
        return Path(model).absolute() if Path(model).exists() else str(model)
    path = store.with_name(f".{store.stem}-{uuid.uuid4().hex[:8]}.safetensors")
    files.callback(path.unlink, missing_ok=True)
    return model.save(path)


def _cube_file(cube: Any, store: Path, files: ExitStack) -> Path:
    """Return a cube as a file: its own, if it is unchanged and read lazily."""
    if isinstance(cube, str | Path):
        return Path(cube).absolute()
    given = as_cube(cube)
    if given.source is not None and not isinstance(given.data, np.ndarray):
        return given.source.absolute()
    path = store.with_name(f".{store.stem}-{uuid.uuid4().hex[:8]}-input.zarr")
    files.callback(shutil.rmtree, path, ignore_errors=True)
    return io.write(given, path)
