"""Evaluate cubes: one table of the same pixels in the same intensities, maps, and the best, median and worst spectra."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.cube import Cube, SpectralAxis
from napari_spectrai.experiment.metrics import AS_GIVEN
from napari_spectrai.experiment.tasks import TaskSpec
from napari_spectrai.learn.classical import Method
from napari_spectrai.learn.evaluation.overlap import Overlap, overlap_notes, overlap_of, words_of_others
from napari_spectrai.learn.evaluation.scaling import Scaling, under
from napari_spectrai.learn.evaluation.streaming import CubeScores, KeptBlocks, figures_of, paired, scored_pixels, scoring, wanted
from napari_spectrai.learn.inference.baselines import baselines, free, mapped, within
from napari_spectrai.learn.model import Model
from napari_spectrai.learn.scoring.intervals import Intervals
from napari_spectrai.plan.pairing import relation, results_on_truth
from napari_spectrai.preparation import Step
from napari_spectrai.preparation.normalise import Normalise
from napari_spectrai.runs import Progress
from napari_spectrai.runs.evaluation import Evaluation, Spot
from napari_spectrai.runs.score_table import Role
from napari_spectrai.valid import DataMask, said

DIFFERENT = 0.1
"""Relative difference in brightness above which a note is given, since it dominates the scores."""


def under_truth(source: Cube | None, truth: Cube, words: list[str], *, placed: bool) -> Cube | None:
    """Return the source of the results, cropped as their truth was."""
    if source is None or not words or not placed or relation(truth, source) is None:
        return source
    cut, known, _ = results_on_truth({"the source": source}, truth)
    if known.shape != truth.shape:
        raise ValueError("the source does not show all pixels that results and truth share; choose another source, or none")
    return cut["the source"]


# ---------------------------------------------------------------- cubes


def of_cubes(
    spec: TaskSpec,
    named: dict[str, Any],
    truth: Cube,
    source: Cube | None,
    model: Model | None,
    normalise: str | None,
    prepared: Cube | None = None,
    kept: Kept | None = None,
) -> Generator[Progress, None, Evaluation]:
    """Score cubes, as `evaluate` does.

    Parameters
    ----------
    prepared : Cube, optional
        The source as it is to be compared, where a model's preparation has changed it.
    kept : Kept, optional
        What has been computed in parts.
    """
    step = None if normalise is None else Normalise.model_validate({"by": normalise})
    pairs = {name: paired(result, truth) for name, result in named.items()}
    truth = next(iter(pairs.values()))[1]
    raw, names = alike(source if prepared is None else prepared, truth), wanted(spec)
    methods = baselines(model, spare="raw" if raw is not None else "")
    count = len(pairs) + len(methods) + (raw is not None)
    held = scored_pixels(truth, [result for result, _ in pairs.values()], source) if kept is None else kept.held
    overlap = None if source is None else overlap_of(model, source, truth, scored=held.mask)
    compared = methods.get("raw") if raw is None else raw
    notes = [*overlap_notes(model, overlap, source, truth), *_about(source, compared, model, prepared=prepared is not None)]
    scaling = Scaling(step, truth.spatial_shape, source if prepared is None else prepared)
    notes += [words] if (words := said([held], "are not scored")) else []
    rows: dict[str, dict[str, float]] = {}
    roles: dict[str, Role] = {}
    spots: list[Spot] = []
    maps, sure = {}, {}
    for number, (name, (result, known)) in enumerate(pairs.items()):
        found: CubeScores = yield from within(scoring(result, known, names, scaling, held.mask, _of(kept, number)), number, count)
        rows[name], roles[name] = figures_of(spec, found.figures), "result"
        sure[name] = _kept_intervals(found, rows[name])
        spots += _spots(name, result, known, source if prepared is None else prepared, found, scaling)
        maps[name] = {"error": _map(found.error, known, f"{name} · error"), "angle": _map(found.angle, known, f"{name} · angle")}
        if step is None and abs(found.brightness - 1) > DIFFERENT and not number:
            notes.append(_brightness(found.brightness, name))
        notes += _of_others(overlap, found, name)
    others: list[tuple[str, Role, Method | None]] = [(name, "classical", method) for name, method in methods.items()]
    others += [("raw", "raw", None)] if raw is not None else []
    for number, (name, role, method) in enumerate(others, len(pairs)):
        with ExitStack() as files:
            given = raw if method is None else (yield from within(mapped(model, method, source, files), number, count))
            scores = scoring(*paired(given, truth), names, scaling, held.mask, _of(kept, number))
            found = yield from within(scores, number, count, begin=0.5 if method else 0)
        label = free(name, rows)
        rows[label], roles[label] = figures_of(spec, found.figures), role
        sure[label] = _kept_intervals(found, rows[label])
    return Evaluation(
        spec.kind, rows, roles, intensities=_intensities(step, scaled_by_source=scaling.by_source), unit=truth.axis.unit,
        positions=truth.axis.values.tolist(), shape=list(truth.spatial_shape), spots=spots, notes=notes, maps=maps,
        scored=held.count, intervals=sure, learnt_from=None if overlap is None else overlap.count,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kept:
    """What has been computed in parts: the pixels that are scored, and the blocks of each row, results first, then the raw source."""

    held: DataMask
    rows: Sequence[KeptBlocks]


def _kept_intervals(found: CubeScores, row: Mapping[str, float]) -> Intervals:
    return {name: ends for name, ends in found.intervals.items() if name in row}


def _of(kept: Kept | None, number: int) -> KeptBlocks | None:
    return None if kept is None else kept.rows[number]


def _of_others(overlap: Overlap | None, found: CubeScores, name: str) -> Iterator[str]:
    """Yield the score of the pixels that a model has not seen, where it has seen some of the others."""
    others = None if overlap is None else overlap.others
    if others is not None:
        error = float(np.square(found.error[others], dtype=np.float64).mean())
        yield words_of_others(int(others.sum()), name, "mse", error)


def _intensities(normalise: Normalise | None, *, scaled_by_source: bool) -> str:
    """Return in words the intensities that the scores refer to."""
    if normalise is None:
        return AS_GIVEN
    words = {"maximum": "its maximum", "area": "its mean absolute value", "vector": "its length"}.get(normalise.by)
    scaled = f"each spectrum divided by {words}" if words else f"each spectrum scaled individually ({normalise.by})"
    return scaled + (", results by their source's" if scaled_by_source else "")


def kept_steps(model: Model) -> list[str]:
    """Return the titles of the steps of a model's preparation that are not undone in its results."""
    return [step.title for step in model.preparation.steps if type(step).factors is Step.factors and type(step).transform is Step.transform]


