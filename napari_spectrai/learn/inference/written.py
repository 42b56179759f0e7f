"""Predictions as files, and of all files of a folder with a table of what came out."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

from napari_spectrai.cube import Cube
from napari_spectrai.files import make_folder
from napari_spectrai.io import write
from napari_spectrai.io.folders import results_of
from napari_spectrai.io.labels import write_labels, write_table
from napari_spectrai.layer_axes import SpectralWarning
from napari_spectrai.learn.inference.predict import predicting
from napari_spectrai.learn.inference.prediction import Prediction
from napari_spectrai.learn.model import Model
from napari_spectrai.runs import Progress
from napari_spectrai.runs.options import PredictOptions
from napari_spectrai.runs.result_table import NAME, Row, failed_row, of_cube, of_labels, row_of, unlike, write_rows


def write_classes(prediction: Prediction, output: Path, *, probabilities: bool = True) -> None:
    """Write classes as a label image or a table, and what belongs to them next to it; `probabilities`: unless they are there already.

    `output` is written last: where it is there, all of it is.
    """
    assert prediction.labels is not None  # noqa: S101
    assert prediction.probabilities is not None  # noqa: S101
    if probabilities and output.suffix.lower() != ".csv":
        write(prediction.probabilities, output.with_name(f"{output.stem}-probabilities.zarr"))
    if prediction.components is not None:
        write(prediction.components, output.with_name(f"{output.stem}-components.csv"))
    if output.suffix.lower() == ".csv":
        write_table(prediction.labels, prediction.probabilities.data, prediction.classes, output)
    else:
        write_labels(prediction.labels, output)


def row_of_prediction(source: Path, output: Path, prediction: Prediction) -> Row:
    """Return the row of a file in the table of results."""
    values = of_cube(prediction.result) if prediction.labels is None else of_labels(prediction.labels, prediction.probabilities)
    if prediction.applicability is not None:
        values |= unlike(prediction.applicability.numpy())
    return row_of(source, output, prediction.notes, **values)


def predicting_files(
    model: Model | str | Path, files: Sequence[Path], folder: Path, options: PredictOptions | None = None,
    *, reading: Callable[[Path], Cube] | None = None, overwrite: bool = False,
) -> Generator[Progress, None, list[Row]]:  # fmt: skip
    """Apply a model to files one after another, yielding progress; write the results and their table into a folder; return the rows.

    Parameters
    ----------
    model : Model, path, or the name of a method without training
    files : sequence of Path
    folder : Path
        Each result is named after its file, ``.zarr``; the table is ``results.csv``.
    options : PredictOptions, optional
    reading : callable, optional
        Opens a file; default: as `napari_spectrai.read` without options.
    overwrite : bool
        Whether results that exist are replaced; otherwise they are an error before anything is computed.

    Raises
    ------
    ValueError
        If there are no files, or two of them have the same name.
    FileExistsError
        If a result exists.

    Notes
    -----
    A file that cannot be processed gets a row that says why, and the others are processed.
    """
    places = results_of(files, folder, ".zarr")
    there = [place for place in (*places, folder / NAME) if place.exists()]
    if there and not overwrite:
        raise FileExistsError(f"{there[0]} exists; choose another folder, or allow overwriting")
    make_folder(folder)
    loaded: Any = Model.load(model) if isinstance(model, str | Path) and Path(model).exists() else model
    rows = []
    for number, (path, place) in enumerate(zip(files, places, strict=True)):
        try:
            source = path if reading is None else reading(path)
            rows.append((yield from _predicted(loaded, path, source, place, options, number, len(files))))
        except (ValueError, OSError, MemoryError) as error:
            rows.append(failed_row(path, error))
        write_rows(rows, folder / NAME)  # after each file, so that little is lost
        yield Progress((number + 1) * 1000, len(files) * 1000)
    return rows


def _predicted(
    model: Any, path: Path, source: Path | Cube, place: Path, options: PredictOptions | None, number: int, count: int
) -> Generator[Progress, None, Row]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpectralWarning)  # they are in the notes
        streams = isinstance(model, Model) and not model.description.classes
        steps = predicting(model, source, options, out=place if streams else None)
        while True:
            try:
                progress = next(steps)
            except StopIteration as end:
                prediction: Prediction = end.value
                break
            yield Progress(number * 1000 + 1000 * progress.done // max(1, progress.total), count * 1000)
    if prediction.labels is not None:
        write_classes(prediction, place)
    elif not streams:
        write(prediction.result, place)
    if prediction.applicability is not None:
        write(prediction.applicability, place.with_name(f"{place.stem}-applicability.zarr"))
    return row_of_prediction(path, place, prediction)
