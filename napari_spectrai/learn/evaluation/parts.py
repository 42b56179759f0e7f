"""A part of an evaluation: the sums of some blocks of cubes, which are merged to the scores of the whole."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from napari_spectrai.conversion import as_cube
from napari_spectrai.cube import Cube
from napari_spectrai.experiment.tasks import TaskSpec, tasks
from napari_spectrai.generators import drain
from napari_spectrai.io.zarr import CHECKED
from napari_spectrai.label_conversion import as_labels
from napari_spectrai.learn.evaluation.class_parts import ClassCounts
from napari_spectrai.learn.evaluation.class_parts import digest as digest_of_labels
from napari_spectrai.learn.evaluation.classes import compare_labels
from napari_spectrai.learn.evaluation.cubes import Kept, alike, of_cubes, under_truth
from napari_spectrai.learn.evaluation.scaling import Places, Scaling
from napari_spectrai.learn.evaluation.streaming import (
    BlockScores,
    Similarities,
    block_units,
    blocks,
    paired,
    scored_block,
    scored_pixels,
    structure,
    structure_parts,
    structure_units,
    sums_of,
    wanted,
)
from napari_spectrai.learn.scoring.spectrum_sums import SpectrumSums
from napari_spectrai.plan.pairing import labels_on_truth, results_on_truth
from napari_spectrai.preparation.normalise import Normalise
from napari_spectrai.runs.evaluation import DOCUMENT, Evaluation
from napari_spectrai.runs.events import Progress
from napari_spectrai.runs.options import EvaluateOptions
from napari_spectrai.runs.part import Part
from napari_spectrai.runs.part_input import digest
from napari_spectrai.runs.part_record import RECORD, PartRecord
from napari_spectrai.valid import DataMask

LAYOUT = 2
"""Version of the arrays of an evaluation in parts."""

_MAPS = ("error", "angle", "alive")


def evaluating_part(
    results: Mapping[str, Any], truth: Any, task: str, *, source: Any = None, options: EvaluateOptions, out: Path, part: Part
) -> Generator[Progress, None, Evaluation | None]:
    """Score a part of cubes, or count a part of classes, yielding progress; return the evaluation if it is complete.

    Parameters
    ----------
    results, truth, task, source, options
        As for `evaluating`.
    out : Path
        The folder of the evaluation, which the last part writes.
    part : Part

    Returns
    -------
    Evaluation or None
        None while parts are missing.

    Raises
    ------
    ValueError
        If the folder was started with other inputs, other options or another number of parts.
    HeldError (a RuntimeError)
        If another process computes the same part.
    """
    spec = tasks.parse(task)
    noisy = None if source is None else as_cube(source)
    plan = {"record": [RECORD, LAYOUT], "verb": "evaluate", "count": part.count, "options": [task, *options.arguments()]}
    unlike = "" if noisy is None else digest(noisy)
    scores: _Scores | ClassCounts
    if spec.classifies:
        labels, classes = {name: as_labels(one) for name, one in results.items()}, as_labels(truth)
        digests = [digest_of_labels(one) for one in (*labels.values(), classes)]
        record = PartRecord.begin(out, plan | {"input": [*labels, *digests, unlike]})
        placed, classes, notes = labels_on_truth(labels, classes, known=options.pairing == "position")
        compared = compare_labels(placed, dict.fromkeys(placed, "result"), classes, noisy, notes, match=options.match)
        scores = ClassCounts.of(spec, compared, options, record)
    else:
        given, known = {name: as_cube(one) for name, one in results.items()}, as_cube(truth)
        record = PartRecord.begin(out, plan | {"input": [*given, *(digest(cube) for cube in (*given.values(), known)), unlike]})
        scores = _Scores.of(spec, given, known, noisy, options, record)
    if not record.state(part.number).finished:
        with record.working(part):
            run = partial(scores.run, part)
            yield from record.followed(part, run, len(scores.steps(part)), [])
    yield Progress(1, 1)
    if record.complete(partial(_completed, scores, record)) is None:
        return None
    return Evaluation.load(out)


def evaluating_on_worker(
    results: Mapping[str, Callable[[], Any]], truth: Callable[[], Any], source: Callable[[], Any] | None, task: str,
    options: EvaluateOptions, out: Path, part: Part,
) -> Generator[Progress, None, Evaluation | None]:  # fmt: skip
    """Do what `evaluating_part` does, of cubes or labels that functions open."""
    given = {name: opening() for name, opening in results.items()}
    noisy = None if source is None else source()
    return (yield from evaluating_part(given, truth(), task, source=noisy, options=options, out=out, part=part))


def _completed(scores: _Scores | ClassCounts, record: PartRecord) -> list[str]:
    if not (record.output / DOCUMENT).exists():
        record.refuse_holes(*scores.arrays)
        scores.evaluation().save(record.output)
    return []


@dataclass(slots=True, eq=False)
class _Scores:
    """The rows of an evaluation, and what has been computed of them."""

    spec: TaskSpec
    rows: dict[str, tuple[Cube, Cube]]
    results: dict[str, Cube]
    source: Cube | None
    normalise: str | None
    held: DataMask
    scaling: Scaling
    words: list[str]
    record: PartRecord

    @classmethod
    def of(
        cls, spec: TaskSpec, given: dict[str, Cube], truth: Cube, source: Cube | None, options: EvaluateOptions, record: PartRecord
    ) -> _Scores:  # fmt: skip
        placed = options.pairing == "position"
        results, truth, words = results_on_truth(given, truth, known=placed)
        source = under_truth(source, truth, words, placed=placed)
        rows = {name: paired(result, truth) for name, result in results.items()}
        truth = next(iter(rows.values()))[1]
        raw = alike(source, truth)
        held = _held(record, truth, [result for result, _ in rows.values()], source)
        step = None if options.normalise is None else Normalise.model_validate({"by": options.normalise})
        more = {} if raw is None else {"": paired(raw, truth)}
        return cls(spec, rows | more, results, source, options.normalise, held, Scaling(step, truth.spatial_shape, source), words, record)

    @property
    def truth(self) -> Cube:
        return next(iter(self.rows.values()))[1]

    @property
    def arrays(self) -> list[str]:
        """The names of the arrays that its parts fill."""
        return [name for row in range(len(self.rows)) for name in (f"sums-{row}.zarr", f"maps-{row}.zarr")]

    @property
    def limits(self) -> tuple[float, float]:
        """Smallest and largest value of the truth that is scored; one part reads them for all."""
        if "ssim" not in wanted(self.spec):
            return 0.0, 0.0

        def search() -> dict[str, Any]:
            sums, units = sums_of(self.truth, ()), block_units(self.truth.shape)
            for place in blocks(self.truth.shape):
                sums.merge(scored_block(self.truth, self.truth, (), self.scaling, self.held.mask, place, units).sums)
            return {"limits": np.array(sums.limits)}

        low, high = self.record.shared("limits", search)["limits"]
        return float(low), float(high)

    def steps(self, part: Part) -> list[tuple[int, str, int]]:
        """Return row, kind and number of what a part computes."""
        counts = {"blocks": len(list(blocks(self.truth.shape)))}
        counts["structure"] = len(structure_parts(self.truth, self.limits)) if "ssim" in wanted(self.spec) else 0
        return [(row, kind, number) for kind, count in counts.items() for row in range(len(self.rows)) for number in part.share(count)]

    def run(self, part: Part, done: int, finished: Callable[[int], object]) -> Generator[Progress, None, None]:
        """Yield progress after each block."""
        todo, kept = self.steps(part), self.kept()
        places, names, limits = list(blocks(self.truth.shape)), wanted(self.spec), self.limits
        structures, pairs, units = structure_parts(self.truth, limits), list(self.rows.values()), block_units(self.truth.shape)
        for count, (row, kind, number) in enumerate(todo[done:], done + 1):
            if count == 1 or row != todo[count - 2][0]:  # the factors of a result are its own
                self.scaling = Scaling(self.scaling.step, self.truth.spatial_shape, self.source)
            if kind == "blocks":
                found = scored_block(*pairs[row], names, self.scaling, self.held.mask, places[number], units)
                kept[row].keep(number, places[number], found)
            else:
                kept[row].similarities[number] = structure(*pairs[row], structures[number], limits, self.scaling, self.held.mask)
            finished(count)
            yield Progress(count, len(todo))

    def kept(self) -> list[_KeptRow]:
        """Return what has been computed of each row."""
        places = list(blocks(self.truth.shape))
        size = SpectrumSums.size(len(self.truth.axis), int(block_units(self.truth.shape).max()) + 1)
        spatial = self.truth.spatial_shape
        sides = spatial if len(spatial) == 1 else (64, 64)
        chunks = (*[1] * (len(spatial) - 2), *(min(side, length) for side, length in zip(sides, spatial[-len(sides) :], strict=True)))
        if len(spatial) == 1:
            chunks = (places[0][0].stop,)
        parts = structure_parts(self.truth, self.limits)
        units = int(structure_units(self.truth, parts).max()) + 1 if parts else 1

        def array(name: str, shape: tuple[int, ...], own: tuple[int, ...]) -> Any:
            create = partial(zarr.create_array, shape=shape, chunks=own, dtype=np.float64, fill_value=np.nan, compressors=CHECKED)
            return self.record.array(name, create)

        return [
            _KeptRow(
                array(f"sums-{row}.zarr", (len(places), size), (1, size)),
                array(f"maps-{row}.zarr", (*spatial, len(_MAPS)), (*chunks, len(_MAPS))),
                array(f"similarities-{row}.zarr", (max(1, len(parts)), 2, units), (1, 2, units)),
            )
            for row in range(len(self.rows))
        ]

    def evaluation(self) -> Evaluation:
        """Return the evaluation, once all parts are finished."""
        kept = Kept(self.held, self.kept())
        found = drain(of_cubes(self.spec, self.results, self.truth, self.source, None, self.normalise, kept=kept))
        found.notes[:0] = self.words
        return found


@dataclass(frozen=True, slots=True)
class _KeptRow:
    """What has been computed of one row."""

    sums: Any
    maps: Any
    similarities: Any

    def keep(self, number: int, place: Places, scores: BlockScores) -> None:
        """Keep the scores of a block."""
        self.maps[place] = np.stack([getattr(scores, name) for name in _MAPS], -1)
        self.sums[number] = scores.sums

    def block(self, number: int, place: Places) -> BlockScores:
        """Return the scores of a block."""
        error, angle, alive = np.moveaxis(np.asarray(self.maps[place]), -1, 0)
        return BlockScores(np.asarray(self.sums[number]), error.astype(np.float32), angle.astype(np.float32), alive == 1)

    def structure(self, number: int) -> Similarities:
        """Return the similarities of a part."""
        return np.asarray(self.similarities[number])


def _held(record: PartRecord, truth: Cube, results: list[Cube], source: Cube | None) -> DataMask:
    """Return the pixels that are scored; one part searches for them, for all."""

    def search() -> dict[str, Any]:
        held = scored_pixels(truth, results, source)
        return {"mask": held.mask, "unknown": held.unknown, "counts": np.array([held.missing, held.empty])}

    found = record.shared("held", search)
    missing, empty = found["counts"].tolist()
    return DataMask(found["mask"], missing, empty, found["unknown"])
