"""map."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
import yaml
from pydantic import ValidationError
from rich.progress import Progress as Bar

from napari_spectrai.cli.common import (
    FAILED,
    WRONG_USE,
    Axis,
    Columns,
    Dataset,
    Overwrite,
    Shape,
    Spectral,
    app,
    console,
    cube_of,
    echo,
    exit_with,
    followed,
    listen_in,
    refuse_existing,
    say_notes,
    say_rows,
)
from napari_spectrai.cli.parts import (
    How,
    PartOption,
    SchedulerOption,
    WorkersOption,
    chosen_part,
    done_elsewhere,
    refuse_overwriting_parts,
    say_part,
)
from napari_spectrai.cube import Cube
from napari_spectrai.files import make_folder
from napari_spectrai.io.folders import is_folder_of_files, results_of, spectral_files
from napari_spectrai.layer_axes import SpectralWarning
from napari_spectrai.mapping import MapKind, Maps, kinds
from napari_spectrai.mapping.files import write_maps
from napari_spectrai.runs.result_table import NAME, failed_row, of_maps, row_of, write_rows
from napari_spectrai.spec import SettingsError, problems


@app.command(name="map")
def map_command(
    kind: Annotated[str, typer.Argument(help="band, peaks, components, unmix or library")],
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="a spectral file, or a folder of them")],
    settings: Annotated[
        list[str] | None, typer.Argument(metavar="NAME=VALUE", help="settings of the kind, such as low=950 high=1050 count=2")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="folder for the maps, table.csv and curves.csv")] = Path("maps"),
    format: Annotated[Literal["tiff", "npy"], typer.Option(help="files of the maps")] = "tiff",  # noqa: A002
    dataset: Dataset = None,
    spectral: Spectral = None,
    axis: Axis = None,
    columns: Columns = None,
    shape: Shape = None,
    part: PartOption = None,
    workers: WorkersOption = None,
    scheduler: SchedulerOption = None,
    overwrite: Overwrite = False,
) -> None:
    """Compute maps from a file: band images, fitted peaks, components, abundances of given spectra, library matches.

    Of a folder of files, each has its maps in a folder of its own, and results.csv has their means.
    For unmix and library, references=FILE names the given spectra (a file, or a folder of files).
    """
    listen_in(None, attached=False)
    with exit_with(WRONG_USE):
        chosen = _chosen(kind, settings or [])
        only = chosen_part(part, workers, scheduler, output)
        if only is None:
            _refuse_used(output, overwrite=overwrite)
        else:
            refuse_overwriting_parts(output, overwrite=overwrite)
    with exit_with(FAILED):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", SpectralWarning)
            if is_folder_of_files(source, axis=axis):
                reading = partial(cube_of, dataset=dataset, spectral=spectral, axis=axis, columns=columns, shape=shape)
                _map_folder(chosen, source, reading, output, format, whole=only is None)
                return
            opening = partial(cube_of, source.absolute(), dataset, spectral, axis, columns, shape)
            if only is not None:
                _map_part(chosen, opening, output, (only, workers, scheduler), format)
                return
            cube = opening()
            result = _computed(chosen, cube)
        written = write_maps(result, output, cube, format)
        notes = [str(one.message) for one in caught if issubclass(one.category, SpectralWarning)]
        say_notes([*dict.fromkeys(notes), *result.notes])
        for path in written:
            echo(path)


def _refuse_used(output: Path, *, overwrite: bool) -> None:
    """Refuse a folder that holds something, whose maps and tables may have the names of new ones."""
    if output.is_dir() and not any(output.iterdir()):
        return
    refuse_existing(output, overwrite=overwrite)
    if output.exists() and not output.is_dir():
        raise ValueError(f"{output} is a file; choose a folder")


def _map_folder(
    chosen: MapKind,
    source: Path,
    reading: Callable[[Path], Cube],
    output: Path,
    format: Literal["tiff", "npy"],  # noqa: A002
    *,
    whole: bool,
) -> None:
    """Compute the maps of all spectral files of a folder, each in a folder of its name, and write a table of their means."""
    if not whole:
        raise ValueError(f"{source}: --part does not go with a folder of files; give one file")
    files = spectral_files(source)
    places, rows = results_of(files, output), []
    make_folder(output)
    for path, place in zip(files, places, strict=True):
        try:
            cube = reading(path)
            result = _computed(chosen, cube)
            write_maps(result, place, cube, format)
            rows.append(row_of(path, place, result.notes, **of_maps(result.maps)))
        except (ValueError, OSError) as error:
            rows.append(failed_row(path, error))
        write_rows(rows, output / NAME)
    say_rows(rows, output)


def _chosen(kind: str, settings: list[str]) -> MapKind:
    values: dict[str, Any] = {"kind": kind}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise ValueError(f"{setting!r} sets nothing; write name=value, such as count=2")
        try:
            values[name.strip()] = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ValueError(f"{setting!r}: {text!r} is not a YAML value: {error}") from error
    try:
        chosen: MapKind = kinds.parse(values)
    except ValidationError as error:
        raise SettingsError(problems(error)) from error
    return chosen


def _map_part(
    chosen: MapKind, opening: Callable[[], Cube], output: Path, how: How, format: Literal["tiff", "npy"]  # noqa: A002
) -> None:  # fmt: skip
    """Compute one part, or all by others; the last one writes the maps."""
    from napari_spectrai.runs.map_part import mapping_on_worker, mapping_part

    job = partial(mapping_on_worker, chosen, opening, output.absolute(), format)
    only = done_elsewhere(*how, store=output, job=job, folder=None, what="mapping")
    notes = followed(mapping_part(chosen, opening(), out=output, part=only, format=format), None, f"mapping part {only}")
    say_part(only, complete=notes is not None)
    say_notes(notes or [])


def _computed(chosen: MapKind, cube: Cube) -> Maps:
    with Bar(console=console) as bar:
        task = bar.add_task("mapping", total=None)
        return chosen.compute(cube, lambda done, total: bar.update(task, completed=done, total=total))
