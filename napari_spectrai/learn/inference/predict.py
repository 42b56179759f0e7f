"""Applying a model: tile by tile, read lazily, blended, written as it goes."""

from __future__ import annotations

import math
import warnings
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import numpy.typing as npt

from napari_spectrai import io
from napari_spectrai.arguments import of_type
from napari_spectrai.conversion import as_cube
from napari_spectrai.cube import Cube, SpectralAxis
from napari_spectrai.files import replacing
from napari_spectrai.generators import drain
from napari_spectrai.io import SpectralWarning
from napari_spectrai.io import zarr as zarr_format
from napari_spectrai.learn.applicability import said_of
from napari_spectrai.learn.inference.applying import applying, resolved
from napari_spectrai.learn.inference.cluster import predicting_on_cluster
from napari_spectrai.learn.inference.empty_spectra import empty_of, leave_out
from napari_spectrai.learn.inference.prediction import Prediction, labels_of
from napari_spectrai.learn.inference.walk import Walk, codes_shape, of_source
from napari_spectrai.learn.model import Model
from napari_spectrai.preparation.missing import nothing_held
from napari_spectrai.remedies import reading_as
from napari_spectrai.runs import Progress
from napari_spectrai.runs.options import PredictOptions
from napari_spectrai.valid import MORE, DataMask, decided, said


def predict(
    model: Model | str | Path,
    cube: Any,
    *,
    out: str | Path | None = None,
    tile: int | None = None,
    uncertainty: bool = False,
    device: str = "auto",
    factor: int = 2,
    settings: Mapping[str, Any] | None = None,
    views: bool = False,
    ensemble: Sequence[Model | str | Path] = (),
    then: Sequence[Model | str | Path] = (),
    resample: bool = False,
    applicability: bool | None = None,
    client: Any = None,
) -> Prediction:
    """Apply a model to a cube, an array or a napari layer.

    Parameters
    ----------
    model : Model, path, or the name of a classical method that needs no training
        Such as ``"wavelet"``, ``"svd_nlm"``, ``"bicubic"`` or ``"kmeans"``; see `napari_spectrai.learn.model.ready`.
    cube : Cube, array, napari layer, or path
        On the model's axis, or one that becomes it (see `resample`); a lazy cube is read tile by tile.
    out : path, optional
        A Zarr store (``.zarr``) to write to as tiles finish (of classes: their probabilities); default: memory.
    tile : int, optional
        Height and width of a tile in pixels; default: chosen so that tiles leave no seams.
    uncertainty : bool
        Also return the standard deviation: over passes with dropout (Gal & Ghahramani 2016, arXiv:1506.02142), and over the
        models of an ensemble (Lakshminarayanan et al. 2017, arXiv:1612.01474).
    device : {"auto", "cpu", "cuda", "mps"}, default "auto"
        Where to compute; "auto" takes the fastest there is.
    factor : int, default 2
        For a classical method that enlarges: pixels out along each side of a pixel in.
    settings : mapping, optional
        For a classical method: its settings, such as ``{"count": 8}``. For an automatic choice of classes: ``{"radius": 0}`` returns
        probabilities without smoothing, a positive one smooths them with that radius in pixels.
    views : bool
        Mean over the eight rotations and reflections of each image (test-time augmentation), for networks over the image.
    ensemble : models
        Others of the same axis and result, trained from other seeds or on other parts: the mean of all is taken.
    then : models
        Applied to the result, one after another: denoise, then enlarge.
    resample : bool
        Bring a cube whose axis covers the model's onto it, by cropping or interpolation; the result is then on the model's axis. Another
        unit (nm, um) and the opposite order of bands need no consent, and the result keeps the cube's own.
    applicability : bool, optional
        Also return how unlike the training spectra each spectrum is (`Prediction.applicability`). Default: where the model file contains
        training spectra for comparison, on the axis of the cube, and the whole is computed here, not by a cluster.
    client : distributed.Client, optional
        Compute in parts by the workers of a Dask cluster, which write into `out`; `out`, the model and the cube lie where all of them
        reach them (what is in memory is written next to `out` first). A part whose worker is killed is continued by another one.

    Returns
    -------
    Prediction

    Raises
    ------
    TypeError
        If `model` is no model.
    ValueError
        If the axis is another one (the message names the remedy), no spectrum holds data, the models do not go together, or the model has
        no dropout for an uncertainty.

    Warns
    -----
    SpectralWarning
        Of spectra that hold no data, intensities of another scale than the training data, and a cube that was resampled.

    Examples
    --------
    >>> import napari_spectrai as spectrai
    >>> cube = spectrai.sample("cartilage").cube
    >>> spectrai.predict("kmeans", cube, settings={"count": 4}).labels.values()
    [1, 2, 3, 4]
    >>> spectrai.predict("savitzky_golay", cube).result.shape
    (25, 35, 300)
    """
    model = of_type(model, Model | str | Path, "the first argument of predict", "give a model, its file, or the name of a classical method")
    options = PredictOptions(
        tile=tile, uncertainty=uncertainty, device=device, factor=factor, settings=settings or {}, views=views, ensemble=ensemble,  # type: ignore[arg-type]
        then=then, resample=resample, applicability=applicability,  # type: ignore[arg-type]
    )  # fmt: skip
    if client is not None:
        prediction = drain(predicting_on_cluster(model, cube, options, out=out, client=client))
    else:
        prediction = drain(predicting(model, cube, options, out=out))
    for note in prediction.notes:
        warnings.warn(note, SpectralWarning, stacklevel=2)
    return prediction


