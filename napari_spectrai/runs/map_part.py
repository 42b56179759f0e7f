"""A part of the maps of a cube: some of its pixels, computed by any number of processes."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from napari_spectrai import io
from napari_spectrai.conversion import as_cube
from napari_spectrai.cube import Cube
from napari_spectrai.io.zarr import CHECKED
from napari_spectrai.mapping import MapKind
from napari_spectrai.mapping.blocks import BLOCK
from napari_spectrai.mapping.files import MapFormat, write_maps
from napari_spectrai.mapping.planned import MapPlan, PlannedMaps, with_remarks
from napari_spectrai.runs.events import Progress
from napari_spectrai.runs.part import Part, Rectangle, cells, owned
from napari_spectrai.runs.part_input import digest
from napari_spectrai.runs.part_record import RECORD, PartRecord
from napari_spectrai.valid import MISSING, MORE, coded_block, decided, ignored

CHUNK = 64
"""Height and width, in pixels, of what is written by one part only."""
_VALUES, _CODES = "maps.zarr", "codes.zarr"


def mapping_part(
    kind: MapKind, cube: Any, *, out: Path, part: Part, format: MapFormat = "tiff"  # noqa: A002
) -> Generator[Progress, None, list[str] | None]:  # fmt: skip
    """Compute a part of the maps of a cube, yielding progress; return notes once all parts are done, and None while some are missing.

    Parameters
    ----------
    kind : MapKind
    cube : Cube, array, napari layer, or path
    out : Path
        The folder for the maps, which the last part writes.
    part : Part
    format : {"tiff", "npy"}

    Raises
    ------
    ValueError
        If the folder was started with another input, other settings or another number of parts, or the kind needs the whole cube at once.
    HeldError (a RuntimeError)
        If another process computes the same part.
    """
    if not isinstance(kind, PlannedMaps):
        raise ValueError(f"maps of the kind {kind.kind!r} need the whole cube at once; omit --part")
    source = io.read(cube) if isinstance(cube, str | Path) else as_cube(cube)
    settings = json.loads(json.dumps(kind.model_dump(), default=str))
    plan = {"record": RECORD, "verb": "map", "count": part.count, "input": digest(source), "options": settings, "format": format}
    record = PartRecord.begin(out, plan)
    how = None
    if not record.state(part.number).finished:
        with record.working(part):
            how = kind.plan(source)
            pixels = _Pixels.of(source, how, record, part)
            yield from record.followed(part, pixels.run, len(pixels.cells), [])
    yield Progress(1, 1)
    return record.complete(partial(_completed, source, kind, how, record, format))


def mapping_on_worker(
    kind: MapKind, opening: Callable[[], Any], out: Path, format: MapFormat, part: Part  # noqa: A002
) -> Generator[Progress, None, list[str] | None]:  # fmt: skip
    """Do what `mapping_part` does; `opening` returns the cube or its path."""
    return (yield from mapping_part(kind, opening(), out=out, part=part, format=format))


def _completed(source: Cube, kind: PlannedMaps, plan: MapPlan | None, record: PartRecord, format: MapFormat) -> list[str]:  # noqa: A002
    """Write the maps, in which spectra that hold no data are NaN."""
    plan = kind.plan(source) if plan is None else plan
    record.refuse_holes(_VALUES, _CODES)
    held = decided(np.asarray(record.opened(_CODES)[...], np.uint8))
    if not held.count:
        raise ValueError(f"none of the {source.count:,} spectra holds data in the chosen bands ({held.reasons})")
    values = np.asarray(record.opened(_VALUES)[...])
    values[~held.mask] = np.nan
    result = plan.finish({name: np.ascontiguousarray(values[..., number]) for number, name in enumerate(plan.names)})
    result = with_remarks(result, source, held)
    write_maps(result, record.output, source, format)
    return list(result.notes)


@dataclass(slots=True, eq=False)
class _Pixels:
    """Computes the values of a part's pixels, and which of them hold data."""

    source: Cube
    plan: MapPlan
    values: Any
    codes: Any
    part: Part

    @classmethod
    def of(cls, source: Cube, plan: MapPlan, record: PartRecord, part: Part) -> _Pixels:
        spatial, count = source.spatial_shape, len(plan.names)
        chunks = (*[1] * (len(spatial) - 2), *(min(CHUNK, length) for length in spatial[-2:])) if len(spatial) > 1 else (CHUNK * CHUNK,)
        made = partial(zarr.create_array, compressors=CHECKED)
        create = partial(made, fill_value=np.nan, shape=(*spatial, count), chunks=(*chunks, count), dtype=np.float64)
        codes = partial(made, fill_value=MORE, shape=spatial, chunks=chunks, dtype=np.uint8)
        return cls(source, plan, record.array(_VALUES, create), record.array(_CODES, codes), part)

    @property
    def cells(self) -> list[Rectangle]:
        """Some chunks each, of a limited number of values."""
        spatial = self.source.spatial_shape
        wide = max(1, BLOCK // (CHUNK * CHUNK * len(self.source.axis))) * CHUNK
        mine = owned(self.values.shape, self.values.chunks, self.part)
        if len(spatial) == 1:
            return list(cells(mine, range(0, spatial[0], CHUNK * wide), (1,)))
        return list(cells(mine, range(0, spatial[-2], CHUNK), range(0, spatial[-1], wide)))

    def run(self, done: int, finished: Callable[[int], object]) -> Generator[Progress, None, None]:
        """Yield progress after each cell."""
        todo = self.cells
        for number, cell in enumerate(todo[done:], done + 1):
            place = cell.place(self.source.spatial_shape)
            spectra = np.asarray(self.source.data[place])
            codes = coded_block(spectra, ignored(self.source), self.plan.bands, partly=False)
            known = spectra[codes != MISSING][:, self.plan.bands]
            values = np.full((*codes.shape, len(self.plan.names)), np.nan)
            step = self.plan.at_once or max(1, len(known))
            values[codes != MISSING] = np.concatenate(
                [self.plan.values(known[first : first + step]).T for first in range(0, len(known), step)]
                or [values[:0].reshape(0, values.shape[-1])]
            )
            self.values[place], self.codes[place] = values, codes
            finished(number)
            yield Progress(number, len(todo))
