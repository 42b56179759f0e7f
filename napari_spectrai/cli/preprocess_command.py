"""The command preprocess."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator
from dataclasses import replace
from functools import partial as partial_of
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from napari_spectrai.cli.common import (
    FAILED,
    STOPPED,
    WRONG_USE,
    Attached,
    Axis,
    Columns,
    Dataset,
    Overwrite,
    Shape,
    Spectral,
    app,
    cube_of,
    exit_with,
    followed,
    listen_in,
    log_failures,
    refuse_existing,
    refuse_missing,
    refuse_same,
    refuse_unwritten,
    say_notes,
)
from napari_spectrai.cli.parts import (
    How,
    PartOption,
    SchedulerOption,
    WorkersOption,
    chosen_part,
    done_elsewhere,
    refuse_no_store,
    refuse_overwriting_parts,
    say_part,
)
from napari_spectrai.cube import Cube
from napari_spectrai.files import replacing
from napari_spectrai.io import write, writer_of
from napari_spectrai.io.found import lazily
from napari_spectrai.layer_axes import SpectralWarning
from napari_spectrai.preparation import Step, load_steps, preparing
from napari_spectrai.runs import Finished, RunFolder, Saved
from napari_spectrai.runs.part_record import PartRecord


@app.command()
def preprocess(
    steps: Annotated[Path, typer.Argument(help="a YAML list of steps")],
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="a spectral file")],
    output: Annotated[Path, typer.Option("--output", "-o", help="file for the result; .zarr is written block by block")],
    dataset: Dataset = None,
    spectral: Spectral = None,
    axis: Axis = None,
    columns: Columns = None,
    shape: Shape = None,
    part: PartOption = None,
    workers: WorkersOption = None,
    scheduler: SchedulerOption = None,
    overwrite: Overwrite = False,
    run: Annotated[Path | None, typer.Option(hidden=True)] = None,
    attached: Attached = False,
) -> None:
    """Apply preparation steps to a file."""
    folder = listen_in(run, attached=attached)
    with exit_with(WRONG_USE), log_failures(folder):
        only = chosen_part(part, workers, scheduler, output)
        refuse_missing(steps, source)
        wanted = load_steps(steps)
        refuse_same(output, source, steps)
        if only is None:
            refuse_unwritten(output)
            refuse_existing(output, overwrite=overwrite)
        else:
            refuse_no_store(output)
            refuse_overwriting_parts(output, overwrite=overwrite)
    with exit_with(FAILED), log_failures(folder):
        opening = partial_of(cube_of, source.absolute(), dataset, spectral, axis, columns, shape)
        if only is not None:
            _preprocess_part(opening, wanted, output, (only, workers, scheduler), folder)
            return
        cube = opening()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", SpectralWarning)
            done = followed(_preprocessing(cube, wanted, output), folder, "preparing")
        notes = list(dict.fromkeys(str(one.message) for one in caught if issubclass(one.category, SpectralWarning)))
        say_notes(notes)
        if done is not None and folder is not None:
            folder.append(Saved("result", str(output)))
            folder.append(Finished("done", notes=notes))
    if done is None:
        raise typer.Exit(STOPPED)


def _preprocess_part(opening: Callable[[], Cube], wanted: list[Step], output: Path, how: How, folder: RunFolder | None) -> None:
    """Compute one part, or all by others."""
    from napari_spectrai.runs.preprocess_part import preprocessing_on_worker, preprocessing_part

    job = partial_of(preprocessing_on_worker, opening, wanted, output.absolute())
    only = done_elsewhere(*how, store=output, job=job, folder=folder, what="preparing")
    prepared = followed(preprocessing_part(opening(), wanted, out=output, part=only), folder, f"preparing part {only}")
    say_part(only, complete=prepared is not None)
    if prepared is not None:
        say_notes(PartRecord(output, only.count).finished or [])


def _preprocessing(cube: Cube, wanted: list[Step], output: Path) -> Generator[tuple[int, int], None, Path]:
    streams = writer_of(output).module == "zarr"
    if streams and isinstance(cube.data, np.memmap):  # read in blocks, as it is written
        cube = replace(cube, data=lazily(cube.data))
    prepared = yield from preparing(cube, wanted)
    if not streams:
        return write(prepared, output)
    from napari_spectrai.io.zarr import writing

    with replacing(output, at_most=prepared.data.nbytes) as temporary:
        yield from writing(prepared, temporary)
    return output
