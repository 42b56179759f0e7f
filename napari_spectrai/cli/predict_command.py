"""The command predict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial as partial_of
from pathlib import Path
from typing import Annotated, Any

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
    say_rows,
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
from napari_spectrai.experiment.card import read_card
from napari_spectrai.experiment.untrained import ready_kinds, ready_spec
from napari_spectrai.io import write, writer_of
from napari_spectrai.io.folders import is_folder_of_files, spectral_files
from napari_spectrai.io.labels import WRITTEN
from napari_spectrai.parsing import brief, parse_yaml
from napari_spectrai.runs import Finished, RunFolder, Saved
from napari_spectrai.runs.options import PredictOptions, model_path
from napari_spectrai.spec import listed


@app.command()
def predict(
    model: Annotated[Path, typer.Argument(help="a model file (.safetensors), or a method without training, such as svd_nlm")],
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="a spectral file, or a folder of them")],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="file for the result (.zarr is written tile by tile), or for a folder: the folder of the results"
        ),
    ],
    tile: Annotated[int | None, typer.Option(min=8, help="height and width of a tile, in pixels")] = None,
    uncertainty: Annotated[bool, typer.Option("--uncertainty", help="also write the standard deviation of the output")] = False,
    applicability: Annotated[
        bool | None,
        typer.Option(
            "--applicability/--no-applicability",
            help="also write each pixel's distance from the training spectra: above 1, scores do not hold (default: say the share)",
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps")] = "auto",
    factor: Annotated[int, typer.Option(min=2, max=16, help="factor by which a classical method enlarges each side")] = 2,
    views: Annotated[
        bool, typer.Option("--views", help="test-time augmentation: average over the eight rotations and reflections of each image")
    ] = False,
    ensemble: Annotated[
        list[Path] | None, typer.Option(help="another model whose results are averaged with those of the first (repeatable)")
    ] = None,
    then: Annotated[
        list[Path] | None, typer.Option(help="second model, applied to the result, such as one that enlarges (repeatable)")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="setting of a classical method, such as count=8")
    ] = None,
    part: PartOption = None,
    workers: WorkersOption = None,
    scheduler: SchedulerOption = None,
    partial: Annotated[
        Path | None,
        typer.Option(help="store (.zarr) for the finished tiles if the command is stopped; probabilities in the case of classes"),
    ] = None,
    dataset: Dataset = None,
    spectral: Spectral = None,
    axis: Axis = None,
    columns: Columns = None,
    shape: Shape = None,
    resample: Annotated[
        bool, typer.Option("--resample", help="resample a file whose axis covers that of the model, by cropping or interpolation")
    ] = False,
    overwrite: Overwrite = False,
    run: Annotated[Path | None, typer.Option(hidden=True)] = None,
    attached: Attached = False,
) -> None:
    """Apply a model to a file. Classes are written as a label image (or .csv), probabilities and components next to it.

    Of a folder of files, each has a result in the output folder, and results.csv says what came out of each.
    """
    folder = listen_in(run, attached=attached)
    changed: dict[str, Any] = {}
    with exit_with(WRONG_USE), log_failures(folder):
        only = chosen_part(part, workers, scheduler, None)
        changed = _changed(settings or [])
        _refuse_unknown(source, [model, *(ensemble or []), *(then or [])])
        refuse_same(output, source, model, *(ensemble or []), *(then or []))
        others, chain = ([model_path(one) for one in given or []] for given in (ensemble, then))
        options = PredictOptions(
            tile=tile, uncertainty=uncertainty, device=device, factor=factor, settings=changed, views=views, ensemble=tuple(others),
            then=tuple(chain), resample=resample, applicability=applicability,
        )  # fmt: skip
    if is_folder_of_files(source, axis=axis):
        unfit = {"--uncertainty": uncertainty, "--part": part, "--workers": workers, "--scheduler": scheduler, "--partial": partial}
        reading = None
        if any(given is not None for given in (dataset, spectral, axis, columns, shape)):
            reading = partial_of(cube_of, dataset=dataset, spectral=spectral, axis=axis, columns=columns, shape=shape)
        refused = [name for name, given in unfit.items() if given]
        _predict_folder(model_path(model), source, output, options, refused, reading=reading, overwrite=overwrite)
        return
    last = then[-1] if then else model  # the last model of a chain determines the output
    with exit_with(FAILED if last.exists() else WRONG_USE), log_failures(folder):
        is_classes = _predicts_classes(last, {} if then else changed)
    with exit_with(WRONG_USE), log_failures(folder):
        _refuse_suffix(output, is_classes=is_classes)
        others_written = _companions(
            output, is_classes=is_classes, finds=_finds(last), uncertainty=uncertainty, applicability=bool(applicability)
        )
        if only is not None:
            only = chosen_part(part, workers, scheduler, _store(output, is_classes=is_classes))
            _refuse_in_parts(output, is_classes=is_classes, overwrite=overwrite, partial=partial)
        else:
            refuse_existing(output, *others_written, partial, overwrite=overwrite)
        if partial is not None and (partial.suffix != ".zarr" or partial.resolve() == output.resolve()):
            raise ValueError(f"{partial.name}: the finished tiles are written to a separate .zarr store; choose such a name")
    with exit_with(FAILED), log_failures(folder):
        from napari_spectrai.learn.inference.predict import predicting

        streams = not is_classes and writer_of(output).module == "zarr"
        how_read = (dataset, spectral, axis, columns, shape)
        opening = partial_of(cube_of, source.absolute(), *how_read) if how_read != (None,) * 5 else partial_of(Path, source.absolute())
        if only is not None:
            _predict_part(model_path(model), opening, options, output, (only, workers, scheduler), folder, is_classes=is_classes)
            return
        read_as = opening()
        steps = predicting(model_path(model), read_as, options, out=output if streams else None, part=partial)
        prediction = followed(steps, folder, "predicting")
        if prediction is not None:
            _write_results(prediction, output, is_classes=is_classes, streams=streams, applicability=bool(applicability))
        if prediction is not None:
            say_notes([*prediction.notes, *prediction.found])
        if prediction is not None and folder is not None:
            folder.append(Saved("result", str(output)))
            folder.append(Finished("done", model=str(model), notes=[*prediction.notes, *prediction.found]))
    if prediction is None:
        raise typer.Exit(STOPPED)


def _write_results(prediction: Any, output: Path, *, is_classes: bool, streams: bool, applicability: bool) -> None:
    """Write a result, unless it was written tile by tile, and what was asked for in addition."""
    from napari_spectrai.learn.inference.written import write_classes

    if prediction.uncertainty is not None:
        write(prediction.uncertainty, output.with_name(f"{output.stem}-sd{'.zarr' if is_classes else output.suffix}"))
    if prediction.applicability is not None and applicability:
        write(prediction.applicability, output.with_name(f"{output.stem}-applicability.zarr"))
    if is_classes:
        write_classes(prediction, output)
    elif not streams:
        write(prediction.result, output)


def _predict_folder(
    model: Path | str, source: Path, output: Path, options: PredictOptions, unfit: Sequence[str],
    *, reading: Callable[[Path], Cube] | None, overwrite: bool,
) -> None:  # fmt: skip
    """Apply a model to all spectral files of a folder, and write a table of what came out of each; `reading` opens a file."""
    with exit_with(WRONG_USE):
        if unfit:
            raise ValueError(f"{source} is a folder of files, which {unfit[0]} does not go with; omit it, or give one file")
        if output.exists() and not output.is_dir():
            raise ValueError(f"{output} is a file; results of a folder are written to a folder")
        files = spectral_files(source)
        if not files:
            raise FileNotFoundError(f"{source}: there is no spectral file in this folder")
    with exit_with(FAILED):
        from napari_spectrai.learn.inference.written import predicting_files

        rows = followed(
            predicting_files(model, files, output, options, reading=reading, overwrite=overwrite), None, f"predicting {len(files)} files"
        )
    say_rows(rows, output)


def _refuse_in_parts(output: Path, *, is_classes: bool, overwrite: bool, partial: Path | None) -> None:
    """Refuse what does not go with --part, and labels that no part of this job has written."""
    if not is_classes:
        refuse_no_store(output)
    refuse_overwriting_parts(output, overwrite=overwrite)
    if partial is not None:
        raise ValueError("--partial is for a whole prediction; with --part, finished tiles are kept anyway: omit it")
    started = _store(output, is_classes=is_classes).exists()  # then labels are those of this job, which a repeated part writes again
    refuse_existing(output, output.with_name(f"{output.stem}-components.csv"), overwrite=started)


def _store(output: Path, *, is_classes: bool) -> Path:
    """Return the store that parts write into."""
    return output.with_name(f"{output.stem}-probabilities.zarr") if is_classes else output


def _predict_part(
    model: Any, opening: Callable[[], Any], options: PredictOptions, output: Path, how: How, folder: RunFolder | None, *, is_classes: bool
) -> None:
    """Compute one part, or all by others; the last one writes the labels of classes."""
    from napari_spectrai.learn.inference.parts import predicting_on_worker, predicting_part
    from napari_spectrai.learn.inference.written import write_classes

    store = _store(output, is_classes=is_classes)
    anywhere = replace(options, ensemble=tuple(_absolute(one) for one in options.ensemble))
    job = partial_of(predicting_on_worker, _absolute(model), opening, anywhere, store.absolute())
    only = done_elsewhere(*how, store=store, job=job, folder=folder, what="predicting")
    prediction = followed(predicting_part(model, opening(), options, out=store, part=only), folder, f"predicting part {only}")
    say_part(only, complete=prediction is not None)
    if prediction is None:
        return
    if is_classes:
        write_classes(prediction, output, probabilities=False)
    say_notes(prediction.notes)


def _absolute(model: Any) -> Any:
    """Return a file as a path that holds in other folders; the name of a method as it is."""
    return model.absolute() if isinstance(model, Path) else model


def _refuse_unknown(source: Path, models: Sequence[Path]) -> None:
    """Refuse files that are not there, and names of no method."""
    refuse_missing(source, *(one for one in models if one.suffix))
    if source.suffix.lower() == ".safetensors":
        raise ValueError(f"{source} is a model, not a spectral file; the model comes first: predict {source} INPUT -o OUTPUT")
    for one in models:
        if not one.exists():
            ready_spec(str(one), {})  # which knows the names of methods


def _refuse_suffix(output: Path, *, is_classes: bool) -> None:
    if not is_classes:
        refuse_unwritten(output)
    elif output.suffix.lower() not in (*WRITTEN, ".csv"):
        raise ValueError(f"{output.name}: classes cannot be written in this format; {listed((*WRITTEN, '.csv'))}")


def _finds(model: Path) -> bool:
    """Whether a method finds components, which are written in addition to the classes."""
    return not model.exists() and str(model) in ready_kinds()


def _companions(output: Path, *, is_classes: bool, finds: bool, uncertainty: bool, applicability: bool) -> list[Path]:
    """Return the files that are written in addition to a result."""
    names = ["-probabilities.zarr"] if is_classes and output.suffix.lower() != ".csv" else []
    names += ["-components.csv"] if is_classes and finds else []
    names += [f"-sd{'.zarr' if is_classes else output.suffix}"] if uncertainty else []
    names += ["-applicability.zarr"] if applicability else []
    return [output.with_name(f"{output.stem}{name}") for name in names]


def _predicts_classes(model: Path, changed: dict[str, Any]) -> bool:
    """Whether a model file, or a method without training, predicts classes."""
    if model.exists():
        return bool(read_card(model).classes)
    return str(model) in ready_kinds() and bool(ready_spec(str(model), changed).finds)


def _changed(settings: list[str]) -> dict[str, Any]:
    """Return KEY=VALUE texts as a mapping, values read as YAML."""
    found = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise ValueError(f"{setting!r} is not a setting; write key=value, such as count=8")
        found[name.strip()] = parse_yaml(text, brief(setting))
    return found
