"""Scores against a truth: of results, and of a model with its classical methods."""

from __future__ import annotations

import warnings
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from napari_spectrai.arguments import of_type
from napari_spectrai.conversion import as_cube
from napari_spectrai.cube import Cube
from napari_spectrai.experiment.metrics import ClassMean
from napari_spectrai.experiment.obstacles import NO_SOURCE, Onto, model_obstacle
from napari_spectrai.experiment.tasks import tasks
from napari_spectrai.generators import drain
from napari_spectrai.label_conversion import as_labels
from napari_spectrai.labels import MANY_CLASSES, Labels
from napari_spectrai.layer_axes import SpectralWarning
from napari_spectrai.learn.evaluation.classes import of_classes
from napari_spectrai.learn.evaluation.cubes import of_cubes, under_truth
from napari_spectrai.learn.evaluation.models import of_model
from napari_spectrai.learn.inference.prediction import Prediction
from napari_spectrai.learn.model import Model
from napari_spectrai.plan.pairing import results_on_truth
from napari_spectrai.remedies import give
from napari_spectrai.runs import Progress
from napari_spectrai.runs.evaluation import Evaluation
from napari_spectrai.runs.options import EvaluateOptions

MOST_NUMBERS = 2**26
"""Largest number of values that are examined for class numbers."""
GIVE_MODEL = "give a Model, or the path of its file"


def evaluate(
    result: Any,
    truth: Any,
    task: str | None = None,
    *,
    source: Any = None,
    model: Model | str | Path | None = None,
    normalise: str | None = None,
    match: bool = False,
    class_mean: ClassMean = "truth",
    pairing: Literal["position", "pixels"] = "position",
) -> Evaluation:
    """Score results, or a model, against a truth, with the raw source and the classical methods of the model for comparison.

    All rows are of the same pixels, in the same intensities: those given, or, where `normalise` says so, each spectrum normalised.
    Cubes are read block by block, and may be larger than memory.

    Parameters
    ----------
    result : Cube, array, napari layer, Labels, Prediction, a mapping of names to such, or Model (also as a path)
        Results have the truth's shape (..., y, x, λ) or (n, λ); for classes they are labels of shape (..., y, x) or (n,). A model is
        applied to `source` and makes the row ``"network"``. Steps of its preparation that are not undone in its results (baselines,
        crops, derivatives) are then applied to truth and raw data, too.
    truth : Cube, array or napari layer; for classes labels, points or shapes
        Pixels of an image whose label is 0 are not scored, unless a result names 0 as a class; of a set of spectra, 0 is a class, too.
        A super-resolution model trained on degraded images takes the sharp image as the truth, without a source.
    task : str, optional
        The task whose metrics are computed: of cubes MSE, PSNR in dB (data range of the truth), spectral angle in degrees and others; of
        classes accuracies, kappa, F1, mIoU, and those of each class. Default: the model's; else ``"segmentation"`` where results or truth
        are labels, and ``"denoising"`` otherwise.
    source : Cube, array or napari layer, optional
        What the results were made from: the row ``"raw"``, where it has the truth's pixels and bands.
    model : Model or path, optional
        The model that made the results from `source`: its classical methods are applied to the source and are further rows. Spectra that
        it was trained or validated on are recognised by their values, counted (`Evaluation.learnt_from`) and noted.
    normalise : {"maximum", "area", "vector", "minmax", "snv", "rnv"}, optional
        Normalise each spectrum of the truth individually, and those of results by the spectra of the source (without a source, also
        individually), to compare shapes. The scores in a model's card are of prepared intensities; where its preparation normalises,
        the same normalisation makes the scores comparable with them. Default: the intensities given.
    match : bool, default False
        The numbers of the results are clusters; each is counted as the class that most of its scored pixels have.
    class_mean : {"truth", "union"}, default "truth"
        Over which classes F1, IoU and Dice are averaged: those of the truth, or, as scikit-learn does, those of truth and result; a
        class that is predicted and that the truth does not hold then has F1 and IoU 0.
    pairing : {"position", "pixels"}, default "position"
        ``"position"``: layers, and files with stage coordinates, are compared at their positions, cropped to the pixels that all of them
        show, with a warning. ``"pixels"``: pixel by pixel, as arrays always are.

    Returns
    -------
    Evaluation
        ``print`` it for its table; ``.rows``, ``.maps``, ``.spots`` (best, median and worst spectrum of each result), ``.confusion``.

    Raises
    ------
    ValueError
        If shapes or axes differ, no pixel holds data or is labelled, a model is given without a source, or an option is unknown.

    Warns
    -----
    SpectralWarning
        If results were cropped to the pixels that they share with the truth.

    Examples
    --------
    >>> import napari_spectrai as spectrai
    >>> pairs = spectrai.sample("raman_pairs")
    >>> smooth = spectrai.preprocess(pairs.cube[800:], "savitzky_golay")
    >>> found = spectrai.evaluate({"smoothed": smooth}, pairs.truth[800:], source=pairs.cube[800:], normalise="maximum")
    >>> found.rows["smoothed"]["mse"] < found.rows["raw"]["mse"]
    True
    """
    options = EvaluateOptions(normalise=normalise, match=match, class_mean=class_mean, pairing=pairing)
    words = list[str]()
    found = drain(evaluating(result, truth, task, source=source, model=model, options=options, moved=words))
    for sentence in words:
        warnings.warn(sentence, SpectralWarning, stacklevel=2)
    return found


