"""map."""

from __future__ import annotations

import warnings
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
    PartOption,
    Shape,
    Spectral,
    app,
    console,
    cube_of,
    exit_with,
    followed,
    listen_in,
    say_notes,
    say_part,
)
from napari_spectrai.cube import Cube
from napari_spectrai.layer_axes import SpectralWarning
from napari_spectrai.mapping import MapKind, Maps, kinds
from napari_spectrai.mapping.files import write_maps
from napari_spectrai.runs.part import Part
from napari_spectrai.spec import SettingsError, problems


@app.command(name="map")
def map_command(
    kind: Annotated[str, typer.Argument(help="band, peaks, components, unmix or library")],
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="a spectral file")],
    settings: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME=VALUE]...", help="settings of the kind, such as low=950 high=1050 count=2")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="folder for the maps, table.csv and curves.csv")] = Path("maps"),
    format: Annotated[Literal["tiff", "npy"], typer.Option(help="files of the maps")] = "tiff",  # noqa: A002
    dataset: Dataset = None,
    spectral: Spectral = None,
    axis: Axis = None,
    columns: Columns = None,
    shape: Shape = None,
    part: PartOption = None,
) -> None:
    """Compute maps from a file: band images, fitted peaks, components, abundances of given spectra, library matches.

    For unmix and library, references=FILE names the given spectra (a file, or a folder of files).
    """
    listen_in(None, attached=False)
    with exit_with(WRONG_USE):
        chosen = _chosen(kind, settings or [])
        only = None if part is None else Part.parse(part)
        if output.exists() and not output.is_dir():
            raise ValueError(f"{output} is a file; choose a folder")
    with exit_with(FAILED):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", SpectralWarning)
            cube = cube_of(source, dataset, spectral, axis, columns, shape)
            if only is not None:
                _map_part(chosen, cube, output, only, format)
                return
            result = _computed(chosen, cube)
        written = write_maps(result, output, cube, format)
        notes = [str(one.message) for one in caught if issubclass(one.category, SpectralWarning)]
        say_notes([*dict.fromkeys(notes), *result.notes])
        for path in written:
            console.print(str(path), highlight=False, soft_wrap=True, markup=False)


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


def _map_part(chosen: MapKind, cube: Cube, output: Path, only: Part, format: Literal["tiff", "npy"]) -> None:  # noqa: A002
    from napari_spectrai.runs.map_part import mapping_part

    notes = followed(mapping_part(chosen, cube, out=output, part=only, format=format), None, f"mapping part {only}")
    say_part(only, complete=notes is not None)
    say_notes(notes or [])


def _computed(chosen: MapKind, cube: Cube) -> Maps:
    with Bar(console=console) as bar:
        task = bar.add_task("mapping", total=None)
        return chosen.compute(cube, lambda done, total: bar.update(task, completed=done, total=total))
