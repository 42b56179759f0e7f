"""Judging classes: figures, confusion, and which pixels."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.cube import Cube
from napari_spectrai.experiment.tasks import TaskSpec
from napari_spectrai.labels import Labels, as_labels
from napari_spectrai.learn import metrics
from napari_spectrai.learn.agreement import agreement, matched
from napari_spectrai.learn.model import Model
from napari_spectrai.learn.rivals import STEPS, free, mapped, rivals, within
from napari_spectrai.plan.pairing import labels_on_truth
from napari_spectrai.runs import Progress
from napari_spectrai.runs.judgement import Judgement, Role, Row


def of_classes(
    spec: TaskSpec, named: dict[str, Any], truth: Labels, source: Cube | None, model: Model | None, *, match: bool, placed: bool = True
) -> Generator[Progress, None, Judgement]:
    """Judge labels against the truth, beside the classical methods of a model; tell progress. `placed`: positions count."""
    told, truth, notes = labels_on_truth({name: as_labels(result) for name, result in named.items()}, truth, known=placed)
    methods = rivals(model)
    roles: dict[str, Role] = dict.fromkeys(told, "result")
    for number, (name, method) in enumerate(methods.items()):
        with ExitStack() as files:
            given = yield from within(mapped(model, method, source, files, labels=True), number, len(methods) + 1)
        label = free(name, [Row(taken, "result", {}) for taken in told])
        own, truth, _ = labels_on_truth({label: given}, truth, known=placed)
        told[label], roles[label] = own[label], "classical"
    sizes = {one.shape for one in told.values()}
    if truth.shape not in sizes and sizes == {truth.shape[:-2] or (1,)}:  # one class an image
        truth = replace(truth, data=truth.data.max((-2, -1)).reshape(next(iter(sizes))))
    for name in [name for name, role in roles.items() if match and role == "result"]:
        told[name], words = matched(told[name], truth)
        taken = "; ".join(f"{known} ({', '.join(clusters)})" for known, clusters in words.items())
        notes.append(f"{name}: each cluster was taken for the class that most of its judged pixels have: {taken}.")
    agreed = agreement(told, truth)
    yield Progress(STEPS, STEPS)
    rows = []
    for name, role in roles.items():
        figures = metrics.from_confusion(agreed.matrices[name])
        rows.append(Row(name, role, figures))
    names = dict(zip(agreed.values, agreed.names, strict=True))
    notes += [] if match else _otherwise_named(told, roles, truth, names)
    mine = [name for name, role in roles.items() if role == "result"]
    return Judgement(
        spec.kind, rows, shape=list(truth.shape), values=agreed.values, classes=agreed.names, notes=notes,
        confusions={name: matrix.tolist() for name, matrix in agreed.matrices.items()},
        maps={name: _class_maps(name, agreed.cells[name], len(agreed.values)) for name in mine},
    )  # fmt: skip


def _class_maps(name: str, cells: npt.NDArray[Any], count: int) -> dict[str, Labels]:
    index = cells.astype(np.int64) - 1
    wrong = np.where(index < 0, 0, np.where(index // count == index % count, 1, 2)).astype(np.uint8)
    return {"wrong": Labels(wrong, {1: "right", 2: "wrong"}, name=f"{name} · wrong pixels"), "cells": Labels(cells, name=f"{name} · cells")}


def _otherwise_named(told: Mapping[str, Labels], roles: Mapping[str, Role], truth: Labels, names: Mapping[int, str]) -> list[str]:
    """Return what to say where a number is one class in a result, and another in the truth, or no class there at all."""
    found = []
    known = set(truth.values())
    for name in (one for one, role in roles.items() if role == "result"):
        if not known & set(told[name].values()):
            found.append(
                f"No number in {name!r} is one of the truth's, so that none can be right; if they are clusters, match them to the classes."
            )
            continue
        other = {
            value: (told[name].names[value], truth.names[value]) for value in names if value in told[name].names and value in truth.names
        }
        differing = {value: pair for value, pair in other.items() if pair[0] != pair[1]}
        if differing:
            value, (mine, theirs) = next(iter(differing.items()))
            found.append(
                f"{len(differing)} numbers have other names in {name!r} than in the truth, such as {value}: {mine} there, {theirs} here. "
                "They are compared by number; if they are clusters, match them to the classes."
            )
    return found