def evaluating(
    result: Any,
    truth: Any,
    task: str | None = None,
    *,
    source: Any = None,
    model: Model | str | Path | None = None,
    options: EvaluateOptions | None = None,
    moved: list[str] | None = None,
) -> Generator[Progress, None, Evaluation]:
    """Do what `evaluate` does, and yield progress after each block; sentences on crops are added to `moved`."""
    options, moved = options or EvaluateOptions(), [] if moved is None else moved
    if isinstance(result, Model) or (isinstance(result, str | Path) and Path(result).suffix == ".safetensors"):
        return (yield from of_model(result if isinstance(result, Model) else Model.load(result), source, truth, options, moved))
    named = {name: _plain(one) for name, one in (result.items() if isinstance(result, Mapping) else [("result", result)])}
    if not named:
        raise ValueError("there is no result to evaluate; give one or several")
    if model is not None and source is None:
        raise ValueError(NO_SOURCE)
    loaded: Model | None = (
        None if model is None else of_type(Model.load(model) if isinstance(model, str | Path) else model, Model, "model=", GIVE_MODEL)
    )
    spec = tasks.parse(task if task is not None else _task_of(loaded, [*named.values(), truth]))
    noisy = None if source is None else as_cube(source)
    against = "" if loaded is None else model_obstacle(loaded.description, spec, None if noisy is None else Onto.of(noisy))
    if against:
        raise ValueError(against)
    if spec.classifies:
        return (yield from of_classes(spec, named, as_labels(truth), noisy, loaded, options, moved))
    placed = options.pairing == "position"
    cubes, known, words = results_on_truth({name: as_cube(one) for name, one in named.items()}, as_cube(truth), known=placed)
    found = yield from of_cubes(spec, cubes, known, under_truth(noisy, known, words, placed=placed), loaded, options.normalise)
    doubt = "" if task is not None or loaded is not None else _may_be_classes([*named.values(), truth])
    found.notes[:0] = [*words, *filter(None, [doubt])]
    moved += words
    return found


def compare(model: Model | str | Path, cube: Any, truth: Any, **options: Any) -> Evaluation:
    """Return ``evaluate(model, truth, source=cube, **options)``."""
    return evaluate(model if isinstance(model, Model) else Model.load(model), truth, source=cube, **options)


def judge(results: Any, truth: Any, task: str | None = None, **options: Any) -> Evaluation:
    """Return ``evaluate(results, truth, task, **options)``."""
    return evaluate(results, truth, task, **options)


def _plain(result: Any) -> Any:
    """Return the labels or the cube of a prediction, and anything else as it is."""
    if not isinstance(result, Prediction):
        return result
    return result.labels if result.classes else result.result


def _task_of(model: Model | None, given: list[Any]) -> str:
    if model is not None:
        return model.description.experiment.task.kind
    return "segmentation" if any(_are_classes(one) for one in given) else "denoising"


def _are_classes(given: Any) -> bool:
    """Whether a result or truth can only be classes: labels, or a list of names or numbers."""
    if isinstance(given, Labels) or hasattr(given, "get_color") or hasattr(getattr(given, "dtype", None), "categories"):
        return True
    dtype, ndim = getattr(given, "dtype", None), getattr(given, "ndim", 0)
    if isinstance(given, list | tuple) and given and isinstance(given[0], str | bytes | int | float | np.generic):
        return True
    return dtype is not None and (getattr(dtype, "kind", "") in "UOST" or (ndim == 1 and getattr(dtype, "kind", "") in "iufb"))


def _may_be_classes(given: Sequence[Any]) -> str:
    """Return a note where arrays that are compared as spectra may be class numbers; empty if they may not."""
    arrays = [one.data if isinstance(one, Cube) and one.axis.is_numbered else one for one in given]
    if not all(getattr(one, "dtype", np.dtype("f")).kind in "iub" and one.size <= MOST_NUMBERS for one in arrays):
        return ""
    if any(len(np.unique(np.asarray(one))) > MANY_CLASSES for one in arrays):
        return ""
    return f"These arrays of few whole numbers are compared as intensities; if they are numbers of classes, {give('classes')}."