def _about(source: Cube | None, raw: Cube | Method | None, model: Model | None, *, prepared: bool) -> list[str]:
    notes = []
    if source is not None and raw is None:
        notes.append("The source has other pixels or bands than the truth and is not in the table.")
    kept = [] if model is None else kept_steps(model)
    if kept and prepared:
        notes.append(f"Truth and raw data were prepared as the model prepares its input ({', '.join(kept)}), since its results are, too.")
    elif kept:
        notes.append(
            f"The model's results stay prepared by {', '.join(kept)}, which is not undone; apply the same steps to the truth, "
            "as evaluate(model, truth, source=cube) does."
        )
    return notes


def _brightness(factor: float, name: str) -> str:
    if factor < 0:
        return (
            f"As a whole {name!r} has the opposite sign of the truth, which is {-factor:.3g} times as bright. If only the sign "
            "differs, multiply one of them by -1, such as cube.with_data(-cube.data)."
        )
    return (
        f"As a whole the truth is {factor:.3g} times as bright as {name!r}; all scores but angle and peaks include this difference. "
        "To compare shapes, normalise each spectrum (normalise='area', or Intensities in the dock)."
    )


def alike(source: Cube | None, truth: Cube) -> Cube | None:
    """Return the source where it has the truth's pixels and bands."""
    if source is None or source.shape != truth.shape:
        return None
    differs = truth.axis.mismatch(source.axis) and truth.axis.unit and source.axis.unit
    return None if differs else source


def _map(values: npt.NDArray[np.float32], like: Cube, name: str) -> Cube:
    return replace(like, data=values[..., None], axis=SpectralAxis.bands(1), name=name, source=None, metadata=_placed(like))


def _placed(cube: Cube) -> dict[str, Any]:
    return {key: cube.metadata[key] for key in ("origin", "placement") if key in cube.metadata}


def _spots(name: str, result: Cube, truth: Cube, source: Cube | None, found: CubeScores, scaling: Scaling) -> Iterator[Spot]:
    """Yield the best, the median and the worst spectrum, of those whose truth is not all zero."""
    error = found.error.ravel()
    alive = np.flatnonzero(found.alive.ravel())
    alive = alive if alive.size else np.arange(error.size)
    places = {"best": 0, "median": (alive.size - 1) // 2, "worst": alive.size - 1}
    order = alive[np.argpartition(error[alive], sorted(set(places.values())))]
    for which, place in places.items():
        pixel = tuple(int(index) for index in np.unravel_index(order[place], found.error.shape))
        one, other = (scaling.seen(side, _at(cube, pixel), pixel) for side, cube in enumerate((result, truth)))
        noisy = _at_source(source, truth, pixel, scaling.step)
        yield Spot(name, which, list(pixel), float(error[order[place]]), one.tolist(), other.tolist(), noisy)  # type: ignore[arg-type]


def _at(cube: Cube, pixel: tuple[int, ...]) -> npt.NDArray[np.floating[Any]]:
    return cube[pixel].numpy().reshape(-1)


def _at_source(source: Cube | None, truth: Cube, pixel: tuple[int, ...], normalise: Normalise | None) -> list[float]:
    """Return the source's spectrum under a pixel, where it has the truth's bands."""
    index = None if source is None else under(truth.spatial_shape, source)
    if source is None or index is None or len(source.axis) != len(truth.axis):
        return []
    values = _at(source, tuple(int(along[place]) for along, place in zip(index, pixel, strict=True)))
    scaled = values if normalise is None else normalise.apply(values[None], source.axis)[0][0]
    return [float(value) for value in scaled]