def predicting(
    model: Model | str | Path,
    cube: Any,
    options: PredictOptions | None = None,
    *,
    out: str | Path | None = None,
    part: str | Path | None = None,
) -> Generator[Progress, None, Prediction]:
    """Do what `predict` does, and yield progress after each tile; closing the generator leaves nothing half-written.

    Parameters
    ----------
    model, cube, out
        As for `predict`.
    options : PredictOptions, optional
        The other parameters of `predict`.
    part : path, optional
        A Zarr store (``.zarr``) for the tiles that have come to an end when the generator is closed, NaN elsewhere; of classes their
        probabilities. It is not written where all is finished, or nothing is, or where a model of a chain has yet to follow.
    """
    options = options or PredictOptions()
    with reading_as("path"):
        source = io.read(cube) if isinstance(cube, str | Path) else as_cube(cube)
    if out is not None and isinstance(cube, str | Path) and Path(out).resolve() == Path(cube).resolve():
        raise ValueError(f"{out} is read here, and would be lost; choose another out=")
    links, models = resolved(model, source, options)
    notes, found, applies = list[str](), list[str](), None
    for number, one in enumerate(links[:-1]):
        alone = replace(options, uncertainty=False, applicability=options.applicability if not number else False)
        done = yield from _applied(models if not number else [one], source, alone, out=None)
        applies = done.applicability if not number else applies
        notes += [note for note in done.notes if note not in notes]
        found += [note for note in done.found if note not in found]
        source = replace(done.result, name=source.name)
    last = models if len(links) == 1 else links[-1:]
    own = options if len(links) == 1 else replace(options, applicability=False)
    prediction = yield from _applied(last, source, own, out=out, part=part)
    notes += [note for note in prediction.notes if note not in notes]
    found += [note for note in prediction.found if note not in found]
    return replace(prediction, notes=notes, found=found, applicability=applies or prediction.applicability)


def _applied(
    models: Sequence[Model],
    source: Cube,
    options: PredictOptions,
    *,
    out: str | Path | None,
    part: str | Path | None = None,
) -> Generator[Progress, None, Prediction]:
    card, uncertainty = models[0].description, options.uncertainty
    ready_to = applying(models, source, options)
    source, shaped, window, turn = ready_to.source, ready_to.shaped, ready_to.window, ready_to.turn
    notes, name = ready_to.notes, ready_to.shaped.name
    with ExitStack() as files:
        result = _destination(shaped, out, files, np.nan if part is not None else 0)
        spread = np.empty(shaped.shape, np.float32) if uncertainty else None
        codes = np.full(codes_shape(window, source, shaped.shape), MORE, np.uint8)
        distances = np.full(codes.shape, np.nan, np.float32) if window.applicability is not None else None
        targets = [turn(target) for target in (result, spread) if target is not None]
        walking = Walk(window, source, targets, codes, distances=distances, empty=ready_to.empty).run()
        progress: Progress | None = None
        try:
            for progress in walking:
                yield progress
        except (GeneratorExit, SystemExit):  # closed at a tile's end, or by a signal within a tile
            walking.close()  # which writes what has come to an end
            if part is not None and progress is not None and progress.done < progress.total:
                io.write(replace(shaped, data=da.from_array(result) if out is not None else result, name=f"{name} (part)"), part)
            raise
        held = decided(of_source(window, codes))
        if not held.count:
            raise ValueError(nothing_held([source], [held], models[0].preparation.steps))
        if not held.complete:
            empty = empty_of(held, of_images=window.of_images)
            leave_out(window, result, empty)
            if spread is not None:
                leave_out(window, spread, empty, spread=True)
    notes += [words] if (words := said([held], "have no class" if card.classes else "stay as they are")) else []
    done = replace(shaped, data=result) if out is None else replace(io.read(out), metadata=shaped.metadata)
    found = [*ready_to.found, *window.said]
    applies = None if distances is None else _unlike(source, of_source(window, distances), held)
    if applies is not None:
        found += filter(None, [said_of(applies.numpy())])
    deviation = None if spread is None else replace(shaped, data=spread, name=f"{name} (sd)")
    if not card.classes:
        return Prediction(done, uncertainty=deviation, notes=notes, applicability=applies, found=found)
    return Prediction(labels_of(done, card.classes), done, deviation, card.classes, ready_to.components, notes, applies, found)


def _unlike(source: Cube, distances: npt.NDArray[np.float32], held: DataMask) -> Cube:
    """Return the dissimilarity of the spectra of a cube as a cube of one band, NaN where there are no data."""
    values = np.where(held.mask, distances, np.float32(np.nan))[..., None]
    metadata = {key: value for key, value in source.metadata.items() if key not in ("prediction", "bad_bands")}
    name = f"{source.name} · applicability".lstrip(" ·")
    return replace(source, data=values, axis=SpectralAxis.bands(1), name=name, source=None, metadata=metadata)


def _destination(shaped: Cube, out: str | Path | None, files: ExitStack, fill: float) -> Any:
    if out is None:
        return np.full(shaped.shape, fill, np.float32)
    if Path(out).suffix != ".zarr":
        raise ValueError(f"predictions stream into a .zarr store, not {Path(out).name!r}; or omit out= and write() the result")
    return zarr_format.create(files.enter_context(replacing(out, at_most=4 * math.prod(shaped.shape))), shaped, np.float32, fill=fill)
