"""A part of a preprocessing: some chunks of the prepared cube, computed by any number of processes."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from napari_spectrai import io
from napari_spectrai.conversion import as_cube
from napari_spectrai.cube import Cube
from napari_spectrai.generators import drain
from napari_spectrai.io import zarr as zarr_format
from napari_spectrai.io.found import lazily
from napari_spectrai.layer_axes import SpectralWarning
from napari_spectrai.preparation import Step, preparing
from napari_spectrai.preparation.blocks import empty_spectra
from napari_spectrai.runs.events import Progress
from napari_spectrai.runs.part import Part, Rectangle, cells, owned
from napari_spectrai.runs.part_input import digest
from napari_spectrai.runs.part_record import RECORD, PartRecord
from napari_spectrai.valid import Mask


def preprocessing_part(cube: Any, steps: Sequence[Step], *, out: Path, part: Part) -> Generator[Progress, None, Cube | None]:
    """Compute a part of a prepared cube, yielding progress; return the result if it is complete, None while parts are missing.

    Parameters
    ----------
    cube : Cube, array, napari layer, or path
    steps : sequence of Step
    out : Path
        The Zarr store that all parts write into.
    part : Part

    Raises
    ------
    ValueError
        If the store was started with other inputs, other steps or another number of parts.
    HeldError (a RuntimeError)
        If another process computes the same part.
    """
    source = io.read(cube) if isinstance(cube, str | Path) else as_cube(cube)
    if isinstance(source.data, np.ndarray):
        source = replace(source, data=lazily(source.data))
    plain = [json.loads(json.dumps(step.model_dump(), default=str)) for step in steps]
    plan = {"record": RECORD, "verb": "preprocess", "count": part.count, "input": digest(source), "options": plain}
    record = PartRecord.begin(out, plan)
    if not record.state(part.number).finished:
        with record.working(part):
            prepared, notes = _prepared(source, steps, record)
            result = record.array("", partial(zarr_format.create, cube=prepared, dtype=np.float32, fill=np.nan, unfinished=True))
            writing = _Writing(prepared, result, part)
            yield from record.followed(part, writing.run, len(writing.cells), notes, wrote=writing.share)
    yield Progress(1, 1)
    if record.complete(partial(_completed, record)) is None:
        return None
    record.refuse_changed()  # also where all of it was finished before
    record.refuse_holes("")
    return io.read(out)


def preprocessing_on_worker(
    opening: Callable[[], Any], steps: Sequence[Step], out: Path, part: Part
) -> Generator[Progress, None, Cube | None]:  # fmt: skip
    """Do what `preprocessing_part` does; `opening` returns the cube or its path."""
    return (yield from preprocessing_part(opening(), steps, out=out, part=part))


def _completed(record: PartRecord) -> list[str]:
    record.refuse_changed()
    record.refuse_holes("")
    zarr_format.finish(record.output)
    return []


def _prepared(source: Cube, steps: Sequence[Step], record: PartRecord) -> tuple[Cube, list[str]]:
    """Return the prepared cube, lazily, and notes; spectra that are empty are searched for by one part, for all."""
    searched = 0

    def empty(intermediate: Cube) -> Mask | None:
        nonlocal searched
        searched += 1

        def search() -> dict[str, Mask]:
            found = empty_spectra(intermediate)
            return {} if found is None else {"empty": found}

        return record.shared(f"empty-{searched}", search).get("empty")

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SpectralWarning)
        prepared = drain(preparing(source, steps, empty=empty))
    return prepared, list(dict.fromkeys(str(one.message) for one in caught if issubclass(one.category, SpectralWarning)))


@dataclass(slots=True, eq=False)
class _Writing:
    """Computes what a part writes, chunk by chunk of the lazy cube, so that no chunk is computed twice."""

    prepared: Cube
    result: Any
    part: Part

    @property
    def share(self) -> list[Rectangle]:
        return owned(self.result.shape, self.result.chunks, self.part)

    @property
    def cells(self) -> list[Rectangle]:
        spatial = self.prepared.spatial_shape
        chunks = self.prepared.data.chunks[: len(spatial)]
        rows, columns = (list(accumulate(lengths)) for lengths in (chunks[-2:] if len(spatial) > 1 else (chunks[0], (1,))))
        return list(cells(self.share, rows, columns))

    def run(self, done: int, finished: Callable[[int], object]) -> Generator[Progress, None, None]:
        """Yield progress after each cell."""
        todo = self.cells
        for number, cell in enumerate(todo[done:], done + 1):
            place = cell.place(self.prepared.spatial_shape)
            self.result[place] = np.asarray(self.prepared.data[place])
            finished(number)
            yield Progress(number, len(todo))
