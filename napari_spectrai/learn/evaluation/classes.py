"""Evaluate classes: scores, confusion matrices, and wrong pixels."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from napari_spectrai.class_numbers import named_on_one_side
from napari_spectrai.cube import Cube
from napari_spectrai.experiment.metrics import ClassMean
from napari_spectrai.experiment.tasks import TaskSpec
from napari_spectrai.label_conversion import as_labels
from napari_spectrai.labels import Class, Labels, marker_among, names_alike
from napari_spectrai.learn.evaluation import score_intervals
from napari_spectrai.learn.evaluation.confusion import Agreement, classes_of, labelled, matched
from napari_spectrai.learn.evaluation.overlap import Overlap, overlap_notes, overlap_of, words_of_others
from napari_spectrai.learn.inference.baselines import STEPS, baselines, free, mapped, within
from napari_spectrai.learn.model import Model
from napari_spectrai.learn.scoring import metrics
from napari_spectrai.plan.pairing import labels_on_truth
from napari_spectrai.runs import Progress
from napari_spectrai.runs.evaluation import Evaluation
from napari_spectrai.runs.options import EvaluateOptions
from napari_spectrai.runs.score_table import Role
from napari_spectrai.valid import DataMask, holds_data, said


def of_classes(
    spec: TaskSpec,
    named: dict[str, Any],
    truth: Labels,
    source: Cube | None,
    model: Model | None,
    options: EvaluateOptions,
    moved: list[str],
) -> Generator[Progress, None, Evaluation]:
    """Score labels against the truth, with the classical methods of a model for comparison; yield progress.

    How results at another position than the truth were aligned with it is added to `moved`, in sentences.
    """
    placed = options.pairing == "position"
    predicted, truth, notes = labels_on_truth({name: as_labels(result) for name, result in named.items()}, truth, known=placed)
    moved += notes
    methods = baselines(model)
    roles: dict[str, Role] = dict.fromkeys(predicted, "result")
    for number, (name, method) in enumerate(methods.items()):
        with ExitStack() as files:
            given = yield from within(mapped(model, method, source, files, labels=True), number, len(methods) + 1)
        label = free(name, predicted)
        own, truth, _ = labels_on_truth({label: given}, truth, known=placed)
        predicted[label], roles[label] = own[label], "classical"
    compared = compare_labels(predicted, roles, truth, source, notes, match=options.match)
    given_names = {} if model is None else {one.value: one.name for one in model.description.classes}
    where = compared.scored
    agreed = classes_of(compared.predicted, compared.truth, where, given_names).agreement(compared.predicted, compared.truth, where)
    return (yield from scored_classes(spec, compared, agreed, source, model, options))


@dataclass(frozen=True, slots=True, eq=False)
class ComparedLabels:
    """Labels of the same pixels as the truth.

    Attributes
    ----------
    predicted : dict of Labels
    truth : Labels
    roles : dict of str
        Of each of the results.
    held : DataMask, optional
        Which pixels of the source hold data; no others are scored.
    notes : list of str
    """

    predicted: dict[str, Labels]
    truth: Labels
    roles: dict[str, Role]
    held: DataMask | None
    notes: list[str]

    @property
    def scored(self) -> npt.NDArray[np.bool_]:
        """Which pixels are scored."""
        known = labelled(self.truth, [one for name, one in self.predicted.items() if self.roles[name] == "result"])
        return known if self.held is None else known & self.held.mask


def compare_labels(
    predicted: dict[str, Labels], roles: dict[str, Role], truth: Labels, source: Cube | None, notes: Sequence[str], *, match: bool
) -> ComparedLabels:
    """Return labels as they are compared with the truth; `match`: the numbers of results are clusters."""
    predicted, notes = dict(predicted), list(notes)
    sizes = {one.shape for one in predicted.values()}
    if truth.shape not in sizes and sizes == {truth.shape[:-2] or (1,)}:  # one class per image
        truth = replace(truth, data=truth.data.max((-2, -1)).reshape(next(iter(sizes))))
    for name in [name for name, role in roles.items() if match and role == "result"]:
        predicted[name], words = matched(predicted[name], truth)
        taken = "; ".join(f"{known} ({', '.join(clusters)})" for known, clusters in words.items())
        notes.append(f"{name}: each cluster was taken for the class that most of its labelled pixels have: {taken}.")
    held = None if source is None or source.spatial_shape != truth.shape else holds_data(source)
    return ComparedLabels(predicted, truth, roles, held, notes)


def scored_classes(
    spec: TaskSpec, compared: ComparedLabels, agreed: Agreement, source: Cube | None, model: Model | None, options: EvaluateOptions
) -> Generator[Progress, None, Evaluation]:
    """Return the scores of labels that were counted, with remarks on them."""
    class_mean, held, where, roles = options.class_mean, compared.held, compared.scored, compared.roles
    overlap = None if source is None else overlap_of(model, source, scored=where)
    notes = [*overlap_notes(model, overlap, source), *compared.notes]
    notes += [said([held], "are not scored")] if held is not None and not held.complete else []
    yield Progress(STEPS, STEPS)
    rows, sure = {}, {}
    for name, role in roles.items():
        rows[name] = metrics.from_confusion(agreed.matrices[name], class_mean)
        sure[name] = score_intervals.of_cells(agreed.cells[name], len(agreed.values), tuple(rows[name]), class_mean)
        if role == "result":
            notes += _of_others(overlap, agreed.cells[name], len(agreed.values), spec, name, class_mean)
    names = dict(zip(agreed.values, agreed.names, strict=True))
    notes += [] if options.match else _otherwise_named(compared.predicted, roles, compared.truth, names)
    mine = [name for name, role in roles.items() if role == "result"]
    named = [Class(value, name) for value, name in names.items()]
    notes += filter(None, [_one_class(compared.truth, where), marker_among(named, "scored"), names_alike(named, "scored")])
    notes += [note for name in mine for note in absent(agreed.matrices[name].numpy(), agreed.names, name, class_mean)]
    return Evaluation(
        spec.kind, rows, roles, shape=list(compared.truth.shape), values=agreed.values, classes=agreed.names, notes=notes,
        confusions={name: matrix.tolist() for name, matrix in agreed.matrices.items()},
        maps={name: _class_maps(name, agreed.cells[name], len(agreed.values)) for name in mine}, class_mean=class_mean,
        scored=int(where.sum()), intervals=sure, learnt_from=None if overlap is None else overlap.count,
    )  # fmt: skip


def _one_class(truth: Labels, scored: npt.NDArray[np.bool_]) -> str:
    """Return a sentence where a truth of one class leaves out its zeros, which a mask means as a class of its own; else nothing."""
    held = truth.data[scored]
    zeros = int(((truth.data == 0) & ~scored).sum())
    if not zeros or not held.size or (held != held[0]).any():
        return ""
    return (
        f"The truth holds one class only, and its {zeros:,} pixels of 0 count as unlabelled: whatever a result says there is not wrong. "
        "If 0 is a class, as in a mask, number it: add 1 to truth and results."
    )


def absent(matrix: npt.NDArray[Any], names: Sequence[str], result: str, class_mean: ClassMean) -> Iterator[str]:
    """Yield which classes a result holds that the truth does not, and what that means for the averages."""
    there, predicted = matrix.sum(1), matrix.sum(0)
    only = [name for name, known, taken in zip(names, there, predicted, strict=True) if taken and not known]
    if only:
        pixels = int(predicted[there == 0].sum())
        rule = (
            "the averages of F1 and IoU leave them out (class_mean='union' counts them as 0, as scikit-learn does)"
            if class_mean == "truth"
            else "they have F1 and IoU 0 in the averages, as in scikit-learn"
        )
        classes = f"{', '.join(only[:5])}{', …' if len(only) > 5 else ''}"
        yield f"{result!r} has {pixels:,} scored pixels in classes that the truth does not hold ({classes}); {rule}."


def _of_others(
    overlap: Overlap | None, cells: npt.NDArray[Any], count: int, spec: TaskSpec, name: str, class_mean: ClassMean
) -> Iterator[str]:
    """Yield the score of the pixels that a model has not seen, where it has seen some of the others."""
    others = None if overlap is None else overlap.others
    if others is None:
        return
    own = others.reshape(cells.shape) & (cells > 0)
    pairs = np.bincount(cells[own].astype(np.int64) - 1, minlength=count * count).reshape(count, count)
    metric = spec.metrics[0]
    score = metrics.from_confusion(torch.from_numpy(pairs), class_mean)[metric]
    yield words_of_others(int(own.sum()), name, metric, score)


def _class_maps(name: str, cells: npt.NDArray[Any], count: int) -> dict[str, Labels]:
    index = cells.astype(np.int64) - 1
    wrong = np.where(index < 0, 0, np.where(index // count == index % count, 1, 2)).astype(np.uint8)
    return {"wrong": Labels(wrong, {1: "right", 2: "wrong"}, name=f"{name} · wrong pixels"), "cells": Labels(cells, name=f"{name} · cells")}


def _otherwise_named(predicted: Mapping[str, Labels], roles: Mapping[str, Role], truth: Labels, names: Mapping[int, str]) -> list[str]:
    """Return notes where a number is one class in a result and another, or none, in the truth."""
    found = []
    known = set(truth.values())
    for name in (one for one, role in roles.items() if role == "result"):
        if not known & set(predicted[name].values()):
            found.append(
                f"No number in {name!r} is one of the truth's, so that none can be right; if they are clusters, match them to the classes."
            )
            continue
        other = {
            value: (predicted[name].names[value], truth.names[value])
            for value in names
            if value in predicted[name].names and value in truth.names
        }
        differing = {value: pair for value, pair in other.items() if pair[0] != pair[1]}
        if differing:
            value, (mine, theirs) = next(iter(differing.items()))
            found.append(
                f"{len(differing)} numbers have other names in {name!r} than in the truth, such as {value}: {mine} there, {theirs} here. "
                "They are compared by number; if they are clusters, match them to the classes."
            )
        elif words := named_on_one_side(predicted[name].names, truth.names, repr(name)):
            found.append(words)
    return found
